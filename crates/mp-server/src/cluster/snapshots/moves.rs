//! Tasks of rooms that move to another node.

use std::sync::Arc;
use std::time::Duration;

use mp_actor::{BranchRef, RemoteWake, SharedEndpoint};
use mp_cluster::{Epoch, StoredContent};
use mp_core::BranchId;
use mp_core::bytes::Bytes;
use mp_rooms::{ListenerId, RoomId, RoomName};

use super::{CapturedRoom, RoomSnapshots, SnapshotOutcome, captured, retried};
use crate::rooms::RoomsHandle;

impl RoomSnapshots {
    /// Begins to read the state of a room that may move to another node, after a delay.
    pub(in crate::cluster) fn check_movable(
        &mut self,
        room: RoomName,
        of: (RoomId, BranchRef),
        rooms: RoomsHandle,
        delay: Duration,
    ) {
        self.tasks.spawn_local(async move {
            tokio::time::sleep(delay).await;
            let captured = captured(of.0, &of.1, &rooms).await;
            SnapshotOutcome::Movable(room, captured)
        });
    }

    /// Begins to receive the messages of an endpoint for a branch in its place.
    pub(in crate::cluster) fn redirect(
        &mut self,
        room: RoomName,
        (listener, endpoint): (ListenerId, SharedEndpoint),
        branch: BranchId,
        wake: Arc<RemoteWake>,
    ) {
        self.tasks.spawn_local(async move {
            let redirected = endpoint.redirect(branch, wake).await.ok().flatten();
            SnapshotOutcome::Redirected(room, listener, redirected)
        });
    }

    /// Begins to take the last state of a branch, whose endpoints send nothing any more.
    pub(in crate::cluster) fn hand_over(
        &mut self,
        room: RoomName,
        (id, branch): (RoomId, BranchRef),
        rooms: RoomsHandle,
    ) {
        self.tasks.spawn_local(async move {
            let handed_over = handed_over(id, &branch, &rooms).await;
            SnapshotOutcome::HandedOver(room, handed_over)
        });
    }

    /// Begins to store the last state of a room that moves.
    pub(in crate::cluster) fn store_last(&mut self, room: RoomName, epoch: Epoch, bytes: Bytes) {
        let Some(storage) = self.settings.storage.clone() else { return };
        self.stats.bytes += bytes.len() as u64;
        self.tasks.spawn_local(async move {
            let result = retried(|| storage.store(room.clone(), epoch, bytes.clone())).await;
            SnapshotOutcome::Moved(room, result)
        });
    }
}

/// Returns the last state of a room whose branch leaves its endpoints.
async fn handed_over(id: RoomId, branch: &BranchRef, rooms: &RoomsHandle) -> Option<CapturedRoom> {
    for _ in 0..HAND_OVERS {
        if let Some(handover) = branch.hand_over().await.ok()? {
            let description = rooms.describe(id).await?;
            let content = StoredContent::Peers(handover.encode().into());
            return Some(CapturedRoom { description, content, handover: Some(handover) });
        }
        tokio::time::sleep(HAND_OVER_RETRY).await;
    }
    None
}

/// Attempts to take the last state of a branch, which delivers its output before.
const HAND_OVERS: usize = 100;
/// Time between two attempts.
const HAND_OVER_RETRY: Duration = Duration::from_millis(20);
