//! [`TicketOffers`]: the tickets of a node's rooms, in the directory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mp_core::Instant;
use mp_rooms::TicketHash;

use crate::directory::{
    EntryKey, Operation, OperationId, OperationOutcome, Request, Revision, TicketRecord,
    Unavailable,
};
use crate::limits::{REQUEST_TIMEOUT, TICKET_RENEWAL, TICKET_RETRY, TICKETS_MAX};

/// The tickets that are valid in the rooms of a node, which it writes to the directory so that
/// every node finds their rooms.
///
/// An entry lives for the time that the room keeps the player, and twice [`TICKET_RENEWAL`]; it is
/// renewed at this interval, so that it outlives the node by at least the first. Its removal is not
/// repeated: the room refuses a ticket that is not valid any more.
#[derive(Debug, Default)]
pub struct TicketOffers {
    offers: BTreeMap<TicketHash, Offer>,
    due: BTreeSet<(Instant, TicketHash)>,
    /// Unanswered requests, and when they were sent.
    pending: BTreeMap<OperationId, (Instant, TicketHash)>,
    last_id: OperationId,
    stats: TicketOfferStats,
}

#[derive(Debug)]
struct Offer {
    /// Content and lifetime of the entry; `None`: it is to be removed.
    wanted: Option<(TicketRecord, Duration)>,
    entry: EntryState,
    /// Time of the next request; `None`: a request is pending, or none is needed.
    due: Option<Instant>,
    /// The request whose result is accepted.
    pending: Option<OperationId>,
}

/// An entry of the directory, as the node knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryState {
    Absent,
    Written(Revision),
    /// A request was not answered.
    Unknown,
}

/// Counters of [`TicketOffers`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TicketOfferStats {
    /// Tickets written to the directory.
    pub offered: u64,
    /// Tickets removed from the directory, because they were used on this node or are not valid any
    /// more.
    pub withdrawn: u64,
    /// Tickets that are valid on this node alone, because it has [`TICKETS_MAX`].
    pub overflowed: u64,
    /// Requests that the directory has not answered.
    pub unanswered: u64,
}

impl TicketOffers {
    /// Returns no offers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a ticket to the directory, or changes it. `kept_for`: time for which the room keeps
    /// the player after its connection was lost.
    pub fn offer(
        &mut self,
        now: Instant,
        hash: TicketHash,
        record: TicketRecord,
        kept_for: Duration,
    ) {
        if !self.offers.contains_key(&hash) && self.offers.len() >= TICKETS_MAX {
            self.stats.overflowed += 1;
            return;
        }
        let wanted = Some((record, kept_for.saturating_add(2 * TICKET_RENEWAL)));
        let offer = self.offers.entry(hash).or_insert(Offer {
            wanted: None,
            entry: EntryState::Absent,
            due: None,
            pending: None,
        });
        if offer.wanted != wanted || offer.entry == EntryState::Absent {
            offer.wanted = wanted;
            self.schedule(hash, Some(now));
        }
    }

    /// Removes a ticket from the directory, if it was offered.
    pub fn withdraw(&mut self, now: Instant, hash: TicketHash) {
        let Some(offer) = self.offers.get_mut(&hash) else { return };
        offer.wanted = None;
        if offer.entry == EntryState::Absent && offer.pending.is_none() {
            self.forget(hash);
        } else {
            self.schedule(hash, Some(now));
        }
    }

    /// Records that a ticket was used up, so that it is not in the directory any more. It is
    /// written again by the next [`offer`](Self::offer).
    pub fn mark_used(&mut self, hash: TicketHash) {
        let Some(offer) = self.offers.get_mut(&hash) else { return };
        offer.entry = EntryState::Absent;
        offer.pending = None;
        self.schedule(hash, None);
    }

    /// Forgets a ticket whose room another node has now. Its entry stays in the directory, for that
    /// node.
    pub fn hand_over(&mut self, hash: TicketHash) {
        self.forget(hash);
    }

    /// Returns the number of tickets.
    pub fn len(&self) -> usize {
        self.offers.len()
    }

    /// Returns whether there are no tickets.
    pub fn is_empty(&self) -> bool {
        self.offers.is_empty()
    }

    /// Returns the counters.
    pub fn stats(&self) -> TicketOfferStats {
        self.stats
    }

    /// Returns the next request that is due. Call it until it returns `None`.
    pub fn poll_request(&mut self, now: Instant) -> Option<Request> {
        self.expire(now);
        while let Some(&(due, hash)) = self.due.first()
            && now >= due
        {
            self.due.pop_first();
            let Some(offer) = self.offers.get_mut(&hash) else { continue };
            offer.due = None;
            if let Some(operation) = offer.operation(hash) {
                let id = self.last_id.advance();
                offer.pending = Some(id);
                self.pending.insert(id, (now, hash));
                return Some(Request { id, operation });
            }
            self.forget(hash);
        }
        None
    }

    /// Handles the result of a request. One that has timed out is ignored.
    pub fn handle_result(
        &mut self,
        now: Instant,
        id: OperationId,
        result: Result<OperationOutcome, Unavailable>,
    ) {
        if let Some((_, hash)) = self.pending.remove(&id) {
            self.finish(now, id, hash, result);
        }
    }

    /// Returns the time at which [`poll_request`](Self::poll_request) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        // Requests are sent in the order of their numbers.
        let expires = self.pending.values().next().map(|&(sent, _)| sent + REQUEST_TIMEOUT);
        self.due.first().map(|&(due, _)| due).into_iter().chain(expires).min()
    }

    fn finish(
        &mut self,
        now: Instant,
        id: OperationId,
        hash: TicketHash,
        result: Result<OperationOutcome, Unavailable>,
    ) {
        let Some(offer) = self.offers.get_mut(&hash).filter(|it| it.pending == Some(id)) else {
            return;
        };
        offer.pending = None;
        // A change during the request is due already.
        let changed = offer.due;
        let next = match result {
            Ok(OperationOutcome::Written(revision)) => {
                self.stats.offered += u64::from(offer.entry == EntryState::Absent);
                offer.entry = EntryState::Written(revision);
                now + TICKET_RENEWAL
            }
            Ok(OperationOutcome::Entry(Some(entry))) => {
                offer.entry = EntryState::Written(entry.revision);
                now
            }
            Ok(OperationOutcome::Entry(None)) => {
                offer.entry = EntryState::Absent;
                now
            }
            Ok(OperationOutcome::Removed) => {
                self.stats.withdrawn += 1;
                offer.entry = EntryState::Absent;
                now
            }
            // An entry that was written has been used up by a later owner of the room.
            Ok(_) if matches!(offer.entry, EntryState::Written(_)) => return self.forget(hash),
            // An earlier request without an answer has written it, or the directory is full.
            Ok(_) => {
                offer.entry = EntryState::Unknown;
                now + TICKET_RETRY
            }
            Err(Unavailable) => {
                self.stats.unanswered += 1;
                if offer.wanted.is_none() {
                    return self.forget(hash);
                }
                offer.entry = EntryState::Unknown;
                now + TICKET_RETRY
            }
        };
        self.schedule(hash, Some(changed.map_or(next, |changed| changed.min(next))));
    }

    /// Abandons requests that the directory has not answered.
    fn expire(&mut self, now: Instant) {
        while let Some(first) = self.pending.first_entry()
            && now.saturating_since(first.get().0) >= REQUEST_TIMEOUT
        {
            let (id, (_, hash)) = first.remove_entry();
            self.finish(now, id, hash, Err(Unavailable));
        }
    }

    fn schedule(&mut self, hash: TicketHash, due: Option<Instant>) {
        let Some(offer) = self.offers.get_mut(&hash) else { return };
        if let Some(earlier) = std::mem::replace(&mut offer.due, due) {
            self.due.remove(&(earlier, hash));
        }
        // The end of a pending request comes first.
        if let Some(due) = due.filter(|_| offer.pending.is_none()) {
            self.due.insert((due, hash));
        }
    }

    fn forget(&mut self, hash: TicketHash) {
        self.schedule(hash, None);
        self.offers.remove(&hash);
    }
}

impl Offer {
    /// Returns the next operation; `None` if the ticket is neither wanted nor in the directory.
    fn operation(&self, hash: TicketHash) -> Option<Operation> {
        let key = EntryKey::Ticket(hash);
        let expected = match self.entry {
            EntryState::Unknown => return Some(Operation::Get(key)),
            EntryState::Written(revision) => Some(revision),
            EntryState::Absent => None,
        };
        match &self.wanted {
            Some((record, lifetime)) => {
                let (value, lifetime) = (record.encode(), Some(*lifetime));
                Some(Operation::Put { key, value, expected, lifetime })
            }
            None => expected.map(|expected| Operation::Remove { key, expected }),
        }
    }
}

#[cfg(test)]
mod tests;
