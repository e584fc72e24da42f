//! Every bound of this crate, with its reason. ENet's own numbers are in [`proto`](crate::proto).

use std::time::Duration;

pub use mp_core::limits::{
    ADDRESSES_MAX, CONNECT_ATTEMPT_DELAY, QUEUED_BYTES_MAX, QUEUED_BYTES_OF_EACH,
    RECEIVE_QUEUE_BYTES_MAX, RECEIVE_QUEUE_PACKETS_MAX, RELIABLE_PROGRESS_TIMEOUT,
    RELIABLE_QUEUE_BYTES_MAX, UNRELIABLE_QUEUE_BYTES_MAX,
};

/// Largest packet in bytes, either way: ENet's own limit.
pub const PACKET_BYTES_MAX: usize = 32 << 20;

/// Most pieces of a reliable packet. A receiver acknowledges what lies less than seven windows of 4,096 ahead of the
/// last packet it delivered, so a packet of more pieces could get stuck: 6 · 4,096 always fit. At the default mtu these
/// are 33,521,664 bytes.
pub const RELIABLE_FRAGMENTS_MAX: usize = 6 * 4_096;

/// Bytes of reliable data that a peer keeps while something before it is missing; the packet that is next in its
/// channel may take [`PACKET_BYTES_MAX`] more. An honest sender has at most 64 KiB on its way.
pub const REORDER_BYTES_MAX: usize = 4 << 20;

/// Bytes of unreliable packets that a peer keeps because pieces, or reliable packets before them, are missing. Beyond it
/// the oldest are dropped. So no unreliable packet can be larger.
pub const UNRELIABLE_REORDER_BYTES_MAX: usize = 4 << 20;

/// What a waiting packet or piece costs besides its bytes, so that empty packets cannot be kept in any number.
pub(crate) use mp_core::limits::QUEUED_PACKET_OVERHEAD as ENTRY_OVERHEAD;

/// Acknowledgements that wait for the next datagrams to one peer: 160 datagrams of 32 commands, more than an honest one sends within a
/// turn. What goes beyond is not acknowledged and comes again.
pub(crate) const ACKNOWLEDGEMENTS_MAX: usize = 160 * 32;

/// Refusals that wait for the end of the turn. Who goes beyond asks again.
pub(crate) const REFUSALS_MAX: usize = 160;

/// Bytes of packets that wait for others, for their pieces, or to be taken, of all peers of a host:
/// a full server of well-behaved peers stays far below it.
pub const WAITING_BYTES_MAX: usize = 256 << 20;

/// Of them, what one peer may hold whatever the others do: what an honest one has on its way, 64 KiB, and what that costs in
/// small pieces.
pub const WAITING_BYTES_OF_EACH: usize = 128 << 10;

/// Connections that have not shown yet that they receive what is sent to their address. A new one replaces the oldest,
/// so a flood must bring this many within one round trip of an honest client to keep it out.
pub const HALF_OPEN_MAX: usize = 1_024;

/// Of them, those of one IP address, beyond which its own oldest is replaced: a flood from one address keeps nobody else out,
/// and the players behind one router need not come one by one.
pub const HALF_OPEN_PER_ADDRESS_MAX: usize = 64;

/// How long such a connection is kept: an honest client answers within a round trip, or its CONNECT comes again.
pub const HALF_OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for which the answer to an attempt to connect that was given up is answered with
/// DISCONNECT. ENet's servers repeat it for 31.5 s.
pub(crate) const ABANDONED_ATTEMPT_TIME: Duration = Duration::from_secs(32);

/// How many times the bytes of an unproven address may be sent back to it (RFC 9000 allows QUIC the same).
pub(crate) const AMPLIFICATION_MAX: u64 = 3;

/// Interval at which a client asks whether the lookup of its server's name is complete.
pub(crate) const LOOKUP_INTERVAL: Duration = Duration::from_millis(5);

/// Datagrams taken from the socket in one `poll`.
pub const DATAGRAMS_PER_POLL: usize = 1_024;

/// Most parts of a server: threads beyond the cores of a large machine gain nothing.
pub const SHARDS_MAX: usize = 64;

/// How long packets of a busy server wait for others: what a game of 60 frames per second does not notice.
pub const FLUSH_INTERVAL: Duration = Duration::from_millis(1);

/// The longest such wait: a frame. Within it a socket's buffer holds what comes.
pub const FLUSH_INTERVAL_MAX: Duration = Duration::from_millis(16);

/// Bytes of datagrams that are handed to the socket together: two system calls of 32 full ones, or the largest that one
/// call takes to one address.
pub(crate) const SEND_BATCH_BYTES: usize = 64 * 1_392;

/// Handshakes of DTLS that are not complete: as many as of ENet's own.
#[cfg(feature = "dtls")]
pub const DTLS_OPENING_MAX: usize = HALF_OPEN_MAX;

/// Of them, those of one IP address.
#[cfg(feature = "dtls")]
pub const DTLS_OPENING_PER_ADDRESS_MAX: usize = HALF_OPEN_PER_ADDRESS_MAX;

/// How long a handshake of DTLS may take; Godot's servers wait as long. A client begins another one when ENet sends its CONNECT
/// again: its server has forgotten the first by then.
#[cfg(feature = "dtls")]
pub const DTLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(8);

/// How long an association may be silent: twice ENet's longest patience with a peer.
#[cfg(feature = "dtls")]
pub const DTLS_SILENCE_MAX: Duration = Duration::from_secs(60);

/// How long one must have been silent before it makes room for another: ENet's peers say something twice a second.
#[cfg(feature = "dtls")]
pub const DTLS_REPLACEABLE_AFTER: Duration = Duration::from_secs(8);

/// Outputs of the DTLS library after one input: more than the records of the largest datagram and a whole flight of answers.
#[cfg(feature = "dtls")]
pub(crate) const DTLS_OUTPUTS_MAX: usize = 8_192;

/// How often associations are looked at, at most, however many there are.
#[cfg(feature = "dtls")]
pub(crate) const DTLS_TICK: Duration = Duration::from_millis(10);

const _: () = assert!(SEND_BATCH_BYTES >= crate::proto::MTU_MAX as usize);
// The largest reliable packet of the default mtu is almost the largest packet, and fits its queue.
const _: () = assert!(RELIABLE_FRAGMENTS_MAX * 1_364 + 65_536 > PACKET_BYTES_MAX);
const _: () =
    assert!(PACKET_BYTES_MAX + RELIABLE_FRAGMENTS_MAX * ENTRY_OVERHEAD < RELIABLE_QUEUE_BYTES_MAX);
// A finished packet of any size that may wait is below the budget of those that do.
const _: () = assert!(REORDER_BYTES_MAX >= 65_536 * 2);
