//! Calls and signals.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use mp_actor::CallError;
use mp_actor::limits::{PENDING_CALLS_MAX, SIGNAL_QUEUE_MAX, SIGNALS_RESERVED};
use mp_actor::prelude::*;

use crate::common::*;

#[test]
fn calls_return_values_from_the_scene() {
    run(async {
        let notes = Notes::new();
        let (server, address) = serve(log_branch("/root/Game", &notes)).await;
        let client = join(log_branch("/root/Game", &notes), &address, 7).await;
        assert_eq!(client.with(|scene| scene.unique_id()).await, Ok(peer(7)));
        assert_eq!(server.with(|scene| scene.peers()).await, Ok(vec![peer(7)]));
        assert_eq!(server.root_path(), "/root/Game");
    });
}

#[test]
fn calls_run_at_the_time_of_their_turn() {
    run(async {
        let branch = empty_branch("/root").start().await.unwrap();
        let before = branch.with(|scene| scene.now()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        let after = branch.with(|scene| scene.now()).await.unwrap();
        assert_eq!((after - before).as_secs(), 5);
    });
}

#[test]
fn call_beyond_the_limit_fails_with_busy() {
    run(async {
        let branch = empty_branch("/root").start().await.unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        let mut poll = |call: &mut Call<'_>| call.as_mut().poll(&mut cx);

        // Nothing else runs on this thread between these polls.
        let mut calls: Vec<Call<'_>> =
            (0..PENDING_CALLS_MAX).map(|n| call(branch.with(move |_| n))).collect();
        assert!(calls.iter_mut().all(|call| poll(call).is_pending()));
        let rejected = poll(&mut call(branch.with(|_| 0)));
        assert_eq!(rejected, Poll::Ready(Err(CallError::Busy)));
        assert_eq!(branch.host_stats().busy_calls, 1);

        for (n, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await, Ok(n));
        }
        assert_eq!(branch.with(|_| 7).await, Ok(7));
    });
}

type Call<'a> = Pin<Box<dyn Future<Output = Result<usize, CallError>> + 'a>>;

fn call<'a>(call: impl Future<Output = Result<usize, CallError>> + 'a) -> Call<'a> {
    Box::pin(call)
}

#[test]
fn subscribers_receive_signals_in_order() {
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let mut signals = server.signals().await.unwrap();
        let client = join(empty_branch("/root"), &address, 2).await;
        send_numbers(&client, PeerId::SERVER, 5..6).await;
        client.close().await;

        let mut seen = Vec::new();
        while let Some(signal) = signals.next().await {
            let is_last = signal == Signal::PeerDisconnected(peer(2));
            seen.push(signal);
            if is_last {
                break;
            }
        }
        let packet =
            Signal::PeerPacket { from: peer(2), data: 5_u32.to_le_bytes().to_vec().into() };
        let (connected, disconnected) =
            (Signal::PeerConnected(peer(2)), Signal::PeerDisconnected(peer(2)));
        assert_eq!(seen, [connected, packet, disconnected]);
        assert_eq!(signals.missed(), 0);
    });
}

#[test]
fn slow_subscriber_misses_the_newest_packets_and_counts_them() {
    run(async {
        let notes = Notes::new();
        let (server, address) = serve(counting_branch(&notes)).await;
        let client = join(empty_branch("/root"), &address, 2).await;
        until(|| server.peer(peer(2)).is_some()).await;
        let mut signals = server.signals().await.unwrap();

        send_numbers(&client, PeerId::SERVER, 0..3_000).await;
        until(|| notes.read().len() == 3_000).await;

        let kept = SIGNAL_QUEUE_MAX - SIGNALS_RESERVED;
        assert_eq!(signals.missed(), 3_000 - kept as u64);

        // Signals have reserved capacity, so packets do not displace the disconnect.
        client.close().await;
        until(|| server.peer(peer(2)).is_none()).await;
        let mut seen = Vec::new();
        let last = loop {
            match signals.try_next() {
                Some(Signal::PeerPacket { data, .. }) => seen.push(number(&data)),
                other => break other,
            }
        };
        assert!(seen.into_iter().eq(0..kept as u32));
        assert_eq!(last, Some(Signal::PeerDisconnected(peer(2))));
    });
}
