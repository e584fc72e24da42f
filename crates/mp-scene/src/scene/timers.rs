//! Timers of the program, which run in the turns of the branch.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use mp_core::Instant;

use super::{NodeContext, Scene};
use crate::limits::TIMER_PERIOD_MIN;
use crate::tree::{Node, NodeRef, TreeError};

/// The id of a timer, to [cancel](Scene::cancel_timer) it. Ids are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(u64);

/// The timers of a scene.
#[derive(Default)]
pub(super) struct Timers {
    /// By due time, then by id: timers that are due together run in the order of their creation.
    waiting: BTreeMap<(Instant, TimerId), Timer>,
    last: u64,
    /// The timer that is running, unless it has been cancelled.
    running: Option<TimerId>,
}

struct Timer {
    period: Option<Duration>,
    run: Action,
}

/// Runs a timer; returns false if it is not to run again.
type Action = Box<dyn FnMut(&mut Scene) -> bool>;

impl Scene {
    /// Calls `run` once, in the first turn that is at least `delay` after [`now`](Self::now). The
    /// branch wakes up for it. Timers run before the tick of their turn.
    ///
    /// ```
    /// use mp_scene::prelude::*;
    /// use std::time::Duration;
    ///
    /// let mut branch = Branch::builder("/root").build()?;
    /// branch.scene().create_timer(Duration::from_secs(3), |scene| {
    ///     scene.add("Boss", Group).ok();
    /// });
    /// # Ok::<(), mp_scene::BuildError>(())
    /// ```
    pub fn create_timer(
        &mut self,
        delay: Duration,
        run: impl FnOnce(&mut Self) + 'static,
    ) -> TimerId {
        let mut run = Some(run);
        let run = move |scene: &mut Self| {
            run.take().into_iter().for_each(|run| run(scene));
            false
        };
        self.timers.add(self.now, delay, None, Box::new(run))
    }

    /// Calls `run` every `period` (at least 1 ms), the first time after one period. If a turn is
    /// late by more than a period, the missed calls are skipped.
    #[doc(alias = "Timer")]
    pub fn create_repeating_timer(
        &mut self,
        period: Duration,
        mut run: impl FnMut(&mut Self) + 'static,
    ) -> TimerId {
        let period = period.max(TIMER_PERIOD_MIN);
        let run = move |scene: &mut Self| {
            run(scene);
            true
        };
        self.timers.add(self.now, period, Some(period), Box::new(run))
    }

    /// Calls `run` once with `node`, as [`create_timer`](Self::create_timer), unless the node has
    /// left the tree.
    pub fn create_node_timer<N: Node>(
        &mut self,
        node: NodeRef<N>,
        delay: Duration,
        run: impl FnOnce(&mut N, &mut NodeContext<'_>) + 'static,
    ) -> TimerId {
        self.create_timer(delay, move |scene| log_wrong_type(scene.with(node, run)))
    }

    /// Calls `run` with `node` every `period`, as
    /// [`create_repeating_timer`](Self::create_repeating_timer), until the node leaves the tree.
    pub fn create_repeating_node_timer<N: Node>(
        &mut self,
        node: NodeRef<N>,
        period: Duration,
        mut run: impl FnMut(&mut N, &mut NodeContext<'_>) + 'static,
    ) -> TimerId {
        let period = period.max(TIMER_PERIOD_MIN);
        let run = move |scene: &mut Self| {
            log_wrong_type(scene.with(node, &mut run));
            scene.tree.contains(node)
        };
        self.timers.add(self.now, period, Some(period), Box::new(run))
    }

    /// Stops a timer. Returns false if it has already run for the last time.
    pub fn cancel_timer(&mut self, timer: TimerId) -> bool {
        let key = self.timers.waiting.keys().find(|(_, id)| *id == timer).copied();
        let was_running = self.timers.running.take_if(|running| *running == timer).is_some();
        key.and_then(|key| self.timers.waiting.remove(&key)).is_some() || was_running
    }

    /// Returns the id of the newest timer.
    pub(crate) fn last_timer(&self) -> TimerId {
        TimerId(self.timers.last)
    }

    /// Runs the next timer that is due, of those that are not newer than `last`; returns false if
    /// there is none.
    pub(crate) fn run_timer(&mut self, last: TimerId) -> bool {
        let mut due = self.timers.waiting.range(..=(self.now, last));
        let Some((&(due, id), _)) = due.find(|((_, id), _)| *id <= last) else { return false };
        let Some(mut timer) = self.timers.waiting.remove(&(due, id)) else { return false };
        self.timers.running = timer.period.map(|_| id);
        let continues = (timer.run)(self);
        let is_running = self.timers.running.take().is_some();
        if let Some(period) = timer.period.filter(|_| continues && is_running) {
            let next = due + period;
            let next = if next > self.now { next } else { self.now + period };
            self.timers.waiting.insert((next, id), timer);
        }
        true
    }

    /// Returns the time of the next timer.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.waiting.first_key_value().map(|((due, _), _)| *due)
    }
}

impl Timers {
    fn add(
        &mut self,
        now: Instant,
        delay: Duration,
        period: Option<Duration>,
        run: Action,
    ) -> TimerId {
        self.last += 1;
        let id = TimerId(self.last);
        self.waiting.insert((now + delay, id), Timer { period, run });
        id
    }
}

/// A timer's node may have left the tree, which ends the timer.
fn log_wrong_type(result: Result<(), TreeError>) {
    if let Err(error @ TreeError::WrongType { .. }) = result {
        tracing::error!(%error, "a timer was created for a node of another type");
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} timers", self.waiting.len())
    }
}
