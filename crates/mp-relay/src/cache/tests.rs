//! The size of the cache.

use bytes::{BufMut, BytesMut};
use mp_core::{Rng, Variant};
use mp_scene::codec::Objects;
use mp_scene::{Codec, SceneMessage, Spawn, SpawnSource};

use super::*;
use crate::limits::CACHE_BYTES_MAX;
use crate::{SeatStats, ids::RoomIds};

/// A cache, and the ids of its host. The path id of the spawner is 1, that of a placed synchronizer
/// is 2.
struct Recorded {
    cache: StateCache,
    ids: HostIds,
}

impl Recorded {
    fn new() -> Self {
        let (mut ids, mut room) = (HostIds::with_paths(), RoomIds::default());
        let mut stats = SeatStats::default();
        for (id, path) in [(1, "World/Units/Spawner"), (2, "World/Unit3/Clock")] {
            let path = AnnouncedPath::new(path.to_owned(), [b'0'; 32]);
            ids.add_path(&mut room, &mut stats, id, path);
        }
        Self { cache: StateCache::default(), ids }
    }

    /// Records a node with two synchronizers, of which one has four on-change properties.
    fn add(&mut self, number: u32) {
        let net_id = 3 * number;
        let synchronizers = vec![net_id + 1, net_id + 2];
        let spawn = encode(&SceneMessage::Spawn(Spawn {
            source: SpawnSource::Scene(0),
            spawner: 1,
            net_id,
            synchronizers: synchronizers.clone(),
            name: format!("Unit{number}"),
            state: Bytes::from(vec![2; 32]),
        }));
        let identity = mp_scene::codec::godot::spawn_identity(&spawn).unwrap();
        let spawner = self.ids.announced(1).unwrap().clone();
        self.cache.insert(net_id, spawner, &identity, synchronizers);
        self.cache.record_spawn(net_id, &spawn);
    }

    /// Records values of a synchronizer.
    fn set(&mut self, id: u32, value: i64) {
        let mut values = BytesMut::new();
        for value in [Variant::Int(value), Variant::from("four"), true.into(), 0.5.into()] {
            mp_scene::codec::godot::compressed::encode_compressed(
                &value,
                Objects::Ids,
                &mut values,
            )
            .unwrap();
        }
        let mut elements = BytesMut::new();
        elements.put_u32_le(id);
        elements.put_u64_le(0b1111);
        elements.put_u32_le(values.len() as u32);
        elements.put_slice(&values);
        self.cache.record_delta(&encode(&SceneMessage::Delta(elements.freeze())), &self.ids);
        let mut elements = BytesMut::new();
        elements.put_u32_le(id);
        elements.put_u32_le(values.len() as u32);
        elements.put_slice(&values);
        let sync = SceneMessage::Sync { time: 1, elements: elements.freeze() };
        self.cache.record_sync(&encode(&sync), &self.ids);
    }

    fn remove_all(&mut self) {
        self.cache.retain(|_| false);
    }
}

fn encode(message: &SceneMessage) -> Bytes {
    let mut packet = BytesMut::new();
    Codec::default().encode(message, Objects::Ids, &mut packet).unwrap();
    packet.freeze()
}

#[test]
fn memory_of_a_node_is_at_most_its_share_of_the_budget() {
    const NODES: u32 = 2_000;
    let mut recorded = Recorded::new();
    let info = allocation_counter::measure(|| {
        for number in 1..=NODES {
            recorded.add(number);
            recorded.set(3 * number + 1, number.into());
        }
    });
    let (used, counted) = (info.bytes_current as usize, recorded.cache.bytes());
    println!("{} bytes per node, counted as {}", used / NODES as usize, counted / NODES as usize);
    assert_eq!(recorded.cache.len(), NODES as usize);
    assert!(used <= counted, "{used} bytes are counted as {counted}");
    assert!(counted <= 2 * used, "{used} bytes are counted as {counted}");
}

#[test]
fn bytes_of_removed_nodes_are_released() {
    let mut rng = Rng::seed_from_u64(1);
    let mut recorded = Recorded::new();
    for _ in 0..2_000 {
        let number = rng.below(20) as u32 + 1;
        match rng.below(4) {
            0 => recorded.add(number),
            1 => recorded.cache.remove(3 * number),
            2 => recorded.set(BY_PATH | 2, rng.below(1 << 40) as i64),
            _ => recorded.set(3 * number + rng.below(3) as u32, rng.below(1 << 40) as i64),
        }
    }
    assert!(recorded.cache.bytes() > 0);
    // The placed synchronizer is below Unit3.
    recorded.add(3);
    recorded.remove_all();
    assert_eq!((recorded.cache.bytes(), recorded.cache.len()), (0, 0));
    assert!(recorded.cache.placed.is_empty() && recorded.cache.spawned.is_empty());
}

#[test]
fn cache_beyond_its_bound_is_incomplete() {
    let mut recorded = Recorded::new();
    recorded.add(1);
    let mut values = vec![0; CACHE_BYTES_MAX];
    let mut elements = BytesMut::new();
    elements.put_u32_le(4);
    elements.put_u32_le(values.len() as u32);
    elements.put_slice(&values);
    let packet =
        |elements: BytesMut| encode(&SceneMessage::Sync { time: 1, elements: elements.freeze() });
    recorded.cache.record_sync(&packet(elements), &recorded.ids);
    assert!(recorded.cache.is_incomplete() && recorded.cache.bytes() < CACHE_BYTES_MAX);

    recorded.cache.change_host();
    values.truncate(CACHE_BYTES_MAX / 2);
    let mut elements = BytesMut::new();
    elements.put_u32_le(4);
    elements.put_u32_le(values.len() as u32);
    elements.put_slice(&values);
    recorded.cache.record_sync(&packet(elements), &recorded.ids);
    assert!(!recorded.cache.is_incomplete() && recorded.cache.bytes() > CACHE_BYTES_MAX / 2);
}

#[test]
fn state_is_decoded_as_it_was_encoded_with_few_bytes_per_node() {
    const NODES: u32 = 2_000;
    let mut recorded = Recorded::new();
    for number in 1..=NODES {
        recorded.add(number);
        recorded.set(3 * number + 1, number.into());
    }
    recorded.set(BY_PATH | 2, 7);
    let guest = PeerId::new(5).unwrap();
    recorded.ids.add_receiver(2, guest);
    recorded.cache.publish(&[guest], &recorded.ids, |_, id| id % 4 != 0);
    let state = recorded.cache.encode().unwrap();
    let nodes = (NODES - NODES / 4) as usize;
    println!("{} bytes per node", state.len() / nodes);
    assert!(state.len() / nodes <= 190, "{} bytes per node", state.len() / nodes);

    let mut room = RoomIds::default();
    assert_eq!((0..500).map(|_| room.next_net_id()).last(), Some(500));
    let decoded = StateCache::decode(&state, &mut room).unwrap();
    assert_eq!((decoded.len(), decoded.placed.len()), (nodes, 1));
    let (id, synchronizers) = decoded.find("World/Units/Spawner", "Unit3").unwrap();
    assert!(id > 500 && synchronizers.len() == 2, "ids of the new room");
    assert_eq!(decoded.encode().unwrap(), state);
    let replayed = |cache: &StateCache, ids: &[u32]| {
        let replay = cache.replay(&mut RoomIds::default(), 1, |id| !ids.contains(&id));
        replay.packets.iter().map(Bytes::len).collect::<Vec<_>>()
    };
    assert_eq!(replayed(&decoded, &[id]), replayed(&recorded.cache, &[9]));
}

#[test]
fn state_beyond_the_bound_of_a_cache_is_refused() {
    const NODES: usize = 30_000;
    let mut recorded = Recorded::new();
    recorded.add(1);
    recorded.cache.publish(&[PeerId::new(5).unwrap()], &recorded.ids, |_, _| true);
    let state = recorded.cache.encode().unwrap();
    // Fewer bytes than a cache may have, but each node counts with its overhead.
    let head = postcard::to_stdvec(&(1_u8, "World/Units/Spawner", [b'0'; 32])).unwrap();
    let node = state.strip_prefix(&*head).unwrap();
    let count = postcard::to_stdvec(&NODES).unwrap();
    let many = [&head, &*count, &node[1..node.len() - 1].repeat(NODES), b"\x00"].concat();
    assert!(many.len() < CACHE_BYTES_MAX);
    let decoded = StateCache::decode(&many, &mut RoomIds::default());
    let error = decoded.unwrap_err().to_string();
    assert_eq!(error, "the snapshot is damaged: its nodes and properties exceed the limit");
}

#[test]
fn incomplete_cache_has_no_state() {
    let mut recorded = Recorded::new();
    recorded.add(1);
    assert!(recorded.cache.encode().is_none(), "the node is not public");
    recorded.cache.publish(&[PeerId::new(5).unwrap()], &recorded.ids, |_, _| true);
    assert!(recorded.cache.encode().is_some());
    recorded.cache.set_incomplete();
    assert!(recorded.cache.encode().is_none());
}
