//! [`WatchControl`]: pause, speed and time of a recording that is played.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::limits::SPEEDS;

/// The controls of a [`WatchSeat`](super::WatchSeat), for any thread. Clones belong to the same
/// seat. A change takes effect with its next step, within 10 ms.
#[derive(Clone, Debug, Default)]
pub struct WatchControl(Arc<Mutex<State>>);

/// The state of a recording that is played.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct WatchStatus {
    /// Time since the start of the recording. During a seek, the time to which it goes.
    pub position: Duration,
    /// True if the recording is paused. It pauses by itself at its end.
    pub is_paused: bool,
    /// Multiple of the recorded speed.
    pub speed: f64,
    /// True until the watchers have the state of the time to which a seek goes.
    pub is_seeking: bool,
    /// True if the recording was played to its end, or as far as it can be read. A seek continues
    /// it.
    pub is_ended: bool,
}

#[derive(Debug)]
struct State {
    status: WatchStatus,
    /// Time to which the seat has not started to seek yet.
    seek: Option<Duration>,
}

impl Default for State {
    fn default() -> Self {
        let status = WatchStatus {
            position: Duration::ZERO,
            is_paused: false,
            speed: 1.0,
            is_seeking: false,
            is_ended: false,
        };
        Self { status, seek: None }
    }
}

impl WatchControl {
    /// Returns the controls of a seat that plays from the start.
    pub fn new() -> Self {
        Self::default()
    }

    /// Pauses the recording, or goes on.
    pub fn set_paused(&self, is_paused: bool) {
        self.state().status.is_paused = is_paused;
    }

    /// Sets a multiple of the recorded speed, limited to [`SPEEDS`]. One that is not finite is
    /// ignored.
    pub fn set_speed(&self, speed: f64) {
        if speed.is_finite() {
            self.state().status.speed = speed.clamp(*SPEEDS.start(), *SPEEDS.end());
        }
    }

    /// Continues at a time since the start of the recording, or at its end if it is shorter.
    pub fn seek(&self, to: Duration) {
        self.state().seek = Some(to);
    }

    /// Returns the state, with the changes that have not taken effect yet.
    pub fn status(&self) -> WatchStatus {
        let state = self.state();
        match state.seek {
            None => state.status,
            Some(position) => {
                WatchStatus { position, is_seeking: true, is_ended: false, ..state.status }
            }
        }
    }

    /// Starts the requested seek, if there is one. Returns its time.
    pub(super) fn start_seek(&self) -> Option<Duration> {
        let mut state = self.state();
        let to = state.seek.take()?;
        let status = &mut state.status;
        (status.position, status.is_seeking, status.is_ended) = (to, true, false);
        Some(to)
    }

    /// Ends the seek that was started. Returns false if there is none.
    pub(super) fn finish_seek(&self) -> bool {
        std::mem::take(&mut self.state().status.is_seeking)
    }

    /// Adds the time that has passed, unless the recording is paused or a seek goes on.
    pub(super) fn pass(&self, time: Duration) {
        let status = &mut self.state().status;
        if !status.is_paused && !status.is_seeking {
            status.position = status.position.saturating_add(time.mul_f64(status.speed));
        }
    }

    /// Returns the time up to which the seat has to play.
    pub(super) fn position(&self) -> Duration {
        self.state().status.position
    }

    /// Returns whether the seat seeks.
    pub(super) fn is_seeking(&self) -> bool {
        self.state().status.is_seeking
    }

    /// Pauses the recording at its end, at `time`. Returns false if it was paused.
    pub(super) fn end(&self, time: Duration) -> bool {
        let status = &mut self.state().status;
        status.position = status.position.min(time);
        status.is_ended = true;
        !std::mem::replace(&mut status.is_paused, true)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
