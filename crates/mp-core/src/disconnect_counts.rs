//! Counters by [`DisconnectReason`].

use crate::{DisconnectReason, Reason, Rejection};

impl Reason for DisconnectReason {
    type Counters = [u64; <Self as Reason>::ALL.len()];

    const ZERO: Self::Counters = [0; <Self as Reason>::ALL.len()];
    /// [`Remote`](Self::Remote) is one reason, whatever its number, and so is
    /// [`Rejected`](Self::Rejected), whatever its code.
    const ALL: &'static [Self] = &[
        Self::Closed,
        Self::BranchPanicked,
        Self::DuplicateId,
        Self::InternalError,
        Self::InvalidId,
        Self::Kicked,
        Self::Moved,
        Self::ProtocolViolation,
        Self::OneSidedAuthentication,
        Self::QueueFull,
        Self::RateExceeded,
        Self::Refused,
        Self::Rejected(Rejection::new("rejected", "rejected")),
        Self::Remote(0),
        Self::Timeout,
    ];

    fn index(self) -> usize {
        match self {
            Self::Closed => 0,
            Self::BranchPanicked => 1,
            Self::DuplicateId => 2,
            Self::InternalError => 3,
            Self::InvalidId => 4,
            Self::Kicked => 5,
            Self::Moved => 6,
            Self::ProtocolViolation => 7,
            Self::OneSidedAuthentication => 8,
            Self::QueueFull => 9,
            Self::RateExceeded => 10,
            Self::Refused => 11,
            Self::Rejected(_) => 12,
            Self::Remote(_) => 13,
            Self::Timeout => 14,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::BranchPanicked => "branch_panicked",
            Self::DuplicateId => "duplicate_id",
            Self::InternalError => "internal_error",
            Self::InvalidId => "invalid_id",
            Self::Kicked => "kicked",
            Self::Moved => "moved",
            Self::ProtocolViolation => "protocol_violation",
            Self::OneSidedAuthentication => "one_sided_authentication",
            Self::QueueFull => "queue_full",
            Self::RateExceeded => "rate_exceeded",
            Self::Refused => "refused",
            Self::Rejected(_) => "rejected",
            Self::Remote(_) => "remote",
            Self::Timeout => "timeout",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Closed => "closed locally",
            Self::BranchPanicked => "its branch panicked",
            Self::DuplicateId => "peer id already in use",
            Self::InternalError => "internal error: a bug of mp",
            Self::InvalidId => "invalid peer id",
            Self::Kicked => "kicked",
            Self::Moved => "moved to another branch",
            Self::ProtocolViolation => "protocol violation",
            Self::OneSidedAuthentication => "only one of the two peers requires authentication",
            Self::QueueFull => "queue full: the peer does not keep up",
            Self::RateExceeded => "rate limit exceeded for too long",
            Self::Refused => "refused",
            Self::Rejected(rejection) => rejection.text(),
            Self::Remote(_) => "closed by the remote peer",
            Self::Timeout => "timed out",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReasonCounts;

    #[test]
    fn each_reason_has_its_own_counter_and_label() {
        let mut labels = std::collections::BTreeSet::new();
        for (index, reason) in DisconnectReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), index, "{reason:?}");
            labels.insert(reason.label());
        }
        assert_eq!(labels.len(), DisconnectReason::ALL.len());
        let mut counts = ReasonCounts::default();
        counts.count(DisconnectReason::Remote(4_000));
        assert_eq!(counts.get(DisconnectReason::Remote(0)), 1);
    }
}
