//! [`Party`]: players who stay together.

use std::sync::Arc;

use mp_core::Instant;
use mp_identity::Identity;

use super::confirmation::GroupId;
use super::refusal::QueueEnd;
use crate::matchmaking::TicketHash;

/// A party. Older parties have smaller numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PartyId(pub(super) u64);

/// Players who stay together.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) members: Vec<Member>,
    /// Number of players of the complete party.
    pub(super) size: u16,
    /// Time at which it was opened.
    pub(super) since: Instant,
    pub(super) state: PartyState,
    pub(super) code: Option<TicketHash>,
    /// Time at which it times out or is forgotten.
    pub(super) due: Option<Instant>,
}

/// A player of a party.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) ticket: TicketHash,
    pub(super) identity: Arc<Identity>,
    pub(super) rank: i32,
    pub(super) is_confirmed: bool,
}

/// The state of a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartyState {
    /// Players have not entered yet.
    Gathering,
    /// It waits for a group.
    Waiting,
    /// It is in a group.
    Grouped(GroupId),
    /// It has left the queue.
    Ended(QueueEnd),
}

impl Party {
    /// Returns a party without members.
    pub(super) fn new(now: Instant, size: u16, code: Option<TicketHash>) -> Self {
        let (members, state, due) = (Vec::new(), PartyState::Gathering, None);
        Self { members, size, since: now, state, code, due }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.members.len() >= self.size.into()
    }

    /// Returns the average rank of the members.
    pub(super) fn rank(&self) -> i32 {
        let sum: i64 = self.members.iter().map(|member| i64::from(member.rank)).sum();
        let average = sum / self.members.len().max(1) as i64;
        i32::try_from(average).unwrap_or_default()
    }
}
