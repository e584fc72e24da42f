//! [`NearGateway`]: the branch of another node, at its endpoint.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use mp_core::{
    BranchId, CloseMode, ConnectionId, Connections, DisconnectReason, EndpointId, EndpointInfo,
    Instant, OutgoingPacket, PeerEvent, ToBranch, ToEndpoint,
};

use super::hold::Hold;
use super::incoming::Arrival;
use super::link::{Link, LinkRoute};
use super::{GatewayEnd, GatewayStats};
use crate::id::Epoch;
use crate::limits::CONNECTIONS_MAX;
use crate::wire::frame::{BusFrame, FrameCodec, GatewaySide};
use crate::wire::item::{Item, Stream, connection_of};

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
        Self {
            link: Link::new(codec, route, GatewaySide::Near, now),
            branch,
            connections: BTreeSet::new(),
            closing: BTreeSet::new(),
            moving: BTreeSet::new(),
            opened: None,
            may_hold,
            hold: None,
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
        if item.may_be_lost() {
            self.link.stats.held_drops += 1;
            return;
        }
        if hold.is_linked {
            self.link.push(&item);
        }
        hold.push(item);
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
        let Some(hold) = &mut self.hold else { return };
        let has_expired = hold.has_expired(now);
        match self.link.ended() {
            _ if hold.is_linked && self.link.is_accepted() => {
                self.link.stats.reopened += 1;
                self.hold = None;
            }
            _ if has_expired => self.abandon(GatewayEnd::NodeLost),
            // It is not the room's next node, or not yet.
            Some(GatewayEnd::UnknownLink) if hold.is_linked => hold.is_linked = false,
            // It may have received what was sent, which must not be sent again.
            Some(end) if hold.is_linked || !end.is_of_owner() => self.abandon(end),
            _ => {}
        }
    }

    /// Returns whether the room has lost its node, and there is no link to the next one yet.
    pub fn is_waiting(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| !hold.is_linked)
    }

    /// Returns whether a node with the room in `epoch` may be the next one.
    pub(crate) fn accepts(&self, epoch: Epoch) -> bool {
        self.hold.as_ref().is_some_and(|hold| !hold.is_linked && hold.accepts(epoch))
    }

    /// Opens a link to the next node of the room.
    pub(crate) fn reopen(&mut self, route: LinkRoute, now: Instant) {
        let Some((hold, (endpoint, info))) = self.hold.as_mut().zip(self.opened) else { return };
        self.link.renew(route, now);
        self.link.push(&Item::Reopened(endpoint, info, hold.connections().to_vec()));
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

    /// Offers the messages of the branch to the endpoint, until one is not accepted.
    pub fn deliver(&mut self, accept: &mut dyn FnMut(ToEndpoint) -> Result<(), ToEndpoint>) {
        loop {
            if self.messages.is_empty() && !self.receive() {
                return;
            }
            let Some(message) = self.messages.pop_front() else { continue };
            if let Err(message) = accept(message) {
                self.messages.push_front(message);
                return;
            }
        }
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

    /// Moves a batch that was received, or the end, to the messages. Returns false if there is
    /// none.
    fn receive(&mut self) -> bool {
        if let Some(end) = self.link.ended() {
            return self.hold.is_none() && !self.can_hold(end) && self.leave();
        }
        let mut packets = Vec::new();
        let mut has_received = false;
        while let Some(arrival) = self.link.pop() {
            has_received = true;
            let is_last = matches!(arrival, Arrival::Delivered(_));
            match arrival {
                Arrival::Item(item) => self.handle_item(item, &mut packets),
                Arrival::Gap(Stream::Link) => self.end(GatewayEnd::DataLost),
                Arrival::Gap(Stream::Connection(connection)) => {
                    self.flush(&mut packets);
                    if self.connections.contains(&connection) && !self.closing.contains(&connection)
                    {
                        self.link.stats.broken_connections += 1;
                        self.close(connection, GatewayEnd::DataLost.disconnect_reason());
                    }
                }
                Arrival::Malformed => self.end(GatewayEnd::MalformedFrame),
                Arrival::Delivered(_) => {}
            }
            if is_last {
                break;
            }
        }
        self.flush(&mut packets);
        let connections = &self.connections;
        self.link.incoming().prune(connections.len(), |it| connections.contains(&it));
        has_received
    }

    fn handle_item(&mut self, item: Item, packets: &mut Vec<OutgoingPacket>) {
        self.link.stats.items_received += 1;
        let message = match item {
            Item::Send(packet) => {
                packets.extend(self.without_closing(packet));
                return;
            }
            Item::Disconnect { connection, reason, close_mode } => {
                let is_live = self.connections.contains(&connection);
                if !is_live || close_mode == CloseMode::Immediate {
                    // The endpoint does not report this end.
                    self.connections.remove(&connection);
                    self.link.incoming().forget(connection);
                    let disconnected = PeerEvent::Disconnected { connection, reason };
                    self.link.push(&Item::Event(disconnected));
                }
                if !is_live {
                    return;
                }
                ToEndpoint::Disconnect { connection, reason, close_mode }
            }
            Item::Hold(connection) => {
                self.moving.insert(connection);
                ToEndpoint::Hold { connection }
            }
            Item::Return(connection) => {
                // An endpoint returns a connection that moves to its own branch.
                let (branch, carried) = (self.branch, Box::default());
                ToEndpoint::Move { connection, branch, carried }
            }
            Item::Refuse(refuses) => ToEndpoint::RefuseNewConnections(refuses),
            Item::Freeze => {
                self.flush(packets);
                return self.freeze();
            }
            Item::Leave { reason, close_mode } => {
                self.has_left = true;
                self.hold = None;
                ToEndpoint::Leave { reason, close_mode }
            }
            Item::Opened(..)
            | Item::Reopened(..)
            | Item::Frozen
            | Item::Event(_)
            | Item::Closed(_) => {
                return self.end(GatewayEnd::MalformedFrame);
            }
        };
        self.flush(packets);
        self.messages.push_back(message);
    }

    /// Returns the packet without the connections that are being closed because packets before it
    /// are missing.
    fn without_closing(&mut self, mut packet: OutgoingPacket) -> Option<OutgoingPacket> {
        let closing = &self.closing;
        if packet.to.as_slice().iter().any(|to| closing.contains(to)) {
            let to: Vec<_> =
                packet.to.as_slice().iter().filter(|to| !closing.contains(to)).copied().collect();
            self.link.stats.late_items += 1;
            if to.is_empty() {
                return None;
            }
            packet.to = Connections::Many(to.into());
        }
        Some(packet)
    }

    fn flush(&mut self, packets: &mut Vec<OutgoingPacket>) {
        if !packets.is_empty() {
            self.messages.push_back(ToEndpoint::Send(std::mem::take(packets)));
        }
    }

    fn close(&mut self, connection: ConnectionId, reason: DisconnectReason) {
        self.closing.insert(connection);
        let close_mode = CloseMode::Graceful;
        self.messages.push_back(ToEndpoint::Disconnect { connection, reason, close_mode });
    }

    /// Leaves the endpoint, once, because the link has ended.
    fn leave(&mut self) -> bool {
        let Some(end) = self.link.ended().filter(|_| !self.has_left) else { return false };
        self.has_left = true;
        let (reason, close_mode) = (end.disconnect_reason(), CloseMode::Drain);
        self.messages.push_back(ToEndpoint::Leave { reason, close_mode });
        true
    }
}
