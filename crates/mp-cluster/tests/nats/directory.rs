//! The directory in JetStream.

use std::time::Duration;

use bytes::Bytes;
use mp_cluster::directory::{
    Entry, EntryKey, EntryKind, Operation, OperationOutcome, Revision, TicketRecord, Unavailable,
};
use mp_cluster::limits::{LEASE_TIME, VALUE_BYTES_MAX};
use mp_cluster::nats::NatsDirectory;
use mp_cluster::{ClusterNodeId, offer_ticket};
use mp_core::Rng;
use mp_rooms::{RoomName, Ticket};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::server::{DEADLINE, NatsServer, apply, outcome};

fn room(name: &str) -> EntryKey {
    EntryKey::Room(RoomName::new(name).unwrap())
}

fn put(key: &EntryKey, value: &'static str, expected: Option<Revision>) -> Operation {
    let value = Bytes::from_static(value.as_bytes());
    Operation::Put { key: key.clone(), value, expected, lifetime: None }
}

async fn written(directory: &NatsDirectory, operation: Operation) -> Revision {
    match outcome(directory, operation).await {
        OperationOutcome::Written(revision) => revision,
        other => panic!("{other:?}"),
    }
}

async fn get(directory: &NatsDirectory, key: &EntryKey) -> Option<Entry> {
    match outcome(directory, Operation::Get(key.clone())).await {
        OperationOutcome::Entry(entry) => entry,
        other => panic!("{other:?}"),
    }
}

async fn list(directory: &NatsDirectory, kind: EntryKind) -> Vec<(EntryKey, Entry)> {
    match outcome(directory, Operation::List(kind)).await {
        OperationOutcome::Entries(entries) => entries,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn entry_is_created_once_and_changed_only_at_its_revision() {
    let server = NatsServer::start("").await;
    let (one, two) = (server.directory(1).await, server.directory(2).await);
    let key = room("a.b");
    assert_eq!(get(&one, &key).await, None);
    let first = written(&one, put(&key, "first", None)).await;
    assert_eq!(outcome(&two, put(&key, "other", None)).await, OperationOutcome::Conflict);
    let second = written(&two, put(&key, "second", Some(first))).await;
    assert!(second > first);
    assert_eq!(outcome(&one, put(&key, "late", Some(first))).await, OperationOutcome::Conflict);
    let remove = |expected| Operation::Remove { key: key.clone(), expected };
    assert_eq!(outcome(&one, remove(first)).await, OperationOutcome::Conflict);
    let entry = get(&one, &key).await.unwrap();
    assert_eq!((&entry.value[..], entry.revision), (&b"second"[..], second));
    assert_eq!(outcome(&one, remove(second)).await, OperationOutcome::Removed);
    assert_eq!(get(&two, &key).await, None);
    assert_eq!(list(&two, EntryKind::Room).await, []);
    let third = written(&two, put(&key, "third", None)).await;
    assert!(third > second);
    let (value, lifetime) = (vec![0; VALUE_BYTES_MAX + 1].into(), None);
    let long = Operation::Put { key: room("long"), value, expected: None, lifetime };
    assert_eq!(outcome(&one, long).await, OperationOutcome::Conflict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_nodes_that_create_an_entry_at_the_same_time_one_does() {
    let server = NatsServer::start("").await;
    let key = room("arena");
    // The marker of a removed entry must not let two of them through.
    for round in 0..2 {
        let mut writers = JoinSet::new();
        for number in 0..8 {
            let directory = server.directory(10 * round + number).await;
            let operation = put(&key, "mine", None);
            writers.spawn(async move { apply(&directory, operation).await });
        }
        let outcomes = writers.join_all().await;
        let won = outcomes.iter().filter(|it| matches!(it, Ok(OperationOutcome::Written(_))));
        assert!(won.count() <= 1, "{outcomes:?}");
        let directory = server.directory(1).await;
        let entry = get(&directory, &key).await.expect("an entry");
        let remove = Operation::Remove { key: key.clone(), expected: entry.revision };
        assert_eq!(outcome(&directory, remove).await, OperationOutcome::Removed);
    }
}

#[tokio::test]
async fn registration_expires_after_its_lifetime_and_not_before() {
    let server = NatsServer::start("").await;
    let directory = server.directory(1).await;
    let key = EntryKey::Node(ClusterNodeId::new(1));
    let register = |expected| {
        let (key, value) = (key.clone(), Bytes::from_static(b"node"));
        Operation::Put { key, value, expected, lifetime: Some(LEASE_TIME) }
    };
    let first = written(&directory, register(None)).await;
    sleep(LEASE_TIME / 2).await;
    // A renewal that comes in time extends the lifetime. Its time is that before it was sent.
    let mut sent = Instant::now();
    let renewal = outcome(&directory, register(Some(first))).await;
    if renewal == OperationOutcome::Conflict {
        // The machine was too slow.
        sent = Instant::now();
        written(&directory, register(None)).await;
    }
    loop {
        let entry = get(&directory, &key).await;
        let lived = sent.elapsed();
        if entry.is_none() {
            assert!(lived >= LEASE_TIME, "absent after {lived:?}");
            break;
        }
        assert!(lived < DEADLINE, "present after {lived:?}");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(list(&directory, EntryKind::Node).await, []);
    assert!(written(&directory, register(None)).await > first);
}

#[tokio::test]
async fn list_has_all_entries_of_a_kind_in_pages() {
    let server = NatsServer::start("").await;
    let directory = server.directory(1).await;
    assert_eq!(list(&directory, EntryKind::Room).await, []);
    let names: Vec<String> = (0..1_203).map(|number| format!("room.{number:04}")).collect();
    for names in names.chunks(100) {
        let mut writers = JoinSet::new();
        for name in names {
            let (directory, operation) = (directory.clone(), put(&room(name), "room", None));
            writers.spawn(async move { written(&directory, operation).await });
        }
        writers.join_all().await;
    }
    let ticket = Ticket::random(&mut Rng::seed_from_u64(1)).hash();
    let lifetime = Duration::from_millis(30_500);
    let room = RoomName::new("arena").unwrap();
    let record = TicketRecord { room, peer: None, subject: None };
    written(&directory, offer_ticket(ticket, &record, lifetime)).await;
    let listed = list(&directory, EntryKind::Room).await;
    assert_eq!(listed.len(), names.len());
    assert!(listed.iter().zip(&names).all(|((key, _), name)| *key == self::room(name)));
    let (key, entry) = listed[0].clone();
    outcome(&directory, Operation::Remove { key, expected: entry.revision }).await;
    assert_eq!(list(&directory, EntryKind::Room).await.len(), names.len() - 1);
    assert_eq!(list(&directory, EntryKind::Ticket).await.len(), 1);
}

#[tokio::test]
async fn operation_without_a_server_is_unavailable() {
    let mut server = NatsServer::start("").await;
    let directory = server.directory(1).await;
    server.stop();
    assert_eq!(apply(&directory, put(&room("a"), "a", None)).await, Err(Unavailable));
    assert_eq!(apply(&directory, Operation::List(EntryKind::Node)).await, Err(Unavailable));
}
