//! Godot's authentication packets (`SceneMultiplayer`, SYS command AUTH): reliable, on channel 0,
//! two bytes and the data. Without data, the packet completes the sender's authentication.

use bytes::Bytes;
use mp_core::{Channel, ConnectionId, OutgoingPacket, Prefix, TransferMode};

/// SYS command, and its subcommand AUTH.
const HEADER: &[u8] = &[7, 0];

/// Returns the data of an authentication packet; `None` if the packet is another one.
pub(crate) fn auth_data(payload: &[u8]) -> Option<&[u8]> {
    payload.strip_prefix(HEADER)
}

/// Returns the packet that completes authentication.
pub(crate) fn completion(to: ConnectionId) -> OutgoingPacket {
    OutgoingPacket {
        to: to.into(),
        mode: TransferMode::Reliable,
        channel: Channel(0),
        prefix: Prefix::EMPTY,
        payload: Bytes::from_static(HEADER),
    }
}
