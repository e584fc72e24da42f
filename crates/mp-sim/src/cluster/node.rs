//! A node: its lease, claims and gateways, and scripts for its sockets and rooms.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_cluster::directory::NodeRecord;
use mp_cluster::limits::{QUEUED_BATCHES_MAX, WINDOW_FRAMES};
use mp_cluster::{
    ClaimEvent, ClaimStats, Claims, ClusterId, ClusterNodeId, Epoch, FarLink, GatewayEnd, Gateways,
    GatewaysStats, Lease, LinkId, LinkOpening,
};
use mp_core::bytes::Bytes;
use mp_core::{BranchId, EndpointId, Instant, Rng};
use mp_rooms::RoomName;

use super::bus::{Asker, Mail};
use super::ledger::Ledger;
use super::moves::{RoomMove, Store, StoredRoom, end_stored};
use super::room::Room;
use super::socket::Socket;
use crate::rng_ext::RngExt;

/// A server process.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: ClusterNodeId,
    clock: Clock,
    pub(super) lease: Lease,
    pub(super) claims: Claims,
    pub(super) gateways: Gateways,
    sockets: BTreeMap<LinkId, (RoomName, Socket)>,
    next_socket: u32,
    pub(super) rooms: BTreeMap<RoomName, Room>,
    pub(super) moves: BTreeMap<RoomName, RoomMove>,
    /// False once the world settles: rooms stay where they are.
    pub(super) may_move: bool,
    /// Links of other nodes whose first frame was not received.
    pub(super) opening: Vec<(FarLink, RoomName)>,
    /// Time at which the room is located again, by true time.
    locate_at: Instant,
    /// Time until which mailboxes accept nothing.
    stalled_until: Instant,
    /// Times until which the process stands still, the bus is not reached, and the directory.
    pub(super) paused_until: Instant,
    pub(super) cut_off_until: Instant,
    pub(super) without_directory_until: Instant,
}

/// A clock that runs too fast or too slowly.
#[derive(Clone, Copy, Debug)]
struct Clock {
    offset: Duration,
    /// Speed in millionths.
    speed: u64,
}

impl Clock {
    /// Returns the time that the clock shows.
    fn at(self, now: Instant) -> Instant {
        Instant::from_micros(now.as_micros() * self.speed / 1_000_000) + self.offset
    }
}

impl Node {
    pub(super) fn new(id: ClusterNodeId, cluster: ClusterId, rng: &mut Rng) -> Self {
        let clock = Clock {
            offset: rng.duration(Duration::ZERO, Duration::from_secs(100)),
            // One percent.
            speed: rng.between(990_000, 1_010_000),
        };
        let capacity = *rng.pick(&[0, 10, 100]).unwrap_or(&10);
        Self {
            id,
            clock,
            lease: Lease::new(id, NodeRecord::with_capacity(capacity)),
            claims: Claims::new(id),
            gateways: Gateways::new(cluster, id, EndpointId(1_000)).holding(),
            sockets: BTreeMap::new(),
            next_socket: 1,
            rooms: BTreeMap::new(),
            moves: BTreeMap::new(),
            may_move: true,
            opening: Vec::new(),
            locate_at: Instant::ZERO,
            stalled_until: Instant::ZERO,
            paused_until: Instant::ZERO,
            cut_off_until: Instant::ZERO,
            without_directory_until: Instant::ZERO,
        }
    }

    pub(super) fn stats(&self) -> (GatewaysStats, ClaimStats) {
        (self.gateways.stats(), self.claims.stats())
    }

    /// Ends the faults of the node.
    pub(super) fn heal(&mut self) {
        self.may_move = false;
        self.paused_until = Instant::ZERO;
        self.cut_off_until = Instant::ZERO;
        self.without_directory_until = Instant::ZERO;
        self.stalled_until = Instant::ZERO;
    }

    /// Handles a message of the bus or the directory.
    pub(super) fn handle(&mut self, now: Instant, mail: Mail) {
        let local = self.clock.at(now);
        match mail {
            Mail::Frame(_, bytes) if now >= self.cut_off_until => {
                self.handle_frames(local, Some(&bytes));
            }
            Mail::Result(_, asker, id, result) if now >= self.without_directory_until => {
                match asker {
                    Asker::Lease => self.lease.handle_result(local, id, result),
                    Asker::Claims => self.claims.handle_result(local, &self.lease, id, result),
                }
            }
            _ => {}
        }
    }

    /// Handles a frame of another node; `None`: those of links of this node to itself.
    fn handle_frames(&mut self, local: Instant, frame: Option<&Bytes>) {
        let Self { claims, lease, rooms, moves, gateways, .. } = self;
        let accepts = |room: &RoomName| {
            let is_open = rooms.contains_key(room) && !moves.contains_key(room);
            claims.speaks(local, lease, room).filter(|_| is_open)
        };
        match frame {
            Some(bytes) => gateways.handle_frame(local, bytes, accepts),
            None => gateways.handle_own_frames(local, accepts),
        }
    }

    /// Runs a turn. Passes what is sent to `send`.
    pub(super) fn step(
        &mut self,
        now: Instant,
        rooms: &[RoomName],
        acts: Option<&mut Rng>,
        (ledger, store): (&mut Ledger, &mut Store),
        send: &mut dyn FnMut(Mail),
    ) {
        let local = self.clock.at(now);
        self.ask(now, local, send);
        self.follow_claims(local, ledger, store);
        self.handle_frames(local, None);
        if now >= self.locate_at {
            self.locate_at = now + Duration::from_millis(500);
            let is_missing = |room: &&RoomName| !self.has(room);
            let missing: Vec<_> = rooms.iter().filter(is_missing).cloned().collect();
            // Players whose room has lost its node wait for the next one.
            let missing = missing.into_iter().chain(self.gateways.waiting_rooms());
            missing.for_each(|room| self.claims.locate(room));
        }
        while let Some(room) = self.gateways.next_unknown() {
            if !self.moves.contains_key(&room) {
                self.claims.locate(room);
            }
        }
        while let Some(opened) = self.gateways.next_opened() {
            self.opening.push(opened);
        }
        self.attach();
        if let Some(rng) = acts {
            self.act(now, rng, ledger);
            self.begin_move(local, rng);
        }
        let accepts = now >= self.stalled_until;
        self.exchange_with_sockets(accepts, ledger);
        self.exchange_with_rooms(accepts, ledger);
        self.rooms.values_mut().for_each(|room| room.expire(local, ledger));
        self.advance_moves(local, ledger, store);
        self.gateways.handle_timeout(local);
        let (claims, lease) = (&self.claims, &self.lease);
        let reaches_bus = now >= self.cut_off_until;
        let speaks = |room: &RoomName| claims.speaks(local, lease, room);
        self.gateways.transmit(local, speaks, |to, bytes: Bytes| {
            if reaches_bus {
                send(Mail::Frame(to, bytes));
            }
        });
    }

    /// Returns whether the node runs and may speak for a room.
    pub(super) fn speaks(&self, now: Instant, room: &RoomName) -> bool {
        let epoch = self.claims.speaks(self.clock.at(now), &self.lease, room);
        now >= self.paused_until && epoch.is_some()
    }

    /// Closes everything, because the process has crashed.
    pub(super) fn crash(self, ledger: &mut Ledger) {
        self.sockets.into_values().for_each(|(_, socket)| socket.crash(ledger));
        self.rooms.into_values().for_each(|room| room.end(ledger));
        self.moves.into_values().for_each(|moved| moved.end(ledger));
    }

    /// Returns whether the room is here, or a link to it.
    pub(super) fn has(&self, room: &RoomName) -> bool {
        self.claims.epoch_of(room).is_some() || self.sockets.values().any(|(it, _)| it == room)
    }

    fn ask(&mut self, now: Instant, local: Instant, send: &mut dyn FnMut(Mail)) {
        let reaches = now >= self.without_directory_until;
        let mut ask = |asker, request: mp_cluster::directory::Request| {
            if reaches {
                send(Mail::Request(self.id, asker, request.id, request.operation));
            }
        };
        while let Some(request) = self.lease.poll_request(local) {
            ask(Asker::Lease, request);
        }
        while let Some(request) = self.claims.poll_request(local, &self.lease) {
            ask(Asker::Claims, request);
        }
    }

    /// Attaches the links that are open to their rooms.
    fn attach(&mut self) {
        let Self { gateways, rooms, opening, .. } = self;
        opening.retain(|(link, room)| {
            let Some(far) = gateways.far_mut(*link) else { return false };
            let Some(opening) = far.poll_opening() else { return true };
            let Some(room) = rooms.get_mut(room) else {
                far.end(GatewayEnd::NodeLost);
                return false;
            };
            // A room that is adopted begins anew: it knows none of the connections.
            let restored = match opening {
                LinkOpening::Reopened(there) => room.take_restored((link.0, there)),
                LinkOpening::New(_) => None,
            };
            let known =
                restored.as_ref().map(|it| (it.id, it.connections.keys().copied().collect()));
            far.reopen(known.as_ref().map(|(id, connections)| (*id, connections)));
            room.attach(far.endpoint(), *link, restored.map(|it| it.connections));
            false
        });
    }

    /// Opens links to the next node of a room.
    fn reopen(&mut self, local: Instant, room: &RoomName, owner: (ClusterNodeId, Epoch)) {
        for (before, link) in self.gateways.reopen(local, room, owner) {
            if let Some(socket) = self.sockets.remove(&before) {
                self.sockets.insert(link, socket);
            }
        }
    }

    fn follow_claims(&mut self, local: Instant, ledger: &mut Ledger, store: &mut Store) {
        while let Some(event) = self.claims.next_event() {
            match event {
                ClaimEvent::Owned { room, .. } if self.moves.contains_key(&room) => {}
                ClaimEvent::Owned { room, epoch, is_adopted, .. } => {
                    // Otherwise it was placed anew.
                    let restored = store.remove(&room).and_then(|stored| match is_adopted {
                        true => Some(self.restored(local, stored)),
                        false => {
                            end_stored(stored, ledger);
                            None
                        }
                    });
                    self.reopen(local, &room, (self.id, epoch));
                    self.rooms.entry(room).or_insert_with(|| restored.unwrap_or_default());
                }
                ClaimEvent::Elsewhere { room, owner, epoch } => {
                    self.reopen(local, &room, (owner, epoch));
                    if self.has(&room) {
                        continue;
                    }
                    let opened =
                        self.gateways.open(local, room.clone(), (owner, epoch), BranchId(1));
                    if let Some(link) = opened {
                        let endpoint = EndpointId(self.next_socket);
                        self.next_socket += 1;
                        self.sockets.insert(link, (room, Socket::new(endpoint)));
                    }
                }
                ClaimEvent::Suspended(_) => self.gateways.visit_all(),
                ClaimEvent::Lost(room) => {
                    self.end_room(&room, GatewayEnd::Closed, ledger);
                    if let Some(moved) = self.moves.remove(&room) {
                        moved.end(ledger);
                    }
                }
                ClaimEvent::HandedOver(room) => {
                    self.moves.remove(&room);
                    self.end_room(&room, GatewayEnd::RoomMoved, ledger);
                }
                _ => {}
            }
        }
    }

    /// Returns a room that another node has moved here.
    fn restored(&mut self, local: Instant, stored: StoredRoom) -> Room {
        let Self { id, claims, gateways, .. } = self;
        Room::restored(stored, |node| {
            let is_alive = node == *id || claims.members().contains_key(&node);
            let until = if is_alive { local + OPENING_TIME } else { local };
            (gateways.reserve_endpoint(), until)
        })
    }

    /// Ends a room that another node has, and the links of this node to itself.
    fn end_room(&mut self, room: &RoomName, end: GatewayEnd, ledger: &mut Ledger) {
        self.gateways.visit_all();
        let Some(room) = self.rooms.remove(room) else { return };
        for link in room.links() {
            if link.0 == self.id
                && let Some(far) = self.gateways.far_mut(link)
            {
                far.end(end);
            }
        }
        room.end(ledger);
    }

    fn act(&mut self, now: Instant, rng: &mut Rng, ledger: &mut Ledger) {
        self.sockets.values_mut().for_each(|(_, socket)| socket.act(rng, ledger));
        self.rooms.values_mut().for_each(|room| room.act(rng, ledger));
        if rng.chance(2) {
            let longest = if ledger.is_faultless { 300 } else { 2_000 };
            self.stalled_until = now + rng.duration(Duration::ZERO, Duration::from_millis(longest));
        }
    }

    /// Exchanges messages of the sockets whose link is active, or that have some.
    fn exchange_with_sockets(&mut self, accepts: bool, ledger: &mut Ledger) {
        let gateways = &mut self.gateways;
        let active = gateways.take_active_near();
        self.sockets.retain(|link, (_, socket)| {
            if !active.contains(link) && !std::mem::take(&mut socket.has_mailed) {
                return true;
            }
            let Some(near) = gateways.near_mut(*link) else { return false };
            while near.has_capacity()
                && let Some(message) = socket.mail.pop_front()
            {
                near.handle_message(message);
            }
            near.deliver(&mut |message| {
                if !accepts {
                    return Err(message);
                }
                socket.handle(message, ledger);
                Ok(())
            });
            socket.has_mailed = near.has_capacity() && !socket.mail.is_empty();
            check_backlog(near.backlog(), ledger);
            true
        });
    }

    /// Same as [`exchange_with_sockets`](Self::exchange_with_sockets), for rooms.
    fn exchange_with_rooms(&mut self, accepts: bool, ledger: &mut Ledger) {
        let (gateways, own) = (&mut self.gateways, self.id);
        let active = gateways.take_active_far();
        for room in self.rooms.values_mut() {
            room.endpoints.retain(|_, attached| {
                let link = attached.link;
                if !active.contains(&link) && !std::mem::take(&mut attached.has_mailed) {
                    return true;
                }
                let Some(far) = gateways.far_mut(link) else { return false };
                // A socket that has waited too long for the room ends the link as `NodeLost`.
                let may_end = [GatewayEnd::Closed, GatewayEnd::NodeLost];
                let end = far.ended().filter(|end| link.0 == own && !may_end.contains(end));
                if let Some(end) = end {
                    ledger.fail(format!("a link of {own} to itself ends as {end}"));
                }
                while far.has_capacity()
                    && let Some(message) = attached.mail.pop_front()
                {
                    far.handle_message(message);
                }
                let mut is_closed = false;
                far.deliver(&mut |message| {
                    if !accepts {
                        return Err(message);
                    }
                    is_closed |= attached.handle(message, ledger);
                    Ok(())
                });
                attached.has_mailed = far.has_capacity() && !attached.mail.is_empty();
                check_backlog(far.backlog(), ledger);
                !is_closed
            });
        }
    }
}

/// Time in which the nodes of a moved room's players open their links, without faults.
const OPENING_TIME: Duration = Duration::from_secs(2);

/// Checks the bounds of a gateway's queue and of its credit.
fn check_backlog((queued, in_flight): (usize, usize), ledger: &mut Ledger) {
    // A message of the scripts is at most two batches, and ends one more.
    if queued > QUEUED_BATCHES_MAX + 3 || in_flight as u64 > WINDOW_FRAMES {
        ledger.fail(format!("a gateway has {queued} batches queued and {in_flight} in flight"));
    }
}
