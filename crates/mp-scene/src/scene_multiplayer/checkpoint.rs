//! The state of a relaying server between two turns.

use std::time::Duration;

use mp_core::{Instant, RunningClock};
use mp_host::CheckpointError;
use serde::{Deserialize, Serialize};

use super::SceneMultiplayer;
use super::session::SessionState;
use crate::ids::IdPosition;

/// The whole state of the protocol of a server without nodes.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    /// Program time of the last turn, and the sum of all stalls.
    clock: (Option<Instant>, Duration),
    session: SessionState,
    paths: IdPosition,
    /// Number of blocks of ids that were drawn.
    drawn: u32,
}

impl SceneMultiplayer {
    /// Returns the state of a server without nodes, if nothing is queued.
    pub(crate) fn checkpoint(&self) -> Option<Vec<u8>> {
        if !self.sender.is_empty() || self.sender.is_blocked() || self.events.len() > 0 {
            return None;
        }
        let paths = self.paths.counter();
        let state = State {
            clock: (self.clock.last(), self.clock.stalled()),
            session: self.session.checkpoint(self.sender.routes())?,
            paths: paths.position(),
            drawn: paths.blocks().map_or(0, |blocks| blocks.drawn()),
        };
        postcard::to_stdvec(&state).ok()
    }

    /// Restores the state of a server into a new one.
    pub(crate) fn restore_checkpoint(&mut self, bytes: &[u8]) -> Result<(), CheckpointError> {
        if self.session.endpoints().len() > 0 {
            return Err(CheckpointError("the branch is not new"));
        }
        let (state, rest) = postcard::take_from_bytes::<State>(bytes)
            .map_err(|_| CheckpointError("its encoding is malformed"))?;
        if !rest.is_empty() {
            return Err(CheckpointError("bytes follow its end"));
        }
        let State { clock: (last, stalled), session, paths, drawn } = state;
        self.clock = RunningClock::continuing(last, stalled);
        self.paths.counter_mut().continue_at(paths);
        if let Some(blocks) = self.paths.counter().blocks() {
            blocks.set_drawn(drawn);
        }
        self.with_session(|it, cx| it.restore_checkpoint(cx, session))
    }
}
