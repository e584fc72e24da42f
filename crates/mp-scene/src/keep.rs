//! [`PeerDrop`]: what happens with a peer whose connection was lost.

use std::time::Duration;

/// The decision about a peer whose connection was lost
/// ([`on_peer_dropped`](crate::BranchBuilder::on_peer_dropped)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are no other possibilities")]
pub enum PeerDrop {
    /// The peer leaves, as without a hook.
    #[default]
    Leave,
    /// The peer is kept for a time, in which it can resume its session.
    Keep(Keep),
}

/// The terms on which a peer without a connection is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    time: Duration,
    queued_calls: usize,
}

impl Keep {
    /// Keeps the peer for `time`, after which it leaves.
    pub fn for_(time: Duration) -> Self {
        Self { time, queued_calls: 0 }
    }

    /// Queues up to `bound` reliable calls of the local peer to the kept peer (default: 0, calls
    /// are dropped and counted). Further ones are dropped and counted. They are sent when the peer
    /// has resumed and received the nodes that it may see, except calls of nodes that have left or
    /// are hidden from it by then.
    ///
    /// [`KEPT_CALLS_MAX`](crate::limits::KEPT_CALLS_MAX) limits `bound`, and
    /// [`KEPT_BYTES_MAX`](crate::limits::KEPT_BYTES_MAX) the calls of all kept peers of a branch.
    #[must_use]
    pub fn queue_calls(mut self, bound: usize) -> Self {
        self.queued_calls = bound.min(crate::limits::KEPT_CALLS_MAX);
        self
    }

    /// Returns the time for which the peer is kept.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// Returns the number of calls that are queued for the peer.
    pub fn queued_calls(&self) -> usize {
        self.queued_calls
    }
}

impl From<Keep> for PeerDrop {
    fn from(keep: Keep) -> Self {
        Self::Keep(keep)
    }
}
