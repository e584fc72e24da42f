//! A room for the players of other nodes: a branch that follows a script.

use std::collections::{BTreeMap, VecDeque};

use mp_cluster::{ClusterNodeId, FarLink};
use mp_core::{
    Channel, CloseMode, ConnectionId, DisconnectReason, EndpointId, Instant, OutgoingPacket,
    PeerEvent, Prefix, Rng, ToBranch, ToEndpoint, TransferMode,
};

use super::ledger::{Ledger, Serial, To};
use super::moves::StoredRoom;
use super::socket::packets;
use crate::rng_ext::RngExt;

/// A branch and its endpoints, which are gateways.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) endpoints: BTreeMap<EndpointId, Attached>,
    /// Endpoints of a room that another node has moved here, until their nodes open the links.
    restored: BTreeMap<(ClusterNodeId, EndpointId), Restored>,
    /// True once the room goes on on another node.
    is_moved: bool,
}

/// An endpoint whose link is not open.
#[derive(Debug)]
pub(super) struct Restored {
    pub(super) id: EndpointId,
    pub(super) connections: BTreeMap<ConnectionId, Serial>,
    /// Time until which its node may open the link.
    until: Instant,
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
    /// Returns a room that another node has moved here. `restore` returns the id of an endpoint of
    /// a node here, and the time until which that may open the link.
    pub(super) fn restored(
        stored: StoredRoom,
        mut restore: impl FnMut(ClusterNodeId) -> (EndpointId, Instant),
    ) -> Self {
        let restored = stored.into_iter().map(|(of, connections)| {
            let (id, until) = restore(of.0);
            (of, Restored { id, connections, until })
        });
        Self { restored: restored.collect(), ..Self::default() }
    }

    /// Attaches the gateway of an endpoint. `connections`: those that the room has already.
    pub(super) fn attach(
        &mut self,
        endpoint: EndpointId,
        link: FarLink,
        connections: Option<BTreeMap<ConnectionId, Serial>>,
    ) {
        let (is_open, connections) = (connections.is_some(), connections.unwrap_or_default());
        let mail = VecDeque::new();
        let attached = Attached { link, connections, mail, has_mailed: false, is_open };
        self.endpoints.insert(endpoint, attached);
    }

    /// Removes and returns an endpoint whose node opens the link.
    pub(super) fn take_restored(&mut self, of: (ClusterNodeId, EndpointId)) -> Option<Restored> {
        self.restored.remove(&of)
    }

    /// Returns whether links of endpoints are not open yet.
    pub(super) fn is_restoring(&self) -> bool {
        !self.restored.is_empty()
    }

    /// Closes the connections of nodes that have not opened their link in time.
    pub(super) fn expire(&mut self, local: Instant, ledger: &mut Ledger) {
        self.restored.retain(|_, endpoint| {
            let is_waiting = local < endpoint.until;
            if !is_waiting {
                endpoint.connections.values().for_each(|&serial| ledger.leave(serial));
            }
            is_waiting
        });
    }

    /// Returns the links of the endpoints.
    pub(super) fn links(&self) -> Vec<FarLink> {
        self.endpoints.values().map(|attached| attached.link).collect()
    }

    /// Returns the players, who go on on another node, and the links with the ids of their
    /// endpoints. `there` returns the id of an endpoint on its own node.
    pub(super) fn hand_over(
        &mut self,
        there: impl Fn(FarLink) -> Option<EndpointId>,
    ) -> (StoredRoom, Vec<(FarLink, EndpointId)>) {
        self.is_moved = true;
        let (mut stored, mut links) = (StoredRoom::new(), Vec::new());
        for attached in self.endpoints.values_mut() {
            if let Some(there) = there(attached.link) {
                let connections = std::mem::take(&mut attached.connections);
                stored.insert((attached.link.0, there), connections);
                links.push((attached.link, there));
            }
        }
        (stored, links)
    }

    /// Returns whether the gateway of a link has received everything.
    pub(super) fn has_sent_all(&self, link: FarLink) -> bool {
        let mut endpoints = self.endpoints.values();
        endpoints.all(|attached| attached.link != link || attached.mail.is_empty())
    }

    /// Lets the room send packets and kick players.
    pub(super) fn act(&mut self, rng: &mut Rng, ledger: &mut Ledger) {
        if !self.is_moved {
            self.endpoints.values_mut().for_each(|endpoint| endpoint.act(rng, ledger));
        }
    }

    /// Removes all endpoints, because the room or its node has ended.
    pub(super) fn end(self, ledger: &mut Ledger) {
        let connections = self.endpoints.into_values().flat_map(|it| it.connections.into_values());
        let restored = self.restored.into_values().flat_map(|it| it.connections.into_values());
        connections.chain(restored).for_each(|serial| ledger.leave(serial));
    }
}

impl Attached {
    /// Sends packets and kicks players.
    fn act(&mut self, rng: &mut Rng, ledger: &mut Ledger) {
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
