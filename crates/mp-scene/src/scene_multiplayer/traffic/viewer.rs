//! [`TrafficViewer`]: keeps the accounting of a branch running.

use std::sync::{Arc, Weak};

/// A viewer of the traffic of a branch, which is counted until all viewers are dropped. It may be
/// dropped on any thread; the branch frees the counts in its next turn.
#[derive(Clone, Debug)]
#[must_use = "traffic is counted until the viewer is dropped"]
pub struct TrafficViewer(Arc<()>);

/// Creates viewers while there is one.
#[derive(Debug)]
pub(super) struct ViewerSlot(Weak<()>);

impl TrafficViewer {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    pub(super) fn slot(&self) -> ViewerSlot {
        ViewerSlot(Arc::downgrade(&self.0))
    }
}

impl ViewerSlot {
    /// Returns a viewer; `None` if all have been dropped.
    pub(super) fn viewer(&self) -> Option<TrafficViewer> {
        self.0.upgrade().map(TrafficViewer)
    }
}
