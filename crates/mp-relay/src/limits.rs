//! Limits of this crate. Each constant documents the reason for its value.

use std::time::Duration;

pub use mp_core::limits::HOST_GRACE;

/// Path ids of the host that a room translates: 16 for each of 4,096 nodes. Further ones replace
/// those that were not used for the longest time, which Godot reaches with nodes that have left.
pub const HOST_PATHS_MAX: usize = 65_536;

/// Net ids of the host that a room translates at once: 16,384 nodes with three synchronizers each.
/// A SPAWN beyond it is dropped and counted.
pub const HOST_NET_IDS_MAX: usize = 65_536;

/// Nodes that no guest has, of which a room remembers the net ids: about 0.5 MB. A node that is
/// shown again after that many others gets new ones. Forgotten nodes are counted.
pub const HIDDEN_NODES_MAX: usize = 4_096;

/// Announced nodes of all guests together: 16,384 nodes at 64 guests, about 30 MB. A SPAWN beyond
/// it is dropped and counted.
pub const ANNOUNCED_NODES_MAX: usize = 1 << 20;

/// Paths of a guest for peer 1 that a room keeps for its next host: its calls and synchronizers. A
/// room without [`Migration`](crate::Migration) keeps them until there is a host. Further ones are
/// counted and not kept; calls of their nodes go on by path until there is a host.
pub const GUEST_PATHS_MAX: usize = 1_024;

/// Bytes of the paths of a guest that a room keeps: 1,024 paths of 64 bytes.
pub const GUEST_PATH_BYTES_MAX: usize = 64 * 1_024;

/// Time in which a new host announces the nodes of its predecessor again, after it has received its
/// message: the code of a game may wait for some frames. Then guests lose the remaining ones.
pub const TAKE_OVER: Duration = Duration::from_secs(1);

/// Size in bytes of the nodes and properties that a room with a [`Migration`](crate::Migration)
/// keeps: about 7,000 nodes with two synchronizers and four properties, at 1,200 bytes. Beyond it
/// the game goes on, but guests that join without a host are rejected, and the next host spawns the
/// remaining nodes anew.
pub const CACHE_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// Bytes of the host's paths that a room with a [`Migration`](crate::Migration) keeps: 65,536 paths
/// of 64 bytes. Nodes of spawners with further paths are not kept.
pub const HOST_PATH_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// Pairs of a host's path and a guest that has received it, in a room with a
/// [`Migration`](crate::Migration): 4,096 paths at 64 guests. Properties of nodes with further
/// paths are withheld from guests that join without a host.
pub const PATH_RECEIVERS_MAX: usize = 1 << 18;

/// Maximum number of guests in a checkpoint of a recording: as many as it has connections.
pub const CHECKPOINT_GUESTS_MAX: usize = 65_536;
