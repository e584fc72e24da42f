//! Every bound of this crate, with its reason.

use std::time::Duration;

pub use mp_core::limits::{
    LINGER, QUEUED_BYTES_MAX, QUEUED_BYTES_OF_EACH, RECEIVE_QUEUE_BYTES_MAX,
    RECEIVE_QUEUE_PACKETS_MAX, RELIABLE_PROGRESS_TIMEOUT, RELIABLE_QUEUE_BYTES_MAX,
};

/// Size in bytes of the largest message that this crate receives and announces
/// (`a=max-message-size`): Godot's and Chromium's value.
///
/// Never announce less: a Godot web export stops its main loop for good when its script sends a
/// message above the announced size.
pub const MESSAGE_BYTES_MAX: usize = 262_144;

/// Size in bytes of the largest message that a peer receives which announces none (RFC 8841).
pub const UNANNOUNCED_MESSAGE_BYTES_MAX: usize = 65_536;

/// Size in bytes of the largest message that a Godot web export receives: its ring buffer per
/// channel (`network/limits/webrtc/max_channel_in_buffer_kb`, 64 KiB by default) holds the message,
/// its length and one byte of its own.
pub const WEB_MESSAGE_BYTES_MAX: usize = 65_530;

/// Bytes that a Godot web export adds to each message in its ring buffer.
pub const WEB_MESSAGE_OVERHEAD: usize = 5;

/// Bytes sent to one channel of a web peer per [`WEB_PACING_INTERVAL`], unless one message has more:
/// half of its ring buffer. In two intervals it is twice as many at most, so that a frame that takes
/// two intervals loses nothing.
pub const WEB_PACING_BYTES: usize = 32 * 1024;

/// See [`WEB_PACING_BYTES`]. A Godot web export empties its ring buffers once per frame.
pub const WEB_PACING_INTERVAL: Duration = Duration::from_millis(50);

/// Bytes that str0m's SCTP takes before the send queue of the connection fills: two of the largest
/// messages, since a message is taken as a whole or not at all.
pub const SCTP_BUFFER_BYTES: usize = 2 * MESSAGE_BYTES_MAX;

/// Size in bytes of the largest session description: four times what browsers write for data
/// channels.
pub const SDP_BYTES_MAX: usize = 16 * 1024;

/// Size in bytes of the longest candidate line.
pub const CANDIDATE_BYTES_MAX: usize = 512;

/// Remote candidates per connection. With full ICE each makes this side send to an address of the
/// remote peer's choice.
pub const REMOTE_CANDIDATES_MAX: usize = 16;

/// Channels per connection beyond Godot's three: stream ids are `4 + index`, transfer channels are
/// 8-bit.
pub const CHANNELS_CONFIG_MAX: usize = 252;

/// Connections of one peer at a time, as many as the largest ENet host takes.
pub const PEERS_MAX: u16 = 4_095;

/// Connections of one peer at a time whose channels are not all open. A flood must bring this many
/// within the few round trips of an honest peer to keep it out.
pub const OPENING_MAX: usize = 256;

/// Time from the first session description to open channels. Native Godot gives up after 39.6 s,
/// Chromium after 15 s.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for which channels of an ending connection are reset before it is closed: SCTP
/// repeats a lost reset after about 1, 3 and 7 s (RFC 4960's RTO, doubled each time).
pub const RESET_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that a closing connection has to send its last datagrams.
pub const CLOSE_TIMEOUT: Duration = LINGER;

/// Connections that are still closing. Beyond, the oldest is dropped without its last datagrams.
pub const CLOSING_MAX: usize = 1_024;

/// DTLS datagrams kept for one address that no connection knows yet. Native Godot sends its
/// ClientHello as soon as its own ICE is up, often before this side has the address; the next try
/// comes after 1 s.
pub const EARLY_DATAGRAMS_PER_ADDRESS: usize = 4;

/// Addresses with early datagrams: 1 MiB at most. A new address replaces the oldest.
pub const EARLY_ADDRESSES_MAX: usize = 128;

/// Time for which early datagrams are kept.
pub const EARLY_TIME: Duration = Duration::from_secs(2);

/// Size in bytes of the largest datagram: WebRTC's stay below an Ethernet frame.
pub const DATAGRAM_BYTES_MAX: usize = 2_048;

/// Bytes of datagrams that are offered to the socket at once.
pub(crate) const SEND_BATCH_BYTES: usize = 64 * 1_392;

/// Datagrams after which they are sent before a turn has ended, so that they do not fill
/// [`DATAGRAMS_QUEUED_MAX`].
pub(crate) const DATAGRAMS_PER_SEND: usize = 64;

/// Addresses of this host that become candidates.
pub const LOCAL_CANDIDATES_MAX: usize = 16;

/// Datagrams received in one `poll`.
pub const DATAGRAMS_PER_POLL: usize = 1_024;

/// Datagrams received with one call.
pub(crate) const DATAGRAMS_PER_RECEIVE: usize = 32;

/// Events after which a `poll` receives no more.
pub const EVENTS_PER_POLL: usize = RECEIVE_QUEUE_PACKETS_MAX;

/// Datagrams that wait for a full socket. SCTP and DTLS repeat what is dropped beyond.
pub const DATAGRAMS_QUEUED_MAX: usize = 1_024;

/// Signals that wait for the program. Beyond, the newest is dropped and counted; the connection it
/// belongs to fails by its [`CONNECT_TIMEOUT`].
pub const SIGNALS_MAX: usize = 4_096;

/// Commands of a [`Signaling`](crate::Signaling) handle that wait for the peer's next `poll`.
pub const COMMANDS_MAX: usize = 4_096;

/// Bytes of packets of all connections that cannot be reported yet: as much as ENet's.
pub const PENDING_BYTES_MAX: usize = 256 << 20;

/// Pending bytes that each connection may have whatever the others have: as much as ENet's.
pub const PENDING_BYTES_OF_EACH: usize = 128 << 10;
