//! Every bound of this crate, with its reason.

use std::time::Duration;

pub use mp_core::limits::{
    ADDRESSES_MAX, CONNECT_ATTEMPT_DELAY, LINGER, RELIABLE_PROGRESS_TIMEOUT,
    RELIABLE_QUEUE_BYTES_MAX, UNRELIABLE_QUEUE_BYTES_MAX,
};

/// Largest message, either way, unless an option says otherwise: Godot's `inbound_buffer_size` and `outbound_buffer_size`.
pub const BUFFER_BYTES: usize = 65_535;

/// Packets that may wait for one link before unreliable ones are dropped: Godot's `max_queued_packets`.
pub const QUEUED_PACKETS_MAX: usize = 4_096;

/// Time from the TCP connection to the open one: Godot's `handshake_timeout`. TLS and HTTP have to fit.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of an HTTP request or response with all its headers: Godot's limit.
pub const HEAD_BYTES_MAX: usize = 4_096;

/// Bytes of messages queued for one text session, which ends beyond: those of all members of a full
/// mesh of 64 who send a newcomer their session descriptions at once.
pub const TEXT_QUEUE_BYTES_MAX: usize = 4 << 20;

/// Headers in them. What fits [`HEAD_BYTES_MAX`] and has more is nobody's browser or proxy.
pub const HEADERS_MAX: usize = 64;

/// Clients of a server at a time, as many as the largest ENet host takes.
pub const CLIENTS_MAX: u16 = 4_095;

/// Connections that have not got through their handshake. A new one replaces the oldest, so a flood must bring this many within the
/// few round trips of an honest client to keep it out. Without data each holds a socket and less than 1 KiB, with TLS some 20.
pub const HANDSHAKES_MAX: usize = 1_024;

/// Connections accepted in one `poll`; about what one turn of a busy server takes.
pub const ACCEPTS_PER_POLL: usize = 128;

/// Bytes taken from one socket in one `poll`, so that no link keeps the others waiting.
pub const LINK_BYTES_PER_POLL: usize = 64 * 1024;

/// Bytes taken from all sockets in one `poll`; the next one is then due at once. As much as branches take in some batches.
pub const BYTES_PER_POLL: usize = 1 << 20;

/// Events after which a `poll` takes in no more: tiny messages cost more than their bytes. As many as may wait for a branch.
pub const EVENTS_PER_POLL: usize = mp_core::limits::RECEIVE_QUEUE_PACKETS_MAX;

/// Bytes packed for one write: about what a socket takes at once. Packed late, so that what waits can still be dropped.
pub const WRITE_BYTES: usize = 64 * 1024;

/// Bytes of answers (pongs) that may wait for one link before it is not read any more.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Bytes of all connections of a peer that wait: unfinished messages, and packets for sockets that are
/// full. Beyond, a connection may have [`WAITING_BYTES_OF_EACH`].
pub const WAITING_BYTES_MAX: usize = 256 << 20;

/// Waiting bytes that each connection may have whatever the others have: four of the largest messages
/// of the default settings.
pub const WAITING_BYTES_OF_EACH: usize = 256 * 1024;

/// Time from the first byte of a message to its last. A connection that takes longer ends with `Timeout`.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a link's framing reads at a time. It is kept per link, so an idle link should not keep much.
pub(crate) const FRAME_READ_BYTES: usize = 512;

/// Frames in the bytes that one call decodes: each frame has two bytes or more.
pub(crate) const FRAMES_PER_RECEIVE_MAX: usize = LINK_BYTES_PER_POLL;

/// How long the other side may take to answer a goodbye, or to end a connection that was refused.
pub const GOODBYE_TIMEOUT: Duration = LINGER;

/// When accepting is tried again after the system had nothing left to give (file descriptors, memory).
pub const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Time between warnings that no connection can be accepted.
pub const ACCEPT_WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Time after which a connection whose remote host acknowledges nothing ends with `Timeout`.
///
/// On Linux, Android and Fuchsia it is counted from the first byte that is not acknowledged
/// (`TCP_USER_TIMEOUT`). A connection that is sent nothing else is sent a pong after
/// [a part of it](KEEPALIVES_PER_TIMEOUT), so a remote host that vanishes is noticed within 35 s in
/// every state. Elsewhere it is exact for a connection that is sent nothing (TCP's keepalive);
/// unacknowledged bytes are given up when the system's retransmissions end, which can take minutes.
/// Pings, see
/// [`WebSocketSettings::heartbeat_interval`](crate::WebSocketSettings::heartbeat_interval), notice it
/// on every system.
pub const TCP_TIMEOUT: Duration = Duration::from_secs(30);

/// Keepalive probes before a connection is given up: the first after half of the TCP timeout, the
/// others after a sixth each. Systems count in seconds, and at least one.
pub const KEEPALIVE_PROBES: u32 = 3;

/// Unsolicited pongs (RFC 6455, 5.5.3) within the TCP timeout to a connection that is sent nothing
/// else: one every 5 s by default. TCP's own keepalive does not do, because its count ends where
/// bytes are sent: a remote host that vanished 29 s before would have 30 s more. Nobody answers a
/// pong, so a game that is loading need not.
pub const KEEPALIVES_PER_TIMEOUT: u32 = 6;

/// Lateness of a poll that means that this process was suspended: nothing a peer could have answered
/// meanwhile counts against it. Hosts that are merely busy are late by less.
pub const SUSPENSION_MIN: Duration = Duration::from_secs(1);

const _: () = assert!(HEAD_BYTES_MAX < LINK_BYTES_PER_POLL);
const _: () = assert!(LINK_BYTES_PER_POLL <= BYTES_PER_POLL);
