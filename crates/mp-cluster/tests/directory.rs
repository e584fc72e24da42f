//! Leases, claims and tickets of several nodes over one directory, in virtual time.
#![allow(missing_docs, reason = "a test")]

use std::time::Duration;

use mp_cluster::directory::{
    EntryKey, EntryKind, NodeRecord, Operation, OperationOutcome, Revision, TicketRecord,
    Unavailable,
};
use mp_cluster::limits::{
    FULL_SCAN_INTERVAL, LEASE_MARGIN, LEASE_TIME, REQUEST_TIMEOUT, SCAN_INTERVAL,
};
use mp_cluster::{
    ClaimEvent, Claims, ClusterNodeId, Lease, MemoryDirectory, Redemption, RedemptionStep,
    offer_ticket,
};
use mp_core::{Instant, Rng};
use mp_rooms::{RoomName, Ticket};

/// A node, and its connection to the directory.
struct Node {
    id: ClusterNodeId,
    lease: Lease,
    claims: Claims,
    /// False if requests do not reach the directory.
    reaches: bool,
    /// False if results do not reach the node.
    is_answered: bool,
    is_running: bool,
    /// False if the node renews its lease but claims nothing.
    has_claims: bool,
    events: Vec<ClaimEvent>,
}

struct Cluster {
    now: Instant,
    directory: MemoryDirectory,
    nodes: Vec<Node>,
    /// Times at which nodes have read all rooms.
    room_scans: Vec<Instant>,
    /// Number of these scans that fail next.
    failing_scans: u32,
}

impl Cluster {
    fn new(nodes: u64) -> Self {
        let node = |number| {
            let id = ClusterNodeId::new(number);
            let (lease, claims) = (Lease::new(id, NodeRecord::with_capacity(10)), Claims::new(id));
            Node {
                id,
                lease,
                claims,
                reaches: true,
                is_answered: true,
                is_running: true,
                has_claims: true,
                events: Vec::new(),
            }
        };
        let nodes = (1..=nodes).map(node).collect();
        let now = Instant::from_millis(1_000);
        let (directory, room_scans) = (MemoryDirectory::new(), Vec::new());
        let mut cluster = Self { now, directory, nodes, room_scans, failing_scans: 0 };
        cluster.run(Duration::from_secs(1));
        cluster
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.step();
        }
    }

    fn step(&mut self) {
        self.now += Duration::from_millis(10);
        let now = self.now;
        for node in self.nodes.iter_mut().filter(|node| node.is_running) {
            let (reaches, is_answered) = (node.reaches, node.is_answered);
            let (scans, failing) = (&mut self.room_scans, &mut self.failing_scans);
            let mut apply = |operation| {
                if operation == Operation::List(EntryKind::Room) {
                    scans.push(now);
                    if *failing > 0 {
                        *failing -= 1;
                        return Some(Err(Unavailable));
                    }
                }
                let outcome = reaches.then(|| self.directory.apply_at(now, operation));
                (!reaches || is_answered).then_some(outcome.ok_or(Unavailable))
            };
            while let Some(request) = node.lease.poll_request(now) {
                if let Some(result) = apply(request.operation) {
                    node.lease.handle_result(now, request.id, result);
                }
                if !node.lease.may_speak(now) {
                    break;
                }
            }
            while let Some(request) =
                node.has_claims.then(|| node.claims.poll_request(now, &node.lease)).flatten()
            {
                if let Some(result) = apply(request.operation) {
                    node.claims.handle_result(now, &node.lease, request.id, result);
                }
            }
            while let Some(event) = node.claims.next_event() {
                node.events.push(event);
            }
        }
        self.check();
    }

    /// Checks that at most one node may speak for each room.
    fn check(&self) {
        for number in 0..20 {
            let speaks = |node: &&Node| {
                let speaks = node.claims.speaks(self.now, &node.lease, &room(number));
                node.is_running && speaks.is_some()
            };
            let owners: Vec<_> = self.nodes.iter().filter(speaks).map(|node| node.id).collect();
            assert!(owners.len() <= 1, "room {number} at {:?}: {owners:?}", self.now);
        }
    }

    /// Returns the node that owns a room.
    fn owner(&self, number: u32) -> Option<usize> {
        let owns = |node: &Node| node.is_running && node.claims.epoch_of(&room(number)).is_some();
        self.nodes.iter().position(owns)
    }

    fn locate(&mut self, node: usize, rooms: std::ops::Range<u32>) {
        rooms.for_each(|number| self.nodes[node].claims.locate(room(number)));
        self.run(Duration::from_millis(50));
    }
}

fn room(number: u32) -> RoomName {
    RoomName::new(&format!("room.{number}")).unwrap()
}

#[test]
fn room_belongs_to_the_first_of_two_nodes_that_place_it() {
    let mut cluster = Cluster::new(2);
    cluster.nodes[0].claims.locate(room(0));
    cluster.nodes[1].claims.locate(room(0));
    cluster.run(Duration::from_millis(50));
    let epoch = cluster.nodes[0].claims.epoch_of(&room(0)).unwrap();
    let owner = cluster.nodes[0].id;
    let (is_adopted, is_moved) = (false, false);
    let owned = ClaimEvent::Owned { room: room(0), epoch, is_adopted, is_moved, template: None };
    assert_eq!(cluster.nodes[0].events, [owned]);
    let elsewhere = ClaimEvent::Elsewhere { room: room(0), owner, epoch };
    assert_eq!(cluster.nodes[1].events, [elsewhere]);
}

#[test]
fn room_of_a_full_node_is_placed_on_another_which_opens_it() {
    let mut cluster = Cluster::new(2);
    let full = NodeRecord { players: 10, ..NodeRecord::with_capacity(10) };
    cluster.nodes[0].lease.set_record(full.clone());
    cluster.run(Duration::from_secs(2));
    cluster.locate(0, 0..1);
    let owner = cluster.nodes[1].id;
    let Some(ClaimEvent::Elsewhere { owner: placed, .. }) = cluster.nodes[0].events.first() else {
        panic!("{:?}", cluster.nodes[0].events);
    };
    assert_eq!((*placed, cluster.owner(0)), (owner, None));
    // The first frame of the other node makes it locate the room.
    cluster.locate(1, 0..1);
    assert_eq!(cluster.owner(0), Some(1));

    cluster.nodes[1].lease.set_record(full);
    cluster.run(Duration::from_secs(2));
    cluster.locate(0, 1..2);
    assert_eq!(cluster.nodes[0].events.last(), Some(&ClaimEvent::Unplaced(room(1))));
}

#[test]
fn rooms_of_a_dead_node_are_adopted_within_5_s_by_several_nodes() {
    let mut cluster = Cluster::new(3);
    cluster.locate(0, 0..20);
    let before = cluster.nodes[0].claims.epoch_of(&room(3)).unwrap();
    cluster.nodes[0].is_running = false;
    let died = cluster.now;
    while (0..20).any(|number| cluster.owner(number).is_none()) {
        cluster.step();
        assert!(cluster.now - died < Duration::from_secs(5), "not adopted");
    }
    let owners: Vec<_> = (0..20).filter_map(|number| cluster.owner(number)).collect();
    assert!(owners.contains(&1) && owners.contains(&2), "{owners:?}");
    let after = cluster.nodes[cluster.owner(3).unwrap()].claims.epoch_of(&room(3)).unwrap();
    assert!(after > before);
    println!("adopted after {:?}", cluster.now - died);
}

#[test]
fn rooms_that_their_adopter_does_not_adopt_are_adopted_by_another_node() {
    let mut cluster = Cluster::new(3);
    cluster.locate(0, 0..20);
    cluster.nodes[0].is_running = false;
    cluster.nodes[1].has_claims = false;
    cluster.run(Duration::from_secs(5));
    assert!((0..20).all(|number| cluster.owner(number) == Some(2)));
}

#[test]
fn rooms_of_a_dead_node_are_adopted_within_5_s_although_reading_them_fails_once() {
    let mut cluster = Cluster::new(3);
    cluster.locate(0, 0..20);
    cluster.nodes[0].is_running = false;
    // Those of both other nodes.
    cluster.failing_scans = 2;
    cluster.run(Duration::from_secs(5));
    assert!((0..20).all(|number| cluster.owner(number).is_some()));
    assert_eq!(cluster.failing_scans, 0);
}

#[test]
fn one_of_the_nodes_reads_all_rooms_every_ten_seconds_whatever_their_number() {
    let mut cluster = Cluster::new(5);
    let check = |cluster: &mut Cluster| {
        cluster.run(Duration::from_secs(15));
        let begin = cluster.now;
        cluster.room_scans.clear();
        cluster.run(Duration::from_secs(100));
        let times = [&[begin], &cluster.room_scans[..], &[cluster.now]].concat();
        let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
        let scans = cluster.room_scans.len();
        assert!((9..=11).contains(&scans), "{scans} scans");
        assert!(longest < Some(Duration::from_millis(10_800)), "{longest:?} without a scan");
    };
    check(&mut cluster);
    cluster.nodes[2].is_running = false;
    check(&mut cluster);
}

#[test]
fn of_two_writes_with_the_same_revision_one_is_made() {
    let (mut directory, now) = (MemoryDirectory::new(), Instant::from_millis(5));
    let mut put = |expected| {
        let (key, value) = (EntryKey::Room(room(0)), "value".into());
        let put = Operation::Put { key, value, expected, lifetime: None };
        match directory.apply_at(now, put) {
            OperationOutcome::Written(revision) => Some(revision),
            _ => None,
        }
    };
    let first = put(None);
    assert!(first.is_some() && put(None).is_none());
    let second = put(first);
    assert!(second > first && put(first).is_none());
    let mut remove = |expected: Option<Revision>| {
        let (key, expected) = (EntryKey::Room(room(0)), expected.unwrap());
        directory.apply_at(now, Operation::Remove { key, expected })
    };
    assert_eq!(remove(first), OperationOutcome::Conflict);
    assert_eq!(remove(second), OperationOutcome::Removed);
}

#[test]
fn node_that_is_cut_off_stops_before_its_rooms_are_adopted_and_loses_them() {
    let mut cluster = Cluster::new(2);
    cluster.locate(0, 0..5);
    cluster.nodes[0].reaches = false;
    // `check` runs in each step.
    cluster.run(Duration::from_secs(30));
    let suspended = (0..5).map(|number| ClaimEvent::Suspended(room(number)));
    assert!(suspended.into_iter().all(|event| cluster.nodes[0].events.contains(&event)));
    assert_eq!(cluster.owner(0), Some(1));

    cluster.nodes[0].reaches = true;
    cluster.run(Duration::from_secs(3));
    assert!((0..5).all(|number| cluster.owner(number) == Some(1)));
    assert!(cluster.nodes[0].events.ends_with(&[ClaimEvent::Lost(room(4))]));
    assert_eq!(cluster.nodes[0].claims.stats().lost, 5);
}

#[test]
fn rooms_are_claimed_anew_after_the_directory_was_away() {
    let mut cluster = Cluster::new(2);
    cluster.locate(0, 0..3);
    let before = cluster.nodes[0].claims.epoch_of(&room(0)).unwrap();
    let term = cluster.nodes[0].lease.term();
    cluster.nodes.iter_mut().for_each(|node| node.reaches = false);
    cluster.run(Duration::from_secs(10));
    assert_eq!(cluster.owner(0), None);
    cluster.nodes[0].reaches = true;
    cluster.run(Duration::from_secs(1));
    cluster.nodes[1].reaches = true;
    cluster.run(Duration::from_secs(5));
    assert!((0..3).all(|number| cluster.owner(number) == Some(0)));
    assert!(cluster.nodes[0].claims.epoch_of(&room(0)).unwrap() > before);
    assert_eq!(cluster.nodes[0].claims.stats().regained, 3);
    assert!(cluster.nodes[0].lease.term() > term && cluster.nodes[0].lease.lost() == 1);
}

#[test]
fn node_that_returns_first_after_the_directory_was_away_adopts_no_rooms_of_those_that_follow() {
    let mut cluster = Cluster::new(2);
    cluster.locate(0, 0..3);
    cluster.nodes.iter_mut().for_each(|node| node.reaches = false);
    cluster.run(Duration::from_secs(10));
    cluster.nodes[1].reaches = true;
    cluster.run(Duration::from_secs(2));
    cluster.locate(1, 0..1);
    assert_eq!(cluster.nodes[1].events.last(), Some(&ClaimEvent::Unavailable(room(0))));
    cluster.nodes[0].reaches = true;
    cluster.run(Duration::from_secs(5));
    assert!((0..3).all(|number| cluster.owner(number) == Some(0)));
    assert_eq!(cluster.nodes[1].claims.stats().adopted, 0);

    cluster.nodes[0].is_running = false;
    cluster.run(Duration::from_secs(5));
    assert!((0..3).all(|number| cluster.owner(number) == Some(1)));
}

#[test]
fn lease_whose_renewals_fail_ends_before_the_registration() {
    let mut cluster = Cluster::new(2);
    let last = cluster.now;
    cluster.nodes[0].reaches = false;
    let key = EntryKey::Node(cluster.nodes[0].id);
    let mut stopped = None;
    loop {
        cluster.step();
        if !cluster.nodes[0].lease.may_speak(cluster.now) {
            stopped.get_or_insert(cluster.now);
        }
        let get = Operation::Get(key.clone());
        if cluster.directory.apply_at(cluster.now, get) == OperationOutcome::Entry(None) {
            break;
        }
    }
    let stopped = stopped.expect("it stops before");
    assert!(cluster.now - stopped >= LEASE_MARGIN, "{:?}", cluster.now - stopped);
    assert!(cluster.now - last <= LEASE_TIME);
}

#[test]
fn lease_continues_although_the_answer_of_a_renewal_is_lost() {
    let mut cluster = Cluster::new(1);
    let term = cluster.nodes[0].lease.term();
    cluster.nodes[0].is_answered = false;
    cluster.run(Duration::from_millis(1_200));
    cluster.nodes[0].is_answered = true;
    cluster.run(Duration::from_secs(3));
    assert_eq!((cluster.nodes[0].lease.term(), cluster.nodes[0].lease.lost()), (term, 0));
    assert!(cluster.nodes[0].lease.may_speak(cluster.now));
}

#[test]
fn released_room_has_no_record_and_a_later_one_a_greater_epoch() {
    let mut cluster = Cluster::new(1);
    cluster.locate(0, 0..1);
    let before = cluster.nodes[0].claims.epoch_of(&room(0)).unwrap();
    assert!(cluster.nodes[0].claims.release(&room(0)));
    cluster.run(Duration::from_millis(50));
    let listed = cluster.directory.apply_at(cluster.now, Operation::List(EntryKind::Room));
    assert_eq!(listed, OperationOutcome::Entries(Vec::new()));
    cluster.locate(0, 0..1);
    assert!(cluster.nodes[0].claims.epoch_of(&room(0)).unwrap() > before);
}

#[test]
fn room_is_found_without_being_placed_or_claimed_by_a_full_node() {
    let mut cluster = Cluster::new(2);
    cluster.nodes[0].claims.find(room(0));
    cluster.run(Duration::from_millis(50));
    assert_eq!(cluster.nodes[0].events, [ClaimEvent::Unowned(room(0))]);
    let listed = cluster.directory.apply_at(cluster.now, Operation::List(EntryKind::Room));
    assert_eq!(listed, OperationOutcome::Entries(Vec::new()));

    let full = NodeRecord { players: 10, ..NodeRecord::with_capacity(10) };
    cluster.nodes[0].lease.set_record(full);
    cluster.run(Duration::from_secs(2));
    cluster.nodes[0].claims.claim(room(0), None);
    cluster.nodes[1].claims.claim(room(0), None);
    cluster.run(Duration::from_millis(50));
    assert_eq!(cluster.owner(0), Some(0));
    cluster.nodes[0].claims.locate(room(0));
    assert!(!cluster.nodes[0].claims.release(&room(0)), "it is being located");
    cluster.run(Duration::from_millis(50));
    assert!(cluster.nodes[0].claims.release(&room(0)));
}

#[test]
fn adopted_room_keeps_its_template() {
    let mut cluster = Cluster::new(2);
    let template = Some(RoomName::new("arena").unwrap());
    cluster.nodes[0].claims.locate_with(room(0), template.clone());
    cluster.run(Duration::from_millis(50));
    cluster.nodes[0].is_running = false;
    cluster.run(Duration::from_secs(5));
    let epoch = cluster.nodes[1].claims.epoch_of(&room(0)).unwrap();
    let (is_adopted, is_moved) = (true, false);
    let adopted = ClaimEvent::Owned { room: room(0), epoch, is_adopted, is_moved, template };
    assert_eq!(cluster.nodes[1].events, [adopted]);
}

fn ticket(number: u32) -> TicketRecord {
    TicketRecord { room: room(number), peer: None, subject: None }
}

#[test]
fn moved_room_belongs_to_the_next_node_which_goes_on_from_its_state() {
    for is_answered in [true, false] {
        let mut cluster = Cluster::new(2);
        let template = RoomName::new("arena").unwrap();
        cluster.nodes[0].claims.claim(room(0), Some(template.clone()));
        cluster.run(Duration::from_millis(50));
        let before = cluster.nodes[0].claims.epoch_of(&room(0)).unwrap();
        let to = cluster.nodes[1].id;
        assert!(!cluster.nodes[1].claims.hand_over(&room(0), to, template.clone()));
        assert!(cluster.nodes[0].claims.hand_over(&room(0), to, template.clone()));
        assert_eq!(cluster.nodes[0].claims.epoch_of(&room(0)), None);
        // The answer of the directory may be lost.
        cluster.nodes[0].is_answered = is_answered;
        cluster.step();
        cluster.nodes[0].is_answered = true;
        cluster.nodes[1].claims.find(room(0));
        cluster.run(Duration::from_secs(2));
        let moved =
            if is_answered { ClaimEvent::HandedOver(room(0)) } else { ClaimEvent::Lost(room(0)) };
        assert!(cluster.nodes[0].events.contains(&moved), "{:?}", cluster.nodes[0].events);
        let owned = cluster.nodes[1].events.iter().any(|event| {
            matches!(event, ClaimEvent::Owned { epoch, is_moved: true, template: Some(of), .. }
                if *epoch > before && *of == template)
        });
        assert!(owned, "{:?}", cluster.nodes[1].events);
    }
}

/// Lets the first node move a room to the second one, which is not notified.
fn move_room(cluster: &mut Cluster) {
    let (template, to) = (RoomName::new("arena").unwrap(), cluster.nodes[1].id);
    cluster.nodes[0].claims.claim(room(0), Some(template.clone()));
    cluster.run(Duration::from_millis(50));
    assert!(cluster.nodes[0].claims.hand_over(&room(0), to, template));
    cluster.run(Duration::from_millis(50));
}

fn has_moved(event: &ClaimEvent) -> bool {
    matches!(event, ClaimEvent::Owned { is_moved: true, .. })
}

#[test]
fn node_finds_a_room_that_was_moved_to_it_although_it_is_not_notified() {
    let mut cluster = Cluster::new(2);
    move_room(&mut cluster);
    assert_eq!(cluster.nodes[1].events, []);
    cluster.run(SCAN_INTERVAL * (3 * FULL_SCAN_INTERVAL));
    assert!(cluster.nodes[1].events.iter().any(has_moved), "{:?}", cluster.nodes[1].events);
    assert_eq!(cluster.owner(0), Some(1));
}

#[test]
fn room_is_restored_although_the_answer_to_its_new_owner_is_lost() {
    let mut cluster = Cluster::new(2);
    move_room(&mut cluster);
    cluster.nodes[1].claims.find(room(0));
    // Its record is read, then written.
    cluster.step();
    cluster.nodes[1].is_answered = false;
    cluster.run(REQUEST_TIMEOUT);
    cluster.nodes[1].is_answered = true;
    cluster.nodes[1].claims.find(room(0));
    cluster.run(Duration::from_secs(2));
    let restores = |event: &ClaimEvent| matches!(event, ClaimEvent::Owned { is_adopted: true, .. });
    assert!(cluster.nodes[1].events.iter().any(restores), "{:?}", cluster.nodes[1].events);
}

#[test]
fn ticket_is_accepted_once_and_not_when_it_has_expired() {
    let (mut directory, mut now) = (MemoryDirectory::new(), Instant::from_millis(5));
    let mut rng = Rng::seed_from_u64(1);
    let mut offer = |directory: &mut MemoryDirectory, now| {
        let hash = Ticket::random(&mut rng).hash();
        let lifetime = Duration::from_secs(10);
        directory.apply_at(now, offer_ticket(hash, &ticket(7), lifetime));
        hash
    };
    let redeem = |directory: &mut MemoryDirectory, now, hash| {
        let (mut redemption, mut step) = Redemption::new(hash);
        while let RedemptionStep::Apply(operation) = step {
            step = redemption.handle_outcome(directory.apply_at(now, operation));
        }
        step
    };
    let hash = offer(&mut directory, now);
    // Two nodes read it before one of them uses it up.
    let (mut other, first) = Redemption::new(hash);
    let RedemptionStep::Apply(get) = first else { panic!("{first:?}") };
    let second = other.handle_outcome(directory.apply_at(now, get));
    assert_eq!(redeem(&mut directory, now, hash), RedemptionStep::Accepted(ticket(7)));
    let RedemptionStep::Apply(remove) = second else { panic!("{second:?}") };
    let RedemptionStep::Apply(again) = other.handle_outcome(directory.apply_at(now, remove)) else {
        panic!("it may have been renewed");
    };
    assert_eq!(other.handle_outcome(directory.apply_at(now, again)), RedemptionStep::Refused);
    assert_eq!(redeem(&mut directory, now, hash), RedemptionStep::Refused);

    let hash = offer(&mut directory, now);
    now += Duration::from_secs(10);
    assert_eq!(redeem(&mut directory, now, hash), RedemptionStep::Refused);
}

#[test]
fn keys_are_texts_that_nats_accepts() {
    let node = EntryKey::Node(ClusterNodeId::new(255)).to_string();
    assert_eq!(node, "node.00000000000000ff");
    assert_eq!(EntryKey::Room(RoomName::new("..a-b_c").unwrap()).to_string(), "room.==a-b_c");
    let ticket = EntryKey::Ticket(Ticket::random(&mut Rng::seed_from_u64(1)).hash()).to_string();
    assert!(ticket.starts_with("ticket.") && ticket.len() == 7 + 64, "{ticket}");
    for text in [node, "room.==a-b_c".to_owned(), ticket] {
        assert_eq!(text.parse().map(|key: EntryKey| key.to_string()), Ok(text));
    }
    for text in ["node.ff", "room.", "room.a.b", "ticket.00", "lock.a", "node"] {
        assert!(text.parse::<EntryKey>().is_err(), "{text}");
    }
}
