//! The state of a branch, kept and restored.

use super::Branch;
use crate::{Snapshot, SnapshotError};

impl Branch {
    /// Returns the state from which another branch can go on: that of the
    /// [relay policy](crate::BranchBuilder::relay_policy), or of the hook set by
    /// [`on_snapshot`](crate::BranchBuilder::on_snapshot). `None` if neither keeps one.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::TooLarge`].
    pub fn snapshot(&mut self) -> Result<Option<Snapshot>, SnapshotError> {
        if let Some(snapshot) = self.scene.multiplayer_mut().relay_snapshot() {
            return Ok(Some(snapshot));
        }
        let snapshot = self.hooks.run_snapshot(&mut self.scene).transpose()?;
        self.run_events();
        Ok(snapshot)
    }

    /// Restores a state of [`snapshot`](Self::snapshot), by the relay policy or by the hook set by
    /// [`on_restore`](crate::BranchBuilder::on_restore). To be called before the branch has peers.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::InUse`] if there are peers. [`SnapshotError::OtherContent`] if the state is
    /// of another kind of room. [`SnapshotError::Refused`] with the error of the hook, which may
    /// have changed the scene. Of a relay policy, see its type.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let multiplayer = self.scene.multiplayer_mut();
        if multiplayer.peers().len() > 0 {
            return Err(SnapshotError::InUse);
        }
        if let Some(restored) = multiplayer.restore_relay(snapshot) {
            return restored;
        }
        let restored = self.hooks.run_restore(&mut self.scene, snapshot);
        self.run_events();
        restored
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::SnapshotContent;
    use crate::limits::SNAPSHOT_BYTES_MAX;
    use crate::prelude::*;
    use crate::testing::Lan;

    /// Returns a game whose state is its group `Flag`, or as many bytes as there are.
    fn game() -> BranchBuilder {
        Branch::builder("/root/Game")
            .on_snapshot(3, |scene| match scene.find("Large") {
                Ok(_) => vec![0; SNAPSHOT_BYTES_MAX + 1],
                Err(_) => b"flag".to_vec(),
            })
            .on_restore(|scene, version, state| {
                if (version, &state[..]) != (3, b"flag") {
                    return Err("an unknown state".into());
                }
                scene.add("Flag", Group)?;
                Ok(())
            })
    }

    #[test]
    fn program_gives_its_state_and_takes_it_with_its_version() {
        let snapshot = game().build().unwrap().snapshot().unwrap().unwrap();
        let (content, version) = (snapshot.content(), snapshot.version());
        assert_eq!((content, version), (SnapshotContent::Program, 3));
        assert_eq!(snapshot.state(), &Bytes::from_static(b"flag"));
        let mut lan = Lan::new(game()).unwrap();
        lan.branch(PeerId::SERVER).restore(&snapshot).unwrap();
        assert!(lan.scene(PeerId::SERVER).find("Flag").is_ok());
    }

    #[test]
    fn states_that_cannot_be_restored_or_kept_are_refused() {
        let snapshot = |content| Snapshot::new(content, 4, &b"flag"[..]).unwrap();
        let mut branch = game().build().unwrap();
        let refused = branch.restore(&snapshot(SnapshotContent::Program));
        assert!(matches!(refused, Err(SnapshotError::Refused(_))));
        let other = branch.restore(&snapshot(SnapshotContent::HostedGame));
        assert!(matches!(other, Err(SnapshotError::OtherContent(_))));
        branch.scene().add("Large", Group).unwrap();
        assert!(matches!(branch.snapshot(), Err(SnapshotError::TooLarge { .. })));

        let mut without_hooks = Branch::builder("/root").build().unwrap();
        assert_eq!(without_hooks.snapshot().unwrap(), None);
        let other = without_hooks.restore(&snapshot(SnapshotContent::Program));
        assert!(matches!(other, Err(SnapshotError::OtherContent(_))));

        let mut lan = Lan::new(game()).unwrap();
        lan.join(game()).unwrap();
        lan.settle();
        let in_use = lan.branch(PeerId::SERVER).restore(&snapshot(SnapshotContent::Program));
        assert!(matches!(in_use, Err(SnapshotError::InUse)));
    }
}
