//! [`WatchSeat`]: a room whose host is a recording.

mod audience;
mod control;
mod playback;
mod seen;
mod stage;
mod view;

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use mp_core::{Instant, Packet, PeerId};
use mp_scene::{Branch, IdBlocks, RelayContext, RelayDecision, RelayPolicy};

pub(crate) use self::audience::{Audience, ClientView};
pub use self::control::{WatchControl, WatchStatus};
use self::playback::{Playback, Shown};
use self::stage::Stage;
use crate::{RecordingError, Replay};

/// A recording that is played.
pub type WatchedReplay = Replay<Box<dyn Read>, Branch>;

/// A function that opens the recording again, at its start.
pub type OpenRecording = Box<dyn FnMut() -> Result<WatchedReplay, String>>;

/// A relay policy whose room shows a recording: clients that join are sent what a client of the
/// recording received, and what that client announced to others. They need not be prepared, and
/// see a Godot server, peer 1, whose game they watch. What they send is dropped.
///
/// A seek despawns all nodes, and sends the nodes and the last values of their properties at the
/// new time. Effects of calls before that time are not repeated.
pub struct WatchSeat {
    open: OpenRecording,
    viewpoint: PeerId,
    playback: Playback,
    stage: Stage,
    /// Watchers that are sent the state when the seek is complete.
    later: BTreeSet<PeerId>,
    control: WatchControl,
    events: SyncSender<WatchEvent>,
    last: Option<Instant>,
    now: Instant,
}

/// An event of a [`WatchSeat`]. Those that the program does not receive in time are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchEvent {
    /// The watchers have the state of the time of a seek, or of the end if the recording is
    /// shorter.
    Reached(Duration),
    /// The recording has ended, and is paused. A seek continues it.
    Ended,
    /// The rest of the recording cannot be read.
    Failed(String),
}

impl WatchSeat {
    /// Creates a seat that shows what `viewpoint` has received. It plays from the start, once the
    /// first watcher has joined.
    ///
    /// # Errors
    ///
    /// The error of `open`.
    pub fn new(
        mut open: OpenRecording,
        viewpoint: PeerId,
        control: WatchControl,
        events: SyncSender<WatchEvent>,
    ) -> Result<Self, String> {
        let playback = Playback::new(open()?, viewpoint);
        Ok(Self {
            open,
            viewpoint,
            playback,
            stage: Stage::default(),
            later: BTreeSet::new(),
            control,
            events,
            last: None,
            now: Instant::ZERO,
        })
    }

    /// Returns the controls.
    pub fn control(&self) -> &WatchControl {
        &self.control
    }

    fn report(&self, event: WatchEvent) {
        let _ = self.events.try_send(event);
    }

    /// Starts a seek. The watchers lose all nodes, and receive those of the new time when the
    /// replay has reached it.
    fn seek(&mut self, cx: &mut RelayContext<'_>, to: Duration) {
        let current = self.stage.current(&self.later);
        self.stage.hide(cx, &current, self.playback.view());
        self.later.clone_from(&self.stage.watchers);
        if to < self.playback.time() {
            match (self.open)() {
                Ok(replay) => self.playback = Playback::new(replay, self.viewpoint),
                Err(error) => self.report(WatchEvent::Failed(error)),
            }
        }
    }

    /// Plays up to the time of the controls.
    fn advance(&mut self, cx: &mut RelayContext<'_>) {
        let current = self.stage.current(&self.later);
        let stage = &mut self.stage;
        let show = &mut |shown: Shown| match shown {
            _ if current.is_empty() => {}
            Shown::AddPeer(peer) => Stage::add_peer(cx, &current, peer),
            Shown::RemovePeer(peer) => Stage::remove_peer(cx, &current, peer),
            Shown::Packet { author, mode, packet } => {
                stage.send(cx, &current, author, mode, &packet);
            }
        };
        let has_reached = self.playback.advance(self.control.position(), show);
        if matches!(has_reached, Ok(false)) {
            return;
        }
        let end = match has_reached {
            Err(error) => Some(WatchEvent::Failed(chain(&error))),
            Ok(_) => self.playback.is_finished().then_some(WatchEvent::Ended),
        };
        if let Some(event) = end
            && self.control.end(self.playback.time())
        {
            self.report(event);
        }
        if self.control.finish_seek() {
            self.report(WatchEvent::Reached(self.control.position()));
        }
        if !self.later.is_empty() {
            let later: Vec<PeerId> = std::mem::take(&mut self.later).into_iter().collect();
            self.stage.show(cx, &later, self.playback.view());
        }
    }
}

fn chain(error: &RecordingError) -> String {
    mp_core::ErrorChain::new(error).to_string()
}

impl RelayPolicy for WatchSeat {
    fn set_ids(&mut self, ids: &IdBlocks) {
        self.stage.set_ids(ids);
    }

    fn peer_connected(&mut self, _: &mut RelayContext<'_>, peer: PeerId) {
        self.stage.watchers.insert(peer);
        self.later.insert(peer);
    }

    fn peer_disconnected(&mut self, _: &mut RelayContext<'_>, peer: PeerId) {
        self.stage.watchers.remove(&peer);
        self.later.remove(&peer);
    }

    fn receive(&mut self, _: &mut RelayContext<'_>, _: PeerId, _: &Packet) -> RelayDecision {
        RelayDecision::Handled
    }

    fn process(&mut self, cx: &mut RelayContext<'_>, now: Instant) {
        self.now = now;
        if let Some(to) = self.control.start_seek() {
            self.seek(cx, to);
        }
        let elapsed = self.last.map_or(Duration::ZERO, |last| now - last);
        self.last = Some(now);
        if !self.stage.watchers.is_empty() {
            self.control.pass(elapsed);
        }
        self.advance(cx);
    }

    fn next_timeout(&self) -> Option<Instant> {
        let pause = match self.control.is_seeking() {
            true => Duration::ZERO,
            false => POLL_INTERVAL,
        };
        Some(self.now + pause)
    }

    fn clear(&mut self) {
        self.stage.watchers.clear();
        self.later.clear();
    }
}

/// Time between two steps, in which changes of the controls take effect and packets are sent.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

impl fmt::Debug for WatchSeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchSeat")
            .field("viewpoint", &self.viewpoint)
            .field("control", &self.control)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
