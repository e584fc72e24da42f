//! The bus in memory.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use mp_cluster::ClusterNodeId;
use mp_cluster::bus::{Bus, BusEvent, BusMessageKind, MemoryBus, MemoryCluster};
use mp_cluster::directory::{Directory, EntryKind, Operation, Unavailable};
use mp_cluster::limits::{BUS_QUEUE_BYTES_MAX, BUS_QUEUE_MESSAGES_MAX, FRAME_BYTES_MAX};
use mp_core::Instant;

const ONE: ClusterNodeId = ClusterNodeId::new(1);
const TWO: ClusterNodeId = ClusterNodeId::new(2);

/// Returns the output of a future that is ready.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Returns a cluster of two nodes that have received [`BusEvent::Connected`].
fn two_nodes() -> (MemoryCluster, MemoryBus, MemoryBus) {
    let cluster = MemoryCluster::new();
    let (mut one, mut two) = (cluster.bus(ONE), cluster.bus(TWO));
    assert_eq!(ready(one.recv()), Some(BusEvent::Connected));
    assert_eq!(ready(two.recv()), Some(BusEvent::Connected));
    (cluster, one, two)
}

fn message(kind: BusMessageKind, text: &'static str) -> BusEvent {
    BusEvent::Message(kind, Bytes::from_static(text.as_bytes()))
}

#[test]
fn messages_reach_their_node_in_order_with_their_kinds() {
    let (_cluster, mut one, mut two) = two_nodes();
    one.publish(TWO, BusMessageKind::Frame, Bytes::from_static(b"frame"));
    one.publish(TWO, BusMessageKind::Request, Bytes::from_static(b"request"));
    assert_eq!(ready(two.recv()), Some(message(BusMessageKind::Frame, "frame")));
    assert_eq!(ready(two.recv()), Some(message(BusMessageKind::Request, "request")));
    assert_eq!(ready(two.recv()), None);
    assert_eq!(ready(one.recv()), None);
    assert_eq!((one.stats().sent_bytes, two.stats().received_bytes), (12, 12));
}

#[test]
fn slow_node_loses_messages_which_are_counted() {
    let (_cluster, mut one, mut two) = two_nodes();
    for _ in 0..BUS_QUEUE_MESSAGES_MAX + 3 {
        one.publish(TWO, BusMessageKind::Frame, Bytes::from_static(b"x"));
    }
    assert_eq!(two.stats().receive_queue_full, 3);
    while ready(two.recv()).is_some() {}
    let long = Bytes::from(vec![0; FRAME_BYTES_MAX]);
    for _ in 0..BUS_QUEUE_BYTES_MAX / FRAME_BYTES_MAX + 2 {
        one.publish(TWO, BusMessageKind::Frame, long.clone());
    }
    assert_eq!(two.stats().receive_queue_full, 5);
    one.publish(TWO, BusMessageKind::Frame, vec![0; FRAME_BYTES_MAX + 1].into());
    assert_eq!(one.stats().too_long, 1);
}

#[test]
fn disconnected_node_sends_and_receives_nothing() {
    let (cluster, mut one, mut two) = two_nodes();
    cluster.set_bus_connected(TWO, false);
    one.publish(TWO, BusMessageKind::Frame, Bytes::from_static(b"lost"));
    two.publish(ONE, BusMessageKind::Frame, Bytes::from_static(b"lost"));
    assert_eq!(ready(two.recv()), Some(BusEvent::Disconnected));
    assert_eq!(ready(two.recv()), None);
    assert_eq!(ready(one.recv()), None);
    assert_eq!((two.stats().not_connected, two.stats().disconnections), (1, 1));
    cluster.set_bus_connected(TWO, true);
    assert_eq!(ready(two.recv()), Some(BusEvent::Connected));
}

#[test]
fn nodes_share_a_directory_that_one_of_them_may_not_reach() {
    let cluster = MemoryCluster::new();
    let apply = |node| {
        let directory = cluster.directory(node);
        ready(directory.apply(Instant::ZERO, Operation::List(EntryKind::Room))).unwrap()
    };
    cluster.set_directory_reachable(TWO, false);
    assert!(apply(ONE).is_ok());
    assert_eq!(apply(TWO), Err(Unavailable));
    cluster.set_directory_reachable(TWO, true);
    assert!(apply(TWO).is_ok());
}
