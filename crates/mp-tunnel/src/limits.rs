//! Limits of this crate. Each constant documents the reason for its value.

use std::time::Duration;

/// Payload bytes of a frame. Larger reliable packets are sent in parts. A frame fits into the
/// default message size of WebSocket, and a part does not delay other guests for long.
pub const PART_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a packet of a guest or the game: the largest packet of a transport by default. A guest
/// whose reliable packet is larger is disconnected.
pub const PACKET_BYTES_MAX: usize = mp_core::limits::PACKET_BYTES_MAX;

/// Guests of a link: the most players that a room has.
pub const GUESTS_MAX: usize = 4_095;

/// Bytes of a guest that are sent and not acknowledged, beyond which it is disconnected. It is
/// twice the receive queue of a transport, which a paused connection still delivers.
pub const GUEST_UNACKNOWLEDGED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of a guest that are sent and not acknowledged, from which the program beside the game
/// receives nothing more for it.
pub const PAUSE_BYTES: usize = 1024 * 1024;

/// Bytes that all guests of a link have sent and that are not acknowledged. It is what a transport
/// queues for one connection.
pub const UNACKNOWLEDGED_BYTES_MAX: usize = mp_core::limits::RELIABLE_QUEUE_BYTES_MAX;

/// Overhead in bytes that is added for each frame in a log: 262,144 empty packets of all guests, of
/// which a resumed link sends all in one turn.
pub const FRAME_OVERHEAD: usize = 256;

/// Frames after which the receiver acknowledges: few acknowledgements, and a short log.
pub const ACKNOWLEDGED_FRAMES: u32 = 32;

/// Bytes after which the receiver acknowledges.
pub const ACKNOWLEDGED_BYTES: usize = 64 * 1024;

/// Bytes of the packets of a guest that wait until the game has accepted its connection. A guest
/// that sends more before is disconnected.
pub const EARLY_BYTES_MAX: usize = 256 * 1024;

/// Time in which a host sends its first frame, and in which the room answers it.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
