//! Encoding of messages in packets.

use bytes::Bytes;
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
/// First bytes of packets about nodes.
pub(super) const SIMPLIFY_PATH: u8 = 1;
pub(super) const SPAWN: u8 = 4;
pub(super) const DELTA: u8 = 0x16;
const HEADER: usize = 6;
/// SYS, AUTH; followed by bytes of the program, or nothing to complete the authentication.
const AUTH: [u8; 2] = [7, 0];

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
        if packet == AUTH {
            return ReceivedPacket::Admitted;
        }
        let Some((header, message)) = packet.split_at_checked(HEADER) else {
            return ReceivedPacket::Strange;
        };
        let id = i32::from_le_bytes([header[2], header[3], header[4], header[5]]);
        match ([header[0], header[1]], message) {
            (RELAY, [RAW, message @ ..]) => ReceivedPacket::Message { from: index(id), message },
            (ADD_PEER, []) => ReceivedPacket::AddPeer,
            ([SIMPLIFY_PATH | SPAWN | DELTA, _], _) => ReceivedPacket::Replication,
            _ => ReceivedPacket::Strange,
        }
    }

    /// Returns whether a packet announces another client.
    pub(crate) fn is_add_peer(self, packet: &[u8]) -> bool {
        matches!(self.read(packet), ReceivedPacket::AddPeer)
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
    /// A path, a spawned node or properties of the server or the host.
    Replication,
    /// The server has completed the authentication.
    Admitted,
    Strange,
}

/// Returns the packets that select a room by its number, and complete the authentication.
pub(super) fn authentication(room: u16) -> [Bytes; 2] {
    let selection = [&AUTH[..], room_name(room).as_bytes()].concat();
    [selection.into(), Bytes::from_static(&AUTH)]
}

/// Returns the name of a room that clients select by its number.
pub(crate) fn room_name(room: u16) -> String {
    format!("room-{room}")
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
