//! Sending packets of bytes of the program.

use mp_core::{Channel, PeerId, Prefix, Target, TransferMode};

use super::super::SendBytesError;
use super::super::sender::{SendOptions, Sender};
use super::Session;
use crate::SceneMessage;

impl Session {
    /// Sends bytes of the program.
    pub(crate) fn send_bytes(
        &mut self,
        sender: &mut Sender,
        data: &[u8],
        target: Target,
        mode: TransferMode,
        channel: Channel,
    ) -> Result<(), SendBytesError> {
        if data.is_empty() {
            return Err(SendBytesError::Empty);
        }
        if !self.is_in_session() {
            return Err(SendBytesError::NotConnected);
        }
        let options = SendOptions { mode, channel };
        let message = SceneMessage::Raw(data.to_owned().into());
        let Some(packet) = sender.encode(&message, &sender.peers_of(target)) else {
            return Ok(());
        };
        if self.is_relayed_client() && target != Target::SERVER {
            if !sender.routes().contains(PeerId::SERVER) {
                return Err(SendBytesError::NotConnected);
            }
            sender.relay(target.to_raw(), options, packet);
            return Ok(());
        }
        if let Target::Peer(peer) = target
            && !sender.routes().contains(peer)
        {
            return Err(SendBytesError::UnknownPeer(peer));
        }
        let peers = sender.peers_of(target);
        sender.send_packet(&peers, options, Prefix::EMPTY, &packet);
        Ok(())
    }
}
