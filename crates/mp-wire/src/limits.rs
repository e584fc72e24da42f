//! Limits of decoders and proxies.

use std::time::Duration;

/// Maximum number of node paths that a decoder keeps for one connection. Further announcements are
/// shown, and calls by their ids show the id.
pub const PATHS_MAX: usize = 16_384;

/// Maximum bytes of the node paths that a decoder keeps for one connection.
pub const PATH_BYTES_MAX: usize = 4 << 20;

/// Maximum number of spawned nodes, and of their synchronizers, that a decoder keeps for one
/// connection.
pub const SPAWNED_MAX: usize = 16_384;

/// Maximum depth of a node path that is looked up in the project.
pub const DEPTH_MAX: usize = 64;

/// Maximum memory in bytes of the values of one packet.
pub const ALLOCATION_MAX: usize = 1 << 20;

/// Maximum length in bytes of the text of one packet. The rest is replaced by `…`.
pub const TEXT_BYTES_MAX: usize = 1_024;

/// Maximum number of bytes of a raw or malformed packet that its text shows.
pub const SHOWN_BYTES_MAX: usize = 32;

/// Maximum number of clients of a proxy at a time. Further ones are rejected.
pub const CLIENTS_MAX: u16 = 64;

/// Bytes queued for the client beyond which the proxy stops receiving from the server, and vice
/// versa.
pub const PAUSE_BYTES: u64 = 1 << 20;

/// Bytes queued for the client at which the proxy receives from the server again, and vice versa.
pub const RESUME_BYTES: u64 = PAUSE_BYTES / 2;

/// Maximum number of packets that wait for the connection to the server. Beyond, unreliable ones
/// are dropped and counted, and the client is paused.
pub const PENDING_PACKETS_MAX: usize = 1_024;

/// Maximum time for which a closed connection delivers its queued packets.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum length in bytes of the request and of the response of a WebSocket handshake.
pub const HEAD_BYTES_MAX: usize = 16 << 10;

/// Maximum time for the connection to the server and the WebSocket handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum length in bytes of a WebSocket message that is decoded. Longer ones are passed on, and
/// the rest of their direction is not decoded.
pub const MESSAGE_BYTES_MAX: usize = mp_core::limits::PACKET_BYTES_MAX;

/// Maximum number of elements of a SYNC or DELTA, and of synchronizers of a spawned node, that are
/// decoded.
pub const ELEMENTS_MAX: usize = 4_096;
