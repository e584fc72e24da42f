//! The contract of a transport.
#![expect(
    clippy::exhaustive_enums,
    reason = "Godot lists the states; a host must handle each kind of readiness"
)]

use std::task::{Context, Poll};
use std::time::Duration;

use crate::{
    ConnectionId, ConnectionStats, DisconnectReason, Farewell, Instant, Outgoing, PeerEvent, PeerId,
};

/// The local end of a network: what ENet, WebSocket, WebRTC, a pipe within the process or a transport of your own
/// implement (Godot: `MultiplayerPeerExtension`).
///
/// # The turn
///
/// 1. [`poll`](Self::poll) takes in what the network brought and runs the timers that are due; nothing is sent.
/// 2. [`next_event`](Self::next_event) until it returns `None`; [`send`](Self::send) and
///    [`disconnect`](Self::disconnect) queue.
/// 3. [`flush`](Self::flush) packs what is queued and hands it to the network.
/// 4. The next turn is due at [`poll_timeout`](Self::poll_timeout), or when [`readiness`](Self::readiness) says so.
///
/// # What an implementation promises
///
/// * Events come in one order: a connection's `Connected`, its packets, its `Disconnected`.
/// * A reliable packet that `send` accepted arrives once and in order on its channel, or the connection ends with an
///   event that says why. Unreliable packets may be dropped, and are counted.
/// * No memory is taken without a bound, whatever the other side sends.
///
/// The suite in `mp_core::conformance` (feature `conformance`) checks these.
pub trait MultiplayerPeer {
    /// Takes in what the network brought and runs the timers up to `now`, within a bounded amount of work.
    fn poll(&mut self, now: Instant);

    /// The oldest event not yet taken.
    fn next_event(&mut self) -> Option<PeerEvent>;

    /// Queues a packet. A link that has gone is skipped: its `Disconnected` is on its way.
    ///
    /// # Errors
    ///
    /// When the packet itself cannot be sent by this transport; it then goes to no link.
    fn send(&mut self, outgoing: Outgoing) -> Result<(), SendError>;

    /// Packs what is queued and hands it to the network: the end of a turn.
    fn flush(&mut self, now: Instant);

    /// Ends a link. An unknown one is ignored.
    ///
    /// `reason` is what this side's `Disconnected` will say, also when the other side ends the link first. From here on the link takes
    /// nothing in, and what is sent to it is skipped; [`Farewell::Abrupt`] withdraws events not yet taken, too. The other side sees
    /// [`DisconnectReason::Remote`], or a timeout when the one goodbye of an abrupt end is lost.
    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        farewell: Farewell,
    );

    /// Ends everything at once, as far as one goodbye per link can; no events follow. The next
    /// [`flush`](Self::flush) sends the goodbyes; [`send`](Self::send) says [`SendError::NotConnected`] from here on.
    fn close(&mut self);

    /// This side's own id: 1 on a server. A client of a transport whose servers draw the ids learns its own with
    /// [`PeerEvent::UniqueId`]; until then this is a number that nobody has (Godot: 0).
    #[doc(alias = "get_unique_id")]
    fn unique_id(&self) -> PeerId;

    /// Whether this side takes part in a session. A client that is refused or not answered goes from `Connecting` to
    /// `Disconnected` without an event.
    #[doc(alias = "get_connection_status")]
    fn connection_status(&self) -> ConnectionStatus;

    /// When the next turn is due, input or not.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// How a host learns that the network brought something.
    fn readiness(&self) -> Readiness {
        Readiness::Interval(Duration::from_millis(5))
    }

    /// For [`Readiness::Wakes`]: ready when `poll` has something to take in; else the task is woken when it has.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    /// How long what this side has to say of its own, acknowledgements most of all, may wait for what the program answers to
    /// what the network brought, so that both leave together (default: it does not wait).
    fn answer_wait(&self) -> Duration {
        Duration::ZERO
    }

    /// Back-pressure: while a link is held its receiver cannot take more. The transport then drops
    /// arriving unreliable packets and leaves reliable ones with their sender (ENet: not
    /// acknowledged, TCP: not read). What it already received still comes out of `next_event`. When
    /// the hold ends, delivery goes on at once: it does not wait until the sender sends again.
    fn hold(&mut self, _connection: ConnectionId, _held: bool) {}

    /// Whether a server may relay between its clients on this transport.
    fn is_server_relay_supported(&self) -> bool {
        false
    }

    /// Whether new connections are refused (default: no).
    fn is_refusing_new_connections(&self) -> bool {
        false
    }

    /// Refuses new connections, or stops refusing them. Existing ones stay.
    fn set_refuse_new_connections(&mut self, _refuse: bool) {}

    /// Accepts no connection from here on: its branches have ended, their connections drain, then
    /// [`close`](Self::close) follows (default: refuses new connections).
    fn stop_accepting(&mut self) {
        self.set_refuse_new_connections(true);
    }

    /// The largest packet in bytes.
    #[doc(alias = "get_max_packet_size")]
    fn max_packet_size(&self) -> usize {
        crate::limits::PACKET_BYTES_MAX
    }

    /// Figures of a link; `None` when it is unknown or the transport keeps none.
    fn connection_stats(&self, _connection: ConnectionId) -> Option<ConnectionStats> {
        None
    }
}

/// A pointer to a transport is one.
macro_rules! forward {
    ($pointer:ty) => {
        impl<P: MultiplayerPeer + ?Sized> MultiplayerPeer for $pointer {
            fn poll(&mut self, now: Instant) {
                (**self).poll(now);
            }
            fn next_event(&mut self) -> Option<PeerEvent> {
                (**self).next_event()
            }
            fn send(&mut self, outgoing: Outgoing) -> Result<(), SendError> {
                (**self).send(outgoing)
            }
            fn flush(&mut self, now: Instant) {
                (**self).flush(now);
            }
            fn disconnect(
                &mut self,
                connection: ConnectionId,
                reason: DisconnectReason,
                farewell: Farewell,
            ) {
                (**self).disconnect(connection, reason, farewell);
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
            fn answer_wait(&self) -> Duration {
                (**self).answer_wait()
            }
            fn hold(&mut self, connection: ConnectionId, held: bool) {
                (**self).hold(connection, held);
            }
            fn is_server_relay_supported(&self) -> bool {
                (**self).is_server_relay_supported()
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
        }
    };
}

forward!(Box<P>);
forward!(&mut P);

/// Godot's `MultiplayerPeer.ConnectionStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionStatus {
    /// Not taking part in a session (0).
    Disconnected = 0,
    /// A client that waits for its server (1).
    Connecting = 1,
    /// Taking part (2); a server always is.
    Connected = 2,
}

/// How a host learns that a transport has something to take in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// `poll_ready` wakes the task.
    Wakes,
    /// It cannot tell: poll it this often.
    Interval(Duration),
}

/// Why a packet was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no such channel.
    #[error("channel {channel} is beyond this transport's last channel {last}")]
    Channel {
        /// The channel of the packet.
        channel: u8,
        /// The last channel there is.
        last: u8,
    },
    /// This side takes part in no session.
    #[error("not connected")]
    NotConnected,
    /// The packet is too large.
    #[error("packet of {len} bytes is larger than this transport's {max}")]
    TooLarge {
        /// Bytes of the packet.
        len: usize,
        /// The largest packet in bytes.
        max: usize,
    },
}
