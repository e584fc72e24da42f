//! SYS: messages about peers.
//!
//! `07`, then a u8 kind: 0 AUTH, with bytes; 1 ADD_PEER, 2 DEL_PEER and 3 RELAY, with an i32 peer.
//! RELAY continues with the inner packet.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mp_core::{PeerId, Prefix};

use super::SYS;
use crate::codec::DecodeError;
use crate::{PacketKind, SceneMessage};

const AUTH: u8 = 0;
pub(super) const ADD_PEER: u8 = 1;
pub(super) const DEL_PEER: u8 = 2;
const RELAY: u8 = 3;

/// Size in bytes of the command, the kind and the peer.
const HEADER: usize = 1 + 1 + 4;

/// Returns the bytes before the inner packet of a RELAY.
pub fn relay_prefix(peer: i32) -> Prefix {
    let mut header = [SYS, RELAY, 0, 0, 0, 0];
    header[2..].copy_from_slice(&peer.to_le_bytes());
    Prefix::new(&header)
}

/// Returns the content of a RELAY; no bytes if there are none.
pub(crate) fn relayed(packet: &Bytes) -> Bytes {
    packet.slice(HEADER.min(packet.len())..)
}

/// Returns the kind of a SYS.
pub(super) fn kind(head: &[u8]) -> PacketKind {
    match head.get(1) {
        Some(&AUTH) => PacketKind::Auth,
        Some(&RELAY) => PacketKind::Relay,
        _ => PacketKind::Sys,
    }
}

pub(super) fn encode_auth(bytes: &[u8], out: &mut BytesMut) {
    out.put_u8(SYS);
    out.put_u8(AUTH);
    out.put_slice(bytes);
}

pub(super) fn encode_peer(kind: u8, peer: i32, out: &mut BytesMut) {
    out.put_u8(SYS);
    out.put_u8(kind);
    out.put_i32_le(peer);
}

/// Decodes a SYS. Bytes after ADD_PEER and DEL_PEER are ignored, as in Godot 4.6.3.
pub(super) fn decode(packet: &Bytes) -> Result<SceneMessage, DecodeError> {
    let kind = *packet.get(1).ok_or(DecodeError::Truncated("SYS"))?;
    if kind == AUTH {
        return Ok(SceneMessage::Auth(packet.slice(2..)));
    }
    if packet.len() < HEADER {
        return Err(DecodeError::Truncated("SYS"));
    }
    let peer = (&packet[2..HEADER]).get_i32_le();
    let id = || PeerId::new(peer).ok_or(DecodeError::PeerId(peer));
    match kind {
        ADD_PEER => Ok(SceneMessage::AddPeer(id()?)),
        DEL_PEER => Ok(SceneMessage::DelPeer(id()?)),
        RELAY if packet.len() == HEADER => Err(DecodeError::Truncated("the inner packet of RELAY")),
        RELAY => Ok(SceneMessage::Relay { peer, inner: packet.slice(HEADER..) }),
        unknown => Err(DecodeError::UnknownCommand(unknown)),
    }
}
