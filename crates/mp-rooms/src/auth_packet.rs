//! Godot's authentication packets (`SceneMultiplayer`, SYS command AUTH): reliable, on channel 0,
//! two bytes and the data. Without data, the packet completes the sender's authentication.

use bytes::Bytes;
use mp_core::{Channel, ConnectionId, OutgoingPacket, Prefix, TransferMode};
use serde_json::json;

/// SYS command, and its subcommand AUTH.
const HEADER: &[u8] = &[7, 0];

/// Returns the data of an authentication packet; `None` if the packet is another one.
pub(crate) fn auth_data(payload: &[u8]) -> Option<&[u8]> {
    payload.strip_prefix(HEADER)
}

/// Returns the packet that completes authentication.
pub(crate) fn completion(to: ConnectionId) -> OutgoingPacket {
    packet(to, Bytes::from_static(HEADER))
}

/// Returns the packet that says why the client is rejected. Its data is a JSON object:
/// `{"code": "room_full", "text": "the room is full"}`.
pub(crate) fn rejection(to: ConnectionId, code: &str, text: &str) -> OutgoingPacket {
    packet(to, [HEADER, json_of(code, text).as_bytes()].concat().into())
}

/// Returns the JSON object that says to a client why the server does something.
pub(crate) fn json_of(code: &str, text: &str) -> String {
    json!({ "code": code, "text": text }).to_string()
}

/// Returns a reliable packet on channel 0.
pub(crate) fn packet(to: ConnectionId, payload: Bytes) -> OutgoingPacket {
    OutgoingPacket {
        to: to.into(),
        mode: TransferMode::Reliable,
        channel: Channel(0),
        prefix: Prefix::EMPTY,
        payload,
    }
}
