//! Godot 4's wire protocol, as captured from 4.6.3 (and unchanged since 4.3, according to its
//! history). Numbers are little-endian.
//!
//! The first byte of a packet contains the command in bits 0 to 2, and flags of the command in bits
//! 4 to 7.

pub mod compressed;
pub mod elements;
mod id_map;
mod path;
mod rpc;
mod spawn;
pub(crate) mod sync;
mod sys;
pub mod variant;

use bytes::{BufMut, Bytes, BytesMut};

pub use id_map::{
    IdMap, SpawnIdentity, despawn_id, map_ids, spawn_identity, spawn_ids, with_spawner,
};
pub(crate) use id_map::{RelayedAnnouncement, confirm_path, relayed_announcement, with_sync_time};
pub use rpc::CallLayout;
pub(crate) use rpc::EncodedCall;
pub use sync::{BY_PATH as SYNCHRONIZER_BY_PATH, next_delta_element, next_sync_element};
pub use sys::relay_prefix;
pub(crate) use sys::relayed;
pub use variant::VariantError;
use variant::{Limits, Objects};

use super::{DecodeError, EncodeError, GodotVersion};
use crate::{PacketKind, SceneMessage};

/// Command bits of the first byte; bit 3 is ignored.
pub(crate) const COMMAND_MASK: u8 = 7;

const REMOTE_CALL: u8 = 0;
const SIMPLIFY_PATH: u8 = 1;
const CONFIRM_PATH: u8 = 2;
const RAW: u8 = 3;
const SPAWN: u8 = 4;
const DESPAWN: u8 = 5;
const SYNC: u8 = 6;
/// Bit 4 of a SYNC: the packet is a DELTA.
const DELTA_FLAG: u8 = 1 << 4;
pub(crate) const SYS: u8 = 7;

pub(super) fn encode(
    message: &SceneMessage,
    objects: Objects,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    match message {
        SceneMessage::RemoteCall(call) => rpc::encode(call, objects, out)?,
        SceneMessage::SimplifyPath { id, checksum, path } => {
            path::encode_simplify(*id, checksum, path, out);
        }
        SceneMessage::ConfirmPath { node, checksum_ok } => {
            path::encode_confirm(node, *checksum_ok, out)
        }
        SceneMessage::Raw(bytes) => {
            out.put_u8(RAW);
            out.put_slice(bytes);
        }
        SceneMessage::Spawn(spawn) => spawn::encode_spawn(spawn, out)?,
        SceneMessage::Despawn(net_id) => spawn::encode_despawn(*net_id, out),
        SceneMessage::Sync { time, elements } => sync::encode_sync(*time, elements, out),
        SceneMessage::Delta(elements) => sync::encode_delta(elements, out),
        SceneMessage::Auth(bytes) => sys::encode_auth(bytes, out),
        SceneMessage::AddPeer(peer) => sys::encode_peer(sys::ADD_PEER, peer.get(), out),
        SceneMessage::DelPeer(peer) => sys::encode_peer(sys::DEL_PEER, peer.get(), out),
        SceneMessage::Relay { peer, inner } => {
            out.put_slice(relay_prefix(*peer).as_slice());
            out.put_slice(inner);
        }
    }
    Ok(())
}

pub(super) fn decode(
    packet: &Bytes,
    version: GodotVersion,
    limits: &Limits,
) -> Result<SceneMessage, DecodeError> {
    let first = *packet.first().ok_or(DecodeError::Empty)?;
    match first & COMMAND_MASK {
        REMOTE_CALL => rpc::decode(packet, limits).map(SceneMessage::RemoteCall),
        _ => decode_without_arguments(packet, version, limits),
    }
}

/// Decodes a packet, but not the arguments of a call.
pub(super) fn decode_without_arguments(
    packet: &Bytes,
    version: GodotVersion,
    limits: &Limits,
) -> Result<SceneMessage, DecodeError> {
    let first = *packet.first().ok_or(DecodeError::Empty)?;
    match first & COMMAND_MASK {
        REMOTE_CALL => rpc::decode_head(packet).map(SceneMessage::RemoteCall),
        SIMPLIFY_PATH => path::decode_simplify(packet),
        CONFIRM_PATH => path::decode_confirm(packet, version),
        RAW if packet.len() == 1 => Err(DecodeError::Truncated("the bytes of a raw packet")),
        RAW => Ok(SceneMessage::Raw(packet.slice(1..))),
        SPAWN => spawn::decode_spawn(packet, limits).map(SceneMessage::Spawn),
        DESPAWN => spawn::decode_despawn(packet).map(SceneMessage::Despawn),
        SYNC if sync::is_delta(first) => sync::decode_delta(packet).map(SceneMessage::Delta),
        SYNC => {
            sync::decode_sync(packet).map(|(time, elements)| SceneMessage::Sync { time, elements })
        }
        SYS => sys::decode(packet),
        unknown => Err(DecodeError::UnknownCommand(unknown)),
    }
}

/// Returns the kind of a packet that begins with `head`; `None` if the packet is empty.
#[inline]
pub(crate) fn kind(head: &[u8]) -> Option<PacketKind> {
    let first = *head.first()?;
    Some(match first & COMMAND_MASK {
        REMOTE_CALL => PacketKind::Rpc,
        SIMPLIFY_PATH | CONFIRM_PATH => PacketKind::Path,
        RAW => PacketKind::Raw,
        SPAWN => PacketKind::Spawn,
        DESPAWN => PacketKind::Despawn,
        SYNC if sync::is_delta(first) => PacketKind::Delta,
        SYNC => PacketKind::Sync,
        _ => sys::kind(head),
    })
}

/// Decodes a packet that is a call, but not its arguments; returns `None` for another packet.
pub(super) fn call(packet: &[u8]) -> Option<Result<EncodedCall<'_>, DecodeError>> {
    let is_call = packet.first().is_some_and(|first| first & COMMAND_MASK == REMOTE_CALL);
    is_call.then(|| EncodedCall::read(packet))
}

/// Returns the text before the first NUL, or all of it if there is none. As in Godot, invalid UTF-8
/// is replaced, so that such a path matches no node.
fn cstring(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
