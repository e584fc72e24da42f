//! Limits of this crate. Each constant documents the reason for its value.

/// Path ids of the host that a room translates: 16 for each of 4,096 nodes. Further ones replace
/// those that were not used for the longest time, which Godot reaches with nodes that have left.
pub const HOST_PATHS_MAX: usize = 65_536;

/// Net ids of the host that a room translates at once: 16,384 nodes with three synchronizers each.
/// A SPAWN beyond it is dropped and counted.
pub const HOST_NET_IDS_MAX: usize = 65_536;

/// Announced nodes of all guests together: 16,384 nodes at 64 guests, about 30 MB. A SPAWN beyond
/// it is dropped and counted.
pub const ANNOUNCED_NODES_MAX: usize = 1 << 20;

/// Paths that a guest announces while there is no host: its calls and synchronizers before the game
/// begins. Further ones are dropped and counted; calls of their nodes go on by path.
pub const WAITING_PATHS_MAX: usize = 1_024;

/// Bytes of the paths that a guest announces while there is no host: 1,024 paths of 64 bytes.
pub const WAITING_PATH_BYTES_MAX: usize = 64 * 1_024;
