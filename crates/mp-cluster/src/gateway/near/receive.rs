//! Items that a near gateway receives, for the endpoint.

use std::collections::VecDeque;

use mp_core::{CloseMode, Connections, OutgoingPacket, PeerEvent, ToEndpoint};

use super::NearGateway;
use crate::gateway::GatewayEnd;
use crate::gateway::delivery::Delivery;
use crate::gateway::incoming::Arrival;
use crate::wire::item::{Item, Stream};

impl Delivery for NearGateway {
    type Message = ToEndpoint;

    fn messages(&mut self) -> &mut VecDeque<ToEndpoint> {
        &mut self.messages
    }

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
}

impl NearGateway {
    /// Offers the messages of the branch to the endpoint, until one is not accepted.
    pub fn deliver(&mut self, accept: &mut dyn FnMut(ToEndpoint) -> Result<(), ToEndpoint>) {
        self.deliver_to(accept);
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

    /// Leaves the endpoint, once, because the link has ended.
    fn leave(&mut self) -> bool {
        let Some(end) = self.link.ended().filter(|_| !self.has_left) else { return false };
        self.has_left = true;
        let (reason, close_mode) = (end.disconnect_reason(), CloseMode::Drain);
        self.messages.push_back(ToEndpoint::Leave { reason, close_mode });
        true
    }
}
