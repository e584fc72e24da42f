//! Replaces secrets in packets, whose lengths stay the same.

use std::rc::Rc;

use bytes::Bytes;
use mp_core::PeerId;
use mp_scene::codec::Limits;
use mp_scene::codec::godot::CallLayout;
use mp_scene::{CallNode, Codec, PacketKind, SceneMessage};

use crate::Direction;
use crate::decoder::paths::{AnnouncedNode, PathTable, Sender};
use crate::limits::ALLOCATION_MAX;
use crate::names::ProjectNames;

/// Masks the packets of one connection: the bytes of authentications, and arguments whose names say
/// that they are secret.
#[derive(Debug)]
pub(super) struct Masker {
    codec: Codec,
    limits: Limits,
    names: Option<Rc<ProjectNames>>,
    paths: PathTable,
}

impl Masker {
    pub(super) fn new(names: Option<Rc<ProjectNames>>) -> Self {
        let limits = Limits { allocation: ALLOCATION_MAX, ..Limits::default() };
        Self { codec: Codec::default(), limits, names, paths: PathTable::default() }
    }

    /// Masks a packet, or its first fragment. Returns whether bytes after this fragment may be
    /// secret.
    pub(super) fn mask(&mut self, direction: Direction, packet: &mut [u8]) -> bool {
        let sender = match direction {
            Direction::ToServer => Sender::Client,
            Direction::ToClient => Sender::Peer(PeerId::SERVER),
        };
        if self.codec.kind(packet) != Some(PacketKind::Relay) {
            return self.mask_from(sender, packet);
        }
        let Some((head, inner)) = packet.split_at_mut_checked(RELAY_HEAD_LEN) else { return true };
        let peer = head[2..].try_into().map_or(0, i32::from_le_bytes);
        let sender = match direction {
            Direction::ToServer => Some(Sender::Client),
            Direction::ToClient => PeerId::new(peer).map(Sender::Peer),
        };
        match sender {
            Some(sender) => self.mask_from(sender, inner),
            None => fill(inner),
        }
    }

    fn mask_from(&mut self, sender: Sender, packet: &mut [u8]) -> bool {
        match self.codec.kind(packet) {
            Some(PacketKind::Auth) => {
                let content = packet.len().min(AUTH_HEAD_LEN);
                fill(&mut packet[content..])
            }
            // Within a RELAY it is malformed.
            Some(PacketKind::Relay) => fill(packet),
            Some(PacketKind::Rpc) => self.mask_call(sender, packet),
            Some(PacketKind::Path) => {
                let message = self.codec.decode(&Bytes::copy_from_slice(packet), &self.limits);
                if let Ok(SceneMessage::SimplifyPath { id, checksum, path }) = message {
                    let node = AnnouncedNode { path: path.into(), checksum };
                    self.paths.insert(sender, id, node);
                }
                false
            }
            _ => false,
        }
    }

    fn mask_call(&self, sender: Sender, packet: &mut [u8]) -> bool {
        let Some(names) = &self.names else { return false };
        let Ok(layout) = CallLayout::read(packet, &self.limits) else {
            return fill(&mut packet[1..]);
        };
        let checksum = match layout.node {
            CallNode::Id { id, .. } => self.paths.get(sender, id).map(|node| &node.checksum),
            CallNode::Path(path) => self.paths.checksum(sender, &path.into()),
        };
        let Some(checksum) = checksum else {
            // The announcement was lost, or is too long: the method is not known.
            let start = layout.arguments.first().map_or(layout.rest.start, |first| first.start);
            return fill(&mut packet[start..layout.rest.end]);
        };
        let method = names.script(checksum).and_then(|script| script.method(layout.method));
        let Some(method) = method else { return false };
        let decoded = layout.arguments.len();
        for (index, range) in layout.arguments.into_iter().enumerate() {
            match method.is_secret(index) {
                true if layout.is_raw => drop(fill(&mut packet[range])),
                true => mask_value(&mut packet[range]),
                false => {}
            }
        }
        let has_secrets =
            |from: usize| (from..method.arguments.len()).any(|index| method.is_secret(index));
        if has_secrets(decoded) {
            fill(&mut packet[layout.rest]);
        }
        has_secrets(0)
    }
}

/// Replaces bytes. Returns true.
fn fill(bytes: &mut [u8]) -> bool {
    bytes.fill(MASK);
    true
}

/// Replaces an encoded value by one of the same length.
fn mask_value(value: &mut [u8]) {
    let len = value.len();
    match value.first().map(|first| first & TYPE_MASK) {
        Some(BOOL) => value[0] = BOOL,
        Some(INT) => value[1..].fill(0),
        Some(STRING | STRING_NAME | BYTE_ARRAY) if len >= 8 => drop(fill(&mut value[8..])),
        _ if len >= 8 => {
            value[..4].copy_from_slice(&u32::from(STRING).to_le_bytes());
            value[4..8].copy_from_slice(&(len as u32 - 8).to_le_bytes());
            fill(&mut value[8..]);
        }
        _ => {}
    }
}

/// The byte in place of others.
pub(super) const MASK: u8 = b'*';
const RELAY_HEAD_LEN: usize = 6;
const AUTH_HEAD_LEN: usize = 2;
const TYPE_MASK: u8 = 0x3f;
const BOOL: u8 = 1;
const INT: u8 = 2;
const STRING: u8 = 4;
const STRING_NAME: u8 = 21;
const BYTE_ARRAY: u8 = 29;

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use mp_core::{Variant, variant::Vector2};
    use mp_scene::codec::Objects;
    use mp_scene::codec::godot::compressed::decode_compressed_list;
    use mp_scene::codec::godot::compressed::encode_compressed_list;

    use super::*;

    #[test]
    fn masked_values_keep_their_length_and_can_be_decoded() {
        let dictionary = [(Variant::from("a"), Variant::from("secret"))].into_iter().collect();
        for value in [
            Variant::from(true),
            Variant::from(7_000_000),
            "secret".into(),
            Vector2 { x: 1.5, y: 2.5 }.into(),
            Variant::PackedByteArray(b"secret".to_vec()),
            Variant::Dictionary(dictionary),
            Variant::Nil,
        ] {
            let mut bytes = BytesMut::new();
            encode_compressed_list([&value, &1.into()], Objects::Ids, &mut bytes).unwrap();
            let len = bytes.len() - 2;
            mask_value(&mut bytes[..len]);
            let decoded = decode_compressed_list(&mut &bytes[..], 2, &Limits::default()).unwrap();
            assert_eq!(decoded[1], 1.into(), "{value:?}");
            assert!(decoded[0] != value || value == Variant::Nil, "{value:?}");
            assert!(!bytes.windows(6).any(|window| window == b"secret"), "{value:?}");
        }
    }
}
