//! Every bound of this crate, with its reason. A number without one is unfinished.

use std::time::Duration;

/// Largest packet a transport takes unless it says otherwise: Godot's `get_max_packet_size()` of ENet.
pub const PACKET_BYTES_MAX: usize = 1 << 24;

/// Events in one batch to a branch: a batch costs one mailbox message, about what 256 packets cost to handle.
pub const BATCH_EVENTS_MAX: usize = 256;

/// Payload bytes after which a batch is full: what one batch keeps alive stays below an L2 cache.
pub const BATCH_BYTES_MAX: usize = 64 * 1024;

/// Batches that an endpoint keeps for one branch whose mailbox is full before it holds that branch's links: 4 MiB at
/// [`BATCH_BYTES_MAX`], the budget of finished packets.
pub const PENDING_BATCHES_MAX: usize = 64;

/// Connections of one endpoint that its router has not assigned to a branch yet: as many as
/// handshakes that are not complete. Those of one more are rejected.
pub const UNDECIDED_CONNECTIONS_MAX: usize = 1_024;

/// Packets kept of a connection that is not assigned to a branch yet. An exchange takes turns, so
/// that a few suffice; a connection that sends more is rejected.
pub const UNDECIDED_PACKETS_MAX: usize = 16;

/// Bytes of them. Nobody knows yet who sends them: names, tokens, signatures, a certificate.
pub const UNDECIDED_BYTES_MAX: usize = 64 * 1024;

/// Longest time until a connection is assigned to a branch: Godot's default for authentication.
pub const UNDECIDED_TIMEOUT: Duration = Duration::from_secs(3);

/// Batches in the mailbox of a branch or an endpoint; as many again as the sender may keep.
pub const MAILBOX_BATCHES: usize = 64;

/// Packets that a branch keeps for one endpoint that takes nothing: beyond it the oldest unreliable one is dropped; when there
/// is none the endpoint is stuck and is closed.
pub const OUTBOX_PACKETS_MAX: usize = 8_192;

/// Deliveries in a row of which an endpoint took nothing, after which [`OUTBOX_PACKETS_MAX`] holds. Until then many packets
/// that wait say nothing about the endpoint: one turn may make far more.
pub const OUTBOX_REFUSALS_MAX: u32 = 100;

/// Packets that a branch keeps for one endpoint that takes them. A full batch of peers that join a room of 4,095 makes two
/// packets for each pair: each is told of the other.
pub const OUTBOX_TURN_PACKETS_MAX: usize = 2 * BATCH_EVENTS_MAX * 4_096;

/// Unreliable bytes queued for one link: about 190 full datagrams, far more than one turn of a game sends.
pub const UNRELIABLE_QUEUE_BYTES_MAX: usize = 256 * 1024;

/// Reliable bytes queued for one link; two of ENet's largest packets, so that a big packet alone is never punished.
pub const RELIABLE_QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of the send queues of all connections of a transport: [`QUEUED_BYTES_OF_EACH`] for a
/// thousand. Beyond it a connection may have that. A payload that several connections queue
/// together counts once.
pub const QUEUED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The part of them that each connection may always have: a full unreliable queue, or the names of
/// 3,700 others.
pub const QUEUED_BYTES_OF_EACH: usize = 256 * 1024;

/// What a queued packet costs beside its bytes, so that many empty packets reach a bound as well.
pub const QUEUED_PACKET_OVERHEAD: usize = 64;

/// How long a link's reliable queue may make no progress. Longer than any pause of a game that loads a level, and
/// equal to ENet's longest timeout.
pub const RELIABLE_PROGRESS_TIMEOUT: Duration = Duration::from_secs(30);

/// Finished packets and bytes that a transport keeps for one link whose receiver does not take them.
pub const RECEIVE_QUEUE_PACKETS_MAX: usize = 4_096;

/// See [`RECEIVE_QUEUE_PACKETS_MAX`].
pub const RECEIVE_QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long a closing endpoint waits for accepted reliable packets to be acknowledged.
pub const LINGER: Duration = Duration::from_secs(3);

// One batch always fits what an endpoint may keep, and the largest packet fits a reliable queue.
const _: () = assert!(BATCH_BYTES_MAX * PENDING_BATCHES_MAX == RECEIVE_QUEUE_BYTES_MAX);
const _: () = assert!(PACKET_BYTES_MAX * 2 <= RELIABLE_QUEUE_BYTES_MAX);
const _: () = assert!(BATCH_EVENTS_MAX * PENDING_BATCHES_MAX >= RECEIVE_QUEUE_PACKETS_MAX);
