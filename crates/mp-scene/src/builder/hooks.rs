//! The hooks of a program, and how a branch runs them.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{DisconnectReason, PeerId};

use super::PeerAuthority;
use crate::{Keep, PeerDrop, Scene, SetupError, Signal, Snapshot, SnapshotContent, SnapshotError};

pub(crate) type SignalHook = Box<dyn FnMut(&mut Scene, &Signal)>;
type ExpectedHook = Box<dyn FnMut(&mut Scene, PeerId) -> bool>;
type MovingHook = Box<dyn FnMut(&mut Scene, PeerId) -> PeerAuthority>;
pub(crate) type DroppedHook = Box<dyn FnMut(&mut Scene, PeerId, DisconnectReason) -> PeerDrop>;
pub(crate) type ResumedHook = Box<dyn FnMut(&mut Scene, PeerId, PeerId)>;
pub(super) type SnapshotHook = Box<dyn FnMut(&mut Scene) -> Bytes>;
pub(super) type RestoreHook = Box<dyn FnMut(&mut Scene, u32, &Bytes) -> Result<(), SetupError>>;
type ProcessHook = Box<dyn FnMut(&mut Scene, Duration)>;

/// Hooks of the program.
#[derive(Default)]
pub(crate) struct Hooks {
    signal: Vec<SignalHook>,
    expected: Vec<ExpectedHook>,
    moving: Vec<MovingHook>,
    dropped: Vec<DroppedHook>,
    resumed: Vec<ResumedHook>,
    /// The hook that returns the program's state, and the version of the state.
    snapshot: Option<(u32, SnapshotHook)>,
    restore: Option<RestoreHook>,
    process: Vec<ProcessHook>,
    tick_period: Option<Duration>,
}

impl Hooks {
    const DEFAULT_TICK_PERIOD: Duration = Duration::from_nanos(1_000_000_000 / 60);

    pub(crate) fn run_signal(&mut self, scene: &mut Scene, signal: &Signal) {
        for hook in &mut self.signal {
            hook(scene, signal);
        }
    }

    /// Returns whether all hooks accept a peer that is about to move to the branch.
    pub(crate) fn run_expected(&mut self, scene: &mut Scene, peer: PeerId) -> bool {
        self.expected.iter_mut().all(|hook| hook(scene, peer))
    }

    pub(crate) fn run_moving(&mut self, scene: &mut Scene, peer: PeerId) -> PeerAuthority {
        let mut authority = PeerAuthority::Return;
        for hook in &mut self.moving {
            if hook(scene, peer) == PeerAuthority::Keep {
                authority = PeerAuthority::Keep;
            }
        }
        authority
    }

    pub(crate) fn add_signal(&mut self, hook: SignalHook) {
        self.signal.push(hook);
    }

    pub(super) fn add_expected(&mut self, hook: ExpectedHook) {
        self.expected.push(hook);
    }

    pub(super) fn add_moving(&mut self, hook: MovingHook) {
        self.moving.push(hook);
    }

    pub(super) fn add_process(&mut self, hook: ProcessHook) {
        self.process.push(hook);
    }

    pub(super) fn set_tick_period(&mut self, period: Duration) {
        self.tick_period = Some(period);
    }

    /// Returns whether a hook decides on peers whose connection was lost.
    pub(super) fn keeps_peers(&self) -> bool {
        !self.dropped.is_empty()
    }

    pub(crate) fn add_dropped(&mut self, hook: DroppedHook) {
        self.dropped.push(hook);
    }

    pub(crate) fn add_resumed(&mut self, hook: ResumedHook) {
        self.resumed.push(hook);
    }

    /// Returns the terms on which a peer is kept whose connection was lost; `None`: it leaves.
    pub(crate) fn run_dropped(
        &mut self,
        scene: &mut Scene,
        peer: PeerId,
        reason: DisconnectReason,
    ) -> Option<Keep> {
        let mut longest: Option<Keep> = None;
        for hook in &mut self.dropped {
            if let PeerDrop::Keep(keep) = hook(scene, peer, reason)
                && longest.is_none_or(|longest| keep.time() > longest.time())
            {
                longest = Some(keep);
            }
        }
        longest
    }

    pub(crate) fn run_resumed(&mut self, scene: &mut Scene, old: PeerId, new: PeerId) {
        for hook in &mut self.resumed {
            hook(scene, old, new);
        }
    }

    pub(super) fn set_snapshot(&mut self, version: u32, hook: SnapshotHook) {
        self.snapshot = Some((version, hook));
    }

    pub(super) fn set_restore(&mut self, hook: RestoreHook) {
        self.restore = Some(hook);
    }

    /// Returns the state of the program; `None` if no hook is set.
    pub(crate) fn run_snapshot(
        &mut self,
        scene: &mut Scene,
    ) -> Option<Result<Snapshot, SnapshotError>> {
        let (version, hook) = self.snapshot.as_mut()?;
        Some(Snapshot::new(SnapshotContent::Program, *version, hook(scene)))
    }

    /// Restores a state of the program.
    pub(crate) fn run_restore(
        &mut self,
        scene: &mut Scene,
        snapshot: &Snapshot,
    ) -> Result<(), SnapshotError> {
        match &mut self.restore {
            Some(hook) if snapshot.content() == SnapshotContent::Program => {
                let restored = hook(scene, snapshot.version(), snapshot.state());
                restored.map_err(SnapshotError::Refused)
            }
            _ => Err(SnapshotError::OtherContent(snapshot.content())),
        }
    }

    pub(crate) fn run_process(&mut self, scene: &mut Scene, delta: Duration) {
        for hook in &mut self.process {
            hook(scene, delta);
        }
    }

    /// Returns whether there is a hook to run at ticks.
    pub(crate) fn has_process(&self) -> bool {
        !self.process.is_empty()
    }

    /// Returns the time between ticks.
    pub(crate) fn tick_period(&self) -> Duration {
        self.tick_period.unwrap_or(Self::DEFAULT_TICK_PERIOD)
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moves = self.expected.len() + self.moving.len();
        let drops = self.dropped.len() + self.resumed.len();
        let (signals, ticks) = (self.signal.len(), self.process.len());
        write!(f, "{signals} for signals, {moves} for moves, {drops} for drops, {ticks} for ticks")
    }
}
