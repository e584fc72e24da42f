//! Items that a far gateway receives, for the branch.

use std::collections::VecDeque;

use mp_core::{CloseMode, ConnectionId, DisconnectReason, PeerEvent, ToBranch};

use super::FarGateway;
use crate::gateway::GatewayEnd;
use crate::gateway::delivery::Delivery;
use crate::gateway::incoming::Arrival;
use crate::wire::item::{Item, Stream, connection_of};

impl Delivery for FarGateway {
    type Message = ToBranch;

    fn messages(&mut self) -> &mut VecDeque<ToBranch> {
        &mut self.messages
    }

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
}

impl FarGateway {
    /// Offers the messages of the endpoint to the branch, until one is not accepted.
    pub fn deliver(&mut self, accept: &mut dyn FnMut(ToBranch) -> Result<(), ToBranch>) {
        self.deliver_to(accept);
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
