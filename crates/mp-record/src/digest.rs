//! The digest of the output of a turn.

use mp_core::{CarriedSession, ConnectionId, EndpointId, OutgoingPacket, Reason, ToEndpoint};

use crate::frame::TurnOutput;
use crate::limits::REFUSALS_MAX;

/// Computes the [`TurnOutput`] of a turn while its output is offered.
#[derive(Default)]
pub(crate) struct OutputHasher {
    delivery: TurnOutput,
    hasher: crc32fast::Hasher,
}

impl OutputHasher {
    pub(crate) fn output(&mut self, endpoint: EndpointId, output: &ToEndpoint) {
        self.delivery.digest.messages += 1;
        self.number(endpoint.0);
        match output {
            ToEndpoint::Send(packets) => {
                self.number(0);
                packets.iter().for_each(|packet| self.packet(packet));
            }
            ToEndpoint::Disconnect { connection, reason, close_mode } => {
                self.number(1);
                self.connection(*connection);
                self.bytes(&[reason.index() as u8, *close_mode as u8]);
            }
            ToEndpoint::Hold { connection } => {
                self.number(2);
                self.connection(*connection);
            }
            ToEndpoint::Move { connection, branch, carried } => {
                self.number(3);
                self.connection(*connection);
                self.number(branch.0);
                self.carried(carried);
            }
            ToEndpoint::RefuseNewConnections(refuses) => self.bytes(&[4, u8::from(*refuses)]),
            ToEndpoint::Leave { reason, close_mode } => {
                self.bytes(&[5, reason.index() as u8, *close_mode as u8]);
            }
            _ => self.number(u32::MAX),
        }
    }

    /// Records that the last output was refused.
    pub(crate) fn refused(&mut self) {
        if self.delivery.refused.len() < REFUSALS_MAX {
            self.delivery.refused.push(self.delivery.digest.messages.saturating_sub(1));
        }
    }

    /// Returns the delivery of the turn, and starts the next one.
    pub(crate) fn take(&mut self) -> TurnOutput {
        self.delivery.digest.checksum = std::mem::take(&mut self.hasher).finalize();
        std::mem::take(&mut self.delivery)
    }

    fn packet(&mut self, packet: &OutgoingPacket) {
        let prefix = packet.prefix.as_slice();
        let len = (packet.len() as u32).to_le_bytes();
        self.bytes(&[packet.mode.to_raw(), packet.channel.0, prefix.len() as u8]);
        self.bytes(&len);
        self.bytes(prefix);
        self.bytes(&packet.payload);
        for chunk in packet.to.as_slice().chunks(CONNECTIONS) {
            let mut bytes = [0; CONNECTIONS * 8];
            for (connection, bytes) in chunk.iter().zip(bytes.chunks_exact_mut(8)) {
                bytes.copy_from_slice(&encoded(*connection));
            }
            self.bytes(&bytes[..chunk.len() * 8]);
        }
    }

    fn carried(&mut self, carried: &CarriedSession) {
        // Only branches between which peers move send it, seldom.
        if let Ok(bytes) = postcard::to_stdvec(carried) {
            self.bytes(&bytes);
        }
    }

    fn connection(&mut self, connection: ConnectionId) {
        self.bytes(&encoded(connection));
    }

    fn number(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.delivery.digest.bytes += bytes.len() as u64;
        self.hasher.update(bytes);
    }
}

/// Number of connections that are hashed at once.
const CONNECTIONS: usize = 32;

fn encoded(connection: ConnectionId) -> [u8; 8] {
    let [slot, generation] = [connection.slot.to_le_bytes(), connection.generation.to_le_bytes()];
    [slot[0], slot[1], slot[2], slot[3], generation[0], generation[1], generation[2], generation[3]]
}
