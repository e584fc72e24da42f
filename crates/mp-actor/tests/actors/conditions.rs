//! Waiting for conditions.

use std::time::Duration;

use mp_actor::CallError;
use mp_actor::limits::CONDITIONS_MAX;
use mp_actor::prelude::*;

use crate::common::*;

/// A node that exists for one tick only.
struct Spark;

impl Node for Spark {
    fn process(&mut self, cx: &mut NodeContext<'_>, delta: Duration) {
        if delta > Duration::ZERO {
            cx.queue_free_self().unwrap();
        }
    }
}

#[test]
fn state_that_lasts_for_one_turn_is_not_missed() {
    run(async {
        let branch = empty_branch("/root").start().await.unwrap();
        let sparks = branch.until(|scene| scene.find("Spark").is_ok());
        let add = branch.with(|scene| {
            scene.create_timer(Duration::from_secs(5), |scene| drop(scene.add("Spark", Spark)));
        });
        let (waited, added) = tokio::join!(sparks, add);
        assert_eq!((waited, added), (Ok(()), Ok(())));
        let gone = branch.until(|scene| scene.find("Spark").is_err());
        assert_eq!(gone.await, Ok(()));
    });
}

#[test]
fn condition_that_holds_already_needs_no_turn() {
    run(async {
        let branch = empty_branch("/root").start().await.unwrap();
        assert_eq!(branch.until(|scene| scene.peers().is_empty()).await, Ok(()));
    });
}

#[test]
fn condition_that_does_not_hold_in_time_times_out_and_is_removed() {
    run(async {
        let branch = empty_branch("/root").start().await.unwrap();
        let before = tokio::time::Instant::now();
        for _ in 0..=CONDITIONS_MAX {
            let never = branch.until_timeout(Duration::from_millis(250), |_| false);
            assert_eq!(never.await, Err(CallError::TimedOut));
        }
        let expected = Duration::from_millis(250) * (CONDITIONS_MAX as u32 + 1);
        assert_eq!(before.elapsed().as_secs(), expected.as_secs());
    });
}

#[test]
fn waiting_ends_with_the_branch() {
    run(async {
        let branch = empty_branch("/root").start().await.unwrap();
        let (waited, _) = tokio::join!(branch.until(|_| false), branch.close());
        assert_eq!(waited, Err(CallError::Ended));
        assert_eq!(branch.until(|_| true).await, Err(CallError::Ended));
    });
}

#[test]
fn condition_that_panics_ends_the_branch() {
    run(async {
        let branch = empty_branch("/root").start().await.unwrap();
        assert_eq!(branch.until(|_| panic!("boom")).await, Err(CallError::Ended));
        assert_eq!(branch.closed().await, EndReason::Panicked("boom".to_owned()));
    });
}

#[test]
fn conditions_of_one_branch_are_bounded() {
    run(async {
        let branch = empty_branch("/root").start().await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..CONDITIONS_MAX {
            let branch = branch.clone();
            let until = async move { branch.until(|scene| scene.find("Door").is_ok()).await };
            waiting.push(actix::spawn(until));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(branch.until(|_| false).await, Err(CallError::Busy));
        branch.with(|scene| scene.add("Door", Group).map(drop)).await.unwrap().unwrap();
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), Ok(()));
        }
    });
}
