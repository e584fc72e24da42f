//! Recordings of rooms: a thread that compresses and writes them, and `mp-server replay`.

mod control;
mod directory;
mod list;
mod replay;
mod ring;
mod stats;
mod thread;
mod watch;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use mp_core::Instant;
use mp_core::host::unix_now;
use mp_record::{BlockSink, Facts, RecordedBlock, Recording, RecordingEnd, RecordingHeader};
use mp_rooms::{RecordSettings, RoomName};

use crate::relay::RelaySettings;
pub(crate) use control::ControlError;
use control::{Controls, RoomControl};
pub(crate) use list::{RecordingEntry, RecordingList};
use thread::Order;

pub(crate) use replay::{ReplayArgs, open, parse_time, run as run_replay, shown};
pub use replay::{ReplayError, Replayed, replay_recording};
pub(crate) use stats::{RecordingStats, label as end_label};
pub(crate) use watch::{WatchArgs, parse_speed, server as watch_server};

/// The recordings of a server. Clones share the thread that writes them, which starts with the
/// first one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recordings(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    orders: Mutex<Option<mpsc::SyncSender<(u64, Order)>>>,
    stats: RecordingStats,
    list: RecordingList,
    controls: Controls,
}

/// The recording of a room, and what the room is built from.
#[derive(Clone, Debug)]
pub(crate) struct RoomRecording {
    pub(crate) recording: Recording,
    pub(crate) seed: [u8; 32],
}

impl RoomRecording {
    /// Returns the answers to questions of the room, which are recorded.
    pub(crate) fn facts(&self) -> Facts {
        Facts::recorded(self.recording.clone())
    }
}

impl Recordings {
    /// Returns the counters.
    pub(crate) fn stats(&self) -> &RecordingStats {
        &self.0.stats
    }

    /// Returns the recordings.
    pub(crate) fn list(&self) -> &RecordingList {
        &self.0.list
    }

    /// Starts to record a new room, or prepares it for an operator who does. Returns `None`, and
    /// logs why, if it cannot be recorded.
    pub(crate) fn start(
        &self,
        settings: &RecordSettings,
        room: &RoomName,
        relay: &RelaySettings,
    ) -> Option<RoomRecording> {
        let started = self.try_start(settings, room, relay);
        if let Err(error) = &started {
            tracing::warn!(%room, error, "the room is not recorded");
        }
        started.ok()
    }

    fn try_start(
        &self,
        settings: &RecordSettings,
        room: &RoomName,
        relay: &RelaySettings,
    ) -> Result<RoomRecording, String> {
        let seed = mp_core::host::os_seed().map_err(|error| error.to_string())?;
        let interval = settings.ring.map(|time| time / ring::STEPS);
        let (recording, is_stopped) = match (settings.on_demand, interval) {
            (true, _) => (Recording::idle(interval), Arc::default()),
            (false, interval) => {
                let (sink, is_stopped) = self.sink(settings, room, relay, seed)?;
                let recording = match interval {
                    None => Recording::new(Box::new(sink)),
                    Some(interval) => Recording::ring(Box::new(sink), interval),
                };
                (recording, is_stopped)
            }
        };
        let control = RoomControl {
            recording: recording.downgrade(),
            settings: settings.clone(),
            relay: relay.clone(),
            seed,
            is_stopped,
        };
        self.0.controls.add(room.clone(), control);
        Ok(RoomRecording { recording, seed })
    }

    /// Creates the file of a room. Returns its end at the room, and a flag that is set before an
    /// operator stops the recording.
    fn sink(
        &self,
        settings: &RecordSettings,
        room: &RoomName,
        relay: &RelaySettings,
        seed: [u8; 32],
    ) -> Result<(QueueSink, Arc<AtomicBool>), String> {
        let header = RecordingHeader {
            program: PROGRAM.to_owned(),
            seed,
            kind: crate::plan::RELAY.to_owned(),
            config: serde_json::to_string(relay).map_err(|error| error.to_string())?,
            tables: 0,
            began: unix_now(),
            name: room.as_str().to_owned(),
        };
        let orders = self.orders().map_err(|error| format!("cannot start a thread: {error}"))?;
        let (state, is_stopped) = (Arc::new(AtomicBool::new(true)), Arc::default());
        let order = Order::Start {
            room: room.clone(),
            settings: settings.clone(),
            name: directory::file_name(room.as_str(), header.began),
            header: Box::new(header),
            is_written: Arc::clone(&state),
        };
        let id = self.0.stats.next_id();
        orders.try_send((id, order)).map_err(|_| "its queue is full".to_owned())?;
        let sink = QueueSink {
            id,
            orders,
            is_written: state,
            is_stopped: Arc::clone(&is_stopped),
            stats: self.0.stats.clone(),
            last: Instant::ZERO,
            end: RecordingEnd::BranchEnded,
        };
        Ok((sink, is_stopped))
    }

    /// Writes what is queued, for at most [`FINISH_TIMEOUT`], and ends the thread. Further
    /// recordings are not started.
    pub(crate) fn finish(&self) {
        let orders = self.0.orders.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(orders) = orders else { return };
        let (done, finished) = mpsc::sync_channel(1);
        if orders.try_send((0, Order::Finish(done))).is_ok()
            && finished.recv_timeout(FINISH_TIMEOUT).is_err()
        {
            tracing::warn!("recordings are not complete: the disk is too slow");
        }
    }

    /// Returns the queue of the thread, and starts it if there is none.
    fn orders(&self) -> std::io::Result<mpsc::SyncSender<(u64, Order)>> {
        let mut orders = self.0.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(orders) = &*orders {
            return Ok(orders.clone());
        }
        let (sender, receiver) = mpsc::sync_channel(ORDERS_MAX);
        let (stats, list) = (self.0.stats.clone(), self.0.list.clone());
        let thread = std::thread::Builder::new().name("mp-record".to_owned());
        thread.spawn(move || thread::run(&receiver, stats, list))?;
        *orders = Some(sender.clone());
        Ok(sender)
    }
}

/// The end of the thread's queue at a room. The queue has a limit in bytes.
struct QueueSink {
    id: u64,
    orders: mpsc::SyncSender<(u64, Order)>,
    /// False once the file has ended.
    is_written: Arc<AtomicBool>,
    /// True once an operator has stopped the recording.
    is_stopped: Arc<AtomicBool>,
    stats: RecordingStats,
    /// Time of the last frame of the last block.
    last: Instant,
    end: RecordingEnd,
}

impl BlockSink for QueueSink {
    fn accept(&mut self, block: RecordedBlock) -> bool {
        if !self.is_written.load(Ordering::Relaxed) {
            return false;
        }
        if !self.stats.reserve(block.bytes.len()) {
            self.end = RecordingEnd::WriterSlow;
            tracing::warn!("a recording ends: the disk is slower than the rooms");
            return false;
        }
        self.last = block.last;
        self.orders.try_send((self.id, Order::Block(block))).is_ok()
    }
}

impl Drop for QueueSink {
    fn drop(&mut self) {
        let end = match self.is_stopped.load(Ordering::Relaxed) {
            true => RecordingEnd::Stopped,
            false => self.end,
        };
        let _ = self.orders.try_send((self.id, Order::End(self.last, end)));
    }
}

/// Capacity of the queue in messages: blocks, and a start and an end of each of the rooms.
const ORDERS_MAX: usize = stats::QUEUED_BLOCKS_MAX + 2 * 16_384;

/// Time that a server waits for the disk when it ends.
const FINISH_TIMEOUT: Duration = Duration::from_secs(10);

/// Name and version of this program in recordings.
const PROGRAM: &str = concat!("mp-server ", env!("CARGO_PKG_VERSION"));
