//! SIMPLIFY_PATH and CONFIRM_PATH: the numbers of nodes.
//!
//! SIMPLIFY_PATH: `01`, 32 hex digits and a NUL, u32 id, path and a NUL. CONFIRM_PATH (since Godot 4.3): `02`, u8 whether the
//! checksum is equal, u32 id.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{CONFIRM_PATH, SIMPLIFY_PATH, cstring};
use crate::SceneMessage;
use crate::codec::DecodeError;

/// Bytes before the path.
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

/// Godot 4.6.3 asks for the 38 bytes before the path; the path's NUL may be missing.
pub(super) fn decode_simplify(packet: &Bytes) -> Result<SceneMessage, DecodeError> {
    if packet.len() < SIMPLIFY_HEADER {
        return Err(DecodeError::Truncated("SIMPLIFY_PATH"));
    }
    let mut checksum = [0; 32];
    checksum.copy_from_slice(&packet[1..33]);
    let id = (&packet[34..38]).get_u32_le();
    Ok(SceneMessage::SimplifyPath { id, checksum, path: cstring(&packet[SIMPLIFY_HEADER..]) })
}

pub(super) fn encode_confirm(id: u32, checksum_ok: bool, out: &mut BytesMut) {
    out.put_u8(CONFIRM_PATH);
    out.put_u8(u8::from(checksum_ok));
    out.put_u32_le(id);
}

/// Exactly six bytes.
pub(super) fn decode_confirm(packet: &Bytes) -> Result<SceneMessage, DecodeError> {
    let [_, checksum_ok, id @ ..] = &packet[..] else {
        return Err(DecodeError::Truncated("CONFIRM_PATH"));
    };
    let id: [u8; 4] = id.try_into().map_err(|_| DecodeError::Invalid("length of CONFIRM_PATH"))?;
    Ok(SceneMessage::ConfirmPath { id: u32::from_le_bytes(id), checksum_ok: *checksum_ok != 0 })
}
