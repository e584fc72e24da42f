//! SPAWN (4) and DESPAWN (5): announcements of spawned and removed nodes, as captured from Godot
//! 4.6.3.
//!
//! | offset | SPAWN |
//! |---|---|
//! | 0 | command |
//! | 1 | index of the scene; 255: custom spawn |
//! | 2 | u32: path id of the spawner |
//! | 6 | u32: net id of the node |
//! | 10 | u32 `S`: number of synchronizers |
//! | 14 | u32 `N`: size of the name in bytes, with its NUL |
//! | 18 | `S` × u32: net ids of the synchronizers |
//! | | the name |
//! | | custom spawn: u32 size of the data, one compressed value |
//! | | the rest: spawn properties of the synchronizers, compressed |
//!
//! DESPAWN consists of the command and the u32 net id.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::compressed::{decode_compressed, encode_compressed};
use super::variant::{Limits, Objects};
use super::{DESPAWN, SPAWN, cstring};
use crate::codec::{DecodeError, EncodeError};
use crate::message::{Spawn, SpawnSource};

pub(super) const CUSTOM: u8 = 255;

pub(super) fn encode_spawn(spawn: &Spawn, out: &mut BytesMut) -> Result<(), EncodeError> {
    let start = out.len();
    out.put_u8(SPAWN);
    out.put_u8(match spawn.source {
        SpawnSource::Scene(number) => number,
        SpawnSource::Data(_) => CUSTOM,
    });
    out.put_u32_le(spawn.spawner);
    out.put_u32_le(spawn.net_id);
    out.put_u32_le(spawn.synchronizers.len() as u32);
    out.put_u32_le(spawn.name.len() as u32 + 1);
    spawn.synchronizers.iter().for_each(|id| out.put_u32_le(*id));
    out.put_slice(spawn.name.as_bytes());
    out.put_u8(0);
    if let SpawnSource::Data(data) = &spawn.source {
        let size_at = out.len();
        out.put_u32_le(0);
        // As in Godot 4.6.3, never with full objects, even if they are allowed elsewhere.
        if let Err(error) = encode_compressed(data, Objects::Ids, out) {
            out.truncate(start);
            return Err(error.into());
        }
        let size = (out.len() - size_at - 4) as u32;
        out[size_at..size_at + 4].copy_from_slice(&size.to_le_bytes());
    }
    out.put_slice(&spawn.state);
    Ok(())
}

pub(super) fn decode_spawn(packet: &Bytes, limits: &Limits) -> Result<Spawn, DecodeError> {
    let mut rest = packet.slice(1..);
    if rest.len() < 17 {
        return Err(DecodeError::Truncated("the head of a SPAWN"));
    }
    let scene = rest.get_u8();
    let (spawner, net_id) = (rest.get_u32_le(), rest.get_u32_le());
    let (ids, name_len) = (rest.get_u32_le() as usize, rest.get_u32_le() as usize);
    let ids_len = ids.checked_mul(4).filter(|&len| len <= rest.len());
    let ids_len = ids_len.ok_or(DecodeError::Truncated("the synchronizers of a SPAWN"))?;
    if name_len > rest.len() - ids_len {
        return Err(DecodeError::Truncated("the name of a SPAWN"));
    }
    if name_len == 0 {
        return Err(DecodeError::Invalid("name of a SPAWN: empty"));
    }
    let synchronizers = (0..ids).map(|_| rest.get_u32_le()).collect();
    let name = cstring(&rest.split_to(name_len));
    let source = if scene == CUSTOM {
        let size = rest.try_get_u32_le().map(|size| size as usize);
        let size = size.ok().filter(|&size| size <= rest.len());
        let size = size.ok_or(DecodeError::Truncated("the data of a SPAWN"))?;
        let data = rest.split_to(size);
        let limits = Limits { full_objects: None, ..*limits };
        let data = decode_compressed(&mut &data[..], &limits);
        SpawnSource::Data(data.map_err(|_| DecodeError::Invalid("data of a SPAWN"))?)
    } else {
        SpawnSource::Scene(scene)
    };
    Ok(Spawn { source, spawner, net_id, synchronizers, name, state: rest })
}

pub(super) fn encode_despawn(net_id: u32, out: &mut BytesMut) {
    out.put_u8(DESPAWN);
    out.put_u32_le(net_id);
}

pub(super) fn decode_despawn(packet: &Bytes) -> Result<u32, DecodeError> {
    let mut rest = &packet[1..];
    rest.try_get_u32_le().map_err(|_| DecodeError::Truncated("the net id of a DESPAWN"))
}
