//! The limits of this crate, with reasons.

use std::time::Duration;

pub use mp_core::limits::{
    DRAIN_TIMEOUT, QUEUED_BYTES_MAX, QUEUED_BYTES_SHARE, RECEIVE_QUEUE_BYTES_MAX,
    RECEIVE_QUEUE_PACKETS_MAX, RELIABLE_PROGRESS_TIMEOUT, RELIABLE_QUEUE_BYTES_MAX,
};

/// Maximum length in bytes of a received message, announced as `a=max-message-size`: the value of
/// Godot and Chromium.
///
/// It must not be less: the main loop of a Godot web export stops for good when its script sends a
/// message longer than announced.
pub const MESSAGE_BYTES_MAX: usize = 262_144;

/// Maximum length in bytes of a message to a peer that announces no maximum (RFC 8841).
pub const UNANNOUNCED_MESSAGE_BYTES_MAX: usize = 65_536;

/// Maximum length in bytes of a message to a Godot web export. Its ring buffer per channel
/// (`network/limits/webrtc/max_channel_in_buffer_kb`, 64 KiB by default) stores the message, its
/// length and one more byte.
pub const WEB_MESSAGE_BYTES_MAX: usize = 65_530;

/// Bytes per message that a Godot web export stores in its ring buffer in addition.
pub const WEB_MESSAGE_OVERHEAD: usize = 5;

/// Maximum number of bytes sent to a channel of a web peer per [`WEB_PACING_INTERVAL`], or one
/// message that is longer: half of the ring buffer. In two intervals it is at most twice as much,
/// so that nothing is lost if a frame takes two intervals.
pub const WEB_PACING_BYTES: usize = 32 * 1024;

/// Interval of [`WEB_PACING_BYTES`]. A Godot web export empties its ring buffers once per frame.
pub const WEB_PACING_INTERVAL: Duration = Duration::from_millis(50);

/// Size in bytes of str0m's SCTP send buffer, after which the connection's send queue is used: two
/// messages of the maximum length, because a message is accepted as a whole or not at all.
pub const SCTP_BUFFER_BYTES: usize = 2 * MESSAGE_BYTES_MAX;

/// Minimum time during which unreliable packets are retransmitted: longer than most round trips.
///
/// When the lifetime of a packet ends, sctp-proto gives it up although it may be in flight, and
/// sends a FORWARD TSN. The remote peer acknowledges that at once, and each acknowledgement that
/// lacks the newest packets causes another FORWARD TSN. With a lifetime shorter than the round
/// trip, this exchange does not end while packets are sent, and each packet starts another one.
pub const UNRELIABLE_LIFETIME_MIN: Duration = Duration::from_millis(300);

/// Maximum length in bytes of a session description: four times what browsers create for data
/// channels.
pub const SDP_BYTES_MAX: usize = 16 * 1024;

/// Maximum length in bytes of a candidate line.
pub const CANDIDATE_BYTES_MAX: usize = 512;

/// Maximum number of remote candidates per connection. With full ICE, this host sends to each of
/// these addresses, which the remote peer chooses.
pub const REMOTE_CANDIDATES_MAX: usize = 16;

/// Maximum ratio of the bytes sent to an address that is not validated to those received, as in
/// QUIC (RFC 9000, section 8).
pub const AMPLIFICATION_MAX: usize = 3;

/// Maximum number of addresses from which a connection accepts datagrams during its life: a mobile
/// player that changes networks each minute for four hours. ICE stores each.
pub const ADDRESSES_MAX: usize = 256;

/// Time without datagrams after which the address of a connection may be used by another one.
pub const ADDRESS_IDLE_TIME: Duration = Duration::from_secs(5);

/// Maximum number of channels per connection beyond Godot's three. Stream ids are `4 + index`, and
/// transfer channels are 8-bit.
pub const CHANNELS_CONFIG_MAX: usize = 252;

/// Number of SCTP streams that a remote peer may use, with ids below it: four times those of
/// Godot's channels. Data on another stream ends the connection. SCTP stores each stream, and
/// visits all of them at each chunk of data.
pub const STREAMS_MAX: u16 = 1_024;

/// Maximum number of connections of a peer, as for an ENet host.
pub const PEERS_MAX: u16 = 4_095;

/// Maximum number of connections of a peer whose channels are not all open. At the limit the one
/// with the least progress is dropped, and of these the oldest. To exclude a peer, a flood must
/// start this many before its first connectivity check is received.
pub const HALF_OPEN_MAX: usize = 256;

/// Maximum number of such connections of one IP address, as of its signaling: a household or a
/// classroom behind one NAT. At the limit the address replaces its own.
pub const HALF_OPEN_PER_ADDRESS_MAX: usize = 64;

/// Maximum time from the first session description until all channels are open. Native Godot times
/// out after 39.6 s, Chromium after 15 s.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum time between two connectivity checks of an idle connection. Nine in a row without a
/// reply end it, after 18.5 s at most.
pub const CHECK_INTERVAL_MAX: Duration = Duration::from_millis(2_500);

/// Maximum time for resetting the channels of a connection before it is closed. SCTP retransmits a
/// reset after 3 and 9 s if it has not measured the round trip, otherwise earlier (RFC 4960: the
/// RTO is 3 s at first and at least 1 s, and doubles each time).
pub const RESET_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum time for sending the last datagrams of a closing connection.
pub const CLOSE_TIMEOUT: Duration = DRAIN_TIMEOUT;

/// Maximum number of closing connections. At the limit the oldest is dropped without its last
/// datagrams.
pub const CLOSING_MAX: usize = 1_024;

/// Maximum number of DTLS datagrams buffered for an unknown address. Native Godot sends its
/// ClientHello as soon as its own ICE is complete, often before the address is known here, and
/// retransmits it after 1 s.
pub const EARLY_DATAGRAMS_PER_ADDRESS: usize = 4;

/// Maximum number of addresses with early datagrams, which use at most 1 MiB. At the limit the
/// oldest address is dropped.
pub const EARLY_ADDRESSES_MAX: usize = 128;

/// Time after which early datagrams are dropped.
pub const DEFERRED_TIME: Duration = Duration::from_secs(2);

/// Maximum length in bytes of a received datagram. WebRTC's datagrams fit an Ethernet frame.
pub const DATAGRAM_BYTES_MAX: usize = 2_048;

/// Bytes of datagrams that are passed to the socket at once.
pub(crate) const SEND_BATCH_BYTES: usize = 64 * 1_392;

/// Number of queued datagrams at which they are sent before the end of the turn, so that
/// [`DATAGRAMS_QUEUED_MAX`] is not reached.
pub(crate) const DATAGRAMS_PER_SEND: usize = 64;

/// Maximum number of addresses of this host that become candidates.
pub const LOCAL_CANDIDATES_MAX: usize = 16;

/// Maximum number of datagrams received in one `poll`.
pub const DATAGRAMS_PER_POLL: usize = 1_024;

/// Maximum number of datagrams received with one call.
pub(crate) const DATAGRAMS_PER_RECEIVE: usize = 32;

/// Number of queued events at which a `poll` stops receiving.
pub const EVENTS_PER_POLL: usize = RECEIVE_QUEUE_PACKETS_MAX;

/// Maximum number of datagrams queued while the socket is blocked. Others are dropped, and SCTP and
/// DTLS retransmit them.
pub const DATAGRAMS_QUEUED_MAX: usize = 1_024;

/// Maximum number of queued signals. At the limit the newest is dropped and counted, and its
/// connection fails by [`CONNECT_TIMEOUT`].
pub const SIGNALS_MAX: usize = 4_096;

/// Maximum number of commands of a [`Signaling`](crate::Signaling) handle that are queued for the
/// peer's next `poll`.
pub const COMMANDS_MAX: usize = 4_096;

/// Maximum number of bytes of received packets that are not reported, of all connections: as for
/// ENet.
pub const PENDING_BYTES_MAX: usize = 256 << 20;

/// The part of [`PENDING_BYTES_MAX`] that is reserved for each connection, as for ENet.
pub const PENDING_BYTES_SHARE: usize = 128 << 10;
