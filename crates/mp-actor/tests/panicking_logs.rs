//! Peers and handles are notified even if the log subscriber panics on every line of mp-actor.

#[path = "actors/common.rs"]
#[allow(dead_code, unused_imports, reason = "this binary uses only a part")]
mod common;

use std::sync::Once;

use actix::Arbiter;
use common::*;
use mp_actor::prelude::*;
use mp_core::DisconnectReason;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A subscriber that cannot write.
struct Panicking;

impl Subscriber for Panicking {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("mp_actor")
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {
        panic!("cannot write the log");
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn panicked_branch_is_reported_although_logs_panic() {
    log_to_panicking();
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let client = join(empty_branch("/root"), &address, 2).await;
        let other = join(empty_branch("/root"), &address, 3).await;
        other.close().await;
        assert_eq!(other.ended(), Some(EndReason::Closed));

        assert!(server.with(|_| panic!("later")).await.is_err());

        assert_eq!(server.closed().await, EndReason::Panicked("later".to_owned()));
        assert!(matches!(client.closed().await, EndReason::Disconnected(_)));
    });
}

/// In real time: another thread has no paused clock.
#[test]
fn branch_on_a_stopped_thread_is_reported_although_logs_panic() {
    log_to_panicking();
    run_in_real_time(async {
        let arbiter = Arbiter::new();
        let branch = mp_actor::branch(|| Branch::builder("/root").build()).on(arbiter.handle());
        let branch = branch.start().await.unwrap();
        assert_eq!(branch.peers().await, Ok(vec![]));

        arbiter.stop();

        assert_eq!(branch.closed().await, EndReason::Stopped);
    });
}

#[test]
fn panicked_transport_is_reported_although_logs_panic() {
    log_to_panicking();
    run(async {
        let branch = empty_branch("/root").serve(|| made(broken())).await.unwrap();
        assert_eq!(branch.closed().await, EndReason::Disconnected(DisconnectReason::Closed));
    });
}

/// Sets the subscriber of the whole process, for all tests of this binary.
fn log_to_panicking() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        tracing::subscriber::set_global_default(Panicking).expect("no other subscriber is set")
    });
}
