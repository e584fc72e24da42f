//! [`SceneTree`]: which branch a path belongs to.

use std::sync::Arc;

use dashmap::DashMap;
use mp_core::BranchId;

use crate::branch_ref::{BranchRef, WeakBranchRef};
use crate::error::Ended;

/// The branches of a process by their root paths (Godot: `SceneTree.set_multiplayer` and `get_multiplayer`). A directory:
/// no packet passes here, and being listed does not keep a branch open. Clones share their entries.
///
/// A branch that ends is no longer listed.
#[derive(Clone, Default)]
pub struct SceneTree(Arc<Directory>);

/// Root paths without the slashes at their ends.
#[derive(Default)]
pub(crate) struct Directory(DashMap<String, (BranchId, WeakBranchRef)>);

/// Why a branch was not listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SceneTreeError {
    /// The branch has ended.
    #[error("the branch has ended: {0}")]
    Ended(Ended),
    /// The path does not begin at the root.
    #[error("{0:?} is not absolute; write it as \"/root/Game\"")]
    NotAbsolute(String),
}

impl SceneTree {
    /// A directory without branches.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists `branch` under `root`; one that was listed there makes way.
    ///
    /// # Errors
    ///
    /// [`SceneTreeError`].
    pub fn set_multiplayer(&self, root: &str, branch: &BranchRef) -> Result<(), SceneTreeError> {
        if !root.starts_with('/') {
            return Err(SceneTreeError::NotAbsolute(root.to_owned()));
        }
        let key = root.trim_end_matches('/');
        self.0.0.insert(key.to_owned(), (branch.id(), branch.downgrade()));
        branch.shared().listed(key, &self.0);
        // If it ended in between it may have looked before it was listed.
        match branch.ended() {
            None => Ok(()),
            Some(ended) => {
                self.0.forget(key, branch.id());
                Err(SceneTreeError::Ended(ended))
            }
        }
    }

    /// The branch that the node at `path` belongs to: the longest root path that leads there, name by name
    /// (`/root/Game` does not lead to `/root/Games`).
    #[doc(alias = "get_multiplayer")]
    pub fn multiplayer(&self, path: &str) -> Option<BranchRef> {
        if !path.starts_with('/') {
            return None;
        }
        let mut key = path.trim_end_matches('/');
        loop {
            let found = self.0.0.get(key).and_then(|entry| entry.1.upgrade());
            if found.is_some() || key.is_empty() {
                return found;
            }
            key = key.rfind('/').map_or("", |slash| &key[..slash]);
        }
    }
}

impl Directory {
    pub(crate) fn forget(&self, root: &str, branch: BranchId) {
        self.0.remove_if(root, |_, (listed, _)| *listed == branch);
    }
}

impl std::fmt::Debug for SceneTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.0.iter().map(|entry| entry.key().clone())).finish()
    }
}
