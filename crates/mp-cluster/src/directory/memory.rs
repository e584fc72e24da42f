//! [`MemoryDirectory`]: a directory in memory.

use std::collections::BTreeMap;

use mp_core::Instant;

use super::{Entry, EntryKey, Operation, OperationOutcome, Revision};
use crate::limits::{ENTRIES_MAX, VALUE_BYTES_MAX};

/// A directory in memory, for tests and simulations. Nodes of one process share it by a
/// [`MemoryCluster`](crate::bus::MemoryCluster).
#[derive(Debug)]
pub struct MemoryDirectory {
    entries: BTreeMap<EntryKey, Stored>,
    last: Revision,
}

#[derive(Debug)]
struct Stored {
    entry: Entry,
    /// Time at which the entry is removed.
    expires: Option<Instant>,
}

impl MemoryDirectory {
    /// Returns a directory without entries.
    pub fn new() -> Self {
        Self { entries: BTreeMap::new(), last: Revision(0) }
    }

    /// Carries out an operation.
    pub fn apply_at(&mut self, now: Instant, operation: Operation) -> OperationOutcome {
        let is_live = |stored: &&Stored| stored.expires.is_none_or(|expires| now < expires);
        match operation {
            Operation::Get(key) => {
                let stored = self.entries.get(&key).filter(is_live);
                OperationOutcome::Entry(stored.map(|stored| stored.entry.clone()))
            }
            Operation::List(kind) => {
                let listed = self.entries.iter().filter(|(key, _)| key.kind() == kind);
                let listed = listed.filter(|(_, stored)| is_live(stored));
                let entry =
                    |(key, stored): (&EntryKey, &Stored)| (key.clone(), stored.entry.clone());
                OperationOutcome::Entries(listed.map(entry).collect())
            }
            Operation::Put { key, value, expected, lifetime } => {
                let stored = self.entries.get(&key).filter(is_live);
                let is_unchanged = stored.map(|stored| stored.entry.revision) == expected;
                if !is_unchanged || value.len() > VALUE_BYTES_MAX || !self.has_capacity(now) {
                    return OperationOutcome::Conflict;
                }
                self.last = Revision(self.last.0 + 1);
                let entry = Entry { value, revision: self.last };
                let expires = lifetime.map(|lifetime| now + lifetime);
                self.entries.insert(key, Stored { entry, expires });
                OperationOutcome::Written(self.last)
            }
            Operation::Remove { key, expected } => {
                let stored = self.entries.get(&key).filter(is_live);
                if stored.is_none_or(|stored| stored.entry.revision != expected) {
                    return OperationOutcome::Conflict;
                }
                self.entries.remove(&key);
                OperationOutcome::Removed
            }
        }
    }

    /// Returns whether an entry may be added; removes expired ones if there are too many.
    fn has_capacity(&mut self, now: Instant) -> bool {
        if self.entries.len() >= ENTRIES_MAX {
            self.entries.retain(|_, stored| stored.expires.is_none_or(|expires| now < expires));
        }
        self.entries.len() < ENTRIES_MAX
    }
}

impl Default for MemoryDirectory {
    fn default() -> Self {
        Self::new()
    }
}
