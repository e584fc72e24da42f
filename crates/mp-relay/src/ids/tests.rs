//! Tests of the ids of hosts.

use super::*;
use crate::limits::HIDDEN_NODES_MAX;

fn path() -> AnnouncedPath {
    AnnouncedPath::new("Flag".to_owned(), [b'0'; 32])
}

/// Returns the room's ids for those of the host.
fn mapped<const N: usize>(ids: &mut HostIds, net_ids: [u32; N]) -> [Option<u32>; N] {
    let (mut stats, mut clock) = (SeatStats::default(), SyncClock::default());
    let mut map = ids.map(&mut stats, &mut clock);
    net_ids.map(|id| map.net_id(id))
}

#[test]
fn unused_paths_are_discarded_before_used_ones() {
    let (mut ids, mut room) = (HostIds::with_paths(), RoomIds::default());
    let (mut stats, mut clock) = (SeatStats::default(), SyncClock::default());
    let max = HOST_PATHS_MAX as u32;
    (1..=max).for_each(|id| ids.add_path(&mut room, &mut stats, id, path()));
    let guest = PeerId::new(5).unwrap();
    ids.add_receiver(2, guest);
    assert_eq!(ids.map(&mut stats, &mut clock).path_id(1), Some(1));
    ids.add_path(&mut room, &mut stats, max + 1, path());
    assert_eq!([1, 2, 3].map(|id| ids.has_path(id)), [true, false, true]);
    assert_eq!((ids.host_path(1), ids.host_path(2)), (Some(1), None));
    assert_eq!((stats.discarded_paths, ids.paths.len()), (1, HOST_PATHS_MAX));
    let kept = ids.kept.unwrap();
    assert_eq!((kept.bytes, kept.receivers), (HOST_PATHS_MAX * "Flag".len(), 0));
}

#[test]
fn paths_are_kept_up_to_a_sum_of_bytes() {
    let (mut ids, mut room) = (HostIds::with_paths(), RoomIds::default());
    let mut stats = SeatStats::default();
    let long = || AnnouncedPath::new("A".repeat(HOST_PATH_BYTES_MAX / 2 + 1), [b'0'; 32]);
    ids.add_path(&mut room, &mut stats, 1, long());
    ids.add_path(&mut room, &mut stats, 2, long());
    assert!(ids.announced(1).is_some() && ids.announced(2).is_none() && ids.has_path(2));
}

#[test]
fn paths_that_all_guests_have_received_are_known() {
    let (mut ids, mut room) = (HostIds::with_paths(), RoomIds::default());
    let mut stats = SeatStats::default();
    ids.add_path(&mut room, &mut stats, 1, path());
    let guests = [3, 4].map(|id| PeerId::new(id).unwrap());
    ids.add_receiver(1, guests[0]);
    assert!(ids.received_by_all(&guests).is_empty());
    ids.add_receiver(1, guests[1]);
    assert!(ids.received_by_all(&guests).contains("Flag"));
    ids.remove_receiver(guests[0]);
    assert!(ids.received_by_all(&guests).is_empty());
}

#[test]
fn net_ids_are_forgotten_with_the_last_guest() {
    let (mut ids, mut room) = (HostIds::default(), RoomIds::default());
    let mut stats = SeatStats::default();
    let node = ids.add_node(&mut room, 10, &[11], None).unwrap();
    assert_eq!(ids.add_node(&mut room, 10, &[11], None), Some(node));
    assert!(!ids.remove_node(&mut stats, node));
    assert_eq!(mapped(&mut ids, [10, 11]), [Some(1), Some(2)]);
    assert!(ids.remove_node(&mut stats, node));
    assert_eq!(mapped(&mut ids, [10, 11]), [None, None]);
    assert_eq!((ids.net_ids.len(), ids.nodes.len()), (0, 0));
}

#[test]
fn node_that_is_shown_again_keeps_its_net_ids() {
    let (mut ids, mut room) = (HostIds::default(), RoomIds::default());
    let node = ids.add_node(&mut room, 10, &[12, 11], None).unwrap();
    let before = mapped(&mut ids, [10, 11, 12]);
    assert!(ids.remove_node(&mut SeatStats::default(), node));
    ids.add_node(&mut room, 20, &[21], None).unwrap();
    assert_eq!(ids.add_node(&mut room, 10, &[12, 11], None), Some(node));
    assert_eq!(mapped(&mut ids, [10, 11, 12]), before);
    assert_eq!(ids.hidden.len(), 0);
}

#[test]
fn net_ids_of_the_oldest_hidden_nodes_are_forgotten_and_counted() {
    let (mut ids, mut room) = (HostIds::default(), RoomIds::default());
    let (mut stats, max) = (SeatStats::default(), HIDDEN_NODES_MAX as u32);
    let mut hide = |ids: &mut HostIds, net_id| {
        let node = ids.add_node(&mut room, net_id, &[], None).unwrap();
        assert!(ids.remove_node(&mut stats, node));
        stats.forgotten_nodes
    };
    (1..=max).for_each(|net_id| assert_eq!(hide(&mut ids, net_id), 0));
    assert_eq!(hide(&mut ids, 1), 0, "a node that is hidden again is not a further one");
    assert_eq!([max + 1, max + 2].map(|net_id| hide(&mut ids, net_id)), [1, 2]);
    assert_eq!((ids.hidden.len(), stats.limit_hits()), (HIDDEN_NODES_MAX, 2));
    assert_eq!(ids.add_node(&mut room, 1, &[], None), Some(1));
    assert_eq!(ids.add_node(&mut room, 2, &[], None), Some(max + 3));
}

#[test]
fn node_of_an_earlier_host_keeps_its_net_ids() {
    let (mut ids, mut room) = (HostIds::default(), RoomIds::default());
    assert_eq!(ids.add_node(&mut room, 1, &[2], Some((70, &[71]))), Some(70));
    assert_eq!(mapped(&mut ids, [1, 2]), [Some(70), Some(71)]);
    assert_eq!((ids.node(1), ids.synchronizers(&[2])), (Some(70), vec![71]));
}

#[test]
fn node_beyond_the_limit_is_refused_as_a_whole() {
    let (mut ids, mut room) = (HostIds::default(), RoomIds::default());
    let many: Vec<u32> = (2..=HOST_NET_IDS_MAX as u32).collect();
    assert!(ids.add_node(&mut room, 1, &many, None).is_some());
    assert!(ids.add_node(&mut room, 100_000, &[100_001], None).is_none());
    assert!(ids.add_node(&mut room, 1, &many, None).is_some(), "a known node needs no new ids");
    assert_eq!((ids.net_ids.len(), ids.nodes.len()), (HOST_NET_IDS_MAX, 1));
}
