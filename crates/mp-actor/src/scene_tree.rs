//! [`SceneTree`]: finds the branch of a path.

use std::sync::Arc;

use dashmap::DashMap;
use mp_core::BranchId;

use crate::branch_ref::{BranchRef, WeakBranchRef};
use crate::error::EndReason;

/// The branches of a process by their root paths (Godot: `SceneTree.set_multiplayer` and
/// `get_multiplayer`). Clones share the entries.
///
/// It is only a directory: no packet passes through it, and an entry does not keep a branch open. A
/// branch that ends is removed.
#[derive(Clone, Default)]
pub struct SceneTree(Arc<Directory>);

/// Root paths without trailing slashes.
#[derive(Default)]
pub(crate) struct Directory(DashMap<String, (BranchId, WeakBranchRef)>);

/// The reason why a branch was not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SceneTreeError {
    /// The branch has ended.
    #[error("the branch has ended: {0}")]
    Ended(EndReason),
    /// The path is not absolute.
    #[error("path {0:?} is not absolute; write it like \"/root/Game\"")]
    NotAbsolute(String),
}

impl SceneTree {
    /// Returns an empty directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers `branch` under `root` and replaces an earlier entry.
    ///
    /// # Errors
    ///
    /// See [`SceneTreeError`].
    pub fn set_multiplayer(&self, root: &str, branch: &BranchRef) -> Result<(), SceneTreeError> {
        if !root.starts_with('/') {
            return Err(SceneTreeError::NotAbsolute(root.to_owned()));
        }
        let key = root.trim_end_matches('/');
        self.0.0.insert(key.to_owned(), (branch.id(), branch.downgrade()));
        branch.shared().listed(key, &self.0);
        // A branch that ended before it was inserted has not removed the entry.
        match branch.ended() {
            None => Ok(()),
            Some(ended) => {
                self.0.forget(key, branch.id());
                Err(SceneTreeError::Ended(ended))
            }
        }
    }

    /// Returns the branch of the node at `path`: the one with the longest root path that is a
    /// prefix of it by whole names (`/root/Game` is not a prefix of `/root/Games`).
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
