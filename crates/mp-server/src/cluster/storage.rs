//! [`SnapshotStorage`]: a store of snapshots of any type.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use mp_cluster::{Epoch, SnapshotStoreError, Snapshots, StoredSnapshot};
use mp_core::bytes::Bytes;
use mp_rooms::RoomName;

/// An operation of a store that is under way.
pub(super) type Pending<T> = Pin<Box<dyn Future<Output = Result<T, SnapshotStoreError>> + Send>>;

/// The store of the rooms' snapshots. Clones are the same store.
#[derive(Clone)]
pub(super) struct SnapshotStorage(Arc<dyn Storage>);

trait Storage: Send + Sync {
    fn store(&self, room: RoomName, epoch: Epoch, bytes: Bytes) -> Pending<()>;
    fn load(&self, room: RoomName) -> Pending<Option<StoredSnapshot>>;
    fn remove(&self, room: RoomName, epoch: Epoch) -> Pending<()>;
}

impl<S: Snapshots> Storage for S {
    fn store(&self, room: RoomName, epoch: Epoch, bytes: Bytes) -> Pending<()> {
        let store = self.clone();
        Box::pin(async move { Snapshots::store(&store, &room, epoch, &bytes).await })
    }

    fn load(&self, room: RoomName) -> Pending<Option<StoredSnapshot>> {
        let store = self.clone();
        Box::pin(async move { Snapshots::load(&store, &room).await })
    }

    fn remove(&self, room: RoomName, epoch: Epoch) -> Pending<()> {
        let store = self.clone();
        Box::pin(async move { Snapshots::remove(&store, &room, epoch).await })
    }
}

impl SnapshotStorage {
    pub(super) fn new(store: impl Snapshots) -> Self {
        Self(Arc::new(store))
    }

    pub(super) fn store(&self, room: RoomName, epoch: Epoch, bytes: Bytes) -> Pending<()> {
        self.0.store(room, epoch, bytes)
    }

    pub(super) fn load(&self, room: RoomName) -> Pending<Option<StoredSnapshot>> {
        self.0.load(room)
    }

    pub(super) fn remove(&self, room: RoomName, epoch: Epoch) -> Pending<()> {
        self.0.remove(room, epoch)
    }
}

impl fmt::Debug for SnapshotStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SnapshotStorage")
    }
}
