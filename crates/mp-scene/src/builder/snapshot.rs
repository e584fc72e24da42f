//! Hooks of a program that keep and restore its state.

use bytes::Bytes;

use super::{BranchBuilder, SetupError};
use crate::Scene;

impl BranchBuilder {
    /// Sets the hook that returns the state of the program for [`Branch::snapshot`], in an encoding
    /// of its own with a version (default: none).
    ///
    /// ```
    /// use mp_scene::prelude::*;
    /// use mp_scene::{BuildError, Snapshot};
    ///
    /// #[derive(Default)]
    /// struct Score(u32);
    /// impl Node for Score {}
    ///
    /// fn score(scene: &mut Scene) -> &mut Score {
    ///     let node = scene.find("Score").expect("the setup has added it");
    ///     scene.get_mut(NodeRef::new(node)).expect("it is a score")
    /// }
    ///
    /// fn game() -> Result<Branch, BuildError> {
    ///     Branch::builder("/root/Game")
    ///         .setup(|scene| scene.add("Score", Score::default()))
    ///         .on_snapshot(1, |scene| score(scene).0.to_le_bytes().to_vec())
    ///         .on_restore(|scene, version, state| {
    ///             if version != 1 {
    ///                 return Err(format!("unknown version {version}").into());
    ///             }
    ///             score(scene).0 = u32::from_le_bytes(state[..].try_into()?);
    ///             Ok(())
    ///         })
    ///         .build()
    /// }
    ///
    /// let mut last = game()?;
    /// score(last.scene()).0 = 300;
    /// let file = last.snapshot()?.expect("a hook is set").encode();
    ///
    /// let mut next = game()?;
    /// next.restore(&Snapshot::decode(&file)?)?;
    /// assert_eq!(score(next.scene()).0, 300);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`Branch::snapshot`]: crate::Branch::snapshot
    pub fn on_snapshot<S: Into<Bytes>>(
        mut self,
        version: u32,
        mut hook: impl FnMut(&mut Scene) -> S + 'static,
    ) -> Self {
        self.hooks.set_snapshot(version, Box::new(move |scene| hook(scene).into()));
        self
    }

    /// Sets the hook that restores the state of the program for [`Branch::restore`] (default:
    /// none). Its arguments are the version and the bytes of [`on_snapshot`](Self::on_snapshot),
    /// which an earlier version of the program may have written, or someone else: they are not
    /// authenticated.
    ///
    /// [`Branch::restore`]: crate::Branch::restore
    pub fn on_restore(
        mut self,
        hook: impl FnMut(&mut Scene, u32, &Bytes) -> Result<(), SetupError> + 'static,
    ) -> Self {
        self.hooks.set_restore(Box::new(hook));
        self
    }
}
