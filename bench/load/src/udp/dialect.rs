//! Encoding of messages in packets.

use clap::ValueEnum;

/// Encoding of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// The message alone
    Bare,
    /// SceneMultiplayer's relay packets, as sent by Godot's clients
    Godot,
}

/// SYS, RELAY; followed by a peer id, RAW and the message: `send_bytes`.
const RELAY: [u8; 2] = [7, 3];
const RAW: u8 = 3;
/// SYS, ADD_PEER; followed by a peer id.
const ADD_PEER: [u8; 2] = [7, 1];
const HEADER: usize = 6;

impl Dialect {
    /// Appends the header of a message to client `to` (`None`: all others).
    pub(crate) fn header(self, to: Option<u16>, out: &mut Vec<u8>) {
        if self == Self::Godot {
            out.extend_from_slice(&RELAY);
            out.extend_from_slice(&to.map_or(0, peer_id).to_le_bytes());
            out.push(RAW);
        }
    }

    /// Decodes a packet for a client.
    pub(crate) fn read(self, packet: &[u8]) -> ReceivedPacket<'_> {
        if self != Self::Godot {
            return ReceivedPacket::Message { from: None, message: packet };
        }
        let Some((header, message)) = packet.split_at_checked(HEADER) else {
            return ReceivedPacket::Strange;
        };
        let id = i32::from_le_bytes([header[2], header[3], header[4], header[5]]);
        match ([header[0], header[1]], message) {
            (RELAY, [RAW, message @ ..]) => ReceivedPacket::Message { from: index(id), message },
            (ADD_PEER, []) => ReceivedPacket::AddPeer,
            _ => ReceivedPacket::Strange,
        }
    }
}

/// Decoded packet.
pub(crate) enum ReceivedPacket<'a> {
    Message {
        /// Sender, as reported by the server.
        from: Option<u16>,
        message: &'a [u8],
    },
    AddPeer,
    Strange,
}

/// Returns Godot's id of the client at an index.
pub(crate) fn peer_id(index: u16) -> i32 {
    FIRST_ID + i32::from(index)
}

fn index(id: i32) -> Option<u16> {
    id.checked_sub(FIRST_ID).and_then(|index| index.try_into().ok())
}

/// Large, as Godot's ids are.
const FIRST_ID: i32 = 1_000_000_000;
