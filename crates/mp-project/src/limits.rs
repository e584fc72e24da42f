//! Limits of what is read.

/// Maximum length of a file in bytes: 8 MiB. A longer file is an error.
pub const FILE_BYTES_MAX: u64 = 8 << 20;

/// Maximum depth of brackets, values, inner classes, base scripts and instanced scenes.
pub const DEPTH_MAX: usize = 128;

/// Maximum number of nodes of a scene with its instanced scenes.
pub const NODES_MAX: usize = 100_000;

/// Maximum number of files and folders that are visited in the search for a class or UID.
pub const SEARCHED_FILES_MAX: usize = 200_000;
