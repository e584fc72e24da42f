//! [`FarGateway`]: the endpoint of another node, at its branch.

mod receive;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use mp_core::{
    CarriedSession, CloseMode, ConnectionId, Connections, DisconnectReason, EndpointId,
    EndpointInfo, Instant, OutgoingPacket, PeerEvent, ToBranch, ToEndpoint,
};

use super::delivery::Delivery as _;
use super::link::{Link, LinkRoute};
use super::{GatewayEnd, GatewayStats};
use crate::wire::frame::{BusFrame, FrameCodec, GatewaySide};
use crate::wire::item::Item;

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

    /// Returns the connections of a link that was [reopened](LinkOpening::Reopened), until the
    /// program has decided about them.
    pub fn reopened_connections(&self) -> &[ConnectionId] {
        self.reopening.as_ref().map_or(&[], |(_, connections)| connections)
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
        let is_complete = self.is_frozen && !self.link.needs_marks();
        !self.has_messages() && (is_complete || self.link.ended().is_some())
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
}
