//! The body of this crate's fuzz target. It accepts any bytes and panics if a property does not
//! hold. See `fuzz/` in the repository.

use mp_scene::{IdBlocks, Snapshot, SnapshotContent};

use crate::cache::StateCache;
use crate::ids::RoomIds;
use crate::limits::CACHE_BYTES_MAX;

/// Decodes the input as a snapshot, and as the state of a hosted game. What can be decoded can be
/// encoded and decoded again.
pub fn snapshot(data: &[u8]) {
    if let Ok(snapshot) = Snapshot::decode(data) {
        let again = Snapshot::decode(&snapshot.encode()).expect("it was encoded");
        assert_eq!(again, snapshot);
        if snapshot.content() == SnapshotContent::HostedGame {
            state(snapshot.state());
        }
    }
    state(data);
}

fn state(data: &[u8]) {
    let decode = |data: &[u8]| {
        let cache = StateCache::decode(data, &mut RoomIds::new(&IdBlocks::new()))?;
        assert!(!cache.is_incomplete() && cache.bytes() <= CACHE_BYTES_MAX);
        Ok::<_, mp_scene::SnapshotError>(cache.encode())
    };
    if let Ok(Some(encoded)) = decode(data) {
        assert_eq!(decode(&encoded).expect("it was encoded"), Some(encoded));
    }
}
