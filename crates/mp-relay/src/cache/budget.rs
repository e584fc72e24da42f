//! [`Budget`]: the size of a cache.

use bytes::Bytes;

use crate::limits::CACHE_BYTES_MAX;

/// The size of a cache in bytes, and its bound [`CACHE_BYTES_MAX`].
#[derive(Debug, Default)]
pub(super) struct Budget {
    used: usize,
    is_exceeded: bool,
}

impl Budget {
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Returns whether something was not kept.
    pub(super) fn is_exceeded(&self) -> bool {
        self.is_exceeded
    }

    /// Considers the cache incomplete.
    pub(super) fn exceed(&mut self) {
        self.is_exceeded = true;
    }

    /// Considers the cache complete.
    pub(super) fn forgive(&mut self) {
        self.is_exceeded = false;
    }

    /// Replaces bytes with others. Returns false, and changes nothing, if there are too many.
    pub(super) fn replace(&mut self, old: usize, new: usize) -> bool {
        let used = self.used - old + new;
        if used > CACHE_BYTES_MAX {
            self.is_exceeded = true;
            return false;
        }
        self.used = used;
        true
    }

    pub(super) fn release(&mut self, bytes: usize) {
        self.used -= bytes;
    }

    /// Replaces `slot` with a copy of `value`; empties it if there are too many bytes.
    pub(super) fn store(&mut self, slot: &mut Bytes, value: &[u8]) {
        if slot == value {
            return;
        }
        if self.replace(slot.len(), value.len()) {
            *slot = Bytes::copy_from_slice(value);
        } else {
            self.release(slot.len());
            *slot = Bytes::new();
        }
    }
}
