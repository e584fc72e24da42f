//! Snapshots of rooms.

use async_nats::jetstream;
use bytes::Bytes;
use mp_cluster::Epoch;
use mp_cluster::limits::{SNAPSHOT_BYTES_MAX, SNAPSHOT_CHUNK_BYTES};
use mp_cluster::nats::{NatsSnapshots, SnapshotStoreError};
use mp_rooms::RoomName;

use crate::server::NatsServer;

const FIRST: Epoch = Epoch::new(7);
const LATER: Epoch = Epoch::new(9);

fn room() -> RoomName {
    RoomName::new("arena.1").unwrap()
}

/// Returns bytes that differ in each chunk.
fn snapshot(len: usize, seed: u8) -> Bytes {
    (0..len).map(|at| (at / SNAPSHOT_CHUNK_BYTES) as u8 ^ seed).collect()
}

async fn store(server: &NatsServer, node: u64) -> NatsSnapshots {
    server.connect(node).await.unwrap().snapshots().await.unwrap()
}

async fn loaded(snapshots: &NatsSnapshots) -> Option<(Epoch, Bytes)> {
    snapshots.load(&room()).await.unwrap().map(|stored| (stored.epoch, stored.bytes))
}

/// Returns the number of messages of the stream.
async fn messages(server: &NatsServer) -> u64 {
    let client = async_nats::connect(server.url()).await.unwrap();
    let stream = jetstream::new(client).get_stream("mp_test_snapshots").await.unwrap();
    stream.cached_info().state.messages
}

#[tokio::test]
async fn newest_snapshot_is_read_and_the_earlier_one_removed() {
    let server = NatsServer::start("").await;
    let (one, two) = (store(&server, 1).await, store(&server, 2).await);
    assert_eq!(loaded(&two).await, None);
    for (len, seed) in [(0, 0), (3 * SNAPSHOT_CHUNK_BYTES + 5, 1), (SNAPSHOT_CHUNK_BYTES, 2)] {
        let bytes = snapshot(len, seed);
        one.store(&room(), FIRST, &bytes).await.unwrap();
        assert!(loaded(&two).await == Some((FIRST, bytes)), "{len} bytes");
    }
    assert_eq!(messages(&server).await, 2);
    let long = Bytes::from(vec![0; SNAPSHOT_BYTES_MAX + 1]);
    let bytes = long.len();
    let refused = one.store(&room(), FIRST, &long).await;
    assert_eq!(refused, Err(SnapshotStoreError::TooLong { bytes }));
    one.remove(&room(), FIRST).await.unwrap();
    assert_eq!(loaded(&two).await, None);
    assert_eq!(messages(&server).await, 1);
    one.store(&room(), FIRST, &snapshot(9, 3)).await.unwrap();
    assert_eq!(loaded(&two).await, Some((FIRST, snapshot(9, 3))));
}

#[tokio::test]
async fn earlier_owner_does_not_replace_the_snapshot_of_a_later_one() {
    let server = NatsServer::start("").await;
    let (one, two) = (store(&server, 1).await, store(&server, 2).await);
    one.store(&room(), FIRST, &snapshot(10, 1)).await.unwrap();
    two.store(&room(), LATER, &snapshot(20, 2)).await.unwrap();
    let stale = Err(SnapshotStoreError::StaleEpoch);
    assert_eq!(one.store(&room(), FIRST, &snapshot(30, 3)).await, stale);
    assert_eq!(one.remove(&room(), FIRST).await, stale);
    assert_eq!(loaded(&one).await, Some((LATER, snapshot(20, 2))));
    two.remove(&room(), LATER).await.unwrap();
    assert_eq!(one.store(&room(), FIRST, &snapshot(30, 3)).await, stale);
}

#[tokio::test]
async fn torn_snapshot_is_not_read() {
    let server = NatsServer::start("").await;
    let snapshots = store(&server, 1).await;
    let bytes = snapshot(2 * SNAPSHOT_CHUNK_BYTES, 1);
    snapshots.store(&room(), FIRST, &bytes).await.unwrap();
    // A node has died after the first chunk of the next one.
    let client = async_nats::connect(server.url()).await.unwrap();
    let context = jetstream::new(client);
    let put = async |subject: &'static str| {
        let other = snapshot(SNAPSHOT_CHUNK_BYTES, 99);
        context.publish(subject, other).await.unwrap().await.unwrap();
    };
    put("mp.test.snapshot.arena=1.7.2.00000").await;
    assert!(loaded(&snapshots).await == Some((FIRST, bytes)));
    // A chunk is not the one that was stored.
    put("mp.test.snapshot.arena=1.7.1.00001").await;
    assert_eq!(snapshots.load(&room()).await, Err(SnapshotStoreError::Unavailable));
    // The next one replaces all.
    snapshots.store(&room(), FIRST, &snapshot(5, 4)).await.unwrap();
    assert_eq!(loaded(&snapshots).await, Some((FIRST, snapshot(5, 4))));
}
