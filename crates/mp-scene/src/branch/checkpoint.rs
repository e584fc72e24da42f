//! The whole state of a branch without nodes, for recordings.

use mp_host::CheckpointError;

use super::Branch;

impl Branch {
    /// Returns the whole state of a relay between two turns, from which an
    /// [equal branch](Self::restore_checkpoint) sends the same output for the same input. `None` if
    /// the branch has nodes, timers, kept or authenticating peers, or packets that are queued, or a
    /// [relay policy](crate::RelayPolicy::checkpoint) without checkpoints.
    ///
    /// Not part of it are messages of peers for nodes that the branch does not have, path ids that
    /// peers have assigned to its root, and counters of statistics. The first two matter to a peer
    /// that repeats an announcement or exceeds a limit.
    ///
    /// A [`Snapshot`](crate::Snapshot) in turn has the state of a game without its players.
    pub fn checkpoint(&self) -> Option<Vec<u8>> {
        self.is_plain_relay().then(|| self.scene.multiplayer().checkpoint()).flatten()
    }

    /// Restores a [`checkpoint`](Self::checkpoint) into a new branch with the same settings. Hooks
    /// do not run, and nothing is sent.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] if the state is damaged, or of a branch with other settings. The branch
    /// must not be used then.
    pub fn restore_checkpoint(&mut self, checkpoint: &[u8]) -> Result<(), CheckpointError> {
        self.scene.multiplayer_mut().restore_checkpoint(checkpoint)
    }
}
