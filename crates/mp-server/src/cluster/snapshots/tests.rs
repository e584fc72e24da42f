//! Tests of [`RoomSnapshots`].

use mp_cluster::MemorySnapshots;

use super::*;

const AT: fn(u64) -> Instant = Instant::from_millis;

/// Returns the snapshots of a node that stores none, as each is too large, and an open room.
fn snapshots() -> (RoomSnapshots, RoomName) {
    let storage = Some(SnapshotStorage::new(MemorySnapshots::new()));
    let interval = Duration::from_secs(5);
    let settings = SnapshotSettings { storage, interval, max_bytes: 0, ..Default::default() };
    let (mut snapshots, room) = (RoomSnapshots::new(settings), RoomName::new("a").unwrap());
    snapshots.opened(AT(0), &room);
    assert_eq!(snapshots.due(AT(250)), std::slice::from_ref(&room));
    (snapshots, room)
}

fn store(snapshots: &mut RoomSnapshots, at: u64, room: &RoomName, is_last: bool) {
    snapshots.store(AT(at), room.clone(), Epoch::new(1), Bytes::from_static(b"state"), is_last);
}

#[test]
fn room_that_does_not_change_is_stored_once_per_interval() {
    let (mut snapshots, room) = snapshots();
    assert_eq!(snapshots.poll_timeout(), None, "its snapshot is being made");
    store(&mut snapshots, 300, &room, true);
    assert_eq!(snapshots.poll_timeout(), Some(AT(5_250)));
}

#[test]
fn player_who_joins_while_a_snapshot_is_made_is_in_the_next_one() {
    let (mut snapshots, room) = snapshots();
    snapshots.changed(AT(270), &room);
    store(&mut snapshots, 300, &room, true);
    assert_eq!(snapshots.poll_timeout(), Some(AT(520)));
}

#[test]
fn snapshot_without_a_player_of_the_branch_is_followed_by_another_one() {
    let (mut snapshots, room) = snapshots();
    store(&mut snapshots, 300, &room, false);
    assert_eq!(snapshots.due(AT(550)), std::slice::from_ref(&room));
    snapshots.skip(AT(560), &room);
    assert_eq!(snapshots.poll_timeout(), Some(AT(810)));
}
