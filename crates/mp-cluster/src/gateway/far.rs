//! [`FarGateway`]: the endpoint of another node, at its branch.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use mp_core::{
    CarriedSession, CloseMode, ConnectionId, Connections, DisconnectReason, EndpointId,
    EndpointInfo, Instant, OutgoingPacket, PeerEvent, ToBranch, ToEndpoint,
};

use super::incoming::Arrival;
use super::link::{Link, LinkRoute};
use super::{GatewayEnd, GatewayStats};
use crate::wire::frame::{BusFrame, FrameCodec, GatewaySide};
use crate::wire::item::{Item, Stream, connection_of};

/// A gateway that stands for an endpoint on another node, towards a branch of this node.
#[derive(Debug)]
pub struct FarGateway {
    link: Link,
    /// The id of the gateway as an endpoint of the branch.
    endpoint: EndpointId,
    /// The id of the endpoint on its node, once the link is open.
    there: Option<EndpointId>,
    connections: BTreeSet<ConnectionId>,
    /// Sessions of connections that the branch moves, and that the endpoint is about to return.
    returning: BTreeMap<ConnectionId, Box<CarriedSession>>,
    /// Connections that ended here, whose end the near gateway has not reported.
    refused: BTreeSet<ConnectionId>,
    /// Messages for the branch.
    messages: VecDeque<ToBranch>,
    /// The connections of an endpoint that has served the branch on another node, until the program
    /// has decided about them.
    reopening: Option<(EndpointInfo, Vec<ConnectionId>)>,
    is_open: bool,
    is_closed: bool,
    /// True if the near gateway keeps the messages of its endpoint.
    is_frozen: bool,
}

/// The way in which a link was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "programs handle both")]
pub enum LinkOpening {
    /// By an endpoint, with this id on its node, that serves the branch from now on.
    New(EndpointId),
    /// By an endpoint, with this id on its node, that has served the branch on another node. The
    /// program calls [`FarGateway::reopen`].
    Reopened(EndpointId),
}

impl FarGateway {
    pub(crate) fn new(
        codec: FrameCodec,
        route: LinkRoute,
        endpoint: EndpointId,
        now: Instant,
    ) -> Self {
        Self {
            link: Link::new(codec, route, GatewaySide::Far, now),
            endpoint,
            there: None,
            connections: BTreeSet::new(),
            returning: BTreeMap::new(),
            refused: BTreeSet::new(),
            messages: VecDeque::new(),
            reopening: None,
            is_open: false,
            is_closed: false,
            is_frozen: false,
        }
    }

    pub(crate) fn route(&self) -> &LinkRoute {
        self.link.route()
    }

    /// Returns the id of the gateway as an endpoint of the branch.
    pub fn endpoint(&self) -> EndpointId {
        self.endpoint
    }

    /// Returns the id that the endpoint has on its own node; `None` before the link is open.
    pub fn remote_endpoint(&self) -> Option<EndpointId> {
        self.there
    }

    /// Returns the way in which the link was opened; `None` before its first frame was received.
    /// Attach the gateway to the branch then.
    pub fn poll_opening(&mut self) -> Option<LinkOpening> {
        while self.there.is_none() && self.receive() {}
        let there = self.there?;
        Some(match self.reopening {
            Some(_) => LinkOpening::Reopened(there),
            None => LinkOpening::New(there),
        })
    }

    /// Decides about the connections of a link that was [reopened](LinkOpening::Reopened). `known`:
    /// the id of the endpoint and its connections that the branch has restored. The others are
    /// closed. `None`: the branch does not know the endpoint. Returns the known connections that
    /// have ended meanwhile; the branch receives their end.
    pub fn reopen(
        &mut self,
        known: Option<(EndpointId, &BTreeSet<ConnectionId>)>,
    ) -> Vec<ConnectionId> {
        let Some((info, listed)) = self.reopening.take() else { return Vec::new() };
        let none = BTreeSet::new();
        let (endpoint, restored) = known.unwrap_or((self.endpoint, &none));
        self.endpoint = endpoint;
        for message in &mut self.messages {
            if let ToBranch::Opened(of, _) | ToBranch::Events(of, _) | ToBranch::Closed(of, _) =
                message
            {
                *of = endpoint;
            }
        }
        let reason = DisconnectReason::Timeout;
        let listed: BTreeSet<_> = listed.into_iter().collect();
        let gone: Vec<_> = restored.difference(&listed).copied().collect();
        if !gone.is_empty() {
            let end = |&connection: &_| PeerEvent::Disconnected { connection, reason };
            let ends = gone.iter().map(end).collect();
            self.messages.push_front(ToBranch::Events(endpoint, ends));
        }
        if known.is_none() {
            self.messages.push_front(ToBranch::Opened(endpoint, info));
        }
        let reason = GatewayEnd::NodeLost.disconnect_reason();
        for connection in listed {
            if !restored.contains(&connection) && self.connections.remove(&connection) {
                self.link.stats.unknown_connections += 1;
                self.refused.insert(connection);
                let close_mode = CloseMode::Graceful;
                self.link.push(&Item::Disconnect { connection, reason, close_mode });
            }
        }
        gone
    }

    /// Lets the near gateway keep the messages of its endpoint, because the branch moves to another
    /// node.
    pub fn freeze(&mut self) {
        self.link.push(&Item::Freeze);
    }

    /// Returns whether the branch has received all messages that the endpoint has sent, and none
    /// follows.
    pub fn is_frozen(&self) -> bool {
        self.messages.is_empty() && (self.is_frozen || self.link.ended().is_some())
    }

    /// Returns whether the gateway accepts a message of the branch. Otherwise the mailbox between
    /// them fills, and the branch applies the limits of its outbox.
    pub fn has_capacity(&self) -> bool {
        self.link.ended().is_some() || self.link.outgoing.has_capacity()
    }

    /// Passes a message of the branch on.
    pub fn handle_message(&mut self, message: ToEndpoint) {
        match message {
            ToEndpoint::Send(packets) => {
                for packet in packets {
                    if let Some(packet) = self.for_live(packet) {
                        self.link.push(&Item::Send(packet));
                    }
                }
            }
            ToEndpoint::Disconnect { connection, reason, close_mode } => {
                if !self.connections.contains(&connection) {
                    return;
                }
                self.link.push(&Item::Disconnect { connection, reason, close_mode });
                if close_mode == CloseMode::Immediate {
                    self.connections.remove(&connection);
                    self.refused.insert(connection);
                }
            }
            ToEndpoint::Hold { connection } => self.link.push(&Item::Hold(connection)),
            ToEndpoint::Move { connection, carried, .. } => {
                // Branches of this node are no branches of the endpoint: it returns the connection.
                if self.connections.contains(&connection) {
                    self.returning.insert(connection, carried);
                    self.link.push(&Item::Return(connection));
                }
            }
            ToEndpoint::RefuseNewConnections(refuses) => self.link.push(&Item::Refuse(refuses)),
            ToEndpoint::Leave { reason, close_mode } => {
                self.link.push(&Item::Leave { reason, close_mode });
            }
            _ => mp_core::bug!("a gateway does not know a message: {message:?}"),
        }
    }

    /// Returns the packet for the live ones of its connections.
    fn for_live(&mut self, mut packet: OutgoingPacket) -> Option<OutgoingPacket> {
        let live = &self.connections;
        let to = packet.to.as_slice();
        if to.iter().all(|to| live.contains(to)) {
            return Some(packet);
        }
        self.link.stats.late_items += 1;
        let to: Vec<_> = to.iter().filter(|to| live.contains(to)).copied().collect();
        if to.is_empty() {
            return None;
        }
        packet.to = Connections::Many(to.into());
        Some(packet)
    }

    /// Handles a frame of the near gateway.
    pub(crate) fn handle_frame(&mut self, now: Instant, frame: BusFrame) {
        self.link.handle_frame(now, frame);
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.link.handle_timeout(now);
    }

    /// Ends the link, and closes the connections with the reason.
    pub fn end(&mut self, end: GatewayEnd) {
        if end == GatewayEnd::LeaseLost {
            // A node without its lease sends nothing for the room.
            self.link.silence(end);
        } else {
            self.link.end(end, true);
        }
    }

    /// Returns the next frame to send. Call it only while the node may speak for the room.
    pub(crate) fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        self.link.poll_transmit(now)
    }

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) and
    /// [`Gateways::transmit`](crate::Gateways::transmit) are due; `None` if the link has ended.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.link.poll_timeout()
    }

    /// Offers the messages of the endpoint to the branch, until one is not accepted.
    pub fn deliver(&mut self, accept: &mut dyn FnMut(ToBranch) -> Result<(), ToBranch>) {
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
            Some(_) => self.is_open && !self.is_closed,
            None => self.link.has_arrivals(),
        };
        is_received || !self.messages.is_empty()
    }

    /// Returns the reason why the link has ended.
    pub fn ended(&self) -> Option<GatewayEnd> {
        self.link.ended()
    }

    /// Returns whether the gateway has nothing left to send or to deliver. It may be dropped.
    pub fn is_finished(&self) -> bool {
        let is_closed = self.is_closed || !self.is_open;
        self.link.is_finished() && is_closed && self.messages.is_empty()
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
            return self.close(end.disconnect_reason());
        }
        let mut events = Vec::new();
        let mut has_received = false;
        while let Some(arrival) = self.link.pop() {
            has_received = true;
            let is_last = matches!(arrival, Arrival::Delivered(_));
            match arrival {
                Arrival::Item(item) => self.handle_item(item, &mut events),
                Arrival::Gap(Stream::Link) => self.end(GatewayEnd::DataLost),
                Arrival::Gap(Stream::Connection(connection)) => {
                    self.break_connection(connection, &mut events);
                }
                Arrival::Malformed => self.end(GatewayEnd::MalformedFrame),
                Arrival::Delivered(_) => {}
            }
            if is_last {
                break;
            }
        }
        self.flush(&mut events);
        let (live, refused) = (&self.connections, &self.refused);
        let is_known = |it| live.contains(&it) || refused.contains(&it);
        self.link.incoming().prune(live.len() + refused.len(), is_known);
        has_received
    }

    fn handle_item(&mut self, item: Item, events: &mut Vec<PeerEvent>) {
        self.link.stats.items_received += 1;
        match item {
            Item::Opened(there, info) if !self.is_open => {
                self.there = Some(there);
                self.is_open = true;
                self.messages.push_back(ToBranch::Opened(self.endpoint, info));
            }
            Item::Reopened(there, info, connections) if !self.is_open => {
                self.there = Some(there);
                self.is_open = true;
                self.connections.extend(&connections);
                self.reopening = Some((info, connections));
            }
            Item::Frozen if self.is_open => self.is_frozen = true,
            Item::Event(event) if self.is_open => self.handle_event(event, events),
            Item::Closed(reason) if self.is_open => {
                self.flush(events);
                self.close(reason);
                self.end(GatewayEnd::Closed);
            }
            // The batch that opened the link was lost.
            Item::Event(_) | Item::Closed(_) => self.end(GatewayEnd::DataLost),
            _ => self.end(GatewayEnd::MalformedFrame),
        }
    }

    fn handle_event(&mut self, mut event: PeerEvent, events: &mut Vec<PeerEvent>) {
        let Some(connection) = connection_of(&event) else { return events.push(event) };
        let is_live = self.connections.contains(&connection);
        match &mut event {
            PeerEvent::Connected { .. } | PeerEvent::Moved { .. } | PeerEvent::Resumed { .. } => {
                if is_live || self.refused.contains(&connection) {
                    self.link.stats.late_items += 1;
                    return;
                }
                self.connections.insert(connection);
                if let PeerEvent::Moved { carried, .. } = &mut event
                    && let Some(session) = self.returning.remove(&connection)
                {
                    *carried = session;
                }
            }
            PeerEvent::Disconnected { reason, .. } => {
                self.refused.remove(&connection);
                self.link.outgoing.forget(connection);
                if *reason != DisconnectReason::Moved {
                    self.returning.remove(&connection);
                }
                if !self.connections.remove(&connection) {
                    return;
                }
            }
            _ if !is_live => {
                self.link.stats.late_items += 1;
                return;
            }
            _ => {}
        }
        events.push(event);
    }

    /// Closes a connection of which reliable items are missing.
    fn break_connection(&mut self, connection: ConnectionId, events: &mut Vec<PeerEvent>) {
        let reason = GatewayEnd::DataLost.disconnect_reason();
        if self.connections.remove(&connection) {
            self.returning.remove(&connection);
            self.link.stats.broken_connections += 1;
            events.push(PeerEvent::Disconnected { connection, reason });
        }
        if self.refused.insert(connection) {
            let close_mode = CloseMode::Graceful;
            self.link.push(&Item::Disconnect { connection, reason, close_mode });
        }
    }

    fn flush(&mut self, events: &mut Vec<PeerEvent>) {
        if !events.is_empty() {
            let events = std::mem::take(events);
            self.messages.push_back(ToBranch::Events(self.endpoint, events));
        }
    }

    /// Reports the end of all connections and of the endpoint, once.
    fn close(&mut self, reason: DisconnectReason) -> bool {
        if !self.is_open || std::mem::replace(&mut self.is_closed, true) {
            return false;
        }
        let connections = std::mem::take(&mut self.connections);
        let disconnected = |connection| PeerEvent::Disconnected { connection, reason };
        self.flush(&mut connections.into_iter().map(disconnected).collect());
        self.messages.push_back(ToBranch::Closed(self.endpoint, reason));
        true
    }
}
