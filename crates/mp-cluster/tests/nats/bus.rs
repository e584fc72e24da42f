//! The bus on core subjects.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mp_cluster::ClusterNodeId;
use mp_cluster::bus::{Bus, BusEvent, BusMessageKind};
use mp_cluster::directory::{EntryKey, EntryKind, Operation, OperationOutcome};
use mp_cluster::limits::FRAME_BYTES_MAX;
use mp_cluster::nats::{NatsBus, NatsConnection};
use mp_rooms::RoomName;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::server::{DEADLINE, NatsServer, options, outcome};

const ONE: ClusterNodeId = ClusterNodeId::new(1);
const TWO: ClusterNodeId = ClusterNodeId::new(2);

async fn next(bus: &mut NatsBus) -> BusEvent {
    timeout(DEADLINE, bus.recv()).await.expect("an event")
}

/// Returns the next message, after events of the connection.
async fn message(bus: &mut NatsBus) -> (BusMessageKind, Bytes) {
    loop {
        if let BusEvent::Message(kind, bytes) = next(bus).await {
            return (kind, bytes);
        }
    }
}

#[tokio::test]
async fn messages_reach_their_node_in_order() {
    let server = NatsServer::start("").await;
    let mut one = server.connect(1).await.unwrap().into_bus().await.unwrap();
    let mut two = server.connect(2).await.unwrap().into_bus().await.unwrap();
    assert_eq!(next(&mut one).await, BusEvent::Connected);
    assert_eq!(next(&mut two).await, BusEvent::Connected);
    one.publish(TWO, BusMessageKind::Frame, vec![0; FRAME_BYTES_MAX + 1].into());
    one.publish(TWO, BusMessageKind::Request, Bytes::from_static(b"request"));
    for number in 0..1_000_u32 {
        one.publish(TWO, BusMessageKind::Frame, number.to_be_bytes().to_vec().into());
    }
    one.publish(TWO, BusMessageKind::Frame, vec![7; FRAME_BYTES_MAX].into());
    // A busy machine may need longer than a message may wait.
    let sent = || one.stats().sent_messages + one.stats().not_connected;
    timeout(DEADLINE, wait_until(|| sent() == 1_002)).await.expect("an empty queue");
    let mut received = Vec::new();
    for _ in 0..one.stats().sent_messages {
        received.push(message(&mut two).await);
    }
    let request = (BusMessageKind::Request, Bytes::from_static(b"request"));
    assert!(received[0] == request || one.stats().not_connected > 0);
    received.retain(|(kind, _)| *kind == BusMessageKind::Frame);
    assert!(received.is_sorted_by_key(|(_, bytes)| bytes.clone()), "{received:?}");
    assert!(received.last().is_some_and(|(_, bytes)| bytes.len() == FRAME_BYTES_MAX));
    assert_eq!(one.stats().too_long, 1);
    assert_eq!(two.stats().received_messages, one.stats().sent_messages);
    // The sender's queue is sent although its bus is dropped.
    one.publish(TWO, BusMessageKind::Frame, Bytes::from_static(b"last"));
    drop(one);
    assert_eq!(message(&mut two).await.1, "last");
}

#[tokio::test]
async fn restarted_server_is_connected_again_and_keeps_the_directory() {
    let mut server = NatsServer::start("").await;
    // The address of a cluster stays, and the port of a restarted server is another.
    let target = Arc::new(AtomicU16::new(server.port()));
    let url = forward(target.clone()).await;
    let connection = NatsConnection::open(&options(&url), ONE).await.unwrap();
    let directory = connection.directory().await.unwrap();
    let mut bus = connection.into_bus().await.unwrap();
    assert_eq!(next(&mut bus).await, BusEvent::Connected);
    let key = EntryKey::Room(RoomName::new("arena").unwrap());
    let value = Bytes::from_static(b"room");
    let put = Operation::Put { key, value, expected: None, lifetime: None };
    assert!(matches!(outcome(&directory, put).await, OperationOutcome::Written(_)));

    server.stop();
    assert_eq!(next(&mut bus).await, BusEvent::Disconnected);
    bus.publish(ONE, BusMessageKind::Frame, Bytes::from_static(b"lost"));
    assert_eq!(bus.stats().not_connected, 1);
    server.restart().await;
    target.store(server.port(), Ordering::Relaxed);
    assert_eq!(next(&mut bus).await, BusEvent::Connected);
    let entries = outcome(&directory, Operation::List(EntryKind::Room)).await;
    assert!(matches!(entries, OperationOutcome::Entries(rooms) if rooms.len() == 1));
    // A message to this node itself is received once its subjects are subscribed again.
    let received = async {
        loop {
            bus.publish(ONE, BusMessageKind::Frame, Bytes::from_static(b"again"));
            if timeout(Duration::from_millis(100), message(&mut bus)).await.is_ok() {
                return;
            }
        }
    };
    timeout(DEADLINE, received).await.expect("a message");
    assert_eq!(bus.stats().disconnections, 1);
}

async fn wait_until(is_true: impl Fn() -> bool) {
    while !is_true() {
        sleep(Duration::from_millis(5)).await;
    }
}

/// Forwards connections to the current port on this machine. Returns the URL.
async fn forward(target: Arc<AtomicU16>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let port = target.load(Ordering::Relaxed);
            tokio::spawn(async move {
                if let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await {
                    drop(copy_bidirectional(&mut near, &mut far).await);
                }
            });
            // A client that connects again and again is not answered faster than this.
            sleep(Duration::from_millis(1)).await;
        }
    });
    url
}
