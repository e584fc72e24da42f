//! Tests of `bug!`, which reports impossible states.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mp_core::bug::{self, OnBug};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Counts errors that are logged.
struct Errors(Arc<AtomicUsize>);

impl Subscriber for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn panic_message(run: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
    Some(*panic.downcast::<String>().expect("the message is formatted"))
}

#[test]
fn debug_builds_panic_and_release_builds_count() {
    let expected = if cfg!(debug_assertions) { OnBug::Panic } else { OnBug::Count };
    assert_eq!(OnBug::DEFAULT, expected);
    if cfg!(debug_assertions) {
        let message = panic_message(|| mp_core::bug!("{} channels", 3));
        assert_eq!(message.as_deref(), Some("impossible state: 3 channels"));
    }
}

#[test]
fn bugs_panic_in_release_builds_where_the_policy_says_so() {
    let message = panic_message(|| bug::with_policy(OnBug::Panic, || mp_core::bug!("{}", 7)));
    assert_eq!(message.as_deref(), Some("impossible state: 7"));
}

#[test]
fn each_bug_is_counted_and_each_place_is_logged_once() {
    let errors = Arc::new(AtomicUsize::new(0));
    let before = bug::count();
    tracing::subscriber::with_default(Errors(Arc::clone(&errors)), || {
        bug::with_policy(OnBug::Count, || {
            for turn in 0..3 {
                mp_core::bug!("first place, turn {turn}");
            }
            assert_eq!(errors.load(Relaxed), 1);
            mp_core::bug!("second place");
        });
    });
    assert_eq!(errors.load(Relaxed), 2);
    assert_eq!(bug::count() - before, 4);
}

#[test]
fn policy_ends_with_its_scope_even_by_a_panic() {
    bug::with_policy(OnBug::Panic, || {
        panic_message(|| bug::with_policy(OnBug::Count, || panic!("{}", "a test")));
        assert!(panic_message(|| mp_core::bug!("{}", 1)).is_some());
    });
}
