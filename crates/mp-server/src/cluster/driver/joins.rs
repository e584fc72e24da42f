//! Players whose socket and room are on different nodes.

use std::sync::Arc;
use std::time::Duration;

use mp_cluster::bus::{Bus, BusMessageKind};
use mp_cluster::directory::{Directory, NodeRecord};
use mp_cluster::{ClusterNodeId, JoinAnswer, NodeRequest, PlayerJoin, RemoteJoin};
use mp_core::bytes::Bytes;
use mp_core::{ConnectionId, DisconnectReason, Instant, Route};
use mp_rooms::{JoinRefusal, ListenerConnection, ListenerId, RoomName, Selection};

use super::{Creator, Driver, EarlyJoin};
use crate::cluster::asks::ASK_TIMEOUT;
use crate::cluster::departures::Departure;
use crate::cluster::guests::Guest;
use crate::cluster::handle::{ClaimOutcome, GuestDecision, RemoteRequest, ToNode};
use crate::cluster::near::{EnterStep, Entry};
use crate::cluster::requests::RouteKey;
use crate::cluster::tickets::Redeemer;

impl<B: Bus, D: Directory + 'static> Driver<B, D> {
    /// Handles a message of the task that owns the rooms.
    pub(super) fn handle_message(&mut self, now: Instant, message: ToNode) {
        match message {
            ToNode::Listening(listener, endpoint) => {
                self.listeners.insert(listener, endpoint);
            }
            ToNode::Join(applicant) => {
                let room = applicant.room.clone();
                self.asks.insert(now, *applicant);
                self.locate(room);
            }
            ToNode::ShowTicket(holder) => self.tickets.find(now, *holder),
            ToNode::OfferTicket(hash, offer) => self.tickets.offer(now, hash, offer),
            ToNode::WithdrawTicket(hash) => self.tickets.offers.withdraw(now, hash),
            ToNode::Leaving => self.leave(),
            ToNode::Advertise(contact) => {
                let contact = Arc::new(contact);
                self.lease.set_record(NodeRecord { contact, ..self.lease.record().clone() });
            }
            ToNode::Left(connection) => {
                self.asks.remove(connection);
                self.tickets.forget(connection);
            }
            ToNode::Decided(guest, decision) => self.decided(now, guest, decision),
            ToNode::Remove { guest, reason, notice } => self.remove(now, guest, reason, notice),
            ToNode::Opened { room, name, branch, restored } => {
                if self.claims.epoch_of(&name).is_none() {
                    self.claims.claim(name.clone(), None);
                }
                self.restoring.remove(&name);
                self.snapshots.opened(now, &name);
                self.restored.opened(&name, restored);
                self.found(&name, Some(self.node));
                self.here.open(room, name, branch);
            }
            ToNode::Changed(name) => self.snapshots.changed(now, &name),
            ToNode::Ended { room, name, exists } => {
                self.restoring.remove(&name);
                self.end_restored(&name);
                if !exists {
                    self.snapshots.ended(&name);
                }
                self.here.ended(room, &name, exists);
            }
            ToNode::Settled { name, exists } | ToNode::Unclaim { name, exists } => {
                if !exists {
                    self.restoring.remove(&name);
                    self.end_restored(&name);
                }
                self.here.end_call(&name, exists);
            }
            ToNode::Claim { name, template, reply } => {
                self.claims.claim(name.clone(), Some(template.clone()));
                let creator = Creator { template, reply, deadline: now + CLAIM_TIMEOUT };
                self.creators.entry(name).or_default().push(creator);
            }
            ToNode::Call { to, call, reply } => self.call_node(to, call, reply),
            ToNode::Reply((node, request), reply) => {
                self.send(node, &NodeRequest::Reply(request, reply));
            }
            ToNode::Find { room, reply } => self.find(room, reply),
            ToNode::PlayerJoined { player, number } => self.report_join(player, number),
            ToNode::Bans(records) => self.bans.change(records),
            ToNode::Draining { moves } => {
                let record = self.lease.record().clone();
                let record = NodeRecord { accepts_rooms: false, ..record };
                self.lease.set_record(record);
                if moves {
                    self.move_rooms();
                }
            }
        }
    }

    /// Finds the owner of a room for which players wait, and places it if one of them creates it.
    pub(super) fn locate(&mut self, room: RoomName) {
        match self.asks.template(&room) {
            Some(template) => self.claims.locate_with(room, Some(template)),
            None => self.claims.find(room),
        }
    }

    /// Lets the players who wait for a room join it here.
    pub(super) fn join_here(&mut self, room: &RoomName) {
        for connection in self.asks.locating(room) {
            let Some(applicant) = self.asks.remove(connection) else { continue };
            if let Some(ticket) = applicant.ticket {
                self.tickets.redeem(ticket, Redeemer::Here(Box::new(applicant)));
                continue;
            }
            self.here.begin_call(room);
            self.call(move |host| host.join_here(applicant));
        }
    }

    /// Asks the owner of a room about the players who wait for it.
    pub(super) fn elsewhere(&mut self, room: &RoomName, owner: ClusterNodeId) {
        self.found(room, Some(owner));
        for creator in self.creators.remove(room).unwrap_or_default() {
            let _ = creator.reply.send(ClaimOutcome::Taken);
        }
        for connection in self.asks.locating(room) {
            self.ask(connection, owner);
        }
        self.refuse_early(room);
        self.lose(room.clone());
    }

    fn ask(&mut self, connection: ListenerConnection, owner: ClusterNodeId) {
        let Some(endpoint) = self.listeners.get(&connection.listener).map(|it| it.id()) else {
            return;
        };
        let Some(request) = self.asks.ask(connection, owner) else { return };
        let Some(applicant) = self.asks.get(connection) else { return };
        let selection = match applicant.ticket {
            // The player enters the room of its ticket, whatever it selects.
            Some(_) => Selection::new(applicant.room.clone()),
            None => match applicant.join.selection_of(&applicant.identity) {
                Ok(selection) => selection,
                Err(_) => return,
            },
        };
        let join = RemoteJoin {
            endpoint,
            connection: connection.connection,
            claimed_id: applicant.join.claimed_id,
            selection,
            identity: Arc::clone(&applicant.identity),
            host_key: applicant.host_key,
            ticket: applicant.ticket,
        };
        self.send(owner, &NodeRequest::Join(request, Box::new(join)));
    }

    pub(super) fn send(&mut self, to: ClusterNodeId, request: &NodeRequest) {
        self.requests.asked += u64::from(matches!(request, NodeRequest::Join(..)));
        let bytes = self.codec.encode(request);
        self.bus.publish(to, BusMessageKind::Request, bytes);
    }

    pub(super) fn answer(&mut self, (node, request): RemoteRequest, answer: JoinAnswer) {
        self.send(node, &NodeRequest::Answer(request, answer));
    }

    /// Handles that no node has a room.
    pub(super) fn unowned(&mut self, room: &RoomName) {
        self.found(room, None);
        if self.here.branch(room).is_some() {
            // The room has opened while its name was looked for.
            return self.claims.claim(room.clone(), None);
        }
        self.refuse_early(room);
        if self.asks.template(room).is_some() {
            return self.locate(room.clone());
        }
        for connection in self.asks.locating(room) {
            let Some(applicant) = self.asks.remove(connection) else { continue };
            let refusal = applicant.template.err().unwrap_or(JoinRefusal::UnknownRoom);
            self.call(move |host| host.refuse_applicant(connection, refusal.disconnect_reason()));
        }
    }

    /// Handles that no node has capacity for a room.
    pub(super) fn unplaced(&mut self, room: &RoomName) {
        self.found(room, None);
        self.refuse_early(room);
        for connection in self.asks.locating(room) {
            self.asks.remove(connection);
            let reason = JoinRefusal::ServerFull.disconnect_reason();
            self.call(move |host| host.refuse_applicant(connection, reason));
        }
    }

    /// Handles a request of another node, or its answer.
    pub(super) fn handle_request(&mut self, now: Instant, bytes: &Bytes) {
        match self.codec.decode(bytes) {
            Ok((from, NodeRequest::Join(request, join))) => {
                self.requests.received += 1;
                self.handle_join(now, (from, request), join);
            }
            Ok((from, NodeRequest::Answer(request, answer))) => {
                if let Some(connection) = self.asks.answered(from, request) {
                    self.answered(from, connection, answer);
                }
            }
            Ok((from, NodeRequest::Call(request, call))) => self.handle_call((from, request), call),
            Ok((from, NodeRequest::Reply(request, reply))) => {
                self.node_calls.replied(from, request, reply);
            }
            Ok((from, NodeRequest::PlayerJoined { player, number })) => {
                self.player_joined(player, PlayerJoin { node: from, number });
            }
            Ok((_, NodeRequest::PlayerElsewhere { player, number })) => {
                self.player_elsewhere(player, number);
            }
            Ok((_, NodeRequest::BansChanged)) => self.bans.read_soon(now),
            Ok((from, NodeRequest::Leaving)) => self.redirect(from),
            // The directory says so, too.
            Ok((_, NodeRequest::RoomMoved(room))) => self.claims.find(room),
            Err(refusal) => self.requests.refused.count(refusal),
        }
    }

    fn handle_join(&mut self, now: Instant, from: RemoteRequest, join: Box<RemoteJoin>) {
        let waiting = self.early_count + self.tickets.waiting();
        if self.calls.len() >= CALLS_MAX || waiting >= EARLY_MAX {
            self.requests.overflowed += 1;
            return;
        }
        let room = join.selection.room.clone();
        let is_in_transit = self.is_restoring(&room) || self.is_moving(&room);
        if self.epoch_of(now, &room).is_some() && !is_in_transit {
            return self.begin_guest(now, from, *join);
        }
        // Its node may have placed the room here.
        self.early_count += 1;
        let early = EarlyJoin { request: from, join, deadline: now + ASK_TIMEOUT };
        self.early.entry(room.clone()).or_default().push(early);
        self.claims.find(room);
    }

    /// Lets the players of other nodes who wait for a room join it.
    pub(super) fn join_guests(&mut self, now: Instant, room: &RoomName) {
        for EarlyJoin { request, join, .. } in self.take_early(room) {
            self.begin_guest(now, request, *join);
        }
    }

    pub(super) fn refuse_early(&mut self, room: &RoomName) {
        for early in self.take_early(room) {
            self.answer(early.request, JoinAnswer::NotOwner);
        }
    }

    fn take_early(&mut self, room: &RoomName) -> Vec<EarlyJoin> {
        let early = self.early.remove(room).unwrap_or_default();
        self.early_count -= early.len();
        early
    }

    fn begin_guest(&mut self, now: Instant, from: RemoteRequest, join: RemoteJoin) {
        match join.ticket {
            Some(ticket) => self.tickets.redeem(ticket, Redeemer::Guest(from, Box::new(join))),
            None => self.admit_guest(now, from, join),
        }
    }

    /// Lets a player of another node join. A ticket was used up.
    pub(super) fn admit_guest(&mut self, now: Instant, from: RemoteRequest, join: RemoteJoin) {
        let Some(listener) = self.guests.listener(from.0, join.endpoint) else { return };
        let guest = ListenerConnection { listener, connection: join.connection };
        let room = join.selection.room.clone();
        if self.guests.begin(now, guest, from, room.clone()) {
            self.here.begin_call(&room);
            self.call(move |host| host.guest_joins(guest, join));
        }
    }

    /// Sends the registry's decision about a guest to its node.
    fn decided(&mut self, now: Instant, guest: ListenerConnection, decision: GuestDecision) {
        let Some((request, room)) = self.guests.decided(guest) else {
            if !matches!(decision, GuestDecision::Refuse(_)) {
                self.call(move |host| host.guest_left(guest));
            }
            return;
        };
        let answer = match (decision, self.epoch_of(now, &room)) {
            // The player joins the room at its next node.
            (GuestDecision::Refuse(reason), _)
                if reason == JoinRefusal::Draining.disconnect_reason() && self.is_moving(&room) =>
            {
                JoinAnswer::NotOwner
            }
            (GuestDecision::Refuse(reason), _) => JoinAnswer::Refused(reason),
            (GuestDecision::Admit { authenticates }, Some(epoch)) => {
                self.guests.expect(now, guest, epoch);
                JoinAnswer::Admitted { epoch, authenticates }
            }
            (GuestDecision::Resume(peer), Some(epoch)) => {
                self.guests.expect(now, guest, epoch);
                JoinAnswer::Resumed { epoch, peer }
            }
            (_, None) => {
                self.call(move |host| host.guest_left(guest));
                JoinAnswer::NotOwner
            }
        };
        self.answer(request, answer);
    }

    /// Disconnects a guest who has left the registry.
    fn remove(
        &mut self,
        now: Instant,
        guest: ListenerConnection,
        reason: DisconnectReason,
        notice: Option<mp_core::OutgoingPacket>,
    ) {
        match self.guests.get(guest) {
            Some(&Guest::Here(link)) => {
                let departure = Departure { link, connection: guest.connection, reason };
                self.departures.begin(now, &mut self.gateways, departure, notice);
            }
            Some(&Guest::Asking { request, .. }) => {
                self.guests.remove(guest);
                self.answer(request, JoinAnswer::Refused(reason));
            }
            // Its connection will not be expected.
            Some(Guest::Expected { .. }) => {
                self.guests.remove(guest);
                self.call(move |host| host.guest_left(guest));
            }
            Some(Guest::Restored) => {
                self.guests.remove(guest);
                self.restored.remove_player(guest);
                self.call(move |host| host.guest_left(guest));
            }
            None => {}
        }
    }

    /// Handles the answer of a room's node.
    fn answered(&mut self, from: ClusterNodeId, of: ListenerConnection, answer: JoinAnswer) {
        let (epoch, entry) = match answer {
            JoinAnswer::Admitted { epoch, authenticates } => {
                (epoch, Entry::Admit { authenticates })
            }
            JoinAnswer::Resumed { epoch, peer } => (epoch, Entry::Resume(peer)),
            JoinAnswer::Refused(reason) => {
                self.asks.remove(of);
                return self.call(move |host| host.refuse_applicant(of, reason));
            }
            JoinAnswer::NotOwner => return self.asks.relocate(of),
        };
        let Some(applicant) = self.asks.remove(of) else { return };
        let key = RouteKey { listener: of.listener, room: applicant.room };
        match self.near.enter(key.clone(), (from, epoch), of.connection, entry) {
            EnterStep::Decide(route) => self.decide(of.listener, of.connection, Some(route)),
            EnterStep::Serve => {
                if let Some(endpoint) = self.listeners.get(&of.listener) {
                    self.tasks.serve(endpoint.clone(), key, Arc::clone(&self.wake));
                }
            }
            EnterStep::Wait => {}
        }
    }

    /// Decides about a connection of this node; `None`: its room cannot be reached.
    pub(super) fn decide(
        &self,
        listener: ListenerId,
        connection: ConnectionId,
        route: Option<Route>,
    ) {
        let unreachable = || Route::Reject(JoinRefusal::Unreachable.disconnect_reason());
        if let Some(endpoint) = self.listeners.get(&listener) {
            endpoint.decide(connection, route.unwrap_or_else(unreachable));
        }
    }

    /// Refuses players whose room's node has not answered, and forgets guests whose connection has
    /// not followed.
    pub(super) fn expire(&mut self, now: Instant) {
        for connection in self.asks.expired(now) {
            self.asks.remove(connection);
            self.requests.unanswered += 1;
            let reason = JoinRefusal::Unreachable.disconnect_reason();
            self.call(move |host| host.refuse_applicant(connection, reason));
        }
        while let Some((guest, _)) = self.guests.next_expired(now) {
            self.requests.missing += 1;
            self.call(move |host| host.guest_left(guest));
        }
    }
}

/// Calls of the registry beyond which joins and calls of other nodes are dropped.
pub(super) const CALLS_MAX: usize = 4_096;
/// Joins of other nodes that wait until the directory has found their room.
const EARLY_MAX: usize = 4_096;
/// Time in which the directory answers a program that creates a room: it may elect a leader.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(5);
