//! Packets that a host is given to send.

use mp_core::ConnectionId;

use super::Host;
use crate::limits::RELIABLE_FRAGMENTS_MAX;
use crate::proto::peer::{QueueError, piece_len};
use crate::proto::{PacketFlags, Payload};

/// Why a packet was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostSendError {
    /// The two sides agreed on fewer channels.
    #[error("channel {channel} is beyond the {count} channels agreed on")]
    NoChannel {
        /// The channel asked for.
        channel: u8,
        /// How many there are.
        count: u8,
    },
    /// The packet is too large.
    #[error("packet of {len} bytes is larger than {max}")]
    TooLarge {
        /// Bytes of the packet.
        len: usize,
        /// Most bytes of a packet.
        max: usize,
    },
}

impl Host {
    /// Queues a packet for a link. One that has gone, or is going, is skipped: its end was reported or will be.
    ///
    /// # Errors
    ///
    /// When this link cannot take such a packet at all.
    pub fn send(
        &mut self,
        connection: ConnectionId,
        channel: u8,
        flags: PacketFlags,
        payload: Payload,
    ) -> Result<(), HostSendError> {
        let (len, max) = (payload.len(), self.settings.max_packet_size);
        if len > max {
            return Err(HostSendError::TooLarge { len, max });
        }
        let Some(peer) = self.slots.peer_mut(connection) else { return Ok(()) };
        let (limit, events) = (&mut self.queued, &mut self.events);
        match peer.send(channel, flags, payload, &self.settings, limit, events) {
            Ok(is_shed) => self.stats.shed += u64::from(is_shed),
            Err(QueueError::NoChannel) => {
                return Err(HostSendError::NoChannel { channel, count: peer.channel_count() });
            }
            Err(QueueError::TooManyPieces) => {
                let max = peer.reliable_packet_max();
                return Err(HostSendError::TooLarge { len, max });
            }
        }
        self.touch(connection.slot as u16);
        Ok(())
    }

    /// Queues a packet for every connected peer. One that cannot take it, because it has fewer channels, is skipped.
    ///
    /// # Errors
    ///
    /// When the packet is too large for every peer.
    pub fn broadcast(
        &mut self,
        channel: u8,
        flags: PacketFlags,
        payload: &Payload,
    ) -> Result<(), HostSendError> {
        let connections: Vec<ConnectionId> = self.connections().collect();
        let payload = payload.clone().shared_by(connections.len());
        for connection in connections {
            match self.send(connection, channel, flags, payload.clone()) {
                Ok(()) | Err(HostSendError::NoChannel { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Counts an unreliable packet that a link cannot be sent.
    pub(crate) fn count_send_drop(&mut self, connection: ConnectionId) {
        if let Some(peer) = self.slots.peer_mut(connection) {
            peer.count_send_drop();
        }
    }

    /// The largest packet in bytes that fits every way it may be sent.
    pub fn max_packet_size(&self) -> usize {
        let piece_len = piece_len(self.settings.room(self.settings.mtu));
        self.settings.max_packet_size.min(RELIABLE_FRAGMENTS_MAX * piece_len)
    }
}
