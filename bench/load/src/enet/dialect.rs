//! What is around a message.

use clap::ValueEnum;

/// What is around a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// Nothing
    Bare,
    /// SceneMultiplayer's relay, as Godot's clients speak it
    Godot,
    /// Nothing, not even ENet: datagrams
    Datagram,
}

/// SYS, RELAY; then a peer id, RAW and the message: `send_bytes`.
const RELAY: [u8; 2] = [7, 3];
const RAW: u8 = 3;
/// SYS, ADD_PEER; then a peer id.
const ADD_PEER: [u8; 2] = [7, 1];
const HEADER: usize = 6;

impl Dialect {
    /// Appends what stands before a message to `to`, the client at a place (`None`: all others).
    pub(crate) fn header(self, to: Option<u16>, out: &mut Vec<u8>) {
        if self == Self::Godot {
            out.extend_from_slice(&RELAY);
            out.extend_from_slice(&to.map_or(0, peer_id).to_le_bytes());
            out.push(RAW);
        }
    }

    /// What a packet is to a client.
    pub(crate) fn read(self, packet: &[u8]) -> Heard<'_> {
        if self != Self::Godot {
            return Heard::Message { from: None, message: packet };
        }
        let Some((header, message)) = packet.split_at_checked(HEADER) else {
            return Heard::Strange;
        };
        let id = i32::from_le_bytes([header[2], header[3], header[4], header[5]]);
        match ([header[0], header[1]], message) {
            (RELAY, [RAW, message @ ..]) => Heard::Message { from: place(id), message },
            (ADD_PEER, []) => Heard::AddPeer,
            _ => Heard::Strange,
        }
    }
}

/// What a packet is to a client.
pub(crate) enum Heard<'a> {
    Message {
        /// Who the server says has sent it.
        from: Option<u16>,
        message: &'a [u8],
    },
    AddPeer,
    Strange,
}

/// Godot's id of the client at a place.
pub(crate) fn peer_id(place: u16) -> i32 {
    FIRST_ID + i32::from(place)
}

fn place(id: i32) -> Option<u16> {
    id.checked_sub(FIRST_ID).and_then(|place| place.try_into().ok())
}

/// A large one, as Godot's are.
const FIRST_ID: i32 = 1_000_000_000;
