//! [`RoomSnapshots`]: when the states of this node's rooms are stored, and the tasks that do so.

mod moves;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

use mp_actor::{BranchRef, RemoteBranch};
use mp_cluster::{Epoch, SnapshotStoreError, StoredContent, StoredSnapshot};
use mp_core::Instant;
use mp_core::bytes::Bytes;
use mp_rooms::{ListenerId, RoomId, RoomName};
use mp_scene::Handover;
use tokio::task::JoinSet;

use super::node::WithoutSnapshot;
use super::storage::{Pending, SnapshotStorage};
use crate::rooms::{RoomDescription, RoomsHandle};

/// Settings of the snapshots of a node.
#[derive(Clone, Debug)]
pub(super) struct SnapshotSettings {
    /// `None`: no state is stored.
    pub(super) storage: Option<SnapshotStorage>,
    pub(super) interval: Duration,
    /// Bytes of a snapshot that is stored.
    pub(super) max_bytes: usize,
    pub(super) without_snapshot: WithoutSnapshot,
}

impl Default for SnapshotSettings {
    fn default() -> Self {
        Self {
            storage: None,
            interval: Duration::from_secs(5),
            max_bytes: 16 << 20,
            without_snapshot: WithoutSnapshot::Empty,
        }
    }
}

/// Counters of the snapshots of a node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SnapshotStats {
    /// Snapshots stored.
    pub(crate) stored: u64,
    /// Bytes of these snapshots.
    pub(crate) bytes: u64,
    /// States that were not stored because the last one was equal.
    pub(crate) unchanged: u64,
    /// Snapshots that exceed the limit.
    pub(crate) too_large: u64,
    /// Snapshots that were neither stored nor read, because the store does not respond.
    pub(crate) failed: u64,
    /// Rooms that go on from a snapshot.
    pub(crate) restored: u64,
    /// Adopted rooms without a snapshot.
    pub(crate) missing: u64,
    /// Snapshots that could not be used.
    pub(crate) refused: u64,
}

/// The schedule of snapshots, and the tasks that make, store and read them.
#[derive(Debug)]
pub(super) struct RoomSnapshots {
    pub(super) settings: SnapshotSettings,
    rooms: BTreeMap<RoomName, Schedule>,
    /// The rooms of which no snapshot is being made, by the time of the next one.
    times: BTreeSet<(Instant, RoomName)>,
    tasks: JoinSet<SnapshotOutcome>,
    pub(super) stats: SnapshotStats,
}

#[derive(Debug)]
struct Schedule {
    /// Time of the next snapshot, also while one is being made.
    due: Instant,
    /// Hash of the last state that was stored.
    last: Option<u64>,
    is_busy: bool,
}

/// The outcome of a task.
#[derive(Debug)]
pub(super) enum SnapshotOutcome {
    /// The state of a room; `None`: it has ended.
    Captured(RoomName, Epoch, Option<CapturedRoom>),
    Stored(RoomName, usize, Result<(), SnapshotStoreError>),
    Loaded(RoomName, Epoch, Result<Option<StoredSnapshot>, SnapshotStoreError>),
    Removed,
    /// The state of a room that may move to another node.
    Movable(RoomName, Option<CapturedRoom>),
    /// The messages of an endpoint for the branch of a room that moves; `None`: it has none.
    Redirected(RoomName, ListenerId, Option<RemoteBranch>),
    /// The last state of the branch of a room, which has left its endpoints; `None`: it has none.
    HandedOver(RoomName, Option<CapturedRoom>),
    /// The last state of a room was stored.
    Moved(RoomName, Result<(), SnapshotStoreError>),
}

/// The state of a room, as its registry and its branch know it.
#[derive(Debug)]
pub(super) struct CapturedRoom {
    pub(super) description: RoomDescription,
    pub(super) content: StoredContent,
    /// The peers of a relay. They are encoded in `content`, too.
    pub(super) handover: Option<Handover>,
}

impl RoomSnapshots {
    pub(super) fn new(settings: SnapshotSettings) -> Self {
        let stats = SnapshotStats::default();
        let (rooms, times) = (BTreeMap::new(), BTreeSet::new());
        Self { settings, rooms, times, tasks: JoinSet::new(), stats }
    }

    /// Schedules the snapshots of a room that has opened.
    pub(super) fn opened(&mut self, now: Instant, room: &RoomName) {
        if self.settings.storage.is_some() {
            self.ended(room);
            let due = now + CHANGE_DELAY;
            self.rooms.insert(room.clone(), Schedule { due, last: None, is_busy: false });
            self.times.insert((due, room.clone()));
        }
    }

    /// Records that players have joined or left a room.
    pub(super) fn changed(&mut self, now: Instant, room: &RoomName) {
        let due = now + CHANGE_DELAY;
        self.schedule(room, |schedule| schedule.due = schedule.due.min(due));
    }

    pub(super) fn ended(&mut self, room: &RoomName) {
        if let Some(schedule) = self.rooms.remove(room) {
            self.times.remove(&(schedule.due, room.clone()));
        }
    }

    /// Changes the schedule of a room, if it has one.
    fn schedule(&mut self, room: &RoomName, change: impl FnOnce(&mut Schedule)) {
        let Some(schedule) = self.rooms.get_mut(room) else { return };
        self.times.remove(&(schedule.due, room.clone()));
        change(schedule);
        if !schedule.is_busy {
            self.times.insert((schedule.due, room.clone()));
        }
    }

    /// Removes the stored snapshot of a room that has ended.
    pub(super) fn remove(&mut self, room: &RoomName, epoch: Epoch) {
        if let Some(storage) = &self.settings.storage {
            let removed = storage.remove(room.clone(), epoch);
            self.tasks.spawn_local(async move {
                // One that stays is removed after its lifetime.
                let _ = removed.await;
                SnapshotOutcome::Removed
            });
        }
    }

    /// Returns the rooms whose snapshot is due. The next one follows after the interval, or sooner
    /// if players join or leave meanwhile.
    pub(super) fn due(&mut self, now: Instant) -> Vec<RoomName> {
        let capacity = TASKS_MAX.saturating_sub(self.tasks.len());
        let due = self.times.iter().take_while(|(due, _)| *due <= now).take(capacity);
        let due: Vec<_> = due.map(|(_, room)| room.clone()).collect();
        let next = now + self.settings.interval;
        for room in &due {
            self.schedule(room, |schedule| {
                schedule.is_busy = true;
                schedule.due = next;
            });
        }
        due
    }

    /// Begins to read the state of a room from its registry and its branch.
    pub(super) fn capture(
        &mut self,
        room: RoomName,
        epoch: Epoch,
        (id, branch): (RoomId, BranchRef),
        rooms: RoomsHandle,
    ) {
        self.tasks.spawn_local(async move {
            let captured = captured(id, &branch, &rooms).await;
            SnapshotOutcome::Captured(room, epoch, captured)
        });
    }

    /// Begins to store the state of a room, unless it equals the last one or is too large.
    /// `is_last`: false if another one has to follow soon.
    pub(super) fn store(
        &mut self,
        now: Instant,
        room: RoomName,
        epoch: Epoch,
        bytes: Bytes,
        is_last: bool,
    ) {
        if !is_last {
            self.changed(now, &room);
        }
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        let (hash, len) = (hasher.finish(), bytes.len());
        let Some(last) = self.rooms.get(&room).map(|schedule| schedule.last) else { return };
        let max_bytes = self.settings.max_bytes;
        let (is_new, is_too_large) = (last != Some(hash), len > max_bytes);
        self.schedule(&room, |schedule| {
            schedule.last = Some(hash);
            schedule.is_busy = is_new && !is_too_large;
        });
        if !is_new {
            self.stats.unchanged += 1;
        } else if is_too_large {
            self.stats.too_large += 1;
            tracing::warn!(%room, bytes = len, max_bytes, "the state of a room is too large; an earlier one stays");
        } else if let Some(storage) = &self.settings.storage {
            let stored = storage.store(room.clone(), epoch, bytes);
            self.tasks.spawn_local(async move {
                let result = stored.await;
                SnapshotOutcome::Stored(room, len, result)
            });
        }
    }

    /// Handles that the state of a room could not be read.
    pub(super) fn skip(&mut self, now: Instant, room: &RoomName) {
        self.changed(now, room);
        self.schedule(room, |schedule| schedule.is_busy = false);
    }

    /// Handles whether a snapshot was stored.
    pub(super) fn stored(
        &mut self,
        room: &RoomName,
        bytes: usize,
        result: Result<(), SnapshotStoreError>,
    ) {
        let is_stored = result.is_ok();
        self.schedule(room, |schedule| {
            schedule.is_busy = false;
            schedule.last = schedule.last.filter(|_| is_stored);
        });
        match result {
            Ok(()) => {
                self.stats.stored += 1;
                self.stats.bytes += bytes as u64;
            }
            Err(error) => {
                self.stats.failed += 1;
                tracing::debug!(%room, %error, "the state of a room is not stored");
            }
        }
    }

    /// Begins to read the snapshot of a room. Returns false if there is no store.
    pub(super) fn load(&mut self, room: RoomName, epoch: Epoch) -> bool {
        let Some(storage) = self.settings.storage.clone() else { return false };
        self.tasks.spawn_local(async move {
            let result = retried(|| storage.load(room.clone())).await;
            SnapshotOutcome::Loaded(room, epoch, result)
        });
        true
    }

    /// Returns whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Returns whether a snapshot of a room is being made or stored.
    pub(super) fn is_busy(&self, room: &RoomName) -> bool {
        self.rooms.get(room).is_some_and(|schedule| schedule.is_busy)
    }

    /// Returns the time at which the next snapshot is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let next = self.times.first().map(|&(due, _)| due);
        next.filter(|_| self.tasks.len() < TASKS_MAX)
    }

    /// Waits for the next outcome.
    pub(super) async fn next(&mut self) -> SnapshotOutcome {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(outcome)) => return outcome,
                Some(Err(error)) => tracing::error!(%error, "a task of the cluster has failed"),
                None => std::future::pending().await,
            }
        }
    }
}

/// Returns the state of a room; `None` if it has ended.
async fn captured(id: RoomId, branch: &BranchRef, rooms: &RoomsHandle) -> Option<CapturedRoom> {
    // The branch knows a player later than the registry, and longer.
    let description = rooms.describe(id).await?;
    let handover = branch.handover().await.ok()?;
    let content = match &handover {
        Some(handover) => StoredContent::Peers(handover.encode().into()),
        None => match branch.snapshot().await.ok()? {
            Ok(Some(snapshot)) => StoredContent::Program(snapshot.encode().into()),
            Ok(None) => StoredContent::Nothing,
            Err(error) => {
                tracing::warn!(%error, "a room has no state that can be stored");
                StoredContent::Nothing
            }
        },
    };
    Some(CapturedRoom { description, content, handover })
}

/// Repeats an operation of the store until it succeeds, up to [`ATTEMPTS`] times.
async fn retried<T>(operation: impl Fn() -> Pending<T>) -> Result<T, SnapshotStoreError> {
    for _ in 1..ATTEMPTS {
        if let Ok(value) = operation().await {
            return Ok(value);
        }
        tokio::time::sleep(RETRY).await;
    }
    operation().await
}

/// Time between a change of the players and the snapshot that has it.
const CHANGE_DELAY: Duration = Duration::from_millis(250);
/// Snapshots that are made, stored or read at the same time.
const TASKS_MAX: usize = 32;
/// Attempts to read the snapshot of an adopted room, or to store the last one of a room that moves.
const ATTEMPTS: usize = 5;
/// Time between two attempts.
const RETRY: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests;
