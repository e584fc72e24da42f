//! An endpoint over the memory network, with branches and clients.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mp_core::limits::{BATCH_EVENTS_MAX, PENDING_BATCHES_MAX};
use mp_core::{
    BranchId, Channel, CloseMode, ConnectionId, ConnectionRouter, DisconnectReason, Endpoint,
    EndpointId, Instant, MemoryAddress, MemoryMultiplayerPeer, MultiplayerPeer, NewConnection,
    OutgoingPacket, PeerEvent, PeerId, Prefix, Route, StateMachine, ToBranch, ToEndpoint,
    TransferMode,
};

pub(crate) const ENDPOINT: EndpointId = EndpointId(7);
pub(crate) const LOBBY: BranchId = BranchId(0);
pub(crate) const ARENA: BranchId = BranchId(1);

pub(crate) struct EvenToLobby;

impl ConnectionRouter for EvenToLobby {
    fn route(&mut self, connection: &NewConnection<'_>, _: &mut Vec<OutgoingPacket>) -> Route {
        match connection.claimed_id {
            Some(id) if id.get() % 2 == 0 => Route::Branch(LOBBY),
            Some(_) => Route::Branch(ARENA),
            None => Route::Reject(DisconnectReason::InvalidId),
        }
    }
}

pub(crate) struct Closed;

impl ConnectionRouter for Closed {
    fn route(&mut self, _: &NewConnection<'_>, _: &mut Vec<OutgoingPacket>) -> Route {
        Route::Reject(DisconnectReason::Refused)
    }
}

/// An endpoint, and the messages that its branches received.
pub(crate) struct World<R> {
    pub(crate) endpoint: Endpoint<MemoryMultiplayerPeer, R>,
    pub(crate) address: MemoryAddress,
    pub(crate) received: BTreeMap<BranchId, Vec<ToBranch>>,
    /// Branches that accept no message.
    pub(crate) full: BTreeSet<BranchId>,
    pub(crate) now: Instant,
}

impl<R: ConnectionRouter> World<R> {
    pub(crate) fn new(router: R, branches: impl IntoIterator<Item = BranchId>) -> Self {
        Self::around(MemoryMultiplayerPeer::server(), router, branches)
    }

    pub(crate) fn around(
        peer: MemoryMultiplayerPeer,
        router: R,
        branches: impl IntoIterator<Item = BranchId>,
    ) -> Self {
        let address = peer.address();
        let mut endpoint = Endpoint::new(ENDPOINT, peer, router);
        branches.into_iter().for_each(|branch| endpoint.serve(branch));
        let now = Instant::from_millis(1_000);
        Self { endpoint, address, received: BTreeMap::new(), full: BTreeSet::new(), now }
    }

    /// Keeps the endpoint open while it serves no branch.
    pub(crate) fn shared(self) -> Self {
        Self { endpoint: self.endpoint.shared(), ..self }
    }

    pub(crate) fn join(&self, id: i32) -> Client {
        Client { peer: self.address.connect(peer_id(id)), log: Vec::new() }
    }

    pub(crate) fn turn(&mut self) {
        self.endpoint.end_turn(self.now);
        self.deliver();
    }

    pub(crate) fn deliver(&mut self) {
        let (received, full) = (&mut self.received, &self.full);
        self.endpoint.deliver(&mut |branch, message| {
            if full.contains(&branch) {
                return Err(message);
            }
            received.entry(branch).or_default().push(message);
            Ok(())
        });
    }

    pub(crate) fn handle(&mut self, branch: BranchId, input: ToEndpoint) {
        self.endpoint.handle_input(self.now, (branch, input));
    }

    pub(crate) fn leave(&mut self, branch: BranchId, close_mode: CloseMode) {
        self.handle(branch, ToEndpoint::Leave { reason: DisconnectReason::Closed, close_mode });
    }

    /// Sends from `client` until the endpoint pauses a connection.
    pub(crate) fn fill(&mut self, client: &mut Client) {
        for _ in 0..2 * PENDING_BATCHES_MAX {
            for _ in 0..BATCH_EVENTS_MAX {
                client.queue("filler");
            }
            client.flush();
            self.turn();
            if self.endpoint.stats().pauses > 0 {
                self.turn();
                return;
            }
        }
        panic!("the queue did not become full");
    }

    pub(crate) fn messages(&self, branch: BranchId) -> &[ToBranch] {
        self.received.get(&branch).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn batches(&self, branch: BranchId) -> Vec<&[PeerEvent]> {
        let batch = |message| match message {
            &ToBranch::Events(ENDPOINT, ref events) => Some(events.as_slice()),
            _ => None,
        };
        self.messages(branch).iter().filter_map(batch).collect()
    }

    pub(crate) fn events(&self, branch: BranchId) -> impl Iterator<Item = &PeerEvent> {
        self.batches(branch).into_iter().flatten()
    }

    pub(crate) fn payloads(&self, branch: BranchId) -> Vec<Bytes> {
        payloads(self.events(branch))
    }

    pub(crate) fn ends(&self, branch: BranchId) -> Vec<(ConnectionId, DisconnectReason)> {
        let ends = self.events(branch).filter_map(|event| match event {
            PeerEvent::Disconnected { connection, reason } => Some((*connection, *reason)),
            _ => None,
        });
        ends.collect()
    }

    pub(crate) fn closed(&self, branch: BranchId) -> Option<DisconnectReason> {
        match self.messages(branch).last() {
            Some(ToBranch::Closed(ENDPOINT, reason)) => Some(*reason),
            _ => None,
        }
    }

    /// Returns the branch that received `Connected` of a connection.
    pub(crate) fn branch_of(&self, of: ConnectionId) -> BranchId {
        let knows = |branch| {
            let mut events = self.events(branch);
            events.any(
                |it| matches!(it, PeerEvent::Connected { connection, .. } if *connection == of),
            )
        };
        *self.received.keys().find(|&&branch| knows(branch)).expect("a branch knows it")
    }

    /// Returns the connections that branches know and that have not ended.
    pub(crate) fn connections(&self) -> Vec<ConnectionId> {
        let mut connections = Vec::new();
        for event in self.received.keys().flat_map(|&branch| self.events(branch)) {
            match event {
                PeerEvent::Connected { connection, .. } => connections.push(*connection),
                PeerEvent::Disconnected { connection, .. } => {
                    connections.retain(|l| l != connection)
                }
                _ => {}
            }
        }
        connections
    }
}

/// A client and the events that it reported.
pub(crate) struct Client {
    pub(crate) peer: MemoryMultiplayerPeer,
    pub(crate) log: Vec<PeerEvent>,
}

impl Client {
    pub(crate) fn turn(&mut self) {
        self.log.extend(drain(&mut self.peer));
    }

    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        match (self.log.first(), self.disconnect_reason()) {
            (Some(PeerEvent::Connected { connection, .. }), None) => Some(*connection),
            _ => None,
        }
    }

    pub(crate) fn send(&mut self, payload: impl Into<Bytes>) {
        self.queue(payload);
        self.flush();
    }

    pub(crate) fn queue(&mut self, payload: impl Into<Bytes>) {
        self.queue_as(TransferMode::Reliable, payload);
    }

    pub(crate) fn queue_as(&mut self, mode: TransferMode, payload: impl Into<Bytes>) {
        let connection = self.connection().expect("connected");
        let outgoing = OutgoingPacket { mode, ..packet(connection, payload) };
        self.peer.send(outgoing).expect("packet accepted");
    }

    pub(crate) fn flush(&mut self) {
        self.peer.flush(Instant::ZERO);
    }

    pub(crate) fn payloads(&self) -> Vec<Bytes> {
        payloads(self.log.iter())
    }

    pub(crate) fn disconnect_reason(&self) -> Option<DisconnectReason> {
        match self.log.last() {
            Some(PeerEvent::Disconnected { reason, .. }) => Some(*reason),
            _ => None,
        }
    }
}

/// Runs a turn of a peer without an endpoint.
pub(crate) fn drain(peer: &mut MemoryMultiplayerPeer) -> Vec<PeerEvent> {
    peer.poll(Instant::ZERO);
    let events = std::iter::from_fn(|| peer.next_event()).collect();
    peer.flush(Instant::ZERO);
    events
}

pub(crate) fn peer_id(raw: i32) -> PeerId {
    PeerId::new(raw).expect("positive")
}

pub(crate) fn packet(to: ConnectionId, payload: impl Into<Bytes>) -> OutgoingPacket {
    let (mode, channel, prefix) = (TransferMode::Reliable, Channel(0), Prefix::EMPTY);
    OutgoingPacket { to: to.into(), mode, channel, prefix, payload: payload.into() }
}

pub(crate) fn payloads<'a>(events: impl Iterator<Item = &'a PeerEvent>) -> Vec<Bytes> {
    let payload = |event: &PeerEvent| match event {
        PeerEvent::Packet(packet) => Some(packet.payload.clone()),
        _ => None,
    };
    events.filter_map(payload).collect()
}

pub(crate) fn payload_len(event: &PeerEvent) -> usize {
    match event {
        PeerEvent::Packet(packet) => packet.payload.len(),
        _ => 0,
    }
}
