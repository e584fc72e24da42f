//! Settings of a queue, and requests to enter it.
#![expect(clippy::exhaustive_enums, reason = "programs construct the requests")]

use std::time::Duration;

use mp_identity::Identity;

use crate::limits::{QUEUE_PLAYERS_MAX, QUEUE_TIMEOUT};
use crate::matchmaking::TicketHash;

/// Settings of a [`Queue`](crate::Queue).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueSettings {
    /// Number of players of a group.
    pub group_size: u16,
    /// Maximum difference of the ranks of a group at first. Default: `u32::MAX`, all ranks.
    pub rank_window: u32,
    /// Growth of the maximum difference per second that a party waits. Default: 0.
    pub rank_window_growth: u32,
    /// Attribute of a player's identity that is its rank, a number, which is rounded; `None`: the
    /// rank that the player claims. Default: `None`.
    pub rank_attribute: Option<String>,
    /// Time in which all players of a group must confirm; `None`: they need not. Default: `None`.
    pub confirm_timeout: Option<Duration>,
    /// Time after which a party leaves the queue that finds no group. Default: [`QUEUE_TIMEOUT`].
    pub timeout: Duration,
    /// Maximum number of players in the queue. Further ones are refused. Default:
    /// [`QUEUE_PLAYERS_MAX`].
    pub max_players: usize,
}

impl QueueSettings {
    /// Returns the settings of a queue for groups of `group_size` players of any rank.
    pub fn new(group_size: u16) -> Self {
        Self {
            group_size,
            rank_window: u32::MAX,
            rank_window_growth: 0,
            rank_attribute: None,
            confirm_timeout: None,
            timeout: QUEUE_TIMEOUT,
            max_players: QUEUE_PLAYERS_MAX,
        }
    }

    /// Returns the rank of a player who claims `rank`; `None` if its identity must have one and has
    /// none.
    pub(crate) fn rank_of(&self, identity: &Identity, rank: i32) -> Option<i32> {
        let Some(attribute) = &self.rank_attribute else { return Some(rank) };
        let number = identity.attributes().get(attribute)?.as_f64()?.round();
        let is_rank = (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
        is_rank.then_some(number as i32)
    }
}

/// The party of a player who enters a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartyRequest {
    /// The player is alone.
    Alone,
    /// The player opens a party. It waits for a group when all its players have entered.
    Open {
        /// Hash of the secret by which the others join the party.
        code: TicketHash,
        /// Number of players of the party, up to the size of a group.
        size: u16,
    },
    /// The player joins a party.
    Join {
        /// Hash of the party's secret.
        code: TicketHash,
    },
}
