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
use mp_record::{BlockWriter, RecordingEnd, end_block};
use mp_rooms::RecordSettings;

use super::RecordingStats;
use super::directory;

/// A message about the recording with a number.
pub(super) enum Order {
    Start {
        settings: RecordSettings,
        /// Name of the file, without number and extension.
        name: String,
        header: Vec<u8>,
        /// Set to false when the file has ended.
        is_written: Arc<AtomicBool>,
    },
    /// An uncompressed block.
    Block(Vec<u8>),
    /// The recording ends. The time is that of its last frame.
    End(Instant, RecordingEnd),
    /// All rooms have ended.
    Finish(SyncSender<()>),
}

/// Runs the thread until [`Order::Finish`].
pub(super) fn run(orders: &Receiver<(u64, Order)>, stats: &RecordingStats) {
    let writer = match BlockWriter::new() {
        Ok(writer) => writer,
        Err(error) => return tracing::error!(%error, "rooms are not recorded"),
    };
    let mut files = Files { writer, stats: stats.clone(), open: BTreeMap::new() };
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

struct Files {
    writer: BlockWriter,
    stats: RecordingStats,
    open: BTreeMap<u64, RecordingFile>,
}

struct RecordingFile {
    settings: RecordSettings,
    file: File,
    path: PathBuf,
    is_written: Arc<AtomicBool>,
}

impl Files {
    fn handle(&mut self, id: u64, order: Order) {
        match order {
            Order::Start { settings, name, header, is_written } => {
                let result = self.start(id, settings, &name, &header, Arc::clone(&is_written));
                if let Err(error) = result {
                    is_written.store(false, Ordering::Relaxed);
                    self.stats.ended(RecordingEnd::WriteFailed);
                    tracing::warn!(%error, name, "cannot write a recording");
                }
            }
            Order::Block(block) => {
                let result = self.write(id, &block);
                self.stats.release(block.len());
                match result {
                    Ok(true) => {}
                    Ok(false) => self.stop(id, RecordingEnd::QuotaReached),
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
        settings: RecordSettings,
        name: &str,
        header: &[u8],
        is_written: Arc<AtomicBool>,
    ) -> io::Result<()> {
        let (mut file, path) = directory::create(&settings.directory, name)?;
        file.write_all(header)?;
        tracing::debug!(file = %path.display(), "a recording begins");
        self.open.insert(id, RecordingFile { settings, file, path, is_written });
        Ok(())
    }

    /// Writes a block. Returns false if there is no capacity for it.
    fn write(&mut self, id: u64, block: &[u8]) -> io::Result<bool> {
        let Some(recording) = self.open.get(&id) else { return Ok(true) };
        let bytes = self.writer.encode(block)?;
        let (needed, settings) = (bytes.len() as u64, recording.settings.clone());
        if self.make_capacity(&settings, needed)? + needed > settings.max_bytes {
            return Ok(false);
        }
        if let Some(recording) = self.open.get_mut(&id) {
            recording.file.write_all(&bytes)?;
            self.stats.written(needed);
        }
        Ok(true)
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
            tracing::debug!(file = %recording.path.display(), ?end, "a recording ends");
            if end != RecordingEnd::BranchEnded {
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
