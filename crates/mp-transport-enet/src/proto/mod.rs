//! ENet 1.3 without I/O: bytes and the time go in, bytes and events come out. No clock, no socket, no randomness of its
//! own.
//!
//! Read [`Host`] first. Its turn:
//!
//! 1. [`Host::handle_datagram`] for what arrived and [`Host::handle_timeout`] for the timers; nothing is sent.
//! 2. [`Host::poll_event`] until it returns `None`; [`Host::send`] and [`Host::disconnect`] queue.
//! 3. [`Host::end_turn`], then [`Host::poll_transmit`] until it returns `None`.
//! 4. The next turn is due at [`Host::poll_timeout`], or when a datagram arrives.
//!
//! All of a turn's commands to one peer share datagrams, up to the mtu and 32 commands each.
//!
//! | module | contents | uses |
//! |---|---|---|
//! | `attempts` | connecting to a server with several addresses | `host` |
//! | `host` | the host: its peers, admission, timers, bandwidth, sending | `peer`, `wire` |
//! | `peer` | one peer: its state, the commands it receives, what it sends, round trips | `channel`, `wire` |
//! | `channel` | one channel of a peer: sequence numbers, order, fragments, budgets | `wire` |
//! | `wire` | datagrams, headers, commands, compression, checksums | |

use std::time::Duration;

pub use mp_udp::{NetworkPath, Transmit};

mod attempts;
mod channel;
mod event;
mod host;
mod peer;
mod settings;
mod wire;

pub(crate) use attempts::Attempts;
pub use event::{HostEvent, HostStats, PacketFlags};
pub use host::{Host, HostSendError};
pub use peer::{HostStatistic, Patience, PeerState, PeerStatistic};
pub use settings::{Admission, HostSettings};
pub use wire::compress::{CompressionMode, Compressor};
pub use wire::{Payload, command, compress, header};

/// The peer id of a datagram to a host that has not told its slot yet: only CONNECT travels so.
pub const NO_PEER: u16 = 0xfff;
/// Most peers of a host.
pub const PEERS_MAX: u16 = 4_095;
/// Smallest mtu that peers agree on.
pub const MTU_MIN: u16 = 576;
/// Largest mtu that peers agree on, and the largest datagram that is read.
pub const MTU_MAX: u16 = mp_udp::DATAGRAM_BYTES_MAX as u16;
/// The mtu of ENet 1.3.18 and of Godot 4.
pub const MTU_DEFAULT: u16 = 1_392;
/// Most commands that a datagram is given.
pub const COMMANDS_MAX: usize = 32;
/// Smallest and largest number of reliable bytes on their way to a peer.
pub const WINDOW_MIN: u32 = 4_096;
/// See [`WINDOW_MIN`].
pub const WINDOW_MAX: u32 = 65_536;

/// How long after its last acknowledgement an idle peer is asked whether it is there.
pub const PING_INTERVAL: Duration = Duration::from_millis(500);

/// Milliseconds since the host's epoch; the wire has their low 16 bits.
type Millis = u64;
