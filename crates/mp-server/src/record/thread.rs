//! The thread that compresses and writes recordings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, SystemTime};

use mp_core::Instant;
use mp_core::host::unix_now;
use mp_record::{BlockWriter, RecordedBlock, RecordingEnd, RecordingHeader, end_block};
use mp_rooms::{RecordSettings, RoomName};

use super::directory;
use super::ring::Ring;
use super::{RecordingEntry, RecordingList, RecordingStats};

/// A message about the recording with a number.
pub(super) enum Order {
    Start {
        room: RoomName,
        settings: RecordSettings,
        /// Name of the file, without number and extension.
        name: String,
        header: Box<RecordingHeader>,
        /// Set to false when the file has ended.
        is_written: Arc<AtomicBool>,
    },
    Block(RecordedBlock),
    /// The recording ends. The time is that of its last frame.
    End(Instant, RecordingEnd),
    /// All rooms have ended.
    Finish(SyncSender<()>),
}

/// Runs the thread until [`Order::Finish`].
pub(super) fn run(orders: &Receiver<(u64, Order)>, stats: RecordingStats, list: RecordingList) {
    let mut files = match Files::new(stats, list) {
        Ok(files) => files,
        Err(error) => return tracing::error!(%error, "rooms are not recorded"),
    };
    loop {
        match orders.recv_timeout(RETENTION_INTERVAL) {
            Ok((_, Order::Finish(done))) => {
                let _ = done.send(());
                return;
            }
            Ok((id, order)) => files.handle(id, order),
            Err(RecvTimeoutError::Timeout) => files.expire(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Time after which recordings are checked for their retention while nothing is recorded.
const RETENTION_INTERVAL: Duration = Duration::from_secs(3_600);

/// The files of the recordings that go on.
pub(super) struct Files {
    writer: BlockWriter,
    stats: RecordingStats,
    list: RecordingList,
    open: BTreeMap<u64, RecordingFile>,
}

struct RecordingFile {
    settings: RecordSettings,
    file: File,
    path: PathBuf,
    len: u64,
    /// Time of the first frame in the file.
    first: Option<Instant>,
    /// `None`: the recording keeps everything.
    ring: Option<Ring>,
    is_written: Arc<AtomicBool>,
}

impl Files {
    pub(super) fn new(stats: RecordingStats, list: RecordingList) -> io::Result<Self> {
        Ok(Self { writer: BlockWriter::new()?, stats, list, open: BTreeMap::new() })
    }

    pub(super) fn handle(&mut self, id: u64, order: Order) {
        match order {
            Order::Start { room, settings, name, header, is_written } => {
                let written = Arc::clone(&is_written);
                let result = self.start(id, room, settings, &name, *header, written);
                if let Err(error) = result {
                    is_written.store(false, Ordering::Relaxed);
                    self.stats.ended(RecordingEnd::WriteFailed);
                    tracing::warn!(%error, name, "cannot write a recording");
                }
            }
            Order::Block(block) => {
                let result = self.write(id, &block.bytes);
                self.stats.release(block.bytes.len());
                match result {
                    Ok(Some(position)) => {
                        self.drop_beginning(id, &block, position);
                        self.report(id, &block);
                    }
                    Ok(None) => self.stop(id, RecordingEnd::QuotaReached),
                    Err(error) => {
                        tracing::warn!(%error, "cannot write a recording");
                        self.stop(id, RecordingEnd::WriteFailed);
                    }
                }
            }
            Order::End(last, end) => {
                if self.open.contains_key(&id) {
                    let _ = self.write(id, &end_block(last, end));
                    self.stop(id, end);
                }
            }
            Order::Finish(_) => {}
        }
    }

    fn start(
        &mut self,
        id: u64,
        room: RoomName,
        settings: RecordSettings,
        name: &str,
        header: RecordingHeader,
        is_written: Arc<AtomicBool>,
    ) -> io::Result<()> {
        let (mut file, path) = directory::create(&settings.directory, name)?;
        let head = header.encode()?;
        file.write_all(&head)?;
        tracing::debug!(file = %path.display(), "a recording begins");
        let (len, ring) = (head.len() as u64, settings.ring.map(|time| Ring::new(time, header)));
        let entry = RecordingEntry {
            room,
            file: path.clone(),
            bytes: len,
            time: Duration::ZERO,
            ring: settings.ring,
            end: None,
        };
        self.list.insert(id, entry);
        let first = None;
        self.open.insert(id, RecordingFile { settings, file, path, len, first, ring, is_written });
        Ok(())
    }

    /// Writes a block. Returns its position in the file; `None` if there is no capacity for it.
    fn write(&mut self, id: u64, block: &[u8]) -> io::Result<Option<u64>> {
        let Some(recording) = self.open.get(&id) else { return Ok(Some(0)) };
        let bytes = self.writer.encode(block)?;
        let (needed, settings) = (bytes.len() as u64, recording.settings.clone());
        if self.make_capacity(&settings, needed)? + needed > settings.max_bytes {
            return Ok(None);
        }
        let Some(recording) = self.open.get_mut(&id) else { return Ok(Some(0)) };
        recording.file.write_all(&bytes)?;
        self.stats.written(needed);
        let position = recording.len;
        recording.len += needed;
        Ok(Some(position))
    }

    /// Drops the beginning of a ring, if a block that was written shows that it has enough without.
    /// If that fails, or there is no capacity for the copy, the file has more than it should.
    fn drop_beginning(&mut self, id: u64, block: &RecordedBlock, position: u64) {
        let Some(RecordingFile { settings, len, ring, .. }) = self.open.get_mut(&id) else {
            return;
        };
        let Some(start) = ring.as_mut().and_then(|ring| ring.add(block, position)) else { return };
        let (settings, needed) = (settings.clone(), start.kept(*len));
        let has_capacity =
            self.make_capacity(&settings, needed).map(|used| used + needed <= settings.max_bytes);
        let Some(RecordingFile { file, path, len, first, ring: Some(ring), .. }) =
            self.open.get_mut(&id)
        else {
            return;
        };
        let dropped = match has_capacity {
            Ok(false) => {
                let help = "raise record_bytes, or lower record_minutes";
                return tracing::warn!(file = %path.display(), help, "no capacity for a copy");
            }
            Ok(true) => ring.drop_before(start, path),
            Err(error) => Err(error),
        };
        match dropped {
            Ok((replaced, replaced_len)) => {
                (*file, *len, *first) = (replaced, replaced_len, Some(start.at()));
            }
            Err(error) => {
                tracing::warn!(%error, file = %path.display(), "cannot drop the beginning");
            }
        }
    }

    /// Updates the list after a block.
    fn report(&mut self, id: u64, block: &RecordedBlock) {
        if let Some(recording) = self.open.get_mut(&id) {
            let first = *recording.first.get_or_insert(block.first);
            self.list.set_size(id, recording.len, block.last - first);
        }
    }

    fn make_capacity(&self, settings: &RecordSettings, needed: u64) -> io::Result<u64> {
        let open: BTreeSet<_> = self.open.values().map(|it| it.path.clone()).collect();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_now());
        directory::make_capacity(settings, &open, needed, now)
    }

    /// Ends a recording, whose room goes on.
    fn stop(&mut self, id: u64, end: RecordingEnd) {
        if let Some(recording) = self.open.remove(&id) {
            recording.is_written.store(false, Ordering::Relaxed);
            self.stats.ended(end);
            self.list.end(id, end);
            tracing::debug!(file = %recording.path.display(), ?end, "a recording ends");
            if !matches!(end, RecordingEnd::BranchEnded | RecordingEnd::Stopped) {
                tracing::warn!(file = %recording.path.display(), ?end, "a recording is incomplete");
            }
        }
    }

    /// Deletes recordings after their retention.
    fn expire(&self) {
        for recording in self.open.values() {
            if let Err(error) = self.make_capacity(&recording.settings, 0) {
                tracing::warn!(%error, "cannot delete recordings");
            }
        }
    }
}
