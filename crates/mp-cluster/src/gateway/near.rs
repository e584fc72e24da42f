//! [`NearGateway`]: the branch of another node, at its endpoint.

mod receive;

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use mp_core::{
    BranchId, CloseMode, ConnectionId, DisconnectReason, EndpointId, EndpointInfo, Instant,
    PeerEvent, ToBranch, ToEndpoint,
};

use super::hold::Hold;
use super::link::{Link, LinkRoute};
use super::{GatewayEnd, GatewayStats};
use crate::id::Epoch;
use crate::limits::CONNECTIONS_MAX;
use crate::wire::frame::{BusFrame, FrameCodec, GatewaySide};
use crate::wire::item::{Item, connection_of};

/// A gateway that stands for a branch on another node, towards an endpoint of this node.
#[derive(Debug)]
pub struct NearGateway {
    link: Link,
    /// The id under which the endpoint serves the room.
    branch: BranchId,
    connections: BTreeSet<ConnectionId>,
    /// Connections that this gateway closes, whose end the endpoint has not reported.
    closing: BTreeSet<ConnectionId>,
    /// Connections that the endpoint holds, because the branch moves them.
    moving: BTreeSet<ConnectionId>,
    /// The endpoint, once it has opened.
    opened: Option<(EndpointId, EndpointInfo)>,
    /// True if connections are held when the room loses its node.
    may_hold: bool,
    hold: Option<Hold>,
    /// Messages for the endpoint.
    messages: VecDeque<ToEndpoint>,
    has_left: bool,
    /// True if the endpoint has sent its last message.
    is_closed: bool,
}

impl NearGateway {
    pub(crate) fn new(
        codec: FrameCodec,
        route: LinkRoute,
        branch: BranchId,
        may_hold: bool,
        now: Instant,
    ) -> Self {
        let hold = may_hold.then(|| Hold::first(route.epoch));
        Self {
            link: Link::new(codec, route, GatewaySide::Near, now),
            branch,
            connections: BTreeSet::new(),
            closing: BTreeSet::new(),
            moving: BTreeSet::new(),
            opened: None,
            may_hold,
            hold,
            messages: VecDeque::new(),
            has_left: false,
            is_closed: false,
        }
    }

    pub(crate) fn route(&self) -> &LinkRoute {
        self.link.route()
    }

    /// Returns whether the gateway accepts a message of the endpoint. Otherwise the mailbox between
    /// them fills, and the endpoint pauses its connections.
    pub fn has_capacity(&self) -> bool {
        let is_linked = self.hold.as_ref().is_none_or(|hold| hold.is_linked);
        let link = !is_linked || self.link.ended().is_some() || self.link.outgoing.has_capacity();
        link && self.hold.as_ref().is_none_or(Hold::has_capacity)
    }

    /// Passes a message of the endpoint on.
    pub fn handle_message(&mut self, message: ToBranch) {
        match message {
            ToBranch::Opened(endpoint, info) => {
                self.opened = Some((endpoint, info));
                self.link.push(&Item::Opened(endpoint, info));
            }
            ToBranch::Events(_, events) => {
                events.into_iter().for_each(|event| self.handle_event(event));
            }
            ToBranch::Closed(_, reason) => {
                self.push(Item::Closed(reason));
                self.is_closed = true;
                self.has_left = true;
                self.messages.clear();
                self.connections.clear();
                self.closing.clear();
            }
            _ => mp_core::bug!("a gateway does not know a message: {message:?}"),
        }
    }

    fn handle_event(&mut self, event: PeerEvent) {
        let Some(connection) = connection_of(&event) else {
            return self.push(Item::Event(event));
        };
        match &event {
            PeerEvent::Connected { .. } | PeerEvent::Moved { .. } | PeerEvent::Resumed { .. } => {
                if self.connections.len() >= CONNECTIONS_MAX {
                    self.link.stats.refused_connections += 1;
                    return self.close(connection, DisconnectReason::Refused);
                }
                self.moving.remove(&connection);
                self.connections.insert(connection);
            }
            PeerEvent::Disconnected { .. } => {
                self.closing.remove(&connection);
                self.moving.remove(&connection);
                self.link.incoming().forget(connection);
                if !self.connections.remove(&connection) {
                    return;
                }
            }
            _ => {}
        }
        if self.closing.contains(&connection) {
            self.link.stats.late_items += 1;
            return;
        }
        self.push(Item::Event(event));
    }

    /// Sends an item to the branch, or keeps it while the room has no node.
    fn push(&mut self, item: Item) {
        let Some(hold) = &mut self.hold else { return self.link.push(&item) };
        if hold.is_linked {
            self.link.push(&item);
        }
        match item.may_be_lost() {
            true => self.link.stats.held_drops += u64::from(!hold.is_linked),
            false => hold.push(item),
        }
    }

    /// Handles a frame of the far gateway.
    pub(crate) fn handle_frame(&mut self, now: Instant, frame: BusFrame) {
        self.link.handle_frame(now, frame);
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.link.handle_timeout(now);
        if let Some(end) = self.link.ended()
            && self.can_hold(end)
        {
            self.begin_hold();
        }
        self.end_accepted_hold();
        let Some(hold) = &mut self.hold else { return };
        let has_expired = hold.has_expired(now);
        match self.link.ended() {
            _ if has_expired => self.abandon(GatewayEnd::NodeLost),
            // It is not the room's next node, or not yet.
            Some(GatewayEnd::UnknownLink) if hold.is_linked => hold.is_linked = false,
            // It may have received what was sent, which must not be sent again.
            Some(end) if hold.is_linked || !end.is_of_owner() => self.abandon(end),
            _ => {}
        }
    }

    /// Ends the hold once a node has accepted the link.
    fn end_accepted_hold(&mut self) {
        if let Some(hold) = self.hold.take_if(|it| it.is_linked && self.link.is_accepted()) {
            self.link.stats.reopened += u64::from(!hold.is_first);
        }
    }

    /// Returns whether the room has lost its node, and there is no link to the next one yet.
    pub fn is_waiting(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| !hold.is_linked)
    }

    /// Returns whether a node with the room in `epoch` may be the next one.
    pub(crate) fn accepts(&self, epoch: Epoch) -> bool {
        let accepts = |hold: &Hold| !hold.is_linked && hold.accepts(epoch);
        self.opened.is_some() && self.hold.as_ref().is_some_and(accepts)
    }

    /// Opens a link to the next node of the room.
    pub(crate) fn reopen(&mut self, route: LinkRoute, now: Instant) {
        if self.link.needs_marks() {
            // Of which connections packets of the former node were lost will not be known.
            for connection in self.live() {
                self.close(connection, GatewayEnd::DataLost.disconnect_reason());
            }
        }
        let Some((hold, (endpoint, info))) = self.hold.as_mut().zip(self.opened) else { return };
        self.link.renew(route, now);
        self.link.push(&match hold.is_first {
            true => Item::Opened(endpoint, info),
            false => Item::Reopened(endpoint, info, hold.connections().to_vec()),
        });
        hold.items().for_each(|item| self.link.push(item));
        hold.is_linked = true;
    }

    /// Closes the connections that are held, because the room has no next node.
    pub(crate) fn abandon(&mut self, end: GatewayEnd) {
        if self.hold.take().is_some() {
            self.may_hold = false;
            self.link.end(end, true);
        }
    }

    /// Returns whether the connections are held if the link has ended for this reason.
    fn can_hold(&self, end: GatewayEnd) -> bool {
        self.hold.is_none()
            && self.may_hold
            && self.opened.is_some()
            && self.link.is_accepted()
            && end.is_of_owner()
            && !self.has_left
            && self.connections.iter().any(|it| !self.closing.contains(it))
    }

    /// Returns a gateway of connections whose room this node has had until now, and moves to
    /// another node.
    pub(crate) fn frozen(
        codec: FrameCodec,
        route: LinkRoute,
        branch: BranchId,
        opened: (EndpointId, EndpointInfo),
        connections: Vec<ConnectionId>,
        now: Instant,
    ) -> Self {
        let mut near = Self::new(codec, route, branch, true, now);
        near.link.end(GatewayEnd::RoomMoved, false);
        near.connections.extend(&connections);
        near.opened = Some(opened);
        near.hold = Some(Hold::new(near.route().epoch, connections));
        near
    }

    /// Keeps the messages of the endpoint, because the room moves to another node.
    fn freeze(&mut self) {
        self.end_accepted_hold();
        if self.hold.is_none() {
            self.link.push(&Item::Frozen);
            self.hold = Some(Hold::new(self.route().epoch, self.live()));
        }
    }

    fn live(&self) -> Vec<ConnectionId> {
        self.connections.difference(&self.closing).copied().collect()
    }

    fn begin_hold(&mut self) {
        let (queued, in_flight) = self.link.outgoing.backlog();
        self.link.stats.holds += 1;
        self.link.stats.unconfirmed_batches += (queued + in_flight) as u64;
        // The branch that moves them is gone, and their endpoint would hold them for good.
        for connection in std::mem::take(&mut self.moving) {
            if self.connections.contains(&connection) {
                self.close(connection, GatewayEnd::NodeLost.disconnect_reason());
            }
        }
        self.hold = Some(Hold::new(self.route().epoch, self.live()));
    }

    /// Ends the link, and closes the connections with the reason.
    pub fn end(&mut self, end: GatewayEnd) {
        self.link.end(end, true);
    }

    /// Returns the next frame to send.
    pub(crate) fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        self.link.poll_transmit(now)
    }

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) and
    /// [`Gateways::transmit`](crate::Gateways::transmit) are due; `None` if the link has ended.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let hold = self.hold.as_ref().and_then(Hold::until);
        hold.into_iter().chain(self.link.poll_timeout()).min()
    }

    /// Returns whether [`deliver`](Self::deliver) has a message to offer.
    pub(crate) fn has_messages(&self) -> bool {
        let is_received = match self.link.ended() {
            Some(end) => self.hold.is_none() && !self.can_hold(end) && !self.has_left,
            None => self.link.has_arrivals(),
        };
        is_received || !self.messages.is_empty()
    }

    /// Returns the reason why the link has ended.
    pub fn ended(&self) -> Option<GatewayEnd> {
        self.link.ended()
    }

    /// Returns whether the gateway has nothing left to send or to deliver, and the endpoint has
    /// closed. It may be dropped.
    pub fn is_finished(&self) -> bool {
        self.is_closed && (self.link.is_finished() || self.link.outgoing.is_idle())
    }

    /// Returns the number of batches that are queued, and of those sent and not delivered.
    pub fn backlog(&self) -> (usize, usize) {
        self.link.outgoing.backlog()
    }

    /// Returns the counters.
    pub fn stats(&self) -> GatewayStats {
        self.link.stats
    }

    fn close(&mut self, connection: ConnectionId, reason: DisconnectReason) {
        self.closing.insert(connection);
        let close_mode = CloseMode::Graceful;
        self.messages.push_back(ToEndpoint::Disconnect { connection, reason, close_mode });
    }
}
