//! Limits of this crate. Each constant documents the reason for its value.

use std::time::Duration;

/// Maximum size of a message in bytes: a session description of 16 KiB with escaped line ends and
/// quotes.
pub const MESSAGE_BYTES_MAX: usize = 32 * 1024;

/// Maximum length of a lobby name in bytes, as in the demo.
pub const LOBBY_NAME_BYTES_MAX: usize = 32;

/// Maximum length in bytes of the name in a JOIN if any name is accepted: names of a room and a
/// template, and a code.
pub const REQUEST_BYTES_MAX: usize = 512;

/// Maximum time from opening a socket to its JOIN, as in the demo.
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Time from SEAL to the end of the lobby, as in the demo.
pub const SEAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Time from JOIN to the offer of a member of a lobby that this process hosts, which needs no
/// message of the host.
pub const OFFER_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum number of sockets, as in the demo.
pub const SOCKETS_MAX: usize = 4_096;

/// Maximum number of sockets of one address: a household or a classroom behind one NAT.
pub const SOCKETS_PER_ADDRESS_MAX: usize = 64;

/// Maximum number of lobbies, as in the demo.
pub const LOBBIES_MAX: usize = 1_024;

/// Maximum number of members of a lobby. A mesh of 64 has 2,016 connections.
pub const MEMBERS_MAX: usize = 64;

/// Messages that a socket may send in one burst: the descriptions and candidates of a new member of
/// a full mesh.
pub const MESSAGE_BURST: u32 = 1_024;

/// Messages per second that a socket may send after [`MESSAGE_BURST`].
pub const MESSAGES_PER_SECOND: u32 = 64;

/// Attempts to generate an unused lobby name before the JOIN is rejected.
pub(crate) const NAME_ATTEMPTS: usize = 8;
