//! Replaces the ids in encoded packets, for a server that forwards packets of a client as its own.
//!
//! Path ids and net ids belong to the `SceneMultiplayer` that sends them. A receiver that takes
//! several senders for one needs ids that do not collide.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::sync::{
    BY_PATH, DELTA_ELEMENT_HEAD, DELTA_HEAD, SYNC_ELEMENT_HEAD, SYNC_HEAD, is_delta,
    next_delta_element, next_sync_element,
};
use super::{
    COMMAND_MASK, CONFIRM_PATH, DESPAWN, RAW, REMOTE_CALL, SIMPLIFY_PATH, SPAWN, SYNC, cstring,
    rpc, spawn,
};
use crate::codec::DecodeError;

/// Offsets of fields in SIMPLIFY_PATH, SPAWN and DESPAWN.
const SIMPLIFY_ID_AT: usize = 34;
const CONFIRM_ID_AT: usize = 2;
const SPAWN_SCENE_AT: usize = 1;
const SPAWN_SPAWNER_AT: usize = 2;
const SPAWN_NET_ID_AT: usize = 6;
const SPAWN_COUNT_AT: usize = 10;
const SPAWN_NAME_LEN_AT: usize = 14;
const SPAWN_SYNCHRONIZERS_AT: usize = 18;
const DESPAWN_NET_ID_AT: usize = 1;

/// The ids with which those of a sender are replaced.
pub trait IdMap {
    /// Returns the replacement of a path id; `None` if the id is unknown. It is less than 2³¹.
    fn path_id(&mut self, id: u32) -> Option<u32>;

    /// Returns the replacement of a net id, of a node or a synchronizer; `None` if the id is
    /// unknown. It is less than 2³¹.
    fn net_id(&mut self, id: u32) -> Option<u32>;

    /// Returns the replacement of the sequence number of a SYNC. Default: the same number.
    fn sync_time(&mut self, time: u16) -> u16 {
        time
    }
}

/// Returns `packet` with other ids. Returns `None` if nothing is left to send because ids are
/// unknown: of a SYNC or DELTA, only the elements with unknown ids are left out.
///
/// The id in a CONFIRM_PATH belongs to its receiver and stays. Values are not decoded.
///
/// # Errors
///
/// If the packet is malformed, or a SYS message.
pub fn map_ids(packet: &Bytes, ids: &mut dyn IdMap) -> Result<Option<Bytes>, DecodeError> {
    let first = *packet.first().ok_or(DecodeError::Empty)?;
    match first & COMMAND_MASK {
        REMOTE_CALL => rpc::map_node_id(packet, |id| ids.path_id(id)),
        SIMPLIFY_PATH => {
            let id = u32_at(packet, SIMPLIFY_ID_AT, "SIMPLIFY_PATH")?;
            Ok(ids.path_id(id).map(|id| with_u32s(packet, [(SIMPLIFY_ID_AT, id)])))
        }
        CONFIRM_PATH | RAW => Ok(Some(packet.clone())),
        SPAWN => map_spawn(packet, ids),
        DESPAWN => {
            let id = u32_at(packet, DESPAWN_NET_ID_AT, "the net id of a DESPAWN")?;
            Ok(ids.net_id(id).map(|id| with_u32s(packet, [(DESPAWN_NET_ID_AT, id)])))
        }
        SYNC if is_delta(first) => map_delta(packet, ids),
        SYNC => map_sync(packet, ids),
        unknown => Err(DecodeError::UnknownCommand(unknown)),
    }
}

/// The part of a packet of another client that its receiver remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RelayedAnnouncement {
    /// A path with this id.
    Path(u32),
    /// A node.
    Node,
    /// It confirms this path id.
    Confirmation(u32),
    /// It is a SYNC with this number of the step.
    Sync(u16),
    /// Nothing.
    None,
}

/// Returns the part of a packet that its receiver remembers. It is not checked otherwise.
pub(crate) fn relayed_announcement(packet: &[u8]) -> RelayedAnnouncement {
    let id_at = |at| u32_at(packet, at, "an id");
    let announced = match packet.first().map(|first| first & COMMAND_MASK) {
        Some(SIMPLIFY_PATH) => id_at(SIMPLIFY_ID_AT).map(RelayedAnnouncement::Path),
        Some(CONFIRM_PATH) => id_at(CONFIRM_ID_AT).map(RelayedAnnouncement::Confirmation),
        Some(SPAWN) => Ok(RelayedAnnouncement::Node),
        Some(SYNC) if !is_delta(packet[0]) && packet.len() >= SYNC_HEAD => {
            Ok(RelayedAnnouncement::Sync(u16::from_le_bytes([packet[1], packet[2]])))
        }
        _ => Ok(RelayedAnnouncement::None),
    };
    announced.unwrap_or(RelayedAnnouncement::None)
}

/// Returns a SYNC with another number of the step.
pub(crate) fn with_sync_time(packet: &[u8], time: u16) -> Bytes {
    let mut bytes = BytesMut::from(packet);
    bytes[1..SYNC_HEAD].copy_from_slice(&time.to_le_bytes());
    bytes.freeze()
}

/// Returns a function that returns this CONFIRM_PATH with another id.
pub(crate) fn confirm_path(packet: &[u8]) -> impl Fn(u32) -> Bytes {
    move |id| with_u32s(packet, [(CONFIRM_ID_AT, id)])
}

/// Returns the path id of the spawner, the net id of the node, and those of its synchronizers, in a
/// SPAWN. The rest is not decoded.
///
/// # Errors
///
/// If the packet is shorter than its ids.
pub fn spawn_ids(packet: &Bytes) -> Result<(u32, u32, Vec<u32>), DecodeError> {
    let spawner = u32_at(packet, SPAWN_SPAWNER_AT, "the head of a SPAWN")?;
    let net_id = u32_at(packet, SPAWN_NET_ID_AT, "the head of a SPAWN")?;
    let mut synchronizers = spawned_synchronizers(packet)?;
    let ids = (0..synchronizers.len() / 4).map(|_| synchronizers.get_u32_le()).collect();
    Ok((spawner, net_id, ids))
}

/// The name of a spawned node, and the source from which it is created, in its encoding: two SPAWNs
/// with equal sources create the same node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpawnIdentity {
    /// The node's name.
    pub name: String,
    /// The index of the scene, or the data of a custom spawn.
    pub source: Bytes,
}

/// Returns the name and the source of the node in a SPAWN. The data of a custom spawn is not
/// decoded.
///
/// # Errors
///
/// If the packet is shorter than these fields.
pub fn spawn_identity(packet: &Bytes) -> Result<SpawnIdentity, DecodeError> {
    let truncated = |field| move || DecodeError::Truncated(field);
    let name_at = SPAWN_SYNCHRONIZERS_AT + spawned_synchronizers(packet)?.len();
    let name_len = u32_at(packet, SPAWN_NAME_LEN_AT, "the head of a SPAWN")? as usize;
    let rest = packet.get(name_at..).unwrap_or_default();
    let name = rest.get(..name_len).ok_or_else(truncated("the name of a SPAWN"))?;
    let scene = packet[SPAWN_SCENE_AT];
    let source_at = name_at + name_len;
    let source = match scene {
        spawn::CUSTOM => {
            let size = u32_at(packet, source_at, "the data of a SPAWN")? as usize;
            let data = packet.get(source_at + 4..).and_then(|rest| rest.get(..size));
            packet.slice_ref(data.ok_or_else(truncated("the data of a SPAWN"))?)
        }
        _ => packet.slice(SPAWN_SCENE_AT..=SPAWN_SCENE_AT),
    };
    Ok(SpawnIdentity { name: cstring(name), source })
}

/// Returns a SPAWN with another path id of its spawner.
///
/// # Errors
///
/// If the packet is shorter than the id.
pub fn with_spawner(packet: &Bytes, spawner: u32) -> Result<Bytes, DecodeError> {
    u32_at(packet, SPAWN_SPAWNER_AT, "the head of a SPAWN")?;
    Ok(with_u32s(packet, [(SPAWN_SPAWNER_AT, spawner)]))
}

/// Returns the net id in a DESPAWN.
///
/// # Errors
///
/// If the packet is too short.
pub fn despawn_id(packet: &Bytes) -> Result<u32, DecodeError> {
    u32_at(packet, DESPAWN_NET_ID_AT, "the net id of a DESPAWN")
}

/// Returns the encoded synchronizer ids of a SPAWN.
fn spawned_synchronizers(packet: &Bytes) -> Result<&[u8], DecodeError> {
    let truncated = || DecodeError::Truncated("the synchronizers of a SPAWN");
    let count = u32_at(packet, SPAWN_COUNT_AT, "the head of a SPAWN")? as usize;
    let rest = packet.get(SPAWN_SYNCHRONIZERS_AT..).ok_or_else(truncated)?;
    count.checked_mul(4).and_then(|len| rest.get(..len)).ok_or_else(truncated)
}

fn map_spawn(packet: &Bytes, ids: &mut dyn IdMap) -> Result<Option<Bytes>, DecodeError> {
    let (spawner, net_id, synchronizers) = spawn_ids(packet)?;
    let Some(spawner) = ids.path_id(spawner) else { return Ok(None) };
    let Some(net_id) = ids.net_id(net_id) else { return Ok(None) };
    let mut fields = vec![(SPAWN_SPAWNER_AT, spawner), (SPAWN_NET_ID_AT, net_id)];
    for (number, id) in synchronizers.into_iter().enumerate() {
        let Some(id) = ids.net_id(id) else { return Ok(None) };
        fields.push((SPAWN_SYNCHRONIZERS_AT + 4 * number, id));
    }
    Ok(Some(with_u32s(packet, fields)))
}

/// An element beyond the end of the packet ends it, as at its receiver.
fn map_sync(packet: &Bytes, ids: &mut dyn IdMap) -> Result<Option<Bytes>, DecodeError> {
    let mut mapped = BytesMut::with_capacity(packet.len());
    let head = packet.get(..SYNC_HEAD).ok_or(DecodeError::Truncated("the head of a SYNC"))?;
    mapped.put_u8(head[0]);
    mapped.put_u16_le(ids.sync_time(u16::from_le_bytes([head[1], head[2]])));
    let mut rest = packet.slice(SYNC_HEAD..);
    while let Some(Ok((id, values))) = next_sync_element(&mut rest) {
        if let Some(id) = synchronizer_id(id, ids) {
            mapped.reserve(SYNC_ELEMENT_HEAD + values.len());
            mapped.put_u32_le(id);
            mapped.put_u32_le(values.len() as u32);
            mapped.put_slice(&values);
        }
    }
    Ok((mapped.len() > SYNC_HEAD).then(|| mapped.freeze()))
}

/// An element beyond the end of the packet ends it, as at its receiver.
fn map_delta(packet: &Bytes, ids: &mut dyn IdMap) -> Result<Option<Bytes>, DecodeError> {
    let mut mapped = BytesMut::with_capacity(packet.len());
    mapped.put_slice(&packet[..DELTA_HEAD]);
    let mut rest = packet.slice(DELTA_HEAD..);
    while let Some(Ok((id, mask, values))) = next_delta_element(&mut rest) {
        if let Some(id) = synchronizer_id(id, ids) {
            mapped.reserve(DELTA_ELEMENT_HEAD + values.len());
            mapped.put_u32_le(id);
            mapped.put_u64_le(mask);
            mapped.put_u32_le(values.len() as u32);
            mapped.put_slice(&values);
        }
    }
    Ok((mapped.len() > DELTA_HEAD).then(|| mapped.freeze()))
}

/// Maps the id of a synchronizer in a SYNC or DELTA: a net id, or a path id with bit 31.
fn synchronizer_id(id: u32, ids: &mut dyn IdMap) -> Option<u32> {
    match id & BY_PATH {
        0 => ids.net_id(id),
        _ => ids.path_id(id & !BY_PATH).map(|id| id | BY_PATH),
    }
}

fn u32_at(packet: &[u8], at: usize, field: &'static str) -> Result<u32, DecodeError> {
    let mut bytes = packet.get(at..).unwrap_or_default();
    bytes.try_get_u32_le().map_err(|_| DecodeError::Truncated(field))
}

/// Returns `packet` with other numbers at some offsets, which are within the packet.
fn with_u32s(packet: &[u8], fields: impl IntoIterator<Item = (usize, u32)>) -> Bytes {
    let mut bytes = BytesMut::from(packet);
    for (at, value) in fields {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use mp_core::Variant;

    use super::*;
    use crate::codec::{Codec, Limits, Objects};
    use crate::{CallNode, RemoteCall, SceneMessage, Spawn, SpawnSource};

    /// Adds 1,000 to path ids and 2,000 to net ids; ids above 99 are unknown.
    struct Shift;

    impl IdMap for Shift {
        fn path_id(&mut self, id: u32) -> Option<u32> {
            (id < 100).then_some(id + 1_000)
        }

        fn net_id(&mut self, id: u32) -> Option<u32> {
            (id < 100).then_some(id + 2_000)
        }
    }

    fn encode(message: &SceneMessage) -> Bytes {
        let mut packet = BytesMut::new();
        Codec::default().encode(message, Objects::Ids, &mut packet).unwrap();
        packet.freeze()
    }

    /// Returns the message with mapped ids; `None` if it is not sent.
    fn mapped(message: &SceneMessage) -> Option<SceneMessage> {
        let packet = map_ids(&encode(message), &mut Shift).unwrap()?;
        Some(Codec::default().decode(&packet, &Limits::default()).unwrap())
    }

    fn call(node: CallNode) -> SceneMessage {
        let args = vec![Variant::Int(5), Variant::from("five")];
        SceneMessage::RemoteCall(RemoteCall { node, method: 300, args, complete: true })
    }

    #[test]
    fn node_of_a_call_is_mapped_and_its_size_grows() {
        let by_id = |id, wide| call(CallNode::Id { id, wide });
        assert_eq!(mapped(&by_id(5, false)), Some(by_id(1_005, false)));
        assert_eq!(mapped(&by_id(5, true)), Some(by_id(1_005, true)));
        assert_eq!(mapped(&by_id(100, false)), None);
        let by_path = call(CallNode::Path("Players/2".to_owned()));
        assert_eq!(mapped(&by_path), Some(by_path));
    }

    #[test]
    fn all_ids_of_a_spawn_are_mapped() {
        let spawn = |spawner, net_id, synchronizers: [u32; 2]| {
            let (source, name) = (SpawnSource::Data(Variant::Int(7)), "Unit".to_owned());
            let (synchronizers, state) = (synchronizers.to_vec(), Bytes::from_static(&[2, 9]));
            SceneMessage::Spawn(Spawn { source, spawner, net_id, synchronizers, name, state })
        };
        assert_eq!(mapped(&spawn(1, 2, [3, 4])), Some(spawn(1_001, 2_002, [2_003, 2_004])));
        assert_eq!(mapped(&spawn(100, 2, [3, 4])), None);
        assert_eq!(mapped(&spawn(1, 2, [3, 100])), None);
        let packet = encode(&spawn(1, 2, [3, 4]));
        assert_eq!(spawn_ids(&packet).unwrap(), (1, 2, vec![3, 4]));
        for len in 0..26 {
            assert!(spawn_ids(&packet.slice(..len)).is_err(), "{len} bytes");
        }
        let identity = spawn_identity(&packet).unwrap();
        assert_eq!((&*identity.name, &identity.source[..]), ("Unit", &[2, 7][..]));
        for len in 0..packet.len() - 2 {
            assert!(spawn_identity(&packet.slice(..len)).is_err(), "{len} bytes");
        }
        assert_eq!(
            with_spawner(&packet, 1_001),
            with_spawner(&encode(&spawn(9, 2, [3, 4])), 1_001)
        );
    }

    #[test]
    fn elements_with_unknown_ids_are_left_out() {
        fn sync(ids: &[u32]) -> SceneMessage {
            let mut elements = BytesMut::new();
            for id in ids {
                elements.put_slice(&id.to_le_bytes());
                elements.put_slice(&[2, 0, 0, 0, 2, 250]);
            }
            SceneMessage::Sync { time: 9, elements: elements.freeze() }
        }
        fn delta(ids: &[u32]) -> SceneMessage {
            let mut elements = BytesMut::new();
            for id in ids {
                elements.put_slice(&id.to_le_bytes());
                elements.put_slice(&[3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2, 250, 2, 7]);
            }
            SceneMessage::Delta(elements.freeze())
        }
        let path = |id: u32| id | BY_PATH;
        for message in [sync, delta] {
            let kept = mapped(&message(&[5, 100, path(6), path(100)]));
            assert_eq!(kept, Some(message(&[2_005, path(1_006)])));
            assert_eq!(mapped(&message(&[100])), None);
        }
    }

    #[test]
    fn confirmed_ids_and_raw_bytes_stay() {
        let (node, checksum_ok) = (crate::ConfirmedNode::Id(7), true);
        let confirmation = SceneMessage::ConfirmPath { node, checksum_ok };
        assert_eq!(mapped(&confirmation), Some(confirmation));
        let raw = SceneMessage::Raw(Bytes::from_static(b"raw"));
        assert_eq!(mapped(&raw), Some(raw));
        let announced = |id| {
            let (checksum, path) = ([b'0'; 32], "Units".to_owned());
            SceneMessage::SimplifyPath { id, checksum, path }
        };
        assert_eq!(mapped(&announced(7)), Some(announced(1_007)));
        assert_eq!(mapped(&SceneMessage::Despawn(7)), Some(SceneMessage::Despawn(2_007)));
    }

    #[test]
    fn receiver_remembers_paths_nodes_and_numbers_of_syncs() {
        let (checksum, path) = ([b'0'; 32], "Units".to_owned());
        let announced = encode(&SceneMessage::SimplifyPath { id: 7, checksum, path });
        assert_eq!(relayed_announcement(&announced), RelayedAnnouncement::Path(7));
        let confirmed = |id| {
            let (node, checksum_ok) = (crate::ConfirmedNode::Id(id), true);
            encode(&SceneMessage::ConfirmPath { node, checksum_ok })
        };
        assert_eq!(relayed_announcement(&confirmed(7)), RelayedAnnouncement::Confirmation(7));
        assert_eq!(confirm_path(&confirmed(7))(9), confirmed(9));
        let sync = |time| encode(&SceneMessage::Sync { time, elements: Bytes::new() });
        assert_eq!(relayed_announcement(&sync(300)), RelayedAnnouncement::Sync(300));
        assert_eq!(with_sync_time(&sync(300), 2), sync(2));
        let delta = encode(&SceneMessage::Delta(Bytes::new()));
        for packet in [&[][..], &announced[..30], &confirmed(7)[..3], &sync(1)[..2], &delta] {
            assert_eq!(relayed_announcement(packet), RelayedAnnouncement::None, "{packet:?}");
        }
    }

    #[test]
    fn truncated_packets_are_errors_or_empty() {
        for command in 0..=7_u8 {
            for len in 0..40 {
                let mut packet = vec![0; len];
                if let Some(first) = packet.first_mut() {
                    *first = command;
                }
                let _ = map_ids(&packet.into(), &mut Shift);
            }
        }
        let add_peer = encode(&SceneMessage::AddPeer(mp_core::PeerId::SERVER));
        assert_eq!(map_ids(&add_peer, &mut Shift), Err(DecodeError::UnknownCommand(7)));
    }
}
