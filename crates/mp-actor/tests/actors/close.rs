//! Graceful closing.

use std::time::Duration;

use mp_actor::limits::CLOSE_TIMEOUT;
use mp_actor::prelude::*;
use mp_actor::{CallError, ChannelError};
use mp_core::DisconnectReason;
use mp_core::limits::DRAIN_TIMEOUT;
use mp_core::testing::ScriptedPeer;

use crate::common::*;

#[test]
fn close_delivers_sent_packets_first() {
    run(async {
        let notes = Notes::new();
        let (server, address) = serve(counting_branch(&notes)).await;
        let client = join(empty_branch("/root"), &address, 2).await;
        until(|| server.peer(peer(2)).is_some()).await;

        send_numbers(&client, PeerId::SERVER, 0..7_000).await;
        assert_eq!(client.close().await, EndReason::Closed);
        until(|| server.peer(peer(2)).is_none()).await;

        assert!(notes.read().iter().copied().eq(0..7_000), "{} received", notes.read().len());
        assert_eq!(server.ended(), None);
    });
}

#[test]
fn clients_of_a_closed_server_end_as_disconnected() {
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let client = join(empty_branch("/root"), &address, 2).await;
        let mut signals = client.signals().await.unwrap();

        assert_eq!(server.close().await, EndReason::Closed);

        wait_for(&mut signals, |signal| *signal == Signal::ServerDisconnected).await;
        assert_eq!(client.closed().await, EndReason::Disconnected(DisconnectReason::Remote(0)));
        assert_eq!(signals.next().await, None);
    });
}

#[test]
fn connection_that_never_ends_delays_a_close_by_at_most_the_linger() {
    run(async {
        // This transport does not report the end of a connection, and is polled at an interval.
        let mut peer = ScriptedPeer::server();
        peer.connect(0, PeerId::new(9));
        let branch = empty_branch("/root").serve(|| made(peer)).await.unwrap();
        let mut signals = branch.signals().await.unwrap();
        if branch.peers().await.unwrap().is_empty() {
            wait_for(&mut signals, |signal| matches!(signal, Signal::PeerConnected(_))).await;
        }

        let start = tokio::time::Instant::now();
        assert_eq!(branch.close().await, EndReason::Closed);

        let elapsed = start.elapsed();
        assert!(elapsed >= DRAIN_TIMEOUT && elapsed < CLOSE_TIMEOUT, "{elapsed:?}");
    });
}

#[test]
fn dropping_the_last_handle_closes_the_branch() {
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let client = join(empty_branch("/root"), &address, 2).await;

        let other = server.clone();
        drop(server);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(other.ended(), None);
        drop(other);

        assert_eq!(client.closed().await, EndReason::Disconnected(DisconnectReason::Remote(0)));
    });
}

#[test]
fn offline_branch_closes_immediately_and_repeatedly() {
    run(async {
        let branch = empty_branch("/root").start().await.unwrap();
        let start = tokio::time::Instant::now();
        assert_eq!(branch.close().await, EndReason::Closed);
        assert_eq!(branch.close().await, EndReason::Closed);
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
}

#[test]
fn calls_to_an_ended_branch_fail() {
    run(async {
        let (room, _seat) = mp_core::memory::pair(peer(2));
        let branch = empty_branch("/root").start().await.unwrap();
        let channel = branch.channel::<i32>("n", TransferMode::Reliable, Channel(0)).await.unwrap();
        branch.close().await;

        assert_eq!(branch.with(|_| ()).await, Err(CallError::Ended));
        assert_eq!(branch.signals().await.err(), Some(CallError::Ended));
        assert_eq!(channel.stats().await, Err(CallError::Ended));
        let again = branch.channel::<i32>("n", TransferMode::Reliable, Channel(0)).await;
        assert_eq!(again.err(), Some(ChannelError::Call(CallError::Ended)));
        assert!(
            branch.add_endpoint(|| made(room)).await.is_ok(),
            "the thread of the test still runs"
        );
    });
}

/// An endpoint that starts after its branch has ended closes itself and disconnects its peers.
#[test]
fn endpoint_started_after_its_branch_ended_closes() {
    run(async {
        let (room, seat) = mp_core::memory::pair(peer(2));
        let client = empty_branch("/root").start().await.unwrap();
        client.add_endpoint(|| made(seat)).await.unwrap();
        let branch = empty_branch("/root").start().await.unwrap();
        branch.close().await;

        let endpoint = branch.add_endpoint(|| made(room)).await.unwrap();

        assert!(matches!(client.closed().await, EndReason::Disconnected(_)));
        assert_eq!(endpoint.stats().await, Err(CallError::Ended));
    });
}
