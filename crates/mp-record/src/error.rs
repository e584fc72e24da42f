//! [`RecordingError`]: the reason why a recording cannot be read.

use std::io;

use mp_host::CheckpointError;

/// The reason why a recording cannot be read, or not to its end. What precedes the error was read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file could not be read.
    #[error("cannot read the recording")]
    Io(#[from] io::Error),
    /// The file does not begin with the magic number.
    #[error("not a recording of mp: the file does not begin with {:?}", str::from_utf8(crate::MAGIC).unwrap_or_default())]
    NotARecording,
    /// The format has a version that this program does not know.
    #[error("unknown version {found} of the recording; this program reads version {known}", known = crate::VERSION)]
    UnknownVersion {
        /// The version in the file.
        found: u16,
    },
    /// The header is cut, too long, or malformed.
    #[error("the header of the recording is damaged")]
    Header,
    /// The recording begins with a state that this program cannot restore.
    #[error("the state at the beginning of the recording is damaged, or of another program")]
    Start(#[from] CheckpointError),
    /// The file ends within a block.
    #[error("the recording is cut in block {block}")]
    Cut {
        /// Number of the block, from 0.
        block: u64,
    },
    /// The checksum of a block is wrong, or its contents are malformed.
    #[error("block {block} of the recording is damaged: {problem}")]
    Damaged {
        /// Number of the block, from 0.
        block: u64,
        /// The problem.
        problem: &'static str,
    },
    /// A block or the sum of all blocks is larger than a recording may be.
    #[error("block {block} of the recording is too large: {problem}")]
    TooLarge {
        /// Number of the block, from 0.
        block: u64,
        /// The limit.
        problem: &'static str,
    },
}
