//! The search for the other parties of a group.

use std::ops::Bound;

use mp_core::Instant;

use super::Queue;
use super::party::PartyId;
use crate::limits::QUEUE_CANDIDATES_MAX;

/// Parties of which together a part of a group consists.
struct Part {
    party: PartyId,
    /// The part without this party.
    rest: Option<usize>,
    lowest: i32,
    highest: i32,
    /// Smallest window of the parties.
    window: u64,
}

impl Part {
    /// Returns this part with another party, or `None` if the ranks differ too much.
    fn with(&self, number: usize, party: PartyId, rank: i32, window: u64) -> Option<Self> {
        let (lowest, highest) = (self.lowest.min(rank), self.highest.max(rank));
        let window = self.window.min(window);
        let fits = u64::from(highest.abs_diff(lowest)) <= window;
        fits.then_some(Self { party, rest: Some(number), lowest, highest, window })
    }
}

impl Queue {
    /// Returns the parties of a group with the party `id`: of the nearest ranks, and together as
    /// many players as a group has. At most [`QUEUE_CANDIDATES_MAX`] parties are considered.
    pub(super) fn find_group(&self, now: Instant, id: PartyId) -> Option<Vec<PartyId>> {
        let first = self.parties.get(&id)?;
        let rank = first.rank();
        let window = self.window(now, first);
        let needed = usize::from(self.settings.group_size).checked_sub(first.size.into())?;
        let part = Part { party: id, rest: None, lowest: rank, highest: rank, window };
        let mut parts = vec![part];
        // The first part of each number of further players.
        let mut by_size: Vec<Option<usize>> = vec![None; needed + 1];
        by_size[0] = Some(0);
        for (other_rank, other) in self.nearest(rank, id).take(QUEUE_CANDIDATES_MAX) {
            if by_size[needed].is_some() || u64::from(rank.abs_diff(other_rank)) > window {
                break;
            }
            let Some(party) = self.parties.get(&other) else { continue };
            let (size, window) = (usize::from(party.size), self.window(now, party));
            for sum in (size..=needed).rev() {
                let (None, Some(rest)) = (by_size[sum], by_size[sum - size]) else { continue };
                if let Some(part) = parts[rest].with(rest, other, other_rank, window) {
                    by_size[sum] = Some(parts.len());
                    parts.push(part);
                }
            }
        }
        let last = by_size[needed]?;
        let chain = std::iter::successors(parts.get(last), |part| parts.get(part.rest?));
        Some(chain.map(|part| part.party).collect())
    }

    /// Returns the other parties that wait, by the distance of their rank.
    fn nearest(&self, rank: i32, id: PartyId) -> impl Iterator<Item = (i32, PartyId)> {
        let below = self.by_rank.range(..(rank, id)).rev();
        let above = self.by_rank.range((Bound::Excluded((rank, id)), Bound::Unbounded));
        let (mut below, mut above) = (below.copied().peekable(), above.copied().peekable());
        std::iter::from_fn(move || match (below.peek(), above.peek()) {
            (Some(low), Some(high)) if rank.abs_diff(low.0) <= high.0.abs_diff(rank) => {
                below.next()
            }
            (Some(_), None) => below.next(),
            _ => above.next(),
        })
    }
}
