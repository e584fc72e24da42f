//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Size in bytes of the largest message: a session description of 16 KiB whose line ends and quotes
/// JSON escapes.
pub const MESSAGE_BYTES_MAX: usize = 32 * 1024;

/// Length in bytes of the longest lobby name: the demo's.
pub const LOBBY_NAME_BYTES_MAX: usize = 32;

/// Time from opening a socket to its JOIN: the demo's.
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Time from SEAL to the end of the lobby: the demo's.
pub const SEAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Sockets at a time: the demo's.
pub const SOCKETS_MAX: usize = 4_096;

/// Sockets of one address at a time: a household or a classroom behind one NAT.
pub const SOCKETS_PER_ADDRESS_MAX: usize = 64;

/// Lobbies at a time: the demo's.
pub const LOBBIES_MAX: usize = 1_024;

/// Members of one lobby. A mesh of 64 has 2,016 connections.
pub const MEMBERS_MAX: usize = 64;

/// Messages of one socket that may come at once: the descriptions and candidates of a newcomer to a
/// full mesh.
pub const MESSAGE_BURST: u32 = 1_024;

/// Messages per second of one socket beyond [`MESSAGE_BURST`].
pub const MESSAGES_PER_SECOND: u32 = 64;

/// Lobbies with which a generated name may collide before the JOIN is rejected.
pub(crate) const NAME_ATTEMPTS: usize = 8;
