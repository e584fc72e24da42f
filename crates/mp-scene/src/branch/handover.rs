//! The peers of a relay, which a branch of another process takes over.

use mp_core::{EndpointId, Instant};
use mp_host::CheckpointError;

use super::Branch;
use crate::Handover;

impl Branch {
    /// Returns the peers of a relay, with which a branch of another process
    /// [goes on](Self::restore_handover). `None` if the branch has nodes, timers, authentication or
    /// a [relay policy](crate::RelayPolicy), or while a peer moves.
    ///
    /// Not part of it are packets that are queued, and what the clients have announced to each
    /// other. A client that resumes its session under the same id later is therefore announced to
    /// the others anew.
    pub fn handover(&self) -> Option<Handover> {
        self.is_plain_relay().then(|| self.scene.multiplayer().handover()).flatten()
    }

    /// Goes on with the peers of another branch, in a new one with the same settings. Hooks do not
    /// run, and nothing is sent. `endpoint_of` returns the endpoint that stands for one of the
    /// other process, if that has connections. It serves the branch without
    /// [`Opened`](mp_core::ToBranch::Opened), and reports the end of connections that are not there
    /// any more.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] if the state is of a branch with other settings. The branch must not be
    /// used then.
    pub fn restore_handover(
        &mut self,
        now: Instant,
        handover: &Handover,
        endpoint_of: impl Fn(EndpointId) -> Option<EndpointId>,
    ) -> Result<(), CheckpointError> {
        self.scene.multiplayer_mut().restore_handover(now, handover, &endpoint_of)
    }

    /// Returns whether output is queued that was not delivered, and is not part of a
    /// [`handover`](Self::handover).
    pub fn has_output(&self) -> bool {
        self.scene.multiplayer().has_output()
    }

    /// Returns whether the branch has no nodes and no timers.
    pub(super) fn is_plain_relay(&self) -> bool {
        let scene = &self.scene;
        let tree = scene.tree();
        let has_nodes = tree.children(tree.root()).next().is_some();
        let has_timers = scene.next_timer().or_else(|| scene.next_request_timeout()).is_some();
        !has_nodes && !has_timers && self.tick_period().is_none() && self.polled.is_none()
    }
}
