//! Sending packets from a host.

use mp_core::{ConnectionId, DisconnectReason};

use super::Host;
use crate::limits::RELIABLE_FRAGMENTS_MAX;
use crate::proto::peer::{QueueError, piece_len};
use crate::proto::{PacketFlags, Payload};

/// The reason why a packet was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostSendError {
    /// The peers agreed on fewer channels.
    #[error("channel {channel} is beyond the {count} channels agreed on")]
    NoChannel {
        /// Requested channel.
        channel: u8,
        /// Number of channels of the connection.
        count: u8,
    },
    /// The packet is too large.
    #[error("packet of {len} bytes is larger than {max}")]
    TooLarge {
        /// Length of the packet in bytes.
        len: usize,
        /// Maximum length of a packet in bytes.
        max: usize,
    },
}

impl Host {
    /// Queues a packet for a connection. It is dropped if the connection has ended or is being
    /// closed, which an event reports.
    ///
    /// # Errors
    ///
    /// The connection does not have the channel, or the packet is too large.
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
        let Some(entry) = self.slots.connection_mut(connection) else { return Ok(()) };
        let peer = &mut entry.peer;
        match peer.send(channel, flags, payload, &self.settings, &mut self.queued) {
            Ok(()) => entry.mark_dirty(&mut self.dirty),
            Err(QueueError::Full { is_shed }) => {
                self.stats.shed += u64::from(is_shed);
                peer.fail(DisconnectReason::QueueFull, &mut self.events);
                self.touch(connection.slot as u16);
            }
            Err(QueueError::NoChannel) => {
                return Err(HostSendError::NoChannel { channel, count: peer.channel_count() });
            }
            Err(QueueError::TooManyPieces) => {
                let max = peer.reliable_packet_max();
                return Err(HostSendError::TooLarge { len, max });
            }
        }
        Ok(())
    }

    /// Queues a packet for all connected peers. Peers with fewer channels are skipped.
    ///
    /// # Errors
    ///
    /// The packet is too large.
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

    /// Counts an unreliable packet that cannot be sent to a connection.
    pub(crate) fn count_send_drop(&mut self, connection: ConnectionId) {
        if let Some(peer) = self.slots.peer_mut(connection) {
            peer.count_send_drop();
        }
    }

    /// Returns the maximum length in bytes of a packet that can be sent with any flags.
    pub fn max_packet_size(&self) -> usize {
        let piece_len = piece_len(self.settings.room(self.settings.mtu));
        self.settings.max_packet_size.min(RELIABLE_FRAGMENTS_MAX * piece_len)
    }
}
