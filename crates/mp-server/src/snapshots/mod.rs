//! Snapshots of rooms on disk, from which later rooms of the same name go on.

mod folder;
mod store;

pub(crate) use self::folder::Folder;
pub(crate) use self::store::{KeptRoom, Save, SnapshotStore};
