//! The server and the clients of a check, their turns, and their recorded events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;

use super::{Capabilities, Rig};
use crate::{
    Channel, CloseMode, ConnectionId, ConnectionStatus, Connections, DisconnectReason, Instant,
    MultiplayerPeer, OutgoingPacket, Packet, PeerEvent, PeerId, Prefix, Readiness, SendError,
    TransferMode,
};

/// Index of the server in [`Session::peers`].
pub(super) const SERVER: usize = 0;

/// The peers of a check and their rig.
pub(super) struct Session<R> {
    rig: R,
    pub(super) capabilities: Capabilities,
    pub(super) now: Instant,
    pub(super) peers: Vec<SessionPeer>,
}

/// A connected client: its connection as both peers identify it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionPair {
    /// Index of the client in [`Session::peers`].
    pub(super) client: usize,
    pub(super) at_server: ConnectionId,
    pub(super) at_client: ConnectionId,
}

impl<R: Rig> Session<R> {
    /// Returns a session with only the server.
    pub(super) fn open(mut rig: R) -> Self {
        let capabilities = rig.capabilities();
        let server = SessionPeer::new("server".to_owned(), rig.server());
        assert_eq!(server.peer.unique_id(), PeerId::SERVER, "peer id of the server");
        assert_eq!(
            server.peer.connection_status(),
            ConnectionStatus::Connected,
            "status of the server"
        );
        let now = rig.step();
        Self { rig, capabilities, now, peers: vec![server] }
    }

    /// Adds a client, which has not had a turn yet. Returns its index.
    pub(super) fn join(&mut self) -> usize {
        let index = self.peers.len();
        self.peers.push(SessionPeer::new(format!("client {index}"), self.rig.join()));
        index
    }

    /// Adds a client and waits until it is connected.
    pub(super) fn connect(&mut self) -> ConnectionPair {
        let before = self.peers[SERVER].phases.len();
        let client = self.join();
        self.until("a client and the server to be connected", |session| {
            session.peers[client].phases.len() == 1
                && session.peers[SERVER].phases.len() == before + 1
        });
        ConnectionPair {
            client,
            at_server: self.peers[SERVER].last_connected(),
            at_client: self.peers[client].last_connected(),
        }
    }

    /// Advances time without a turn for any peer.
    pub(super) fn step(&mut self) {
        let now = self.rig.step();
        assert!(
            now > self.now,
            "a step of the rig did not advance time: {now:?} after {:?}",
            self.now
        );
        self.now = now;
    }

    /// Advances time and runs a turn of every peer.
    pub(super) fn turn(&mut self) {
        self.step();
        for side in &mut self.peers {
            side.turn(self.now);
        }
    }

    /// Advances time and runs a turn of each peer that is due or ready, like a host that sleeps.
    pub(super) fn lazy_turn(&mut self) {
        self.step();
        for side in &mut self.peers {
            if side.is_due(self.now) {
                side.turn(self.now);
            }
        }
    }

    /// Runs turns until `done` returns true.
    #[track_caller]
    pub(super) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        self.advance_until(what, Self::turn, done);
    }

    /// Runs lazy turns until `done` returns true.
    #[track_caller]
    pub(super) fn until_lazily(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        self.advance_until(what, Self::lazy_turn, done);
    }

    /// Runs turns for as long as packets may be on their way.
    pub(super) fn quiet(&mut self) {
        let end = self.now + self.capabilities.quiet;
        while self.now < end {
            self.turn();
        }
    }

    #[track_caller]
    fn advance_until(
        &mut self,
        what: &str,
        mut advance: impl FnMut(&mut Self),
        done: impl Fn(&Self) -> bool,
    ) {
        let deadline = self.now + self.capabilities.patience;
        while !done(self) {
            assert!(
                self.now < deadline,
                "timed out after {:?} waiting for {what}",
                self.capabilities.patience
            );
            advance(self);
        }
    }

    /// Sends a reliable packet on channel 0.
    #[track_caller]
    pub(super) fn send_reliable(
        &mut self,
        side: usize,
        to: impl Into<Connections>,
        payload: impl Into<Bytes>,
    ) {
        self.send(side, to, TransferMode::Reliable, Channel(0), payload);
    }

    #[track_caller]
    pub(super) fn send(
        &mut self,
        side: usize,
        to: impl Into<Connections>,
        mode: TransferMode,
        channel: Channel,
        payload: impl Into<Bytes>,
    ) {
        self.try_send(side, to, mode, channel, payload).expect("packet accepted");
    }

    pub(super) fn try_send(
        &mut self,
        side: usize,
        to: impl Into<Connections>,
        mode: TransferMode,
        channel: Channel,
        payload: impl Into<Bytes>,
    ) -> Result<(), SendError> {
        let (to, payload) = (to.into(), payload.into());
        let prefix = Prefix::EMPTY;
        self.peers[side].peer.send(OutgoingPacket { to, mode, channel, prefix, payload })
    }
}

/// A transport and the events that it reported.
pub(super) struct SessionPeer {
    name: String,
    pub(super) peer: Box<dyn MultiplayerPeer>,
    log: Vec<PeerEvent>,
    phases: BTreeMap<ConnectionId, Phase>,
    wake_flag: Arc<Flag>,
    is_waker_registered: bool,
    last_turn: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connected,
    Disconnected,
    /// Closed locally, without an event.
    Removed,
}

impl SessionPeer {
    fn new(name: String, peer: Box<dyn MultiplayerPeer>) -> Self {
        Self {
            name,
            peer,
            log: Vec::new(),
            phases: BTreeMap::new(),
            wake_flag: Arc::default(),
            is_waker_registered: false,
            last_turn: None,
        }
    }

    /// Runs one turn as the [`MultiplayerPeer`] contract describes it.
    pub(super) fn turn(&mut self, now: Instant) {
        self.peer.poll(now);
        while let Some(event) = self.peer.next_event() {
            self.observe(event);
        }
        self.peer.flush(now);
        self.last_turn = Some(now);
    }

    pub(super) fn disconnect(
        &mut self,
        id: ConnectionId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        if close_mode == CloseMode::Immediate
            && let Some(phase) = self.phases.get_mut(&id)
        {
            *phase = Phase::Removed;
        }
        self.peer.disconnect(id, reason, close_mode);
    }

    pub(super) fn close(&mut self) {
        for phase in self.phases.values_mut() {
            *phase = Phase::Removed;
        }
        self.peer.close();
    }

    /// Returns the id that `Connected` claimed for a connection.
    pub(super) fn claimed_id(&self, id: ConnectionId) -> Option<PeerId> {
        self.log.iter().find_map(|event| match event {
            PeerEvent::Connected { connection, claimed_id, .. } if *connection == id => *claimed_id,
            _ => None,
        })
    }

    /// Returns the number of connections that were established so far.
    pub(super) fn connections(&self) -> usize {
        self.phases.len()
    }

    pub(super) fn packets(&self, id: ConnectionId) -> impl Iterator<Item = &Packet> {
        self.all_packets().filter(move |packet| packet.from == id)
    }

    pub(super) fn all_packets(&self) -> impl Iterator<Item = &Packet> {
        self.log.iter().filter_map(|event| match event {
            PeerEvent::Packet(packet) => Some(packet),
            _ => None,
        })
    }

    pub(super) fn payloads(&self, id: ConnectionId) -> Vec<&[u8]> {
        self.packets(id).map(|packet| &packet.payload[..]).collect()
    }

    /// Returns the reason why a connection ended; `None` while it has not.
    pub(super) fn end_of(&self, id: ConnectionId) -> Option<DisconnectReason> {
        self.log.iter().find_map(|event| match event {
            PeerEvent::Disconnected { connection, reason } if *connection == id => Some(*reason),
            _ => None,
        })
    }

    pub(super) fn first_connected(&self) -> Option<ConnectionId> {
        self.log.iter().find_map(|event| match event {
            PeerEvent::Connected { connection, .. } => Some(*connection),
            _ => None,
        })
    }

    fn last_connected(&self) -> ConnectionId {
        let connected = self.log.iter().rev().find_map(|event| match event {
            PeerEvent::Connected { connection, .. } => Some(*connection),
            _ => None,
        });
        connected.expect("a connection was established")
    }

    /// Records an event and checks it against the order that the contract guarantees.
    pub(super) fn observe(&mut self, event: PeerEvent) {
        let name = &self.name;
        match &event {
            PeerEvent::UniqueId(id) => {
                assert!(self.log.is_empty(), "{name} reported its own id after {:?}", self.log);
                assert_eq!(*id, self.peer.unique_id(), "own id reported by {name}");
            }
            PeerEvent::Connected { connection, .. } => {
                let before = self.phases.insert(*connection, Phase::Connected);
                assert_eq!(before, None, "{name} reused connection {connection}");
            }
            PeerEvent::Held { .. } | PeerEvent::Moved { .. } | PeerEvent::Resumed { .. } => {
                panic!("{name} is no endpoint, but moves or resumes a connection")
            }
            PeerEvent::Packet(Packet { from, .. }) => {
                let phase = self.phases.get(from);
                assert_eq!(
                    phase,
                    Some(&Phase::Connected),
                    "{name} reported a packet outside connection {from}"
                );
            }
            PeerEvent::Disconnected { connection, .. } => {
                let before = self.phases.insert(*connection, Phase::Disconnected);
                assert_eq!(
                    before,
                    Some(Phase::Connected),
                    "{name} reported the end of connection {connection}, which was not connected"
                );
            }
        }
        self.log.push(event);
    }

    /// Returns whether a sleeping host would run a turn now.
    fn is_due(&mut self, now: Instant) -> bool {
        if self.peer.poll_timeout().is_some_and(|due| due <= now) {
            return true;
        }
        let Some(last) = self.last_turn else { return true };
        match self.peer.readiness() {
            Readiness::Interval(interval) => now >= last + interval,
            Readiness::Waker => {
                if self.is_waker_registered && !self.wake_flag.0.swap(false, Ordering::SeqCst) {
                    return false;
                }
                let waker = Waker::from(Arc::clone(&self.wake_flag));
                let poll = self.peer.poll_ready(&mut Context::from_waker(&waker));
                self.is_waker_registered = poll == Poll::Pending;
                poll == Poll::Ready(())
            }
        }
    }
}

#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}
