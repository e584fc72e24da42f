//! [`RecordSettings`]: the place of recordings of rooms.

use std::path::PathBuf;
use std::time::Duration;

/// The place of the recordings of rooms, and their limits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordSettings {
    /// Directory of the files.
    pub directory: PathBuf,
    /// Maximum size of all recordings in the directory in bytes. The oldest ones are deleted first;
    /// a recording that has no capacity left ends.
    pub max_bytes: u64,
    /// Time after which a recording is deleted; `None`: never.
    pub retention: Option<Duration>,
    /// Time that a recording keeps at least, up to its last packet; `None`: everything.
    pub ring: Option<Duration>,
    /// True if a room is recorded only while an operator wants it; false: from its start.
    pub on_demand: bool,
}

impl RecordSettings {
    /// Returns settings with 1 GiB, 7 days of retention and whole recordings.
    pub fn new(directory: PathBuf) -> Self {
        let retention = Some(Duration::from_secs(7 * 24 * 3_600));
        Self { directory, max_bytes: 1 << 30, retention, ring: None, on_demand: false }
    }
}
