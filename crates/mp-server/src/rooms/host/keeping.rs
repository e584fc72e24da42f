//! Rooms whose state is kept: hosted games that go on in a later room of the same name.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use mp_actor::BranchRef;
use mp_relay::HostSeat;
use mp_rooms::{Code, RoomId, RoomName, Template};
use mp_scene::{Branch, Scene, Snapshot, SnapshotError};

use super::RoomsHost;
use crate::rooms::handle::RoomsHandle;
use crate::snapshots::{KeptRoom, Save, SnapshotStore};

impl RoomsHandle {
    /// Starts to save the state of a hosted game that no player can host. To be called by the room.
    pub(crate) fn keep_snapshot(&self, room: RoomId, snapshot: Snapshot) {
        let handle = self.clone();
        actix::spawn(async move {
            // Fails if the server ends.
            let _ = handle.call(move |host| host.keep(room, snapshot)).await;
        });
    }
}

impl RoomsHost {
    /// Returns the identity of a room, if its state is kept.
    pub(super) fn kept_room(&self, name: &RoomName, template: &Template) -> Option<KeptRoom> {
        let is_kept = template.keep && self.settings.snapshots.is_some();
        is_kept.then(|| KeptRoom {
            name: name.clone(),
            template: template.name.clone(),
            code: template.code.clone(),
        })
    }

    /// Sets the code of a room.
    pub(in crate::rooms) fn set_code(&mut self, room: RoomId, code: Option<Code>) -> bool {
        if let Some(kept) = self.shared.get_mut(&room).and_then(|shared| shared.kept.as_mut()) {
            kept.code.clone_from(&code);
        }
        self.changes.mark(room);
        self.rooms.set_code(room, code)
    }

    /// Begins to save the state of a room, if it is kept.
    pub(super) fn begin_save(&self, room: RoomId) -> Option<Save> {
        let kept = self.shared.get(&room)?.kept.clone()?;
        Some(self.settings.snapshots.as_ref()?.begin_save(kept))
    }

    fn keep(&mut self, room: RoomId, snapshot: Snapshot) {
        if let Some(save) = self.begin_save(room) {
            self.tasks.spawn(save.finish(Some(snapshot)));
        }
    }
}

/// The state from which a room goes on that is being started. Clones share it.
#[derive(Clone)]
pub(super) struct Restoration(Arc<Shared>);

struct Shared {
    store: SnapshotStore,
    room: KeptRoom,
    snapshot: OnceLock<Snapshot>,
    result: Mutex<Option<Result<(), SnapshotError>>>,
}

impl Restoration {
    pub(super) fn new(store: SnapshotStore, room: KeptRoom) -> Self {
        let (snapshot, result) = (OnceLock::new(), Mutex::default());
        Self(Arc::new(Shared { store, room, snapshot, result }))
    }

    /// Loads the state, before the room is built.
    pub(super) async fn load(&self) {
        if let Some(snapshot) = self.0.store.load(&self.0.room).await {
            let _ = self.0.snapshot.set(snapshot);
        }
    }

    /// Restores the state in the branch of the room.
    pub(super) fn restore(&self, branch: &mut Branch) {
        if let Some(snapshot) = self.0.snapshot.get() {
            let restored = branch.restore(snapshot);
            *self.0.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(restored);
        }
    }

    /// Reports the result, when the room has started.
    pub(super) async fn report(&self) {
        let result = self.0.result.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(result) = result {
            self.0.store.restored(self.0.room.name.clone(), result).await;
        }
    }
}

/// Closes a room, and saves its state. A game with a host has a state only if the server ends.
pub(super) async fn close(branch: BranchRef, save: Save, is_draining: bool) {
    let state = move |scene: &mut Scene| {
        let multiplayer = scene.multiplayer_mut();
        let seat = multiplayer.relay_policy::<HostSeat>();
        let has_host = seat.is_some_and(|seat| seat.occupant().is_some());
        if has_host && !is_draining { None } else { multiplayer.relay_snapshot() }
    };
    let Ok(Ok(snapshot)) = tokio::time::timeout(STATE_TIMEOUT, branch.with(state)).await else {
        tracing::error!("a room has not returned its state in time; an earlier one stays");
        branch.close().await;
        return;
    };
    tokio::join!(branch.close(), save.finish(snapshot));
}

/// Time in which a room returns its state. The end of the server waits for it.
const STATE_TIMEOUT: Duration = Duration::from_secs(2);
