//! The turn of a driver.

use std::time::Duration;

use mp_cluster::bus::{Bus, BusMessageKind};
use mp_cluster::directory::{Directory, NodeRecord};
use mp_cluster::{ClaimEvent, Epoch};
use mp_core::Instant;
use mp_core::host::unix_now;
use mp_rooms::RoomName;

use super::{DELIVERY_RETRY, Driver, LOCATE_RETRY, LoadingRoom};
use crate::cluster::handle::ClaimOutcome;
use crate::cluster::requests::Asker;
use crate::cluster::stats::ClusterStats;

impl<B: Bus, D: Directory + 'static> Driver<B, D> {
    pub(super) fn turn(&mut self, now: Instant) {
        self.request(now);
        self.follow_claims(now);
        self.handle_frames(now, None);
        self.attach(now);
        self.departures.handle_timeout(now, &mut self.gateways);
        for mailbox in self.wake.take_ready() {
            self.near.mark_ready(mailbox);
            self.far.mark_ready(mailbox);
            self.restored.mark_ready(mailbox);
        }
        self.is_blocked = self.near.exchange(&mut self.gateways);
        let (gateways, guests) = (&mut self.gateways, &mut self.guests);
        let far = self.far.exchange(gateways, guests, &mut self.restored, &self.wake);
        self.is_blocked |= far.is_blocked;
        self.requests.unexpected += far.unexpected;
        for guest in far.left {
            self.call(move |host| host.guest_left(guest));
        }
        if !far.returned.is_empty() {
            self.call(move |host| host.guests_returned(&far.returned));
        }
        self.expire_restored(now);
        self.gateways.handle_timeout(now);
        self.transmit(now);
        self.expire(now);
        self.retry(now);
        self.snapshot(now);
        self.advance_moves(now);
        self.release();
        self.flush_calls();
        self.publish(now);
    }

    /// Returns the time of the next turn if nothing happens before.
    pub(super) fn poll_timeout(&self, now: Instant) -> Instant {
        let retry = (self.is_blocked || !self.calls.is_empty()).then(|| now + DELIVERY_RETRY);
        let is_locating = self.asks.rooms().next().is_some() || !self.creators.is_empty();
        let is_waiting = self.gateways.has_waiting_rooms();
        let has_ready = self.gateways.has_active() || self.near.has_ready() || self.far.has_ready();
        let locate = is_locating || is_waiting || self.here.has_vacant() || !self.early.is_empty();
        let due = [
            self.lease.poll_timeout(),
            self.claims.poll_timeout(),
            self.gateways.poll_timeout(),
            Some(self.bans.poll_timeout()),
            self.asks.poll_timeout(),
            self.tickets.offers.poll_timeout(),
            self.guests.poll_timeout(),
            self.departures.poll_timeout(),
            self.snapshots.poll_timeout(),
            self.restored.poll_timeout(),
            retry,
            has_ready.then_some(now),
            self.moves.values().next().map(|_| now + MOVE_RETRY),
            locate.then_some(self.next_retry),
            Some(self.next_publication),
        ];
        let due = due.into_iter().flatten().min().unwrap_or(now);
        // A request that waits for capacity is due all the time.
        due.max(now + DELIVERY_RETRY)
    }

    /// Begins the operations of the directory that are due.
    fn request(&mut self, now: Instant) {
        let players = u32::try_from(self.rooms.player_count()).unwrap_or(u32::MAX);
        self.lease.set_record(NodeRecord { players, ..self.lease.record().clone() });
        let lost = self.lease.lost();
        while let Some(request) = self.lease.poll_request(now) {
            self.tasks.request(now, Asker::Lease, request);
        }
        if self.lease.lost() > lost {
            tracing::warn!(
                "the directory of the cluster does not respond; rooms go on for players of this node"
            );
        }
        if let Some(request) = self.bans.poll_request(now, unix_now(), &self.lease) {
            self.tasks.request(now, Asker::Bans, request);
        }
        while self.tasks.has_capacity()
            && let Some(request) = self.claims.poll_request(now, &self.lease)
        {
            self.tasks.request(now, Asker::Claims, request);
        }
        self.request_tickets(now);
    }

    fn follow_claims(&mut self, now: Instant) {
        while let Some(event) = self.claims.next_event() {
            if let ClaimEvent::Suspended(_) | ClaimEvent::Lost(_) | ClaimEvent::HandedOver(_) =
                event
            {
                // Links to the room end.
                self.gateways.visit_all();
            }
            match event {
                // Its branch has left, or is about to.
                ClaimEvent::Owned { room, .. } if self.moves.contains_key(&room) => {}
                ClaimEvent::Owned { room, epoch, is_adopted, is_moved, template } => {
                    let loading = LoadingRoom { template: template.clone(), is_moved };
                    if !self.loads(&room, epoch, is_adopted, loading) {
                        self.owned(now, &room, epoch, template.filter(|_| is_adopted));
                    }
                }
                ClaimEvent::Elsewhere { room, owner, epoch } => {
                    self.reopen(now, &room, (owner, epoch));
                    self.elsewhere(&room, owner);
                }
                ClaimEvent::Unowned(room) => {
                    self.gateways.abandon(&room);
                    self.unowned(&room);
                }
                ClaimEvent::Unplaced(room) => self.unplaced(&room),
                ClaimEvent::Lost(room) if self.moves.contains_key(&room) => self.moved(room),
                ClaimEvent::HandedOver(room) => self.moved(room),
                ClaimEvent::Lost(room) => self.lose(room),
                ClaimEvent::Suspended(room) => {
                    tracing::debug!(%room, "the room goes on for players of this node");
                }
                // Its players locate it again.
                ClaimEvent::Unavailable(room) => self.found(&room, None),
                _ => mp_core::bug!("unknown event of claims"),
            }
        }
    }

    /// Handles that this node owns a room. `template`: it was adopted, and is created anew.
    fn owned(&mut self, now: Instant, room: &RoomName, epoch: Epoch, template: Option<RoomName>) {
        self.found(room, Some(self.node));
        if self.here.branch(room).is_some() {
            // Players of this node, whose room was on another one.
            self.reopen(now, room, (self.node, epoch));
        }
        for creator in self.creators.remove(room).unwrap_or_default() {
            self.here.begin_call(room);
            if creator.reply.send(ClaimOutcome::Owned).is_err() {
                self.here.end_call(room, false);
            }
        }
        self.join_here(room);
        self.join_guests(now, room);
        if self.here.is_used(room) {
            return;
        }
        match template {
            Some(template) => {
                tracing::info!(%room, "a room of a node that has died is created anew");
                self.here.begin_call(room);
                let room = room.clone();
                self.call(move |host| host.open_claimed(room, &template));
            }
            None => self.here.release_unless(room, false),
        }
    }

    /// Closes a room that another node has.
    pub(super) fn lose(&mut self, room: RoomName) {
        if self.here.is_used(&room) {
            tracing::warn!(%room, "another node has the room, which is closed here");
            self.call(move |host| host.close_lost(&room));
        }
    }

    /// Attaches the links that other nodes have opened.
    fn attach(&mut self, now: Instant) {
        while let Some(room) = self.gateways.next_unknown() {
            if !self.moves.contains_key(&room) {
                self.claims.find(room);
            }
        }
        while let Some((link, room)) = self.gateways.next_opened() {
            let epoch = self.epoch_of(now, &room);
            match self.here.branch(&room).zip(epoch) {
                Some((branch, epoch)) => self.far.attach(link, (room, epoch), branch),
                None => self.gateways.refuse_opened(link),
            }
        }
    }

    fn transmit(&mut self, now: Instant) {
        let (claims, lease, bus) = (&self.claims, &self.lease, &mut self.bus);
        let speaks = |room: &RoomName| claims.speaks(now, lease, room);
        let send = |to, bytes| bus.publish(to, BusMessageKind::Frame, bytes);
        self.gateways.transmit(now, speaks, send);
    }

    /// Locates again what could not be located.
    fn retry(&mut self, now: Instant) {
        if now < self.next_retry {
            return;
        }
        self.next_retry = now + LOCATE_RETRY;
        for room in self.asks.rooms().cloned().collect::<Vec<_>>() {
            self.locate(room);
        }
        for room in self.gateways.waiting_rooms() {
            self.claims.find(room);
        }
        for creators in self.creators.values_mut() {
            let expired = creators.extract_if(.., |creator| creator.deadline <= now);
            for creator in expired {
                let _ = creator.reply.send(ClaimOutcome::Unavailable);
            }
        }
        self.creators.retain(|_, creators| !creators.is_empty());
        for (room, creators) in &self.creators {
            self.claims.claim(room.clone(), creators.first().map(|it| it.template.clone()));
        }
        for (room, early) in &mut self.early {
            let before = early.len();
            early.retain(|join| now < join.deadline);
            self.early_count -= before - early.len();
            self.claims.find(room.clone());
        }
        self.early.retain(|_, early| !early.is_empty());
    }

    /// Removes the rooms that have ended from the directory, once their links have.
    fn release(&mut self) {
        let (claims, far, snapshots) = (&mut self.claims, &self.far, &mut self.snapshots);
        self.here.release(|room| {
            let epoch = claims.epoch_of(room);
            let is_released =
                !far.has_room(room) && !snapshots.is_busy(room) && claims.release(room);
            if let Some(epoch) = epoch.filter(|_| is_released) {
                snapshots.remove(room, epoch);
            }
            is_released
        });
    }

    fn flush_calls(&mut self) {
        while let Some(call) = self.calls.pop_front() {
            if let Err(call) = self.rooms.try_call(call) {
                self.calls.push_front(call);
                return;
            }
        }
    }

    fn publish(&mut self, now: Instant) {
        if now < self.next_publication {
            return;
        }
        self.next_publication = now + PUBLICATION_INTERVAL;
        self.requests.calls_unanswered += self.node_calls.expire();
        self.forget_finders();
        let members = self.claims.members();
        let (far, restored) = (&self.far, &self.restored);
        self.guests.retain_listeners(|node, listener| {
            members.contains_key(&node)
                || far.has_listener(listener)
                || restored.has_listener(listener)
        });
        self.stats.publish(ClusterStats {
            node: self.node,
            has_lease: self.lease.may_speak(now),
            lost_leases: self.lease.lost(),
            members: members.clone(),
            rooms: self.claims.rooms().count(),
            asking: self.asks.len(),
            tickets: self.tickets.stats(),
            guests: self.guests.len(),
            gateways: self.gateways.stats(),
            claims: self.claims.stats(),
            bus: self.bus.stats(),
            requests: self.requests,
            snapshots: self.snapshots.stats,
            dropped: 0,
        });
    }
}

/// Interval at which moves of rooms are continued.
const MOVE_RETRY: Duration = Duration::from_millis(20);
/// Interval at which statistics are published.
const PUBLICATION_INTERVAL: Duration = Duration::from_millis(500);
