//! The players of a node in a room of another node: an endpoint that follows a script.

use std::collections::{BTreeMap, VecDeque};

use mp_core::{
    Channel, CloseMode, ConnectionId, ConnectionOrigin, ConnectionStatus, DisconnectReason,
    EndpointId, EndpointInfo, Packet, PeerEvent, PeerId, Rng, ToBranch, ToEndpoint, TransferMode,
};

use super::ledger::{Ledger, Serial, To};
use crate::rng_ext::RngExt;

/// An endpoint with the connections of one link.
#[derive(Debug)]
pub(super) struct Socket {
    /// The endpoint's own id.
    endpoint: EndpointId,
    connections: BTreeMap<ConnectionId, Serial>,
    next_slot: u32,
    /// Messages for the gateway.
    pub(super) mail: VecDeque<ToBranch>,
    /// True if a message was queued that the gateway may have capacity for.
    pub(super) has_mailed: bool,
    is_closed: bool,
}

/// Messages for the gateway from which the endpoint receives nothing: a small mailbox.
const MAIL_MAX: usize = 4;
/// Most connections of a socket.
const CONNECTIONS: usize = 4;

impl Socket {
    pub(super) fn new(endpoint: EndpointId) -> Self {
        let info = EndpointInfo {
            unique_id: PeerId::SERVER,
            status: ConnectionStatus::Connected,
            relay_supported: true,
            max_packet_size: 1 << 24,
            outlives_program: false,
        };
        Self {
            endpoint,
            connections: BTreeMap::new(),
            next_slot: 0,
            mail: VecDeque::from([ToBranch::Opened(endpoint, info)]),
            has_mailed: true,
            is_closed: false,
        }
    }

    /// Lets players join, send and leave.
    pub(super) fn act(&mut self, rng: &mut Rng, ledger: &mut Ledger) {
        if self.is_closed || self.mail.len() >= MAIL_MAX {
            return;
        }
        let mut events = Vec::new();
        if self.connections.len() < CONNECTIONS && rng.chance(30) {
            let connection = ConnectionId { slot: self.next_slot, generation: 0 };
            self.next_slot += 1;
            let serial = ledger.connect();
            self.connections.insert(connection, serial);
            let claimed_id = PeerId::new(serial as i32);
            let origin = ConnectionOrigin::Process;
            events.push(PeerEvent::Connected { connection, claimed_id, origin });
        }
        for (&from, &serial) in &self.connections {
            for _ in 0..packets(rng) {
                let mode = *rng.pick(&TransferMode::ALL).unwrap_or(&TransferMode::Reliable);
                let payload = ledger.send(To::Room, mode, &[serial]);
                events.push(PeerEvent::Packet(Packet { from, mode, channel: Channel(0), payload }));
            }
        }
        if rng.chance(3)
            && let Some((&connection, &serial)) = self.connections.first_key_value()
        {
            self.connections.remove(&connection);
            ledger.close(serial);
            let reason = DisconnectReason::Remote(0);
            events.push(PeerEvent::Disconnected { connection, reason });
        }
        self.queue(events);
    }

    /// Handles a message of the gateway.
    pub(super) fn handle(&mut self, message: ToEndpoint, ledger: &mut Ledger) {
        match message {
            ToEndpoint::Send(packets) => {
                for packet in packets {
                    for to in packet.to.as_slice() {
                        if let Some(&serial) = self.connections.get(to) {
                            ledger.receive(To::Socket, packet.mode, serial, &packet.payload);
                        }
                    }
                }
            }
            ToEndpoint::Disconnect { connection, reason, close_mode } => {
                let Some(serial) = self.connections.remove(&connection) else { return };
                ledger.close(serial);
                ledger.check_end(reason);
                if close_mode != CloseMode::Immediate {
                    self.queue(vec![PeerEvent::Disconnected { connection, reason }]);
                }
            }
            ToEndpoint::Leave { reason, .. } => {
                ledger.check_end(reason);
                let connections = std::mem::take(&mut self.connections);
                let events = connections.into_iter().map(|(connection, serial)| {
                    ledger.close(serial);
                    PeerEvent::Disconnected { connection, reason }
                });
                self.queue(events.collect());
                self.push(ToBranch::Closed(self.endpoint, reason));
                self.is_closed = true;
            }
            _ => {}
        }
    }

    /// Closes the sockets of all players, because the node has crashed.
    pub(super) fn crash(self, ledger: &mut Ledger) {
        self.connections.into_values().for_each(|serial| ledger.close(serial));
    }

    fn queue(&mut self, events: Vec<PeerEvent>) {
        if !events.is_empty() {
            self.push(ToBranch::Events(self.endpoint, events));
        }
    }

    fn push(&mut self, message: ToBranch) {
        self.mail.push_back(message);
        self.has_mailed = true;
    }
}

/// Draws a number of packets: mostly none, seldom many.
pub(super) fn packets(rng: &mut Rng) -> u64 {
    match rng.below(1_000) {
        0 => rng.between(20, 300),
        1..20 => rng.between(1, 4),
        _ => 0,
    }
}
