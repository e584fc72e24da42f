//! [`ThreadTimer`]: a timer of one thread, whose lateness another thread reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use mp_core::Instant;
use mp_core::host::SystemClock;

/// A periodic timer of a thread. The thread that reads its lateness also detects a thread that does
/// not return from its work, and thus never runs the timer.
#[derive(Debug)]
pub(super) struct ThreadTimer {
    /// Time at which it is due, in µs.
    due: AtomicU64,
    /// Lateness with which it last ran, in µs.
    lateness: AtomicU64,
}

/// The task that runs a [`ThreadTimer`] on its thread. It ends when the timer is dropped.
#[derive(Debug)]
pub(super) struct TimerTask {
    timer: Weak<ThreadTimer>,
    clock: SystemClock,
}

impl ThreadTimer {
    /// Returns a timer that is due after [`TIMER_INTERVAL`].
    fn new(now: Instant) -> Self {
        let due = (now + TIMER_INTERVAL).as_micros();
        Self { due: AtomicU64::new(due), lateness: AtomicU64::new(0) }
    }

    /// Returns a timer, and the task that its thread is to run.
    pub(super) fn start(clock: SystemClock) -> (Arc<Self>, TimerTask) {
        let timer = Arc::new(Self::new(clock.now()));
        let task = TimerTask { timer: Arc::downgrade(&timer), clock };
        (timer, task)
    }

    /// Returns the lateness of its last run, or of the run that is due if that is larger.
    pub(super) fn lateness(&self, now: Instant) -> Duration {
        let due = Instant::from_micros(self.due.load(Ordering::Relaxed));
        let last = Duration::from_micros(self.lateness.load(Ordering::Relaxed));
        (now - due).max(last)
    }

    /// Sets the time at which it is due, as if it had run in time before.
    #[cfg(test)]
    pub(super) fn set_due(&self, due: Instant) {
        self.due.store(due.as_micros(), Ordering::Relaxed);
    }

    /// Records that it runs, and is due again after [`TIMER_INTERVAL`].
    fn ran(&self, now: Instant) {
        let late = now.as_micros().saturating_sub(self.due.load(Ordering::Relaxed));
        self.lateness.store(late, Ordering::Relaxed);
        self.due.store((now + TIMER_INTERVAL).as_micros(), Ordering::Relaxed);
    }
}

impl TimerTask {
    pub(super) async fn run(self) {
        while self.timer.strong_count() > 0 {
            tokio::time::sleep(TIMER_INTERVAL).await;
            if let Some(timer) = self.timer.upgrade() {
                timer.ran(self.clock.now());
            }
        }
    }
}

/// Time between two runs.
const TIMER_INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_millis(1_000);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn timer_that_never_runs_is_late_from_its_due_time_on() {
        let timer = ThreadTimer::new(START);
        assert_eq!(timer.lateness(START), Duration::ZERO);
        assert_eq!(timer.lateness(START + millis(100)), Duration::ZERO);
        assert_eq!(timer.lateness(START + millis(101)), millis(1));
        assert_eq!(timer.lateness(START + millis(8_100)), millis(8_000));
    }

    #[test]
    fn lateness_of_the_last_run_lasts_until_the_next_one() {
        let timer = ThreadTimer::new(START);
        timer.ran(START + millis(160));
        for later in [160, 210, 260, 320] {
            assert_eq!(timer.lateness(START + millis(later)), millis(60), "{later}");
        }
        assert_eq!(timer.lateness(START + millis(330)), millis(70));
        timer.ran(START + millis(330));
        timer.ran(START + millis(430));
        assert_eq!(timer.lateness(START + millis(430)), Duration::ZERO);
    }
}
