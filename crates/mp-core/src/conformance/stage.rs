//! The server and the clients of a check, their turns, and their recorded events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;

use super::{Capabilities, Rig};
use crate::{
    Channel, ConnectionId, ConnectionStatus, Connections, DisconnectReason, Farewell, Instant,
    MultiplayerPeer, Outgoing, Packet, PeerEvent, PeerId, Prefix, Readiness, SendError,
    TransferMode,
};

/// Index of the server in [`Session::peers`].
pub(super) const SERVER: usize = 0;

/// The peers of a check and their rig.
pub(super) struct Stage<R> {
    rig: R,
    pub(super) can: Capabilities,
    pub(super) now: Instant,
    pub(super) sides: Vec<Side>,
}

/// A connected client: its connection as both peers identify it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// Index of the client in [`Session::peers`].
    pub(super) client: usize,
    pub(super) at_server: ConnectionId,
    pub(super) at_client: ConnectionId,
}

impl<R: Rig> Stage<R> {
    /// Returns a session with only the server.
    pub(super) fn open(mut rig: R) -> Self {
        let can = rig.capabilities();
        let server = Side::new("server".to_owned(), rig.server());
        assert_eq!(server.peer.unique_id(), PeerId::SERVER, "peer id of the server");
        assert_eq!(
            server.peer.connection_status(),
            ConnectionStatus::Connected,
            "status of the server"
        );
        let now = rig.step();
        Self { rig, can, now, sides: vec![server] }
    }

    /// Adds a client, which has not had a turn yet. Returns its index.
    pub(super) fn join(&mut self) -> usize {
        let index = self.sides.len();
        self.sides.push(Side::new(format!("client {index}"), self.rig.join()));
        index
    }

    /// Adds a client and waits until it is connected.
    pub(super) fn connect(&mut self) -> Link {
        let before = self.sides[SERVER].links.len();
        let client = self.join();
        self.until("a client and the server to be connected", |stage| {
            stage.sides[client].links.len() == 1 && stage.sides[SERVER].links.len() == before + 1
        });
        Link {
            client,
            at_server: self.sides[SERVER].last_connected(),
            at_client: self.sides[client].last_connected(),
        }
    }

    /// Advances time without a turn for any peer.
    pub(super) fn pass(&mut self) {
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
        self.pass();
        for side in &mut self.sides {
            side.turn(self.now);
        }
    }

    /// Advances time and runs a turn of each peer that is due or ready, like a host that sleeps.
    pub(super) fn lazy_turn(&mut self) {
        self.pass();
        for side in &mut self.sides {
            if side.wants_turn(self.now) {
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
    pub(super) fn lazily_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        self.advance_until(what, Self::lazy_turn, done);
    }

    /// Runs turns for as long as packets may be on their way.
    pub(super) fn quiet(&mut self) {
        let end = self.now + self.can.quiet;
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
        let deadline = self.now + self.can.patience;
        while !done(self) {
            assert!(
                self.now < deadline,
                "timed out after {:?} waiting for {what}",
                self.can.patience
            );
            advance(self);
        }
    }

    /// Sends a reliable packet on channel 0.
    #[track_caller]
    pub(super) fn say(
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
        self.sides[side].peer.send(Outgoing { to, mode, channel, prefix, payload })
    }
}

/// A transport and the events that it reported.
pub(super) struct Side {
    name: String,
    pub(super) peer: Box<dyn MultiplayerPeer>,
    log: Vec<PeerEvent>,
    links: BTreeMap<ConnectionId, Phase>,
    woken: Arc<Flag>,
    armed: bool,
    last_turn: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connected,
    Disconnected,
    /// Closed locally, without an event.
    Forgotten,
}

impl Side {
    fn new(name: String, peer: Box<dyn MultiplayerPeer>) -> Self {
        Self {
            name,
            peer,
            log: Vec::new(),
            links: BTreeMap::new(),
            woken: Arc::default(),
            armed: false,
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
        link: ConnectionId,
        reason: DisconnectReason,
        how: Farewell,
    ) {
        if how == Farewell::Abrupt
            && let Some(phase) = self.links.get_mut(&link)
        {
            *phase = Phase::Forgotten;
        }
        self.peer.disconnect(link, reason, how);
    }

    pub(super) fn close(&mut self) {
        for phase in self.links.values_mut() {
            *phase = Phase::Forgotten;
        }
        self.peer.close();
    }

    /// Returns the id that `Connected` claimed for a connection.
    pub(super) fn claimed_id(&self, link: ConnectionId) -> Option<PeerId> {
        self.log.iter().find_map(|event| match event {
            PeerEvent::Connected { connection, claimed_id, .. } if *connection == link => {
                *claimed_id
            }
            _ => None,
        })
    }

    /// Returns the number of connections that were established so far.
    pub(super) fn connections(&self) -> usize {
        self.links.len()
    }

    pub(super) fn packets(&self, link: ConnectionId) -> impl Iterator<Item = &Packet> {
        self.all_packets().filter(move |packet| packet.from == link)
    }

    pub(super) fn all_packets(&self) -> impl Iterator<Item = &Packet> {
        self.log.iter().filter_map(|event| match event {
            PeerEvent::Packet(packet) => Some(packet),
            _ => None,
        })
    }

    pub(super) fn payloads(&self, link: ConnectionId) -> Vec<&[u8]> {
        self.packets(link).map(|packet| &packet.payload[..]).collect()
    }

    /// Returns the reason why a connection ended; `None` while it has not.
    pub(super) fn end_of(&self, link: ConnectionId) -> Option<DisconnectReason> {
        self.log.iter().find_map(|event| match event {
            PeerEvent::Disconnected { connection, reason } if *connection == link => Some(*reason),
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
                let before = self.links.insert(*connection, Phase::Connected);
                assert_eq!(before, None, "{name} reused connection {connection}");
            }
            PeerEvent::Packet(Packet { from, .. }) => {
                let phase = self.links.get(from);
                assert_eq!(
                    phase,
                    Some(&Phase::Connected),
                    "{name} reported a packet outside connection {from}"
                );
            }
            PeerEvent::Disconnected { connection, .. } => {
                let before = self.links.insert(*connection, Phase::Disconnected);
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
    fn wants_turn(&mut self, now: Instant) -> bool {
        if self.peer.poll_timeout().is_some_and(|due| due <= now) {
            return true;
        }
        let Some(last) = self.last_turn else { return true };
        match self.peer.readiness() {
            Readiness::Interval(interval) => now >= last + interval,
            Readiness::Wakes => {
                if self.armed && !self.woken.0.swap(false, Ordering::SeqCst) {
                    return false;
                }
                let waker = Waker::from(Arc::clone(&self.woken));
                let poll = self.peer.poll_ready(&mut Context::from_waker(&waker));
                self.armed = poll == Poll::Pending;
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
