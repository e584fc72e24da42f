//! A subscriber that panics at every line of mp-actor's: peers and handles are notified all the same.

#[path = "actors/common.rs"]
#[allow(dead_code, unused_imports, reason = "this binary uses a part of it")]
mod common;

use std::sync::Once;

use actix::Arbiter;
use common::*;
use mp_actor::prelude::*;
use mp_core::DisconnectReason;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Stands for one that cannot write.
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
        panic!("the log cannot be written");
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn a_branch_that_panics_is_reported_to_everybody_although_logs_panic() {
    log_to_panicking();
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let client = join(empty_branch("/root"), &address, 2).await;
        let other = join(empty_branch("/root"), &address, 3).await;
        other.close().await;
        assert_eq!(other.ended(), Some(Ended::Closed));

        assert!(server.with(|_| panic!("later")).await.is_err());

        assert_eq!(server.closed().await, Ended::Panicked("later".to_owned()));
        assert!(matches!(client.closed().await, Ended::Disconnected(_)));
    });
}

/// In real time: another thread has no paused clock.
#[test]
fn a_branch_whose_thread_is_stopped_says_so_although_logs_panic() {
    log_to_panicking();
    run_in_real_time(async {
        let arbiter = Arbiter::new();
        let branch = mp_actor::branch(|| Branch::builder("/root").build()).on(arbiter.handle());
        let branch = branch.start().await.unwrap();
        assert_eq!(branch.peers().await, Ok(vec![]));

        arbiter.stop();

        assert_eq!(branch.closed().await, Ended::Stopped);
    });
}

#[test]
fn a_branch_learns_that_its_transport_panicked_although_logs_panic() {
    log_to_panicking();
    run(async {
        let branch = empty_branch("/root").serve(|| made(broken())).await.unwrap();
        assert_eq!(branch.closed().await, Ended::Disconnected(DisconnectReason::Closed));
    });
}

/// The subscriber of the whole process, for all tests of this binary.
fn log_to_panicking() {
    static SET: Once = Once::new();
    SET.call_once(|| tracing::subscriber::set_global_default(Panicking).expect("it is the first"));
}
