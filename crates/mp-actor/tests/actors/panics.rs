//! Effects of panics.

use std::time::Duration;

use actix::Arbiter;
use mp_actor::CallError;
use mp_actor::limits::CLOSE_TIMEOUT;
use mp_actor::prelude::*;
use mp_core::DisconnectReason;
use mp_core::limits::DRAIN_TIMEOUT;
use mp_core::testing::ScriptedPeer;

use crate::common::*;

#[test]
fn panic_in_a_method_ends_only_its_branch() {
    run(async {
        let (good_notes, notes) = (Notes::new(), Notes::new());
        let (good, good_address) = serve(log_branch("/root", &good_notes)).await;
        let (bad, bad_address) = serve(log_branch("/root", &notes)).await;
        let guest = join(log_branch("/root", &notes), &good_address, 2).await;
        let victim = join(log_branch("/root", &notes), &bad_address, 3).await;
        let mut signals = victim.signals().await.unwrap();

        let call = |scene: &mut Scene| {
            let log = scene.find("Log").unwrap();
            scene.rpc_id(PeerId::SERVER, log, "boom", ())
        };
        victim.with(call).await.unwrap().unwrap();

        assert_eq!(bad.closed().await, EndReason::Panicked("boom".to_owned()));
        wait_for(&mut signals, |signal| *signal == Signal::ServerDisconnected).await;
        assert!(matches!(victim.closed().await, EndReason::Disconnected(_)));
        assert_eq!(bad.peers().await, Err(CallError::Ended));

        note(&guest, PeerId::SERVER, 5).await;
        until(|| !good_notes.read().is_empty()).await;
        assert_eq!(good.ended(), None);
    });
}

#[test]
fn packets_sent_before_a_panic_are_delivered() {
    run(async {
        let notes = Notes::new();
        let (server, address) = serve(empty_branch("/root")).await;
        let _client = join(counting_branch(&notes), &address, 2).await;
        send_numbers(&server, peer(2), 0..3_000).await;

        assert_eq!(server.with(|_| panic!("later")).await, Err::<(), _>(CallError::Ended));
        until(|| notes.read().len() == 3_000).await;

        assert_eq!(server.closed().await, EndReason::Panicked("later".to_owned()));
    });
}

#[test]
fn panicked_branch_is_closed_when_its_endpoints_have_disconnected() {
    run(async {
        // This transport does not report the end of a connection.
        let mut transport = ScriptedPeer::server();
        transport.connect(0, PeerId::new(9));
        let branch = empty_branch("/root").serve(|| made(transport)).await.unwrap();
        until(|| branch.peer(peer(9)).is_some()).await;

        let start = tokio::time::Instant::now();
        assert_eq!(branch.with(|_| panic!("a bug")).await, Err::<(), _>(CallError::Ended));
        assert_eq!(branch.ended(), Some(EndReason::Panicked("a bug".to_owned())));
        assert_eq!(start.elapsed(), Duration::ZERO);

        assert_eq!(branch.closed().await, EndReason::Panicked("a bug".to_owned()));
        let elapsed = start.elapsed();
        assert!(elapsed >= DRAIN_TIMEOUT && elapsed < CLOSE_TIMEOUT, "{elapsed:?}");
    });
}

#[test]
fn panics_in_ticks_and_in_drops_are_caught() {
    struct PanicsOnDrop;
    impl Node for PanicsOnDrop {}
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("panic in drop");
        }
    }
    run(async {
        let starter = here(|| {
            Branch::builder("/root")
                .setup(|scene| scene.add("PanicsOnDrop", PanicsOnDrop))
                .on_process(|_, _| panic!("tick {}", 1))
                .build()
        });
        let branch = starter.start().await.unwrap();
        assert_eq!(branch.closed().await, EndReason::Panicked("tick 1".to_owned()));
    });
}

#[test]
fn panic_while_building_is_a_start_error() {
    run(async {
        let started = here(|| panic!("no branch")).start().await;
        assert!(matches!(started, Err(StartError::Panicked)));

        let branch = empty_branch("/root").start().await.unwrap();
        let served =
            branch.add_endpoint(|| -> Result<ScriptedPeer, StartError> { panic!("no peer") });
        assert!(matches!(served.await, Err(StartError::Panicked)));
        assert_eq!(branch.peers().await, Ok(vec![]));
    });
}

#[test]
fn panic_in_a_transport_ends_its_endpoint_and_is_reported() {
    run(async {
        let branch = empty_branch("/root").serve(|| made(broken())).await.unwrap();
        assert_eq!(branch.closed().await, EndReason::Disconnected(DisconnectReason::Closed));
    });
}

/// In real time: another thread has no paused clock.
#[test]
fn branch_on_a_stopped_thread_reports_it() {
    run_in_real_time(async {
        let arbiter = Arbiter::new();
        let branch = mp_actor::branch(|| Branch::builder("/root").build()).on(arbiter.handle());
        let branch = branch.start().await.unwrap();
        assert_eq!(branch.peers().await, Ok(vec![]));

        arbiter.stop();

        assert_eq!(branch.closed().await, EndReason::Stopped);
    });
}
