//! Servers and clients in one process.

use mp_actor::prelude::*;
use mp_core::{DisconnectReason, MemoryMultiplayerPeer, MultiplayerPeer};

use crate::common::*;

#[test]
fn client_and_server_in_one_process_call_each_other() {
    run(async {
        let (at_server, at_client) = (Notes::new(), Notes::new());
        let (server, address) = serve(log_branch("/root/Server", &at_server)).await;
        let client = join(log_branch("/root/Client", &at_client), &address, 7).await;

        note(&client, PeerId::SERVER, 1).await;
        until(|| !at_server.read().is_empty()).await;
        note(&server, peer(7), 2).await;
        until(|| !at_client.read().is_empty()).await;

        assert_eq!(*at_server.read(), [(peer(7), 1)]);
        assert_eq!(*at_client.read(), [(PeerId::SERVER, 2)]);
    });
}

#[test]
fn packets_are_delivered_in_order_across_batches() {
    run(async {
        let notes = Notes::new();
        let (_server, address) = serve(counting_branch(&notes)).await;
        let client = join(empty_branch("/root"), &address, 2).await;

        send_numbers(&client, PeerId::SERVER, 0..20_000).await;
        until(|| notes.read().len() == 20_000).await;

        assert!(notes.read().iter().copied().eq(0..20_000));
    });
}

#[test]
fn clients_of_two_endpoints_share_one_branch() {
    run(async {
        let (server, first) = serve(empty_branch("/root")).await;
        let another = MemoryMultiplayerPeer::server();
        let second = another.address();
        server.add_endpoint(|| made(another)).await.unwrap();
        let notes = Notes::new();

        let a = join(empty_branch("/root"), &first, 2).await;
        let _b = join(counting_branch(&notes), &second, 3).await;
        let mut signals = a.signals().await.unwrap();
        if !a.peers().await.unwrap().contains(&peer(3)) {
            wait_for(&mut signals, |signal| *signal == Signal::PeerConnected(peer(3))).await;
        }
        send_numbers(&a, peer(3), 0..3).await;
        until(|| notes.read().len() == 3).await;

        assert_eq!(server.peers().await.unwrap(), [peer(2), peer(3)]);
        assert_eq!(*notes.read(), [0, 1, 2]);
    });
}

#[test]
fn ticks_run_at_their_rate() {
    run(async {
        let ticks = Notes::new();
        let noted = ticks.clone();
        let branch = here(move || {
            let tick = move |_: &mut Scene, delta: std::time::Duration| noted.push(delta);
            Branch::builder("/root").tick_rate(20).on_process(tick).build()
        });
        let branch = branch.start().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(1_010)).await;

        // The first tick is immediate, then one follows every 50 ms; timers have a resolution of 1
        // ms.
        let ticks = ticks.read();
        assert_eq!(ticks.len(), 21, "{ticks:?}");
        assert!(ticks[1..].iter().all(|delta| (49..=51).contains(&delta.as_millis())), "{ticks:?}");
        drop(branch);
    });
}

#[test]
fn connect_fails_for_a_refused_client() {
    run(async {
        let mut server = MemoryMultiplayerPeer::server();
        server.set_refuse_new_connections(true);
        let address = server.address();
        let _server = empty_branch("/root").serve(|| made(server)).await.unwrap();

        let client = address.connect(peer(2));
        let error = empty_branch("/root").connect(|| made(client)).await.unwrap_err();

        assert!(
            matches!(error, StartError::ConnectionFailed(DisconnectReason::Timeout)),
            "{error:?}"
        );
    });
}

#[test]
fn branch_that_cannot_be_built_is_a_start_error() {
    run(async {
        let bad = here(|| Branch::builder("no/root").build());
        assert!(matches!(bad.start().await, Err(StartError::Build(_))));

        let rejected = || Err::<MemoryMultiplayerPeer, _>("no socket");
        let error = empty_branch("/root").serve(rejected).await.unwrap_err();
        assert_eq!(error.to_string(), "no socket");

        let misnamed =
            here(|| Branch::builder("/root").setup(|scene| scene.find("Nowhere")).build());
        let error = misnamed.start().await.unwrap_err();
        assert_eq!(error.to_string(), "cannot set up the branch /root");
        let source = std::error::Error::source(&error).unwrap();
        assert!(source.is::<TreeError>(), "{source:?}");
    });
}

#[test]
fn start_without_an_actix_system_fails() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let started = mp_actor::branch(|| Branch::builder("/root").build()).start();
    let error = runtime.block_on(started).unwrap_err();
    assert!(matches!(error, StartError::NoSystem));
}

/// In real time: other threads have no paused clock.
#[test]
fn branches_run_on_their_own_threads_by_default() {
    let thread = || std::thread::current().id();
    run_in_real_time(async {
        let (room, seat) = mp_core::memory::pair(peer(2));
        let build = || Branch::builder("/root").build();
        let server = mp_actor::branch(build).serve(|| made(room)).await.unwrap();
        let client = mp_actor::branch(build).connect(|| made(seat)).await.unwrap();

        let theirs = server.with(move |_| thread()).await.unwrap();
        let others = client.with(move |_| thread()).await.unwrap();
        assert!(theirs != others && theirs != thread() && others != thread());

        assert_eq!(client.close().await, EndReason::Closed);
        assert_eq!(server.close().await, EndReason::Closed);
    });
}
