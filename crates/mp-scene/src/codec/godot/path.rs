//! SIMPLIFY_PATH and CONFIRM_PATH: path ids of nodes.
//!
//! SIMPLIFY_PATH: `01`, 32 hexadecimal digits and a NUL, u32 id, path and a NUL. CONFIRM_PATH:
//! `02`, u8 whether the checksums match, u32 id; before Godot 4.3 the path and a NUL instead of the
//! id.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{CONFIRM_PATH, SIMPLIFY_PATH, cstring};
use crate::SceneMessage;
use crate::codec::{DecodeError, GodotVersion};
use crate::message::ConfirmedNode;

/// Size in bytes before the path.
const SIMPLIFY_HEADER: usize = 1 + 32 + 1 + 4;

pub(super) fn encode_simplify(id: u32, checksum: &[u8; 32], path: &str, out: &mut BytesMut) {
    out.reserve(SIMPLIFY_HEADER + path.len() + 1);
    out.put_u8(SIMPLIFY_PATH);
    out.put_slice(checksum);
    out.put_u8(0);
    out.put_u32_le(id);
    out.put_slice(path.as_bytes());
    out.put_u8(0);
}

/// Decodes a SIMPLIFY_PATH. As in Godot 4.6.3, the 38 bytes before the path are required, and the
/// NUL after it may be missing.
pub(super) fn decode_simplify(packet: &Bytes) -> Result<SceneMessage, DecodeError> {
    if packet.len() < SIMPLIFY_HEADER {
        return Err(DecodeError::Truncated("SIMPLIFY_PATH"));
    }
    let mut checksum = [0; 32];
    checksum.copy_from_slice(&packet[1..33]);
    let id = (&packet[34..38]).get_u32_le();
    Ok(SceneMessage::SimplifyPath { id, checksum, path: cstring(&packet[SIMPLIFY_HEADER..]) })
}

pub(super) fn encode_confirm(node: &ConfirmedNode, checksum_ok: bool, out: &mut BytesMut) {
    out.put_u8(CONFIRM_PATH);
    out.put_u8(u8::from(checksum_ok));
    match node {
        ConfirmedNode::Id(id) => out.put_u32_le(*id),
        ConfirmedNode::Path(path) => {
            out.put_slice(path.as_bytes());
            out.put_u8(0);
        }
    }
}

/// Decodes a CONFIRM_PATH: six bytes since Godot 4.3, and before that the path.
pub(super) fn decode_confirm(
    packet: &Bytes,
    version: GodotVersion,
) -> Result<SceneMessage, DecodeError> {
    let [_, checksum_ok, rest @ ..] = &packet[..] else {
        return Err(DecodeError::Truncated("CONFIRM_PATH"));
    };
    let node = if version < GodotVersion::V4_3 {
        ConfirmedNode::Path(cstring(rest))
    } else {
        let id: [u8; 4] =
            rest.try_into().map_err(|_| DecodeError::Invalid("length of CONFIRM_PATH"))?;
        ConfirmedNode::Id(u32::from_le_bytes(id))
    };
    Ok(SceneMessage::ConfirmPath { node, checksum_ok: *checksum_ok != 0 })
}
