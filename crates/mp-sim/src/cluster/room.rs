//! A room for the players of other nodes: a branch that follows a script.

use std::collections::{BTreeMap, VecDeque};

use mp_cluster::FarLink;
use mp_core::{
    Channel, CloseMode, ConnectionId, DisconnectReason, EndpointId, OutgoingPacket, PeerEvent,
    Prefix, Rng, ToBranch, ToEndpoint, TransferMode,
};

use super::ledger::{Ledger, Serial, To};
use super::socket::packets;
use crate::rng_ext::RngExt;

/// A branch and its endpoints, which are gateways.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) endpoints: BTreeMap<EndpointId, Attached>,
}

/// An endpoint of a room.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) link: FarLink,
    connections: BTreeMap<ConnectionId, Serial>,
    /// Messages for the gateway.
    pub(super) mail: VecDeque<ToEndpoint>,
    /// True if a message was queued that the gateway may have capacity for.
    pub(super) has_mailed: bool,
    is_open: bool,
}

/// Messages for a gateway from which the room sends nothing: a small mailbox.
const MAIL_MAX: usize = 4;

impl Room {
    pub(super) fn attach(&mut self, endpoint: EndpointId, link: FarLink) {
        let (connections, mail) = (BTreeMap::new(), VecDeque::new());
        let attached = Attached { link, connections, mail, has_mailed: false, is_open: false };
        self.endpoints.insert(endpoint, attached);
    }

    /// Removes all endpoints, because the room or its node has ended.
    pub(super) fn end(self, ledger: &mut Ledger) {
        let connections = self.endpoints.into_values().flat_map(|it| it.connections.into_values());
        connections.for_each(|serial| ledger.leave(serial));
    }
}

impl Attached {
    /// Sends packets and kicks players.
    pub(super) fn act(&mut self, rng: &mut Rng, ledger: &mut Ledger) {
        if !self.is_open || self.mail.len() >= MAIL_MAX {
            return;
        }
        let mut sent = Vec::new();
        for _ in 0..packets(rng) {
            let to: Vec<_> = if rng.chance(500) {
                self.connections.keys().copied().collect()
            } else {
                let keys: Vec<_> = self.connections.keys().copied().collect();
                rng.pick(&keys).copied().into_iter().collect()
            };
            if to.is_empty() {
                break;
            }
            let mode = *rng.pick(&TransferMode::ALL).unwrap_or(&TransferMode::Reliable);
            let serials: Vec<_> = to.iter().map(|to| self.connections[to]).collect();
            let payload = ledger.send(To::Socket, mode, &serials);
            let to = mp_core::Connections::Many(to.into());
            let (channel, prefix) = (Channel(0), Prefix::EMPTY);
            sent.push(OutgoingPacket { to, mode, channel, prefix, payload });
        }
        if !sent.is_empty() {
            self.push(ToEndpoint::Send(sent));
        }
        if rng.chance(2)
            && let Some((&connection, &serial)) = self.connections.first_key_value()
        {
            let is_immediate = rng.chance(500);
            let close_mode = if is_immediate { CloseMode::Immediate } else { CloseMode::Graceful };
            let reason = DisconnectReason::Kicked;
            self.push(ToEndpoint::Disconnect { connection, reason, close_mode });
            if is_immediate {
                // No event follows.
                self.connections.remove(&connection);
                ledger.leave(serial);
            }
        }
    }

    /// Handles a message of the gateway. Returns whether it is the last one.
    pub(super) fn handle(&mut self, message: ToBranch, ledger: &mut Ledger) -> bool {
        match message {
            ToBranch::Opened(..) => {
                let was_open = std::mem::replace(&mut self.is_open, true);
                ledger.check_that(!was_open, "an endpoint opens twice");
            }
            ToBranch::Events(_, events) => {
                events.into_iter().for_each(|event| self.handle_event(event, ledger));
            }
            ToBranch::Closed(..) => {
                ledger.check_that(self.connections.is_empty(), "closed with connections");
                return true;
            }
            _ => {}
        }
        false
    }

    fn push(&mut self, message: ToEndpoint) {
        self.mail.push_back(message);
        self.has_mailed = true;
    }

    fn handle_event(&mut self, event: PeerEvent, ledger: &mut Ledger) {
        match event {
            PeerEvent::Connected { connection, claimed_id, .. } => {
                let serial = claimed_id.map_or(0, |id| id.get() as Serial);
                ledger.enter(serial);
                self.connections.insert(connection, serial);
            }
            PeerEvent::Packet(packet) => {
                // A packet that was in flight when the room kicked its player is dropped.
                if let Some(&serial) = self.connections.get(&packet.from) {
                    ledger.receive(To::Room, packet.mode, serial, &packet.payload);
                }
            }
            PeerEvent::Disconnected { connection, .. } => {
                if let Some(serial) = self.connections.remove(&connection) {
                    ledger.leave(serial);
                }
            }
            _ => {}
        }
    }
}
