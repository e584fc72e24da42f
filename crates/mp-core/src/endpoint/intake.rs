//! Receiving: events of the transport are routed to branch queues, and connections are assigned or
//! rejected.

use super::rates::new_rate;
use super::router::{Candidate, Identity};
use super::{BranchQueue, ConnectionRouter, Endpoint, Route, Routed};
use crate::{
    BranchId, CloseMode, ConnectionId, DisconnectReason, Instant, MultiplayerPeer, OutgoingPacket,
    Packet, PeerEvent,
};

impl<P: MultiplayerPeer, R: ConnectionRouter> Endpoint<P, R> {
    /// Polls the transport and handles its events until a branch queue becomes full. The transport
    /// may have more events than the queue of a branch that accepts nothing may hold. Returns
    /// whether packets were among them: only packets are worth delaying the flush for a reply, and
    /// a delay would slow down handshakes.
    pub(super) fn receive_events(&mut self, now: Instant) -> bool {
        self.resume_paused(now);
        if self.interrupted.take().is_none() {
            self.peer.poll(now);
        }
        let (mut were_packets, holds) = (false, self.stats.pauses);
        while let Some(event) = self.peer.next_event() {
            were_packets |= matches!(event, PeerEvent::Packet(_));
            self.handle_event(now, event);
            if self.stats.pauses > holds {
                self.interrupted = Some(now);
                break;
            }
        }
        were_packets
    }

    fn handle_event(&mut self, now: Instant, event: PeerEvent) {
        match event {
            PeerEvent::UniqueId(_) => {
                for branch in self.branches.keys().copied().collect::<Vec<_>>() {
                    self.queue(branch, event.clone());
                }
            }
            PeerEvent::Connected { connection, claimed_id, origin }
            | PeerEvent::Moved { connection, claimed_id, origin, .. }
            | PeerEvent::Resumed { connection, claimed_id, origin, .. } => {
                self.apply_initial_conditions(connection);
                let identity = Identity { claimed_id, origin };
                let candidate = Candidate::new(identity, self.clock.now());
                let mut replies = Vec::new();
                let route = self.router.route(&candidate.as_new(connection), &mut replies);
                self.apply_route(connection, candidate, route, replies);
            }
            PeerEvent::Held { connection } => {
                tracing::debug!(%connection, "ignored: a transport holds no connections");
            }
            PeerEvent::Packet(packet) => self.handle_packet_event(now, packet),
            PeerEvent::Disconnected { connection, reason } => {
                self.last_reason = Some(reason);
                if let Some(branch) = self.forget_route(connection, reason) {
                    self.queue(branch, event);
                } else if self.undecided.remove(connection).is_some() {
                    self.router.forget(connection);
                } else {
                    self.lingering.remove(connection);
                }
            }
        }
    }

    fn handle_packet_event(&mut self, now: Instant, packet: Packet) {
        let connection = packet.from;
        if let Some(Routed { branch, held, .. }) = self.routes.get_mut(&connection) {
            let (branch, mut held) = (*branch, held.as_mut());
            if self.is_metered {
                if !self.admit_packet(now, branch, &packet) {
                    return;
                }
                held = self.routes.get_mut(&connection).and_then(|routed| routed.held.as_mut());
            }
            if let Some(held) = held {
                if let Err(packet) = held.push(packet) {
                    self.overflow(branch, &packet);
                }
            } else if self.branches.get(&branch).is_some_and(BranchQueue::is_overflowing) {
                self.overflow(branch, &packet);
            } else {
                self.queue(branch, PeerEvent::Packet(packet));
            }
        } else if let Some(mut candidate) = self.undecided.remove(connection) {
            let (new, mut replies) = (candidate.as_new(connection), Vec::new());
            let route = self.router.handle_packet(&new, &packet, &mut replies);
            candidate.packets.push(packet);
            self.apply_route(connection, candidate, route, replies);
        }
    }

    /// Passes a decision about an undecided connection to the router
    /// ([`handle_decision`](ConnectionRouter::handle_decision)), for a router whose decision needs
    /// something else than packets of the connection. Does nothing if the connection is not
    /// undecided any more.
    pub fn decide(&mut self, connection: ConnectionId, decision: Route) {
        if let Some(candidate) = self.undecided.remove(connection) {
            let (new, mut replies) = (candidate.as_new(connection), Vec::new());
            let route = self.router.handle_decision(&new, decision, &mut replies);
            self.apply_route(connection, candidate, route, replies);
        }
    }

    /// Sends the router's replies and applies its decision.
    fn apply_route(
        &mut self,
        connection: ConnectionId,
        candidate: Candidate,
        route: Route,
        replies: Vec<OutgoingPacket>,
    ) {
        let is_answered = !replies.is_empty();
        self.send(replies);
        if let Route::RejectWith { code, .. } = &route {
            self.peer.set_close_text(connection, code);
        }
        match route {
            Route::Branch(branch) | Route::Admit(branch) | Route::Resume(branch, _)
                if self.accepts_connections(branch) =>
            {
                let Candidate { identity, mut packets, .. } = candidate;
                self.router.retain_packets(connection, &mut packets);
                let packets = packets.into_iter().map(PeerEvent::Packet);
                let rate = new_rate(self.receive_limits);
                self.stats.assigned_connections += 1;
                let Identity { claimed_id, origin } = identity.clone();
                let connected = match route {
                    Route::Resume(_, of) => {
                        PeerEvent::Resumed { connection, claimed_id, origin, of }
                    }
                    _ => PeerEvent::Connected { connection, claimed_id, origin },
                };
                let routed = Routed { branch, identity, held: None, rate };
                self.assign(connection, routed, connected, packets);
            }
            Route::Undecided if self.undecided.insert(connection, candidate) => {}
            Route::Reject(reason) | Route::RejectWith { reason, .. } if is_answered => {
                self.reject_later(connection, reason);
            }
            Route::Reject(reason) | Route::RejectWith { reason, .. } => {
                self.reject(connection, reason);
            }
            Route::Branch(_) | Route::Admit(_) | Route::Resume(..) | Route::Undecided => {
                self.reject(connection, DisconnectReason::Refused);
            }
        }
    }

    /// Returns whether connections may be added to a branch: it is served, does not leave or refuse
    /// them, and its queue is not full. The number of queued `Connected` and `Disconnected` events
    /// is thus bounded by the connections that existed when the queue became full.
    pub(super) fn accepts_connections(&self, branch: BranchId) -> bool {
        let queue = self.branches.get(&branch);
        queue.is_some_and(|queue| {
            queue.leaving().is_none() && !queue.is_full() && !(self.is_shared && queue.is_refusing)
        })
    }

    /// Assigns a connection to the branch of `routed` and queues `first`, then `events`.
    pub(super) fn assign(
        &mut self,
        connection: ConnectionId,
        routed: Routed,
        first: PeerEvent,
        events: impl Iterator<Item = PeerEvent>,
    ) {
        let branch = routed.branch;
        self.routes.insert(connection, routed);
        if let Some(queue) = self.branches.get_mut(&branch) {
            queue.connections.insert(connection);
        }
        self.queue(branch, first);
        events.for_each(|event| self.queue(branch, event));
    }

    pub(super) fn reject(&mut self, connection: ConnectionId, reason: DisconnectReason) {
        tracing::debug!(%connection, %reason, "connection rejected");
        self.stats.rejected_connections += 1;
        self.router.forget(connection);
        self.peer.disconnect(connection, reason, CloseMode::Graceful);
    }

    pub(super) fn reject_expired(&mut self) {
        while let Some(connection) = self.undecided.remove_expired(self.clock.now()) {
            self.reject(connection, DisconnectReason::Timeout);
        }
    }

    /// Queues an event, and pauses the branch's connections if its queue becomes full.
    pub(super) fn queue(&mut self, branch: BranchId, event: PeerEvent) {
        let Some(queue) = self.branches.get_mut(&branch) else {
            crate::bug!("an event is for {branch:?}, which has no queue");
            return;
        };
        // A queue with messages is pending already.
        if queue.is_empty() {
            self.pending.insert(branch);
        }
        if queue.push(event) {
            self.stats.pauses += 1;
            self.pause_all(branch);
        }
    }

    /// Drops a packet for a branch whose queue is full. A connection that loses a reliable packet
    /// is closed.
    fn overflow(&mut self, branch: BranchId, packet: &Packet) {
        self.stats.dropped_packets += 1;
        if packet.mode.is_reliable() {
            let (connection, reason) = (packet.from, DisconnectReason::QueueFull);
            self.forget_route(connection, reason);
            self.peer.disconnect(connection, reason, CloseMode::Immediate);
            self.queue(branch, PeerEvent::Disconnected { connection, reason });
        }
    }
}
