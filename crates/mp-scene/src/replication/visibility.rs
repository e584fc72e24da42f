//! The visibility of a synchronizer: for all peers, for listed ones, and by filters.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

use mp_core::PeerId;

use crate::tree::NodeTree;

/// The peers to which a synchronizer is visible.
#[derive(Clone)]
pub(crate) struct Visibility {
    pub(super) public: bool,
    pub(super) listed: BTreeSet<PeerId>,
    filters: Vec<(FilterId, Filter)>,
    last_filter: u32,
}

type Filter = Rc<dyn Fn(&dyn NodeTree, Option<PeerId>) -> bool>;

/// The id of a filter, with which it can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FilterId(u32);

impl Visibility {
    pub(super) fn add_filter(
        &mut self,
        filter: impl Fn(&dyn NodeTree, Option<PeerId>) -> bool + 'static,
    ) -> FilterId {
        self.last_filter += 1;
        let id = FilterId(self.last_filter);
        self.filters.push((id, Rc::new(filter)));
        id
    }

    /// Removes a filter. Returns whether it existed.
    pub(super) fn remove_filter(&mut self, filter: FilterId) -> bool {
        let before = self.filters.len();
        self.filters.retain(|(id, _)| *id != filter);
        self.filters.len() < before
    }

    pub(super) fn has_filters(&self) -> bool {
        !self.filters.is_empty()
    }

    /// Returns whether the synchronizer is visible to `peer`, or to all peers if `None`.
    pub(crate) fn is_visible_to(&self, tree: &dyn NodeTree, peer: Option<PeerId>) -> bool {
        self.filters.iter().all(|(_, filter)| filter(tree, peer))
            && (self.public || peer.is_some_and(|peer| self.listed.contains(&peer)))
    }
}

impl Default for Visibility {
    fn default() -> Self {
        Self { public: true, listed: BTreeSet::new(), filters: Vec::new(), last_filter: 0 }
    }
}

impl fmt::Debug for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visibility")
            .field("public", &self.public)
            .field("listed", &self.listed)
            .field("filters", &self.filters.len())
            .finish_non_exhaustive()
    }
}
