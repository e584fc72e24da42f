//! Limits of this crate. Each constant documents the reason for its value.

use std::time::Duration;

pub use mp_core::limits::{
    ADDRESSES_MAX, CONNECT_ATTEMPT_DELAY, DRAIN_TIMEOUT, RELIABLE_PROGRESS_TIMEOUT,
    RELIABLE_QUEUE_BYTES_MAX, UNRELIABLE_QUEUE_BYTES_MAX,
};

/// Default maximum size in bytes of a received and of a sent message: Godot's `inbound_buffer_size`
/// and `outbound_buffer_size`.
pub const BUFFER_BYTES: usize = 65_535;

/// Default number of packets queued for one connection from which unreliable ones are dropped:
/// Godot's `max_queued_packets`.
pub const QUEUED_PACKETS_MAX: usize = 4_096;

/// Default time from the TCP connection to the open WebSocket, including TLS and HTTP: Godot's
/// `handshake_timeout`.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum size in bytes of an HTTP request or response with its headers: Godot's limit.
pub const HEAD_BYTES_MAX: usize = 4_096;

/// Maximum bytes of messages queued for one text session, which is closed beyond: the session
/// descriptions that all members of a full mesh of 64 send a new member at once.
pub const TEXT_QUEUE_BYTES_MAX: usize = 4 << 20;

/// Maximum number of headers of a request or response. No browser or proxy sends more within
/// [`HEAD_BYTES_MAX`].
pub const HEADERS_MAX: usize = 64;

/// Default number of clients of a server, as many as the largest ENet host accepts.
pub const CLIENTS_MAX: u16 = 4_095;

/// Default number of connections whose handshake is incomplete. A new one replaces the oldest, so a
/// flood must open this many within the few round trips of an honest client to lock it out. Before
/// it sends data, each has a socket and less than 1 KiB, with TLS about 20 KiB.
pub const HALF_OPEN_MAX: usize = 1_024;

/// Connections accepted in one `poll`: about as many as a busy server handles in a turn.
pub const ACCEPTS_PER_POLL: usize = 128;

/// Bytes received from one socket in one `poll`, so that no connection delays the others.
pub const CONNECTION_BYTES_PER_POLL: usize = 64 * 1024;

/// Bytes received from all sockets in one `poll`; the next one is then due immediately. Branches
/// receive as much in a few batches.
pub const BYTES_PER_POLL: usize = 1 << 20;

/// Queued events from which a `poll` receives no more, because tiny messages cost more than their
/// bytes. A branch may queue as many.
pub const EVENTS_PER_POLL: usize = mp_core::limits::RECEIVE_QUEUE_PACKETS_MAX;

/// Bytes packed for one write: about as many as a socket accepts at once. Later packets stay in the
/// queue, where unreliable ones can still be dropped.
pub const WRITE_BYTES: usize = 64 * 1024;

/// Bytes of queued responses (pongs) from which a connection is no longer read.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Default maximum of the waiting bytes of all connections of a peer: incomplete messages, and
/// packets for full sockets. Beyond, each connection may have [`WAITING_BYTES_OF_EACH`].
pub const WAITING_BYTES_MAX: usize = 256 << 20;

/// Waiting bytes that each connection may have regardless of the others: four of the largest
/// messages of the default settings.
pub const WAITING_BYTES_OF_EACH: usize = 256 * 1024;

/// Maximum time from the first byte of a message to its last. A connection that takes longer is
/// closed with `Timeout`.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes that the framing reads at a time. The buffer is kept per connection, so that it must be
/// small for idle ones.
pub(crate) const FRAME_READ_BYTES: usize = 512;

/// Maximum number of frames in the bytes of one receive call: each frame has at least two bytes.
pub(crate) const FRAMES_PER_RECEIVE_MAX: usize = CONNECTION_BYTES_PER_POLL;

/// Maximum length of a close reason in bytes: a control frame carries 125, two of them the code.
pub(crate) const CLOSE_REASON_BYTES_MAX: usize = 123;

/// Time that the remote peer has to answer a close frame, or to close a connection that was
/// rejected.
pub const CLOSE_FRAME_TIMEOUT: Duration = DRAIN_TIMEOUT;

/// Delay until accepting is retried after the system lacked descriptors or memory.
pub const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Minimum interval of warnings that no connection can be accepted.
pub const ACCEPT_WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Default time after which a connection whose remote host acknowledges nothing is closed with
/// `Timeout`.
///
/// On Linux, Android and Fuchsia it is measured from the first unacknowledged byte
/// (`TCP_USER_TIMEOUT`). A connection without other output sends a pong after [a part of
/// it](KEEPALIVES_PER_TIMEOUT), so a remote host that vanishes is detected within 35 s in every
/// state. On other systems the time is exact for a connection without output (TCP keepalive);
/// unacknowledged bytes are abandoned when the system's retransmissions end, which can take
/// minutes. Pings, see
/// [`WebSocketSettings::heartbeat_interval`](crate::WebSocketSettings::heartbeat_interval), detect
/// a vanished host on every system.
pub const TCP_TIMEOUT: Duration = Duration::from_secs(30);

/// TCP keepalive probes before a connection times out: the first after half of the TCP timeout, the
/// others after a sixth each. Systems count in seconds, at least one.
pub const KEEPALIVE_PROBES: u32 = 3;

/// Unsolicited pongs (RFC 6455, 5.5.3) per TCP timeout on a connection without other output: one
/// every 5 s by default. TCP keepalive does not suffice, because it stops while bytes are
/// unacknowledged: a remote host that vanished 29 s before would have 30 s more. A pong needs no
/// answer, so a game that is loading need not respond.
pub const KEEPALIVES_PER_TIMEOUT: u32 = 6;

/// Delay of a poll from which this process counts as suspended: timeouts of remote peers are
/// postponed, because their bytes could not be received. Hosts that are merely busy are less late.
pub const SUSPENSION_MIN: Duration = Duration::from_secs(1);

const _: () = assert!(HEAD_BYTES_MAX < CONNECTION_BYTES_PER_POLL);
const _: () = assert!(CONNECTION_BYTES_PER_POLL <= BYTES_PER_POLL);
