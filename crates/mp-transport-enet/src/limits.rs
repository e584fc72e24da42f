//! The limits of this crate, with reasons. ENet's own constants are in [`proto`](crate::proto).

use std::time::Duration;

pub use mp_core::limits::{
    ADDRESSES_MAX, CONNECT_ATTEMPT_DELAY, QUEUED_BYTES_MAX, QUEUED_BYTES_SHARE,
    RECEIVE_QUEUE_BYTES_MAX, RECEIVE_QUEUE_PACKETS_MAX, RELIABLE_PROGRESS_TIMEOUT,
    RELIABLE_QUEUE_BYTES_MAX, UNRELIABLE_QUEUE_BYTES_MAX,
};

/// Maximum length of a packet in bytes, sent and received: ENet's own limit.
pub const PACKET_BYTES_MAX: usize = 32 << 20;

/// Maximum number of fragments of a reliable packet. A receiver acknowledges numbers less than
/// seven windows of 4,096 ahead of the last packet delivered, so 6 · 4,096 fragments always fit.
/// With more, a packet could get stuck. At the default MTU this is 33,521,664 bytes.
pub const RELIABLE_FRAGMENTS_MAX: usize = 6 * 4_096;

/// Maximum number of bytes of reliable packets out of order per peer. The next packet of a channel
/// may exceed it by [`PACKET_BYTES_MAX`]. A correct sender has at most 64 KiB in flight.
pub const REORDER_BYTES_MAX: usize = 4 << 20;

/// Maximum number of bytes of unreliable packets per peer that are incomplete or wait for a
/// reliable packet. At the limit the oldest are dropped. This also limits the length of an
/// unreliable packet.
pub const UNRELIABLE_REORDER_BYTES_MAX: usize = 4 << 20;

/// Bytes charged for a packet or fragment in addition to its length, so that empty packets cannot
/// be buffered without limit.
pub(crate) use mp_core::limits::QUEUED_PACKET_OVERHEAD as ENTRY_OVERHEAD;

/// Maximum number of queued acknowledgements per peer: 160 datagrams of 32 commands, more than a
/// correct peer sends in a turn. Beyond the limit commands are not acknowledged, and the peer
/// retransmits them.
pub(crate) const ACKNOWLEDGEMENTS_MAX: usize = 160 * 32;

/// Maximum number of rejections queued in a turn. Beyond the limit they are dropped, and the client
/// retries.
pub(crate) const REFUSALS_MAX: usize = 160;

/// Maximum number of bytes received and not polled, of all peers of a host, including incomplete
/// and out-of-order packets. A full server of correct peers stays far below.
pub const WAITING_BYTES_MAX: usize = 256 << 20;

/// The part of it that is reserved for each peer: 64 KiB, which a correct peer has in flight, and
/// the overhead of small packets.
pub const WAITING_BYTES_OF_EACH: usize = 128 << 10;

/// Maximum number of half-open connections, whose remote address is not validated. At the limit the
/// oldest is dropped, so a flood must send this many CONNECTs within one round trip to exclude a
/// client.
pub const HALF_OPEN_MAX: usize = 1_024;

/// Maximum number of half-open connections of one IP address. At the limit its oldest one is
/// dropped. A flood from one address does not affect others, and players behind one router can
/// connect at once.
pub const HALF_OPEN_PER_ADDRESS_MAX: usize = 64;

/// Maximum time of a half-open connection. A client replies within a round trip or retransmits its
/// CONNECT.
pub const HALF_OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Time during which a late reply to an abandoned attempt is answered with DISCONNECT. ENet's
/// servers retransmit the reply for 31.5 s.
pub(crate) const ABANDONED_ATTEMPT_TIME: Duration = Duration::from_secs(32);

/// Maximum ratio of the bytes sent to an address that is not validated to those received from it,
/// as for QUIC (RFC 9000, section 8).
pub(crate) const AMPLIFICATION_MAX: u64 = 3;

/// Interval at which a client polls the lookup of its server's name.
pub(crate) const LOOKUP_INTERVAL: Duration = Duration::from_millis(5);

/// Maximum number of datagrams received in one `poll`.
pub const DATAGRAMS_PER_POLL: usize = 1_024;

/// Maximum number of shards of a server. More threads than cores do not help.
pub const SHARDS_MAX: usize = 64;

/// Default coalescing delay of packets on a busy server. A game at 60 frames per second does not
/// notice it.
pub const FLUSH_INTERVAL: Duration = Duration::from_millis(1);

/// Maximum coalescing delay: one frame. The receive buffer of a socket suffices for that time.
pub const FLUSH_INTERVAL_MAX: Duration = Duration::from_millis(16);

/// Bytes of datagrams that are passed to the socket at once: two system calls of 32 full datagrams,
/// or the maximum of one call to one address.
pub(crate) const SEND_BATCH_BYTES: usize = 64 * 1_392;

/// Maximum number of DTLS handshakes in progress: as many as half-open connections.
#[cfg(feature = "dtls")]
pub const DTLS_OPENING_MAX: usize = HALF_OPEN_MAX;

/// Maximum number of DTLS handshakes in progress of one IP address.
#[cfg(feature = "dtls")]
pub const DTLS_OPENING_PER_ADDRESS_MAX: usize = HALF_OPEN_PER_ADDRESS_MAX;

/// Maximum time of a DTLS handshake, as in Godot. A client starts another one when ENet retransmits
/// its CONNECT; the server has dropped the first by then.
#[cfg(feature = "dtls")]
pub const DTLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(8);

/// Time without a datagram after which an association is dropped: twice ENet's maximum timeout.
#[cfg(feature = "dtls")]
pub const DTLS_SILENCE_MAX: Duration = Duration::from_secs(60);

/// Time without a datagram after which an association may be dropped in favor of a new one. ENet's
/// peers send something twice a second.
#[cfg(feature = "dtls")]
pub const DTLS_REPLACEABLE_AFTER: Duration = Duration::from_secs(8);

/// Maximum number of outputs of the DTLS library for one input: more than the records of the
/// longest datagram and a flight of replies.
#[cfg(feature = "dtls")]
pub(crate) const DTLS_OUTPUTS_MAX: usize = 8_192;

/// Minimum interval between checks of the associations' timeouts.
#[cfg(feature = "dtls")]
pub(crate) const DTLS_TICK: Duration = Duration::from_millis(10);

const _: () = assert!(SEND_BATCH_BYTES >= crate::proto::MTU_MAX as usize);
// The longest reliable packet at the default MTU is almost the longest packet, and fits its queue.
const _: () = assert!(RELIABLE_FRAGMENTS_MAX * 1_364 + 65_536 > PACKET_BYTES_MAX);
const _: () =
    assert!(PACKET_BYTES_MAX + RELIABLE_FRAGMENTS_MAX * ENTRY_OVERHEAD < RELIABLE_QUEUE_BYTES_MAX);
// A completed packet of the maximum length in one datagram fits the reorder budget.
const _: () = assert!(REORDER_BYTES_MAX >= 65_536 * 2);
