//! A transport for tests of code above transports (feature `testing`).

use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use crate::{
    Channel, CloseMode, ConnectionConditions, ConnectionId, ConnectionOrigin, ConnectionStatus,
    DisconnectReason, Instant, LinkSimulation, MultiplayerPeer, OutgoingPacket, Packet, PeerEvent,
    PeerId, Readiness, Rng, SendError, TransferMode,
};

pub use crate::reason_counts::assert_labels_are_names;

/// A transport that reports the events queued by a test and records the calls. It has no network:
/// sent packets are only recorded.
///
/// ```
/// use mp_core::testing::{ScriptedPeer, connection};
/// use mp_core::{Instant, MultiplayerPeer, PeerEvent, PeerId};
///
/// let mut peer = ScriptedPeer::server();
/// peer.connect(0, PeerId::new(2));
/// peer.poll(Instant::ZERO);
/// let Some(PeerEvent::Connected { connection: first, .. }) = peer.next_event() else { panic!() };
/// assert_eq!(first, connection(0));
/// ```
pub struct ScriptedPeer {
    /// Local peer id. Changes when a [`PeerEvent::UniqueId`] is reported.
    pub unique_id: PeerId,
    /// Initially `Connected`; `Disconnected` after [`close`](MultiplayerPeer::close).
    pub status: ConnectionStatus,
    /// True if a server may relay. Default: true.
    pub relays: bool,
    /// Error that every `send` returns. Default: `None`, packets are accepted.
    pub send_error: Option<SendError>,
    /// Time of the next turn.
    pub timeout: Option<Instant>,
    /// The way in which a host learns of events. Default: by polling every 5 ms.
    pub readiness: Readiness,
    /// Maximum delay of acknowledgements. Default: zero.
    pub max_ack_delay: Duration,
    /// Events to report, oldest first.
    pub events: VecDeque<PeerEvent>,
    /// Accepted packets.
    pub sent: Vec<OutgoingPacket>,
    /// Arguments of `disconnect`. The end of a connection is not reported unless the test queues
    /// it.
    pub disconnected: Vec<(ConnectionId, DisconnectReason, CloseMode)>,
    /// Arguments of `hold`: connections that were paused (`true`) and resumed.
    pub held: Vec<(ConnectionId, bool)>,
    /// Result of `poll_delivered`. Default: true.
    pub is_delivered: bool,
    /// Network conditions that it simulates. Default: none.
    pub simulation: LinkSimulation,
    /// Arguments of `set_conditions`.
    pub conditions: Vec<(ConnectionId, Option<ConnectionConditions>)>,
    /// Calls that change something, in order.
    pub calls: Vec<PeerCall>,
    on_poll: Option<OnPoll>,
}

type OnPoll = Box<dyn FnMut(&mut ScriptedPeer) + Send>;

/// A call of a method of [`MultiplayerPeer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerCall {
    /// [`MultiplayerPeer::poll`].
    Poll,
    /// [`MultiplayerPeer::send`].
    Send,
    /// [`MultiplayerPeer::flush`].
    Flush,
    /// [`MultiplayerPeer::disconnect`].
    Disconnect,
    /// [`MultiplayerPeer::close`].
    Close,
    /// [`MultiplayerPeer::pause_receiving`].
    PauseReceiving,
}

impl ScriptedPeer {
    /// Returns a connected peer with id `unique_id`.
    pub fn new(unique_id: PeerId) -> Self {
        Self {
            unique_id,
            status: ConnectionStatus::Connected,
            relays: true,
            send_error: None,
            timeout: None,
            readiness: Readiness::Interval(Duration::from_millis(5)),
            max_ack_delay: Duration::ZERO,
            events: VecDeque::new(),
            sent: Vec::new(),
            disconnected: Vec::new(),
            held: Vec::new(),
            is_delivered: true,
            simulation: LinkSimulation::None,
            conditions: Vec::new(),
            calls: Vec::new(),
            on_poll: None,
        }
    }

    /// Returns a server without connections.
    pub fn server() -> Self {
        Self::new(PeerId::SERVER)
    }

    /// Sets a closure that each [`poll`](MultiplayerPeer::poll) runs. It may panic, or change the
    /// peer.
    #[must_use]
    pub fn on_poll(mut self, run: impl FnMut(&mut Self) + Send + 'static) -> Self {
        self.on_poll = Some(Box::new(run));
        self
    }

    /// Queues the event that a connection was established, whose remote peer claims `claimed_id`.
    pub fn connect(&mut self, slot: u32, claimed_id: Option<PeerId>) {
        self.connect_from(slot, claimed_id, ConnectionOrigin::Process);
    }

    /// Queues the event that a client from `origin` connected.
    pub fn connect_from(
        &mut self,
        slot: u32,
        claimed_id: Option<PeerId>,
        origin: ConnectionOrigin,
    ) {
        let connection = connection(slot);
        self.events.push_back(PeerEvent::Connected { connection, claimed_id, origin });
    }

    /// Queues `count` equal packets on channel 0.
    pub fn receive(&mut self, slot: u32, count: usize, mode: TransferMode, payload: Bytes) {
        let packet = Packet { from: connection(slot), mode, channel: Channel(0), payload };
        self.events.extend(std::iter::repeat_n(PeerEvent::Packet(packet), count));
    }

    /// Queues the event that the remote peer closed a connection.
    pub fn drop_connection(&mut self, slot: u32) {
        let (connection, reason) = (connection(slot), DisconnectReason::Remote(0));
        self.events.push_back(PeerEvent::Disconnected { connection, reason });
    }
}

/// Returns the first connection of a slot.
pub const fn connection(slot: u32) -> ConnectionId {
    ConnectionId { slot, generation: 0 }
}

impl MultiplayerPeer for ScriptedPeer {
    fn poll(&mut self, _now: Instant) {
        self.calls.push(PeerCall::Poll);
        if let Some(mut run) = self.on_poll.take() {
            run(self);
            self.on_poll = Some(run);
        }
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        let event = self.events.pop_front();
        if let Some(PeerEvent::UniqueId(id)) = event {
            self.unique_id = id;
        }
        event
    }

    fn send(&mut self, outgoing: OutgoingPacket) -> Result<(), SendError> {
        self.calls.push(PeerCall::Send);
        if let Some(error) = self.send_error {
            return Err(error);
        }
        self.sent.push(outgoing);
        Ok(())
    }

    fn flush(&mut self, _now: Instant) {
        self.calls.push(PeerCall::Flush);
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        self.calls.push(PeerCall::Disconnect);
        self.disconnected.push((connection, reason, close_mode));
    }

    fn poll_delivered(&mut self, _connection: ConnectionId) -> bool {
        self.is_delivered
    }

    fn close(&mut self) {
        self.calls.push(PeerCall::Close);
        self.status = ConnectionStatus::Disconnected;
    }

    fn unique_id(&self) -> PeerId {
        self.unique_id
    }

    fn connection_status(&self) -> ConnectionStatus {
        self.status
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timeout
    }

    fn readiness(&self) -> Readiness {
        self.readiness
    }

    /// Returns `Pending`. Never wakes its host.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn max_ack_delay(&self) -> Duration {
        self.max_ack_delay
    }

    fn pause_receiving(&mut self, connection: ConnectionId, held: bool) {
        self.calls.push(PeerCall::PauseReceiving);
        self.held.push((connection, held));
    }

    fn is_server_relay_supported(&self) -> bool {
        self.relays
    }

    fn link_simulation(&self) -> LinkSimulation {
        self.simulation
    }

    fn set_conditions(
        &mut self,
        connection: ConnectionId,
        conditions: Option<ConnectionConditions>,
        _rng: &mut Rng,
    ) {
        self.conditions.push((connection, conditions));
    }
}

impl fmt::Debug for ScriptedPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedPeer")
            .field("unique_id", &self.unique_id)
            .field("status", &self.status)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}
