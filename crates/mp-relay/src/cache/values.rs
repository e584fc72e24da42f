//! [`Values`]: the last values of a synchronizer.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use bytes::{Bytes, BytesMut};
use mp_scene::codec::godot::elements::{put_delta, put_sync, split_values};

use super::Budget;
use super::checkpoint::ValuesState;

/// The last values of a synchronizer, encoded.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// On-change properties by the bit of the DELTA.
    on_change: BTreeMap<u8, Bytes>,
    /// All always-properties; empty if there was no SYNC.
    always: Bytes,
}

/// Size in bytes of an entry of [`Values::on_change`] besides the value.
const ENTRY: usize = 2 * size_of::<(u8, Bytes)>();

impl Values {
    /// Returns the state for a checkpoint.
    pub(super) fn state(&self) -> ValuesState {
        let on_change = self.on_change.iter().map(|(&bit, value)| (bit, value.to_vec()));
        ValuesState { on_change: on_change.collect(), always: self.always.to_vec() }
    }

    /// Returns the values of a checkpoint.
    pub(super) fn restore(state: ValuesState) -> Self {
        let on_change = state.on_change.into_iter().map(|(bit, value)| (bit, value.into()));
        Self { on_change: on_change.collect(), always: state.always.into() }
    }

    /// Returns the size in bytes of the values.
    pub(super) fn size(&self) -> usize {
        let on_change: usize = self.on_change.values().map(|value| ENTRY + value.len()).sum();
        on_change + self.always.len()
    }

    pub(super) fn record_sync(&mut self, budget: &mut Budget, values: &[u8]) {
        budget.store(&mut self.always, values);
    }

    /// Records an element of a DELTA. Values that cannot be decoded are ignored, as by guests.
    pub(super) fn record_delta(&mut self, budget: &mut Budget, mask: u64, values: &Bytes) {
        for (bit, value) in split_values(mask, values).into_iter().flatten() {
            let slot = match self.on_change.entry(bit) {
                Entry::Occupied(slot) => slot.into_mut(),
                Entry::Vacant(slot) if budget.replace(0, ENTRY) => slot.insert(Bytes::new()),
                Entry::Vacant(_) => continue,
            };
            budget.store(slot, &value);
        }
    }

    /// Returns the on-change properties that are kept, by bit.
    pub(super) fn on_change(&self) -> impl Iterator<Item = (u8, &[u8])> + Clone {
        let kept = self.on_change.iter().filter(|(_, value)| !value.is_empty());
        kept.map(|(&bit, value)| (bit, &value[..]))
    }

    /// Returns the always-properties; empty if there was no SYNC.
    pub(super) fn always(&self) -> &[u8] {
        &self.always
    }

    /// Appends the elements of a DELTA and a SYNC with all values.
    pub(super) fn put(&self, id: u32, delta: &mut BytesMut, sync: &mut BytesMut) {
        if self.on_change().next().is_some() {
            put_delta(id, self.on_change(), delta);
        }
        if !self.always.is_empty() {
            put_sync(id, &self.always, sync);
        }
    }
}
