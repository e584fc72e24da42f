//! Starting and stopping the recordings of rooms that run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mp_record::WeakRecording;
use mp_rooms::{RecordSettings, RoomName};

use super::Recordings;
use crate::relay::RelaySettings;

/// The rooms that can be recorded, by name.
#[derive(Debug, Default)]
pub(super) struct Controls(Mutex<BTreeMap<RoomName, RoomControl>>);

/// The recording of a room, and the settings with which it is started.
#[derive(Clone, Debug)]
pub(super) struct RoomControl {
    pub(super) recording: WeakRecording,
    pub(super) settings: RecordSettings,
    pub(super) relay: RelaySettings,
    pub(super) seed: [u8; 32],
    /// Set before an operator stops the present recording.
    pub(super) is_stopped: Arc<AtomicBool>,
}

/// The reason why a recording is not started or stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ControlError {
    #[error("the room cannot be recorded: its template has no record")]
    NotRecordable,
    #[error("the room is recorded already")]
    Recorded,
    #[error("the room is not recorded")]
    NotRecorded,
    #[error("cannot record the room: {0}")]
    Failed(String),
}

impl Controls {
    /// Adds a room. Removes those that have ended.
    pub(super) fn add(&self, room: RoomName, control: RoomControl) {
        let mut rooms = self.rooms();
        rooms.retain(|_, control| control.recording.upgrade().is_some());
        rooms.insert(room, control);
    }

    fn rooms(&self) -> MutexGuard<'_, BTreeMap<RoomName, RoomControl>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recordings {
    /// Starts to record a room that runs, at the end of its next turn.
    pub(crate) fn start_room(&self, room: &RoomName) -> Result<(), ControlError> {
        let mut rooms = self.0.controls.rooms();
        let control = rooms.get_mut(room).ok_or(ControlError::NotRecordable)?;
        let recording = control.recording.upgrade().ok_or(ControlError::NotRecordable)?;
        if recording.is_started() {
            return Err(ControlError::Recorded);
        }
        let RoomControl { settings, relay, seed, .. } = &*control;
        let (sink, is_stopped) =
            self.sink(settings, room, relay, *seed).map_err(ControlError::Failed)?;
        control.is_stopped = is_stopped;
        match recording.start(Box::new(sink)) {
            true => Ok(()),
            false => Err(ControlError::Recorded),
        }
    }

    /// Ends the recording of a room that runs.
    pub(crate) fn stop_room(&self, room: &RoomName) -> Result<(), ControlError> {
        let rooms = self.0.controls.rooms();
        let control = rooms.get(room).ok_or(ControlError::NotRecordable)?;
        let recording = control.recording.upgrade().ok_or(ControlError::NotRecordable)?;
        control.is_stopped.store(true, Ordering::Relaxed);
        match recording.stop() {
            true => Ok(()),
            false => Err(ControlError::NotRecorded),
        }
    }
}
