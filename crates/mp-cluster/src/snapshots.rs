//! [`Snapshots`]: the store of the rooms' states, from which other nodes go on.

use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use mp_rooms::RoomName;

use crate::directory::Unavailable;
use crate::id::Epoch;
use crate::limits::SNAPSHOT_BYTES_MAX;

/// A store with the newest snapshot of each room, which all nodes of a cluster share. A node that
/// has lost a room does not replace the snapshot of its later owner. Clones are the same store.
pub trait Snapshots: Clone + Send + Sync + 'static {
    /// Stores a snapshot of a room, which this node owns in `epoch`, in place of the earlier one,
    /// which stays if this fails. Store those of a room one after another.
    fn store(
        &self,
        room: &RoomName,
        epoch: Epoch,
        bytes: &Bytes,
    ) -> impl Future<Output = Result<(), SnapshotStoreError>> + Send;

    /// Reads the newest snapshot of a room; `None` if there is none.
    fn load(
        &self,
        room: &RoomName,
    ) -> impl Future<Output = Result<Option<StoredSnapshot>, SnapshotStoreError>> + Send;

    /// Removes the snapshot of a room, which has ended on this node in `epoch`.
    fn remove(
        &self,
        room: &RoomName,
        epoch: Epoch,
    ) -> impl Future<Output = Result<(), SnapshotStoreError>> + Send;
}

/// A snapshot of a room that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredSnapshot {
    /// The epoch of the room whose owner has stored it.
    pub epoch: Epoch,
    /// The bytes that were stored.
    pub bytes: Bytes,
}

impl StoredSnapshot {
    /// Returns a snapshot that the owner of a room has stored in `epoch`.
    pub fn new(epoch: Epoch, bytes: Bytes) -> Self {
        Self { epoch, bytes }
    }
}

/// The reason why a snapshot is neither stored nor read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotStoreError {
    /// The snapshot has more than [`SNAPSHOT_BYTES_MAX`] bytes.
    #[error("the snapshot has {bytes} bytes; at most {SNAPSHOT_BYTES_MAX} are stored")]
    TooLong {
        /// The number of bytes.
        bytes: usize,
    },
    /// A later owner of the room has stored a snapshot, or removed it.
    #[error("a later owner of the room has stored a snapshot")]
    StaleEpoch,
    /// The store does not respond, is full, or was changed while it was read.
    #[error("the store of snapshots does not respond, or is full")]
    Unavailable,
}

impl From<Unavailable> for SnapshotStoreError {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

/// The snapshots of a [`MemoryCluster`](crate::bus::MemoryCluster), for tests.
#[derive(Clone, Debug, Default)]
pub struct MemorySnapshots(Arc<Mutex<NewestSnapshots>>);

/// The newest snapshot of each room with its epoch; `None`: it was removed.
type NewestSnapshots = BTreeMap<RoomName, (Epoch, Option<Bytes>)>;

impl MemorySnapshots {
    /// Returns a store without snapshots.
    pub fn new() -> Self {
        Self::default()
    }

    fn replace(
        &self,
        room: &RoomName,
        epoch: Epoch,
        bytes: Option<Bytes>,
    ) -> Result<(), SnapshotStoreError> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match rooms.get(room) {
            Some((later, _)) if *later > epoch => Err(SnapshotStoreError::StaleEpoch),
            _ => {
                rooms.insert(room.clone(), (epoch, bytes));
                Ok(())
            }
        }
    }
}

impl Snapshots for MemorySnapshots {
    fn store(
        &self,
        room: &RoomName,
        epoch: Epoch,
        bytes: &Bytes,
    ) -> impl Future<Output = Result<(), SnapshotStoreError>> + Send {
        ready(match bytes.len() {
            len if len > SNAPSHOT_BYTES_MAX => Err(SnapshotStoreError::TooLong { bytes: len }),
            _ => self.replace(room, epoch, Some(bytes.clone())),
        })
    }

    fn load(
        &self,
        room: &RoomName,
    ) -> impl Future<Output = Result<Option<StoredSnapshot>, SnapshotStoreError>> + Send {
        let rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = rooms.get(room).and_then(|(epoch, bytes)| {
            bytes.clone().map(|bytes| StoredSnapshot { epoch: *epoch, bytes })
        });
        ready(Ok(stored))
    }

    fn remove(
        &self,
        room: &RoomName,
        epoch: Epoch,
    ) -> impl Future<Output = Result<(), SnapshotStoreError>> + Send {
        ready(self.replace(room, epoch, None))
    }
}
