//! [`Lease`]: the registration of a node.
//!
//! # When a node may speak for its rooms
//!
//! A node may speak for its rooms, which is to send frames of far gateways, only while it has its
//! lease. Another node may adopt a room only after it has read from the directory that the owner
//! has no registration. The two never overlap:
//!
//! 1. The node sends a renewal at `s`, by its own clock. The directory carries it out at or after
//!    `s`, and keeps the registration for [`LEASE_TIME`].
//! 2. When the result is received, the node may speak until `s` + [`LEASE_TIME`] −
//!    [`LEASE_MARGIN`], by its own clock. A result that is received late extends nothing.
//! 3. The registration is absent at `s` + [`LEASE_TIME`] at the earliest. The margin of 500 ms
//!    covers clocks that run at different speeds (1 % of a lease: 30 ms) and the time between the
//!    check and the bus.
//! 4. The adopter reads the room's record, then the registration of its owner, and replaces the
//!    record only if it has not changed. An owner that has registered anew meanwhile has replaced
//!    the record itself, with a new epoch, or finds that it was replaced.
//!
//! Frames that are in flight when a lease ends are of an earlier [`Epoch`](crate::Epoch): a gateway
//! that knows the new owner refuses them. A process that is stopped between check and send for
//! longer than the margin can send such a frame, too.

use mp_core::Instant;

use crate::directory::{
    EntryKey, NodeRecord, Operation, OperationId, OperationOutcome, Request, Revision, Unavailable,
};
use crate::id::ClusterNodeId;
use crate::limits::{LEASE_MARGIN, LEASE_TIME, RENEWAL_INTERVAL, REQUEST_RETRY, REQUEST_TIMEOUT};

/// The registration of a node in the directory, which it renews. See the first lines of `lease.rs`
/// for the argument why two nodes never speak for a room at the same time.
#[derive(Debug)]
pub struct Lease {
    node: ClusterNodeId,
    record: NodeRecord,
    /// Revision of the registration; `None` if there is none.
    revision: Option<Revision>,
    /// True if the revision must be read, because the outcome of a renewal is not known.
    is_uncertain: bool,
    /// Time until which the node may speak.
    valid_until: Option<Instant>,
    term: LeaseTerm,
    last_id: OperationId,
    /// The unanswered request, and when it was sent.
    pending: Option<(OperationId, Instant)>,
    next_request: Instant,
    lost: u64,
}

/// The number of times that a node has registered. What it owned in an earlier term, it has to
/// claim anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeaseTerm(u64);

impl Lease {
    /// Returns the lease of a node that is not registered yet.
    pub fn new(node: ClusterNodeId, record: NodeRecord) -> Self {
        Self {
            node,
            record,
            revision: None,
            is_uncertain: false,
            valid_until: None,
            term: LeaseTerm::default(),
            last_id: OperationId::default(),
            pending: None,
            next_request: Instant::ZERO,
            lost: 0,
        }
    }

    /// Sets the load of the node, for the next renewal.
    pub fn set_record(&mut self, record: NodeRecord) {
        self.record = record;
    }

    /// Returns the load of the node.
    pub fn record(&self) -> &NodeRecord {
        &self.record
    }

    /// Returns whether the node may speak for its rooms at `now`. Check it before each frame.
    pub fn may_speak(&self, now: Instant) -> bool {
        self.valid_until.is_some_and(|until| now < until)
    }

    /// Returns the current term. It ends when the node may no longer speak.
    pub fn term(&self) -> LeaseTerm {
        self.term
    }

    /// Returns the number of terms that have ended.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Returns the request that is due.
    pub fn poll_request(&mut self, now: Instant) -> Option<Request> {
        if self.valid_until.is_some_and(|until| now >= until) {
            self.valid_until = None;
            self.lost += 1;
        }
        if self.pending.is_some_and(|(_, sent)| now.saturating_since(sent) >= REQUEST_TIMEOUT) {
            self.pending = None;
            self.is_uncertain = true;
        }
        if self.pending.is_some() || now < self.next_request {
            return None;
        }
        let key = EntryKey::Node(self.node);
        let operation = if self.is_uncertain {
            Operation::Get(key)
        } else {
            let (value, expected) = (self.record.encode(), self.revision);
            Operation::Put { key, value, expected, lifetime: Some(LEASE_TIME) }
        };
        let id = self.last_id.advance();
        self.pending = Some((id, now));
        Some(Request { id, operation })
    }

    /// Handles the result of a request. One that has timed out is ignored.
    pub fn handle_result(
        &mut self,
        now: Instant,
        id: OperationId,
        result: Result<OperationOutcome, Unavailable>,
    ) {
        let Some((_, sent)) = self.pending.filter(|&(pending, _)| pending == id) else { return };
        self.pending = None;
        self.next_request = now;
        match result {
            Ok(OperationOutcome::Written(revision)) => self.renew(now, sent, revision),
            Ok(OperationOutcome::Entry(entry)) => {
                // The id is random, so the registration is this node's own.
                self.revision = entry.map(|entry| entry.revision);
                self.is_uncertain = false;
            }
            Ok(OperationOutcome::Conflict) => self.is_uncertain = true,
            Ok(_) | Err(_) => {
                self.is_uncertain = true;
                self.next_request = now + REQUEST_RETRY;
            }
        }
    }

    fn renew(&mut self, now: Instant, sent: Instant, revision: Revision) {
        let until = sent + LEASE_TIME.saturating_sub(LEASE_MARGIN);
        // A registration that was absent, or has expired for this node, begins a term.
        let continues = self.revision.is_some() && self.may_speak(now);
        self.revision = Some(revision);
        self.next_request = sent + RENEWAL_INTERVAL;
        if !continues {
            self.lost += u64::from(self.valid_until.is_some());
            self.term = LeaseTerm(self.term.0 + 1);
        }
        self.valid_until = Some(until);
    }

    /// Returns the time at which [`poll_request`](Self::poll_request) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let request = match self.pending {
            Some((_, sent)) => sent + REQUEST_TIMEOUT,
            None => self.next_request,
        };
        Some(self.valid_until.map_or(request, |until| until.min(request)))
    }
}
