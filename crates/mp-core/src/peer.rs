//! The transport trait.
#![expect(
    clippy::exhaustive_enums,
    reason = "the states are Godot's; a host must handle each kind of readiness"
)]

use std::task::{Context, Poll};
use std::time::Duration;

use crate::{
    CloseMode, ConnectionConditions, ConnectionId, ConnectionStats, DisconnectReason, Instant,
    LinkSimulation, LinkStats, OutgoingPacket, PeerEvent, PeerId, Rng, TransportStats,
};

/// A transport: ENet, WebSocket, WebRTC, a pipe within the process, or your own (Godot:
/// `MultiplayerPeerExtension`).
///
/// # The turn
///
/// 1. [`poll`](Self::poll) receives from the network and runs the timers that are due. It sends
///    nothing.
/// 2. [`next_event`](Self::next_event) is called until it returns `None`. [`send`](Self::send) and
///    [`disconnect`](Self::disconnect) queue.
/// 3. [`flush`](Self::flush) packs the queued packets and sends them.
/// 4. The next turn is due at [`poll_timeout`](Self::poll_timeout), or as
///    [`readiness`](Self::readiness) says.
///
/// # Guarantees of an implementation
///
/// * Events of a connection are ordered: `Connected`, its packets, `Disconnected`.
/// * A reliable packet that `send` accepted is delivered once and in order on its channel, or the
///   connection ends with an event that has the reason. Unreliable packets may be dropped; drops
///   are counted.
/// * Memory is bounded, whatever remote peers send.
///
/// The suite in `mp_core::conformance` (feature `conformance`) tests these.
pub trait MultiplayerPeer {
    /// Receives from the network and runs the timers up to `now`. The amount of work is bounded.
    fn poll(&mut self, now: Instant);

    /// Removes and returns the oldest event.
    fn next_event(&mut self) -> Option<PeerEvent>;

    /// Queues a packet. Connections that have ended are skipped: their `Disconnected` follows.
    ///
    /// # Errors
    ///
    /// If the transport cannot send this packet. It is then queued for no connection.
    fn send(&mut self, outgoing: OutgoingPacket) -> Result<(), SendError>;

    /// Packs the queued packets and sends them, at the end of a turn.
    fn flush(&mut self, now: Instant);

    /// Closes a connection. Unknown connections are ignored.
    ///
    /// `reason` is the reason in the local `Disconnected`, even if the remote peer closes the
    /// connection first. From now on the connection receives nothing, and packets to it are
    /// skipped. [`CloseMode::Immediate`] also discards its pending events. The remote peer reports
    /// [`DisconnectReason::Remote`], or a timeout if the single disconnect packet of `Immediate` is
    /// lost.
    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    );

    /// Sets the text that the remote peer receives when its connection is
    /// [rejected](DisconnectReason::Rejected), in place of the code of the reason. A protocol whose
    /// disconnect packet has no text ignores it, as the default does; one with a limited length
    /// truncates it (WebSocket: 123 bytes). Unknown connections are ignored.
    fn set_close_text(&mut self, _connection: ConnectionId, _text: &str) {}

    /// Returns whether the remote peer has received all reliable packets that were accepted for a
    /// connection. A protocol without acknowledgements requests one at the first call (WebSocket: a
    /// ping after the last packet). A host calls it before it closes a connection whose last packet
    /// has the reason.
    ///
    /// Default: yes, for a transport whose remote peer reports a packet and a later end of the
    /// connection in this order, however they are delayed. In Godot, WebSocket and WebRTC do not.
    fn poll_delivered(&mut self, _connection: ConnectionId) -> bool {
        true
    }

    /// Closes all connections immediately, with one disconnect packet each. No events follow. The
    /// next [`flush`](Self::flush) sends the disconnect packets. [`send`](Self::send) returns
    /// [`SendError::NotConnected`] from now on.
    fn close(&mut self);

    /// Returns the local peer's id, which is 1 on a server. If the server assigns ids, a client
    /// receives its id with [`PeerEvent::UniqueId`]; before that, this is an id that no peer has
    /// (Godot: 0).
    #[doc(alias = "get_unique_id")]
    fn unique_id(&self) -> PeerId;

    /// Returns the state of the session. A client whose connection is rejected or not answered
    /// changes from `Connecting` to `Disconnected` without an event.
    #[doc(alias = "get_connection_status")]
    fn connection_status(&self) -> ConnectionStatus;

    /// Returns the time at which a turn is due even if nothing is received; `None` if there is
    /// none.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Returns how a host learns that there is something to receive. Default: poll every 5 ms.
    fn readiness(&self) -> Readiness {
        Readiness::Interval(Duration::from_millis(5))
    }

    /// For [`Readiness::Waker`]: returns `Ready` if `poll` has something to receive; otherwise
    /// registers the task to be woken.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    /// Returns the maximum delay of acknowledgements and other packets of the transport itself,
    /// which lets them share a datagram with the program's reply to a received packet. Default:
    /// zero.
    fn max_ack_delay(&self) -> Duration {
        Duration::ZERO
    }

    /// Pauses or resumes receiving on a connection (back-pressure), for a receiver that cannot
    /// accept more.
    ///
    /// While paused, the transport drops received unreliable packets and leaves reliable ones to
    /// the sender (ENet does not acknowledge them, TCP does not read them). `next_event` still
    /// returns packets that were already received. After resuming, delivery continues immediately,
    /// without waiting for a retransmission.
    fn pause_receiving(&mut self, _connection: ConnectionId, _held: bool) {}

    /// Returns whether a server may relay packets between its clients on this transport.
    fn is_server_relay_supported(&self) -> bool {
        false
    }

    /// Returns whether a connection stays open although the remote peer's program has stopped.
    /// Default: no. In WebRTC the browser answers for a page whose game has stopped.
    fn outlives_program(&self) -> bool {
        false
    }

    /// Returns whether new connections are refused. Default: no.
    fn is_refusing_new_connections(&self) -> bool {
        false
    }

    /// Sets whether new connections are refused. Existing connections stay.
    fn set_refuse_new_connections(&mut self, _refuse: bool) {}

    /// Stops accepting connections for good: all branches are leaving, and [`close`](Self::close)
    /// follows when their connections have drained. Default: refuses new connections.
    fn stop_accepting(&mut self) {
        self.set_refuse_new_connections(true);
    }

    /// Returns the maximum packet size in bytes.
    #[doc(alias = "get_max_packet_size")]
    fn max_packet_size(&self) -> usize {
        crate::limits::PACKET_BYTES_MAX
    }

    /// Returns statistics of a connection; `None` if the connection is unknown or the transport has
    /// none.
    fn connection_stats(&self, _connection: ConnectionId) -> Option<ConnectionStats> {
        None
    }

    /// Returns statistics of the transport; zeros if it has none. Visits all connections.
    fn transport_stats(&self) -> TransportStats {
        TransportStats::default()
    }

    /// Returns the network conditions that the transport can simulate. Default: none.
    fn link_simulation(&self) -> LinkSimulation {
        LinkSimulation::None
    }

    /// Sets the simulated conditions of a connection, `None`: removes them. They apply below the
    /// protocol, so that reliable packets are delivered nevertheless, and end with the connection.
    /// Conditions that the transport [cannot simulate](Self::link_simulation), and unknown
    /// connections, are ignored. Random numbers are drawn from generators that `rng` seeds.
    fn set_conditions(
        &mut self,
        _connection: ConnectionId,
        _conditions: Option<ConnectionConditions>,
        _rng: &mut Rng,
    ) {
    }

    /// Returns the simulated conditions of a connection and the statistics of its link; `None` if
    /// it has none.
    fn conditions(&self, _connection: ConnectionId) -> Option<(ConnectionConditions, LinkStats)> {
        None
    }
}

/// Implements [`MultiplayerPeer`] for a pointer to a transport.
macro_rules! forward {
    ($pointer:ty) => {
        impl<P: MultiplayerPeer + ?Sized> MultiplayerPeer for $pointer {
            fn poll(&mut self, now: Instant) {
                (**self).poll(now);
            }
            fn next_event(&mut self) -> Option<PeerEvent> {
                (**self).next_event()
            }
            fn send(&mut self, outgoing: OutgoingPacket) -> Result<(), SendError> {
                (**self).send(outgoing)
            }
            fn flush(&mut self, now: Instant) {
                (**self).flush(now);
            }
            fn disconnect(
                &mut self,
                connection: ConnectionId,
                reason: DisconnectReason,
                close_mode: CloseMode,
            ) {
                (**self).disconnect(connection, reason, close_mode);
            }
            fn set_close_text(&mut self, connection: ConnectionId, text: &str) {
                (**self).set_close_text(connection, text);
            }
            fn poll_delivered(&mut self, connection: ConnectionId) -> bool {
                (**self).poll_delivered(connection)
            }
            fn close(&mut self) {
                (**self).close();
            }
            fn unique_id(&self) -> PeerId {
                (**self).unique_id()
            }
            fn connection_status(&self) -> ConnectionStatus {
                (**self).connection_status()
            }
            fn poll_timeout(&self) -> Option<Instant> {
                (**self).poll_timeout()
            }
            fn readiness(&self) -> Readiness {
                (**self).readiness()
            }
            fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
                (**self).poll_ready(cx)
            }
            fn max_ack_delay(&self) -> Duration {
                (**self).max_ack_delay()
            }
            fn pause_receiving(&mut self, connection: ConnectionId, held: bool) {
                (**self).pause_receiving(connection, held);
            }
            fn is_server_relay_supported(&self) -> bool {
                (**self).is_server_relay_supported()
            }
            fn outlives_program(&self) -> bool {
                (**self).outlives_program()
            }
            fn is_refusing_new_connections(&self) -> bool {
                (**self).is_refusing_new_connections()
            }
            fn set_refuse_new_connections(&mut self, refuse: bool) {
                (**self).set_refuse_new_connections(refuse);
            }
            fn stop_accepting(&mut self) {
                (**self).stop_accepting();
            }
            fn max_packet_size(&self) -> usize {
                (**self).max_packet_size()
            }
            fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
                (**self).connection_stats(connection)
            }
            fn transport_stats(&self) -> TransportStats {
                (**self).transport_stats()
            }
            fn link_simulation(&self) -> LinkSimulation {
                (**self).link_simulation()
            }
            fn set_conditions(
                &mut self,
                connection: ConnectionId,
                conditions: Option<ConnectionConditions>,
                rng: &mut Rng,
            ) {
                (**self).set_conditions(connection, conditions, rng);
            }
            fn conditions(
                &self,
                connection: ConnectionId,
            ) -> Option<(ConnectionConditions, LinkStats)> {
                (**self).conditions(connection)
            }
        }
    };
}

forward!(Box<P>);
forward!(&mut P);

/// Godot's `MultiplayerPeer.ConnectionStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ConnectionStatus {
    /// Not in a session (0).
    Disconnected = 0,
    /// A client that waits for its server (1).
    Connecting = 1,
    /// In a session (2); always the state of a server.
    Connected = 2,
}

/// The way in which a host learns that a transport has something to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// `poll_ready` wakes the task.
    Waker,
    /// The transport cannot notify: poll it at this interval.
    Interval(Duration),
}

/// The reason why a transport did not accept a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The channel does not exist.
    #[error("channel {channel} is out of range; this transport has channels 0 to {last}")]
    Channel {
        /// Channel of the packet.
        channel: u8,
        /// Last channel of the transport.
        last: u8,
    },
    /// The local peer is not in a session.
    #[error("not connected")]
    NotConnected,
    /// The packet exceeds the transport's maximum size.
    #[error("packet of {len} bytes exceeds this transport's maximum of {max} bytes")]
    TooLarge {
        /// Size of the packet in bytes.
        len: usize,
        /// Maximum packet size in bytes.
        max: usize,
    },
}
