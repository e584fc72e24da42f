//! Limits of this crate. Each constant documents the reason for its value.

use std::time::Duration;

/// Default maximum packet size of a transport in bytes: 16 MiB, ENet's `get_max_packet_size()` in
/// Godot.
pub const PACKET_BYTES_MAX: usize = 1 << 24;

/// Maximum number of events in one batch to a branch. Sending a batch takes one mailbox message,
/// whose overhead is about that of handling 256 packets.
pub const BATCH_EVENTS_MAX: usize = 256;

/// Payload bytes from which a batch is full. The payloads of one batch fit into an L2 cache.
pub const BATCH_BYTES_MAX: usize = 64 * 1024;

/// Batches that an endpoint queues for one branch before it pauses the branch's connections: 4 MiB
/// at [`BATCH_BYTES_MAX`], as much as [`RECEIVE_QUEUE_BYTES_MAX`].
pub const PENDING_BATCHES_MAX: usize = 64;

/// Maximum number of connections of one endpoint that its router has not assigned to a branch yet.
/// It equals the limit of incomplete handshakes. Further connections are rejected.
pub const UNDECIDED_CONNECTIONS_MAX: usize = 1_024;

/// Maximum number of packets kept for a connection that is not assigned to a branch yet. A few
/// suffice, since an exchange alternates between both peers. A connection that sends more is
/// rejected.
pub const UNDECIDED_PACKETS_MAX: usize = 16;

/// Maximum payload bytes kept for a connection that is not assigned to a branch yet: enough for
/// names, tokens, signatures and a certificate of an unauthenticated peer.
pub const UNDECIDED_BYTES_MAX: usize = 64 * 1024;

/// Time for which a connection lingers after its remote peer has received the last packet, which
/// says why it is closed. A Godot client over WebSocket or WebRTC drops packets that it receives in
/// the same frame as the end of the connection, so the time is longer than that of a slow frame.
pub const LINGER_TIME: Duration = Duration::from_millis(500);

/// Maximum time for which a connection lingers whose remote peer does not
/// [confirm](crate::MultiplayerPeer::poll_delivered) that it has received the last packet: longer
/// than a frame of a client on an overloaded machine, and a few retransmissions.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval at which an endpoint checks whether the last packet of a lingering connection was
/// received.
pub const LINGER_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Maximum number of connections of one endpoint that linger. Further ones are closed at once.
pub const LINGERING_CONNECTIONS_MAX: usize = 1_024;

/// Default time for which a game waits when its host has left, before another one is chosen or the
/// game ends: longer than a router or a server takes to restart its connections, and shorter than
/// players wait.
pub const HOST_GRACE: Duration = Duration::from_secs(30);

/// Time after which a connection that is not assigned to a branch is rejected: Godot's default
/// `auth_timeout`.
pub const UNDECIDED_TIMEOUT: Duration = Duration::from_secs(3);

/// Capacity of the mailbox of a branch or an endpoint in batches. The sender may queue as many
/// again.
pub const MAILBOX_BATCHES: usize = 64;

/// Packets that a branch queues for one endpoint that has stopped accepting packets. Beyond the
/// limit the oldest unreliable packet is dropped. If there is none, the endpoint is stuck and is
/// closed.
pub const OUTBOX_PACKETS_MAX: usize = 8_192;

/// Number of consecutive deliveries of which the endpoint accepts nothing, after which
/// [`OUTBOX_PACKETS_MAX`] applies. Before that a long queue is no sign of a stuck endpoint, since
/// one turn may produce far more packets.
pub const OUTBOX_STUCK_DELIVERIES: u32 = 100;

/// Packets that a branch queues for one endpoint that accepts packets. When a full batch of peers
/// joins a room of 4,095, each pair needs two packets: one announces each peer to the other.
pub const OUTBOX_TURN_PACKETS_MAX: usize = 2 * BATCH_EVENTS_MAX * 4_096;

/// Unreliable bytes queued for one connection: about 190 full datagrams, far more than a game sends
/// in one turn.
pub const UNRELIABLE_QUEUE_BYTES_MAX: usize = 256 * 1024;

/// Reliable bytes queued for one connection: four of the largest packets, so a single large packet
/// never overflows the queue.
pub const RELIABLE_QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes in the send queues of all connections of a transport: [`QUEUED_BYTES_SHARE`] for 1,024
/// connections. Beyond the limit each connection may still queue [`QUEUED_BYTES_SHARE`]. A
/// payload that several connections queue counts once.
pub const QUEUED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes that each connection may queue even when [`QUEUED_BYTES_MAX`] is reached: a full
/// unreliable queue, or the announcements of 3,700 other peers.
pub const QUEUED_BYTES_SHARE: usize = 256 * 1024;

/// Overhead in bytes that is added for each queued packet, so that empty packets are bounded too.
pub const QUEUED_PACKET_OVERHEAD: usize = 64;

/// Time without progress after which a connection's reliable queue counts as stalled. It is longer
/// than a game pauses to load a level, and equal to ENet's longest timeout.
pub const RELIABLE_PROGRESS_TIMEOUT: Duration = Duration::from_secs(30);

/// Complete packets that a transport keeps for one connection whose receiver does not accept them.
pub const RECEIVE_QUEUE_PACKETS_MAX: usize = 4_096;

/// Bytes of complete packets that a transport keeps for one connection whose receiver does not
/// accept them.
pub const RECEIVE_QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Time within its rate after which a connection no longer counts as above it: longer than the
/// pauses between the packets of a game.
pub const EXCESS_GAP: Duration = Duration::from_secs(1);

/// Maximum number of addresses of a name that a client tries.
pub const ADDRESSES_MAX: usize = 8;

/// Time after which a client tries the next address of a name while the previous one has not
/// answered (RFC 8305).
pub const CONNECT_ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Maximum depth of values that [`to_variant`](crate::serde::to_variant) and
/// [`from_variant`](crate::serde::from_variant) convert, which recurse: enough for save games, and
/// safe on a thread's default stack.
#[cfg(feature = "serde")]
pub const SERDE_DEPTH_MAX: usize = 128;

/// Time that a closing endpoint waits for acknowledgements of accepted reliable packets.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

// A full branch queue holds a full receive queue, and the reliable queue holds the largest packet.
const _: () = assert!(BATCH_BYTES_MAX * PENDING_BATCHES_MAX == RECEIVE_QUEUE_BYTES_MAX);
const _: () = assert!(PACKET_BYTES_MAX * 2 <= RELIABLE_QUEUE_BYTES_MAX);
const _: () = assert!(BATCH_EVENTS_MAX * PENDING_BATCHES_MAX >= RECEIVE_QUEUE_PACKETS_MAX);
