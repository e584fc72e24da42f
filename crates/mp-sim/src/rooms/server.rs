//! The server: an endpoint with a router, the registry, and the branches of the rooms.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use mp_core::{
    BranchId, DisconnectReason, Endpoint, EndpointId, Instant, Rng, Route, ToBranch, ToEndpoint,
};
use mp_host::{BranchHost, EndpointHost, LocalMailbox};
use mp_rooms::{
    Code, Join, JoinDecision, JoinRefusal, Listener, ListenerConnection, ListenerId, RoomId,
    RoomName, RoomOutput, RoomRegistry, RoomRouter, Rooms, RoomsSettings, RoomsStats, Template,
};
use mp_scene::{Branch, Scene, Signal};
use mp_transport_enet::{EnetMultiplayerPeer, ServerOptions};

use super::{CODE, PLAYERS_MAX, PRIVATE, Wishes};
use crate::net::socket::SimSocket;
use crate::rng_ext::RngExt;

/// A server with rooms.
pub(super) struct Server {
    endpoint: Endpoint<EnetMultiplayerPeer<SimSocket>, RoomRouter<Queue>>,
    host: EndpointHost<LocalMailbox<ToBranch>>,
    rooms: Rooms,
    queue: Queue,
    /// Rooms that are being created, and when they open.
    starting: Vec<(Instant, RoomId, RoomName)>,
    running: BTreeMap<RoomId, Room>,
    /// Mailboxes of rooms that have ended, which the endpoint may still serve.
    ended: Vec<(BranchId, LocalMailbox<ToEndpoint>)>,
    next_branch: u32,
    counts: Counts,
}

/// A room that is open, or closes.
struct Room {
    id: BranchId,
    name: RoomName,
    branch: Branch,
    host: BranchHost<LocalMailbox<ToEndpoint>>,
    mail: LocalMailbox<ToBranch>,
    out: LocalMailbox<ToEndpoint>,
}

/// Messages of the router.
#[derive(Clone, Debug, Default)]
struct Queue(Rc<RefCell<VecDeque<Arrival>>>);

#[derive(Debug)]
enum Arrival {
    Join(Join),
    Left(ListenerConnection),
}

/// Numbers of messages, which must add up.
#[derive(Debug, Default)]
struct Counts {
    joins: u64,
    lefts: u64,
    /// Connections without a decision.
    undecided: BTreeSet<ListenerConnection>,
}

impl RoomRegistry for Queue {
    fn join(&mut self, join: Join) -> bool {
        self.0.borrow_mut().push_back(Arrival::Join(join));
        true
    }

    fn leave(&mut self, connection: ListenerConnection) {
        self.0.borrow_mut().push_back(Arrival::Left(connection));
    }
}

impl Server {
    pub(super) fn new(socket: SimSocket, rng: &mut Rng) -> Self {
        let options = ServerOptions::default().seed(rng.next_seed());
        let peer = EnetMultiplayerPeer::server(socket, options).expect("valid options");
        let queue = Queue::default();
        let router = RoomRouter::new(ListenerId(0), Listener::by_auth(), queue.clone());
        let mut settings = RoomsSettings::default();
        settings.default_template = Some(name("default"));
        let mut template = Template::new(name("default"));
        template.max_players = PLAYERS_MAX;
        template.departure_timeout = Some(Duration::from_secs(1));
        template.empty_timeout = Some(Duration::from_secs(2));
        let mut rooms = Rooms::new(settings, [template.clone()]);
        template.code = Some(Code::new(CODE).expect("a short code"));
        (template.departure_timeout, template.empty_timeout) = (None, None);
        rooms.reserve(name(PRIVATE), template.into());
        Self {
            endpoint: Endpoint::new(ENDPOINT, peer, router).shared(),
            host: EndpointHost::new(),
            rooms,
            queue,
            starting: Vec::new(),
            running: BTreeMap::new(),
            ended: Vec::new(),
            next_branch: 0,
            counts: Counts::default(),
        }
    }

    /// Runs a turn of the endpoint, the registry and the rooms, in this order.
    pub(super) fn step(&mut self, now: Instant, is_active: bool, rng: &mut Rng) {
        let of_running = self.running.values().map(|room| (room.id, &room.out));
        let of_ended = self.ended.iter().map(|(id, out)| (*id, out));
        for (branch, out) in of_running.chain(of_ended) {
            while let Some(message) = out.pop() {
                self.host.handle_input(&mut self.endpoint, now, branch, message);
            }
        }
        let _ = self.host.turn(&mut self.endpoint, now);
        self.ended.retain(|(branch, _)| self.endpoint.serves(*branch));

        // The registry may lag behind.
        if !is_active || rng.chance(700) {
            self.handle_arrivals(now);
        }
        self.start_rooms(now, is_active, rng);
        for (id, fate) in self.run_rooms(now, is_active, rng) {
            self.end(id, fate);
        }
        if !is_active {
            // The room that stays closes with the world.
            let stays = self.rooms.find_by_name(&name(PRIVATE));
            if let Some(room) = stays {
                self.rooms.close(room);
            }
        }
        self.rooms.handle_timeout(now);
        self.run_outputs(now, rng);
    }

    fn handle_arrivals(&mut self, now: Instant) {
        while let Some(arrival) = self.queue.0.borrow_mut().pop_front() {
            match arrival {
                Arrival::Join(join) => {
                    self.counts.joins += 1;
                    self.counts.undecided.insert(join.connection);
                    self.rooms.join(now, join);
                }
                Arrival::Left(connection) => {
                    self.counts.lefts += 1;
                    self.counts.undecided.remove(&connection);
                    self.rooms.left(now, connection);
                }
            }
        }
    }

    fn start_rooms(&mut self, now: Instant, is_active: bool, rng: &mut Rng) {
        let due = self.starting.extract_if(.., |(at, ..)| now >= *at).collect::<Vec<_>>();
        for (_, id, name) in due {
            if is_active && rng.chance(50) {
                self.rooms.failed(id);
                continue;
            }
            let room = Room::new(BranchId(self.next_branch), name, rng.chance(300));
            self.next_branch += 1;
            self.running.insert(id, room);
            self.rooms.opened(now, id);
        }
    }

    /// Runs a turn of each room. Returns those that have ended, or are to panic.
    fn run_rooms(&mut self, now: Instant, is_active: bool, rng: &mut Rng) -> Vec<(RoomId, Fate)> {
        let mut ends = Vec::new();
        for (&id, room) in &mut self.running {
            while let Some(message) = room.mail.pop() {
                room.host.handle_input(&mut room.branch, now, message);
            }
            match room.host.turn(&mut room.branch, now) {
                ControlFlow::Break(_) => ends.push((id, Fate::Ended)),
                ControlFlow::Continue(_) if is_active && rng.chance(1) && rng.chance(300) => {
                    ends.push((id, Fate::Panicked));
                }
                ControlFlow::Continue(_) => {}
            }
        }
        ends
    }

    fn end(&mut self, id: RoomId, fate: Fate) {
        let Some(mut room) = self.running.remove(&id) else { return };
        if fate == Fate::Panicked {
            room.host.leave_all(DisconnectReason::BranchPanicked);
        }
        self.ended.push((room.id, room.out));
        self.rooms.ended(id);
    }

    fn run_outputs(&mut self, now: Instant, rng: &mut Rng) {
        while let Some(output) = self.rooms.next_output() {
            match output {
                RoomOutput::Create { room, name, .. } => {
                    let takes = rng.duration(Duration::ZERO, Duration::from_millis(400));
                    self.starting.push((now + takes, room, name));
                }
                RoomOutput::Close { room } => {
                    if let Some(room) = self.running.get_mut(&room) {
                        room.host.close(&mut room.branch, now);
                    }
                }
                RoomOutput::Decide { connection, decision } => {
                    self.counts.undecided.remove(&connection);
                    self.decide(connection, decision);
                }
                _ => {}
            }
        }
        self.host.record_call();
    }

    /// Applies a decision, as the server does: the endpoint serves the room from its first player
    /// on.
    fn decide(&mut self, connection: ListenerConnection, decision: JoinDecision) {
        let connection = connection.connection;
        let admitted = match decision {
            JoinDecision::Admit(room) => self.running.get_mut(&room).ok_or(JoinRefusal::RoomClosed),
            JoinDecision::Refuse(refusal) => Err(refusal),
            _ => Err(JoinRefusal::RoomFailed),
        };
        let room = match admitted {
            Ok(room) => room,
            Err(refusal) => {
                let route = Route::Reject(refusal.disconnect_reason());
                return self.endpoint.decide(connection, route);
            }
        };
        if !self.endpoint.serves(room.id) {
            room.host.attach(ENDPOINT, room.out.clone());
            self.host.serve(&mut self.endpoint, room.id, room.mail.clone());
        }
        let route = match room.branch.scene().multiplayer().authentication() {
            true => Route::Branch(room.id),
            false => Route::Admit(room.id),
        };
        self.endpoint.decide(connection, route);
    }

    /// Checks that every room has only players that selected it, and not too many. The error is a
    /// violation.
    pub(super) fn check(&mut self, wishes: &Wishes) -> Result<(), String> {
        for room in self.running.values_mut() {
            let peers = room.branch.scene().peers();
            if peers.len() > usize::from(PLAYERS_MAX) {
                return Err(format!("room {} has {} players", room.name, peers.len()));
            }
            let is_wrong = |peer| wishes.get(peer).is_none_or(|wish| *wish != room.name.as_str());
            if let Some(peer) = peers.iter().find(|peer| is_wrong(peer)) {
                let wish = wishes.get(peer);
                return Err(format!("{peer} is in room {}, but selected {wish:?}", room.name));
            }
        }
        Ok(())
    }

    pub(super) fn stats(&self) -> RoomsStats {
        self.rooms.stats()
    }

    /// Checks that nothing is left of rooms and connections. The error is a violation.
    pub(super) fn check_settled(&mut self) -> Result<(), String> {
        let stats = self.rooms.stats();
        let rooms = [stats.open, stats.creating, stats.closing, self.running.len()];
        if rooms != [0; 4] || self.endpoint.served() > 0 {
            return Err(format!("rooms are left: {stats:?}, {} served", self.endpoint.served()));
        }
        let connections = self.endpoint.stats().connections;
        if stats.players + stats.waiting + connections > 0 {
            return Err(format!("connections are left: {stats:?}, {connections} at the endpoint"));
        }
        let Counts { joins, lefts, undecided } = &self.counts;
        if joins != lefts || !undecided.is_empty() {
            return Err(format!("{joins} joins and {lefts} ends, undecided: {undecided:?}"));
        }
        let decided = stats.joined + stats.refused.total();
        if decided > *joins || self.rooms.poll_timeout().is_some() {
            return Err(format!("{decided} decisions about {joins} joins: {stats:?}"));
        }
        Ok(())
    }
}

/// End of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Ended,
    Panicked,
}

impl Room {
    fn new(id: BranchId, name: RoomName, authenticates: bool) -> Self {
        let complete = |scene: &mut Scene, signal: &Signal| {
            if let Signal::PeerAuth { from, data } = signal
                && data.starts_with(b"room=")
            {
                // The packet that selects the room is followed by the client's completion.
                let _ = scene.multiplayer_mut().complete_auth(*from);
            }
        };
        let branch = Branch::builder("/root").on_signal(complete).build();
        let mut branch = branch.expect("a branch without nodes");
        branch.scene().multiplayer_mut().set_authentication(authenticates);
        let (mail, out) = (LocalMailbox::unbounded(), LocalMailbox::unbounded());
        Self { id, name, branch, host: BranchHost::new(), mail, out }
    }
}

fn name(text: &str) -> RoomName {
    RoomName::new(text).expect("a valid name")
}

const ENDPOINT: EndpointId = EndpointId(0);
