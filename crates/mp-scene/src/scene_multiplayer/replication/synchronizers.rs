//! The synchronizers of a branch, by key.

use std::ops::{Index, IndexMut};

use mp_core::bug;
use slotmap::{DefaultKey as Key, SlotMap};

use super::state::Synchronizer;

/// The synchronizers in the tree.
///
/// All lists of keys lose the key of a synchronizer with the synchronizer. A key of a list that
/// leads to none is therefore reported as a bug. Only keys of changed fields, which programs hold,
/// may be those of synchronizers that have left.
#[derive(Debug, Default)]
pub(super) struct Synchronizers(SlotMap<Key, Synchronizer>);

impl Synchronizers {
    pub(super) fn insert(&mut self, synchronizer: Synchronizer) -> Key {
        self.0.insert(synchronizer)
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Synchronizer> {
        report_missing(key, self.0.remove(key))
    }

    pub(super) fn get(&self, key: Key) -> Option<&Synchronizer> {
        report_missing(key, self.0.get(key))
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Synchronizer> {
        report_missing(key, self.0.get_mut(key))
    }

    /// Returns the synchronizer of a key that may have left.
    pub(super) fn find(&self, key: Key) -> Option<&Synchronizer> {
        self.0.get(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.0.keys()
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Synchronizer> {
        self.0.values_mut()
    }
}

impl Index<Key> for Synchronizers {
    type Output = Synchronizer;

    fn index(&self, key: Key) -> &Synchronizer {
        &self.0[key]
    }
}

impl IndexMut<Key> for Synchronizers {
    fn index_mut(&mut self, key: Key) -> &mut Synchronizer {
        &mut self.0[key]
    }
}

fn report_missing<T>(key: Key, synchronizer: Option<T>) -> Option<T> {
    if synchronizer.is_none() {
        bug!("{key:?} is listed, but no synchronizer has this key");
    }
    synchronizer
}
