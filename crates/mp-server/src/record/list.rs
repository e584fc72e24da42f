//! [`RecordingList`]: the recordings of a server, for operators.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mp_record::RecordingEnd;
use mp_rooms::RoomName;

/// The recordings that go on, and the last ones that have ended, by number. Clones are the same
/// list.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordingList(Arc<Mutex<BTreeMap<u64, RecordingEntry>>>);

/// A recording of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordingEntry {
    pub(crate) room: RoomName,
    pub(crate) file: PathBuf,
    /// Size of the file.
    pub(crate) bytes: u64,
    /// Time between the first and the last frame of the file.
    pub(crate) time: Duration,
    /// Time that is kept; `None`: everything.
    pub(crate) ring: Option<Duration>,
    /// `None` while the recording goes on.
    pub(crate) end: Option<RecordingEnd>,
}

impl RecordingList {
    /// Returns the recordings, the oldest first.
    pub(crate) fn all(&self) -> Vec<RecordingEntry> {
        self.entries().values().cloned().collect()
    }

    pub(super) fn insert(&self, id: u64, entry: RecordingEntry) {
        self.entries().insert(id, entry);
    }

    pub(super) fn set_size(&self, id: u64, bytes: u64, time: Duration) {
        if let Some(entry) = self.entries().get_mut(&id) {
            (entry.bytes, entry.time) = (bytes, time);
        }
    }

    /// Records that a recording has ended. The oldest ones of those beyond [`ENDED_MAX`] are
    /// removed.
    pub(super) fn end(&self, id: u64, end: RecordingEnd) {
        let mut entries = self.entries();
        if let Some(entry) = entries.get_mut(&id) {
            entry.end = Some(end);
        }
        let ended: Vec<u64> =
            entries.iter().filter(|(_, entry)| entry.end.is_some()).map(|(&id, _)| id).collect();
        for id in ended.iter().take(ended.len().saturating_sub(ENDED_MAX)) {
            entries.remove(id);
        }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<u64, RecordingEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Maximum number of recordings in the list that have ended.
const ENDED_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_ended_recordings_stay_in_the_list() {
        let list = RecordingList::default();
        for id in 1..=ENDED_MAX as u64 + 5 {
            let (room, file) = (RoomName::new("lobby").unwrap(), PathBuf::from(id.to_string()));
            let (bytes, time) = (id, Duration::ZERO);
            list.insert(id, RecordingEntry { room, file, bytes, time, ring: None, end: None });
            if id != 2 {
                list.end(id, RecordingEnd::BranchEnded);
            }
        }
        let left: Vec<u64> = list.all().iter().map(|entry| entry.bytes).collect();
        assert_eq!(left.len(), ENDED_MAX + 1);
        assert_eq!(left[..2], [2, 6], "the one that goes on, and the last ones");
    }
}
