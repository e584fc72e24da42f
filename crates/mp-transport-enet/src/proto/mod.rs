//! ENet 1.3 without I/O: bytes and the time go in, bytes and events come out.
//! It has no clock, socket or source of randomness of its own.
//!
//! Read [`Host`] first. The steps of its turn:
//!
//! 1. [`Host::handle_datagram`] for each received datagram, and [`Host::handle_timeout`]. Both send
//!    nothing.
//! 2. [`Host::poll_event`] until it returns `None`. [`Host::send`] and [`Host::disconnect`] queue.
//! 3. [`Host::end_turn`], then [`Host::poll_transmit`] until it returns `None`.
//! 4. The next turn is due at [`Host::poll_timeout`], or when a datagram is received.
//!
//! All commands of a turn to a peer share datagrams, limited by the MTU and 32 commands each.
//!
//! | module | contents | uses |
//! |---|---|---|
//! | `attempts` | connecting to a server with several addresses | `host` |
//! | `host` | the host: its peers, admission, timers, bandwidth, sending | `peer`, `wire` |
//! | `peer` | one peer: state, received commands, sending, round-trip times | `channel`, `wire` |
//! | `channel` | one channel of a peer: sequence numbers, order, fragments, budgets | `wire` |
//! | `wire` | datagrams, headers, commands, compression, checksums | |

use std::time::Duration;

pub use mp_udp::{NetworkPath, Transmit};

mod attempts;
mod channel;
mod event;
mod host;
mod peer;
mod refusal;
mod settings;
mod wire;

pub(crate) use attempts::Attempts;
pub use event::{HostEvent, HostStats, PacketFlags};
pub use host::{Host, HostSendError};
pub use peer::{HostStatistic, PeerState, PeerStatistic, TimeoutConfig};
pub use refusal::{CommandRefusal, DatagramRefusal, HandshakeRefusal};
pub use settings::{Admission, HostSettings};
pub use wire::compress::{CompressionMode, Compressor};
pub use wire::{Payload, command, compress, header};

/// Peer id in datagrams to a host that has not announced its slot yet. Used by CONNECT only.
pub const NO_PEER: u16 = 0xfff;
/// Maximum number of peers of a host.
pub const PEERS_MAX: u16 = 4_095;
/// Minimum MTU in bytes.
pub const MTU_MIN: u16 = 576;
/// Maximum MTU in bytes, and maximum length of a received datagram.
pub const MTU_MAX: u16 = mp_udp::DATAGRAM_BYTES_MAX as u16;
/// Default MTU of ENet 1.3.18 and of Godot 4 in bytes.
pub const MTU_DEFAULT: u16 = 1_392;
/// Maximum number of commands in a sent datagram.
pub const COMMANDS_MAX: usize = 32;
/// Minimum number of reliable bytes in flight to a peer.
pub const WINDOW_MIN: u32 = 4_096;
/// Maximum number of reliable bytes in flight to a peer.
pub const WINDOW_MAX: u32 = 65_536;

/// Default time without an acknowledgement after which an idle peer is pinged.
pub const PING_INTERVAL: Duration = Duration::from_millis(500);

/// Milliseconds since the host's epoch. The wire carries the low 16 bits.
type Millis = u64;
