//! [`RecordingStats`]: counters of recordings, and the limit of their queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use mp_record::RecordingEnd;

/// Counters of the recordings of a server. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordingStats(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    started: AtomicU64,
    ended: [AtomicU64; 5],
    written_bytes: AtomicU64,
    queued_bytes: AtomicUsize,
    queued_blocks: AtomicUsize,
}

impl RecordingStats {
    /// Counts a recording, and returns its number, from 1.
    pub(super) fn next_id(&self) -> u64 {
        self.0.started.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts the end of a recording.
    pub(super) fn ended(&self, end: RecordingEnd) {
        self.0.ended[index(end)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn written(&self, bytes: u64) {
        self.0.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Reserves capacity of the queue for a block. Returns false if there is not enough.
    pub(super) fn reserve(&self, bytes: usize) -> bool {
        let queued = self.0.queued_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let blocks = self.0.queued_blocks.fetch_add(1, Ordering::Relaxed) + 1;
        let is_reserved = queued <= QUEUE_BYTES_MAX && blocks <= QUEUED_BLOCKS_MAX;
        if !is_reserved {
            self.release(bytes);
        }
        is_reserved
    }

    /// Releases the capacity of a block.
    pub(super) fn release(&self, bytes: usize) {
        self.0.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.0.queued_blocks.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns the number of recordings that go on.
    pub(crate) fn active(&self) -> u64 {
        let ended = self.ends().iter().map(|(_, count)| count).sum();
        self.0.started.load(Ordering::Relaxed).saturating_sub(ended)
    }

    /// Returns the numbers of recordings that have ended, by reason.
    pub(crate) fn ends(&self) -> [(&'static str, u64); 5] {
        ENDS.map(|end| (label(end), self.0.ended[index(end)].load(Ordering::Relaxed)))
    }

    /// Returns the number of bytes in files.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.0.written_bytes.load(Ordering::Relaxed)
    }
}

/// Returns the word for the reason of an end, in metrics and the admin API.
pub(crate) fn label(end: RecordingEnd) -> &'static str {
    match end {
        RecordingEnd::BranchEnded => "room_ended",
        RecordingEnd::WriterSlow => "writer_slow",
        RecordingEnd::QuotaReached => "quota_reached",
        RecordingEnd::WriteFailed => "write_failed",
        RecordingEnd::Stopped => "stopped",
    }
}

const ENDS: [RecordingEnd; 5] = [
    RecordingEnd::BranchEnded,
    RecordingEnd::WriterSlow,
    RecordingEnd::QuotaReached,
    RecordingEnd::WriteFailed,
    RecordingEnd::Stopped,
];

fn index(end: RecordingEnd) -> usize {
    match end {
        RecordingEnd::BranchEnded => 0,
        RecordingEnd::WriterSlow => 1,
        RecordingEnd::QuotaReached => 2,
        RecordingEnd::WriteFailed => 3,
        RecordingEnd::Stopped => 4,
    }
}

/// Maximum number of blocks that were not written yet.
pub(super) const QUEUED_BLOCKS_MAX: usize = 32_768;

/// Maximum size of all blocks that were not written yet: a second of a disk that has stopped, at
/// the rate of hundreds of rooms.
const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_is_bounded_in_bytes_and_blocks() {
        let stats = RecordingStats::default();
        assert!(stats.reserve(QUEUE_BYTES_MAX) && !stats.reserve(1));
        stats.release(QUEUE_BYTES_MAX);
        assert!((0..QUEUED_BLOCKS_MAX).all(|_| stats.reserve(1)) && !stats.reserve(1));
        stats.release(1);
        assert!(stats.reserve(1));
    }
}
