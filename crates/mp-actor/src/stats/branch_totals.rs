//! [`BranchTotals`]: sums over branches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mp_core::{DurationHistogram, Instant};
use mp_scene::{Branch, PacketStats, Refusals, SceneStats};

use super::TurnMeter;

/// Sums of the statistics of branches, including those that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BranchTotals {
    /// Counters of the scenes.
    pub scene: SceneStats,
    /// Refused calls by reason. Calls that a node could not make are only in
    /// [`SceneStats::refused_calls`].
    pub call_refusals: Refusals,
    /// Packets by kind.
    pub packets: PacketStats,
    /// Durations of turns, each with the input before it.
    pub turns: DurationHistogram,
}

impl BranchTotals {
    /// Adds the sums of `other`.
    pub fn add_all(&mut self, other: &Self) {
        self.scene.add_all(&other.scene);
        self.call_refusals.add_all(&other.call_refusals);
        self.packets.add_all(&other.packets);
        self.turns.add_all(&other.turns);
    }
}

/// Collects the statistics of branches, usually of those on one thread. Clones share the sums.
///
/// A branch adds its own at most once a second and when it ends
/// ([`BranchStarter::collect_stats`](crate::BranchStarter::collect_stats)).
#[derive(Clone, Debug, Default)]
pub struct BranchStatsCollector(Arc<Mutex<BranchTotals>>);

impl BranchStatsCollector {
    /// Returns the sums. Waits for no branch: they are locked only while they are added up.
    pub fn totals(&self) -> BranchTotals {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, BranchTotals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports the statistics of one branch to a collector.
#[derive(Debug)]
pub(crate) struct BranchReporter {
    collector: BranchStatsCollector,
    meter: TurnMeter,
    /// Statistics that the collector has; `None` while they are 0, as in a room without players.
    reported: Option<Box<Counters>>,
}

/// Statistics of a branch since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counters {
    scene: SceneStats,
    call_refusals: Refusals,
    packets: PacketStats,
}

impl BranchReporter {
    pub(crate) fn new(collector: BranchStatsCollector) -> Self {
        Self { collector, meter: TurnMeter::default(), reported: None }
    }

    /// Records that the branch handles input, which belongs to the next turn.
    pub(crate) fn begin_input(&mut self, now: Instant) {
        self.meter.begin_input(now);
    }

    /// Records a turn with its input. Returns whether statistics are to be
    /// [reported](Self::report).
    pub(crate) fn end_turn(&mut self, began: Instant, ended: Instant) -> bool {
        self.meter.end_turn(began, ended)
    }

    /// Returns the time by which a turn has to follow, so that statistics are reported.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.meter.due()
    }

    /// Adds what was counted since the last report to the collector.
    pub(crate) fn report(&mut self, branch: &mut Branch) {
        let scene = branch.scene();
        let multiplayer = scene.multiplayer();
        let current = Counters {
            scene: scene.stats(),
            call_refusals: multiplayer.call_refusals(),
            packets: multiplayer.packet_stats(),
        };
        let reported = self.reported.as_deref().copied().unwrap_or_default();
        self.collector.lock().add_all(&BranchTotals {
            scene: current.scene.since(&reported.scene),
            call_refusals: current.call_refusals.since(&reported.call_refusals),
            packets: current.packets.since(&reported.packets),
            turns: self.meter.take(),
        });
        if current != reported {
            self.reported = Some(Box::new(current));
        }
    }
}
