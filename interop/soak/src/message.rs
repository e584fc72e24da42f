//! Messages of players, in the packets with which Godot's clients send bytes to all others of their
//! room.

use bytes::Bytes;
use mp_core::{Instant, PeerId};

/// A message to all others of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// True if it was sent reliably.
    pub(crate) is_reliable: bool,
    /// Number of messages that its sender sent before to this room, in the same way.
    pub(crate) sequence: u32,
    /// Time of sending, by the clock of all players of a process.
    pub(crate) sent: Instant,
}

/// A received packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// The server has completed the authentication.
    Admitted,
    PeerJoined(PeerId),
    PeerLeft(PeerId),
    Message {
        from: PeerId,
        message: Message,
    },
}

impl Message {
    /// Returns the packet to the server.
    pub(crate) fn encode(&self) -> Bytes {
        let mut packet = Vec::with_capacity(PACKET_LEN);
        packet.extend_from_slice(&RELAY);
        packet.extend_from_slice(&TO_ALL);
        packet.push(RAW);
        packet.push(self.is_reliable.into());
        packet.extend_from_slice(&self.sequence.to_le_bytes());
        packet.extend_from_slice(&self.sent.as_micros().to_le_bytes());
        packet.resize(PACKET_LEN, self.sequence as u8);
        packet.into()
    }

    /// Decodes the bytes after the header. Returns `None` if a byte is wrong.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[is_reliable, a, b, c, d], rest) = bytes.split_first_chunk()?;
        let (sent, filler) = rest.split_first_chunk()?;
        let sequence = u32::from_le_bytes([a, b, c, d]);
        let is_whole = bytes.len() == PACKET_LEN - HEADER && is_reliable < 2;
        let sent = Instant::from_micros(u64::from_le_bytes(*sent));
        let is_intact = is_whole && filler.iter().all(|&byte| byte == sequence as u8);
        is_intact.then_some(Self { is_reliable: is_reliable == 1, sequence, sent })
    }
}

impl Received {
    /// Decodes a packet of the server. Returns `None` if it is none that a player expects.
    pub(crate) fn decode(packet: &[u8]) -> Option<Self> {
        let (&kind, rest) = packet.split_first_chunk()?;
        if kind == AUTH {
            return rest.is_empty().then_some(Self::Admitted);
        }
        let (&id, rest) = rest.split_first_chunk()?;
        let peer = PeerId::new(i32::from_le_bytes(id))?;
        match (kind, rest) {
            (ADD_PEER, []) => Some(Self::PeerJoined(peer)),
            (DEL_PEER, []) => Some(Self::PeerLeft(peer)),
            (RELAY, [RAW, message @ ..]) => {
                Message::decode(message).map(|message| Self::Message { from: peer, message })
            }
            _ => None,
        }
    }
}

/// Returns the packets that select a room and complete the authentication.
pub(crate) fn authentication(room: &str) -> [Bytes; 2] {
    [[&AUTH[..], room.as_bytes()].concat().into(), Bytes::from_static(&AUTH)]
}

// Command SYS, and its subcommands.
const AUTH: [u8; 2] = [7, 0];
const ADD_PEER: [u8; 2] = [7, 1];
const DEL_PEER: [u8; 2] = [7, 2];
const RELAY: [u8; 2] = [7, 3];
/// Receiver of a relayed packet: all others.
const TO_ALL: [u8; 4] = [0; 4];
/// Command of a relayed packet that has bytes of the program.
const RAW: u8 = 3;
/// Bytes before those of the message.
const HEADER: usize = 7;
/// As long as a typical state of a player.
const PACKET_LEN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_with_a_wrong_byte_is_rejected() {
        let sent = Instant::from_millis(77);
        let message = Message { is_reliable: true, sequence: 300, sent };
        let mut packet = message.encode().to_vec();
        packet[2..6].copy_from_slice(&5_i32.to_le_bytes());
        let from = PeerId::new(5).unwrap();
        assert_eq!(Received::decode(&packet), Some(Received::Message { from, message }));
        assert_eq!(Received::decode(&packet[..63]), None);
        packet[63] ^= 1;
        assert_eq!(Received::decode(&packet), None);
    }

    #[test]
    fn announcements_of_peers_are_decoded() {
        let peer = PeerId::new(9).unwrap();
        assert_eq!(Received::decode(&[7, 1, 9, 0, 0, 0]), Some(Received::PeerJoined(peer)));
        assert_eq!(Received::decode(&[7, 2, 9, 0, 0, 0]), Some(Received::PeerLeft(peer)));
        assert_eq!(Received::decode(&[7, 0]), Some(Received::Admitted));
        assert_eq!(Received::decode(&[7, 1, 9, 0, 0, 0, 0]), None);
    }
}
