//! Back-pressure between mailboxes.

use mp_actor::limits::WORK_PER_TURN;
use mp_actor::prelude::*;
use mp_core::Readiness;
use mp_core::limits::BATCH_EVENTS_MAX;
use mp_core::testing::ScriptedPeer;

use crate::common::*;

/// Mailboxes hold one batch, and both peers send sixty batches per turn, so branch and endpoint of
/// each peer block each other.
#[test]
fn full_mailboxes_in_both_directions_lose_nothing_and_do_not_deadlock() {
    run(async {
        let (at_server, at_client) = (Notes::new(), Notes::new());
        let (server, address) = serve(counting_branch(&at_server).mailbox_batches(1)).await;
        let client = join(counting_branch(&at_client).mailbox_batches(1), &address, 2).await;

        for start in (0..50_000).step_by(5_000) {
            send_numbers(&server, peer(2), start..start + 5_000).await;
            send_numbers(&client, PeerId::SERVER, start..start + 5_000).await;
        }
        until(|| at_server.read().len() == 50_000 && at_client.read().len() == 50_000).await;

        assert!(at_server.read().iter().copied().eq(0..50_000));
        assert!(at_client.read().iter().copied().eq(0..50_000));
        assert!(server.host_stats().blocked_turns > 0, "{:?}", server.host_stats());
        assert!(client.host_stats().blocked_turns > 0, "{:?}", client.host_stats());
    });
}

/// In real time, on two threads: the server's branch blocks in a hook until the client has sent
/// everything.
#[test]
fn blocked_branch_receives_everything_later() {
    run_in_real_time(async {
        let notes = Notes::new();
        let (open, gate) = std::sync::mpsc::sync_channel::<()>(1);
        let (room, seat) = mp_core::memory::pair(peer(2));
        let noted = notes.clone();
        let server = mp_actor::branch(move || {
            let note = move |_: &mut Scene, _, data: &[u8]| {
                if noted.read().is_empty() {
                    gate.recv().expect("the test opens the gate");
                }
                noted.push(number(data));
            };
            Branch::builder("/root").on_peer_packet(note).build()
        });
        let server = server.mailbox_batches(1).serve(|| made(room)).await.unwrap();
        let client = mp_actor::branch(|| Branch::builder("/root").build());
        let client = client.mailbox_batches(1).connect(|| made(seat)).await.unwrap();

        send_numbers(&client, PeerId::SERVER, 0..30_000).await;
        open.send(()).unwrap();
        assert_eq!(client.close().await, EndReason::Closed);
        assert_eq!(server.close().await, EndReason::Closed);

        assert!(notes.read().iter().copied().eq(0..30_000), "{} received", notes.read().len());
    });
}

#[test]
fn endpoint_counts_delivered_batches() {
    run(async {
        let notes = Notes::new();
        let (room, seat) = mp_core::memory::pair(peer(2));
        let server = counting_branch(&notes).start().await.unwrap();
        let endpoint = server.add_endpoint(|| made(room)).await.unwrap();
        let client = empty_branch("/root").connect(|| made(seat)).await.unwrap();
        send_numbers(&client, PeerId::SERVER, 0..600).await;
        until(|| notes.read().len() == 600).await;

        let stats = endpoint.stats().await.unwrap();
        assert_eq!(stats.connections, 1);
        // The connection and 600 packets, at most 256 in a batch. Many more batches would mean one
        // per packet.
        assert!((3..=8).contains(&stats.batches), "{stats:?}");
    });
}

/// A full mailbox holds far more packets than an endpoint may send without polling its transport:
/// acknowledgements would overflow the socket's buffer.
#[test]
fn busy_endpoint_polls_its_transport_in_between() {
    run(async {
        let sent = Notes::new();
        let notes = sent.clone();
        let mut transport = ScriptedPeer::server()
            .on_poll(move |peer| notes.push(std::mem::take(&mut peer.sent).len()));
        transport.connect(0, PeerId::new(9));
        transport.readiness = Readiness::Waker;
        let server = empty_branch("/root").serve(move || made(transport)).await.unwrap();
        until(|| server.peer(peer(9)).is_some()).await;

        let all = server.with(|scene| {
            (0..20_000_u32).try_for_each(|n| {
                scene.send_bytes(&n.to_le_bytes(), peer(9), TransferMode::Reliable, Channel(0))
            })
        });
        all.await.unwrap().unwrap();
        until(|| sent.read().iter().sum::<usize>() == 20_000).await;

        let most = sent.read().iter().copied().max().unwrap_or_default();
        assert!(most <= WORK_PER_TURN + BATCH_EVENTS_MAX, "{most} packets between two polls");
    });
}
