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
mod tests {
    use mp_rooms::RoomName;

    use super::*;
    use crate::directory::{EntryKind, MemoryDirectory};
    use crate::{Redemption, RedemptionStep};

    const KEPT: Duration = Duration::from_secs(10);

    /// A node and its directory, in virtual time.
    struct Node {
        now: Instant,
        offers: TicketOffers,
        directory: MemoryDirectory,
        /// False if the directory does not respond.
        is_reachable: bool,
    }

    impl Node {
        fn new() -> Self {
            let (offers, directory) = (TicketOffers::new(), MemoryDirectory::new());
            Self { now: Instant::from_millis(1_000), offers, directory, is_reachable: true }
        }

        fn offer(&mut self, number: u8) {
            self.offers.offer(self.now, hash(number), record(), KEPT);
            self.run();
        }

        fn run(&mut self) {
            while let Some(Request { id, operation }) = self.offers.poll_request(self.now) {
                let outcome =
                    self.is_reachable.then(|| self.directory.apply_at(self.now, operation));
                self.offers.handle_result(self.now, id, outcome.ok_or(Unavailable));
            }
        }

        /// Runs for a time, with a turn at each time that the offers name.
        fn run_for(&mut self, duration: Duration) {
            let end = self.now + duration;
            while let Some(due) = self.offers.poll_timeout().filter(|due| *due < end) {
                self.now = due;
                self.run();
            }
            self.now = end;
        }

        fn entries(&mut self) -> usize {
            let list = Operation::List(EntryKind::Ticket);
            match self.directory.apply_at(self.now, list) {
                OperationOutcome::Entries(entries) => entries.len(),
                outcome => panic!("{outcome:?}"),
            }
        }

        /// Uses up a ticket on another node.
        fn redeem(&mut self, number: u8) -> bool {
            let (mut redemption, mut step) = Redemption::new(hash(number));
            while let RedemptionStep::Apply(operation) = step {
                step = redemption.handle_outcome(self.directory.apply_at(self.now, operation));
            }
            step == RedemptionStep::Accepted(record())
        }
    }

    fn hash(number: u8) -> TicketHash {
        TicketHash::from_bytes([number; 32])
    }

    fn record() -> TicketRecord {
        TicketRecord { room: RoomName::new("a").unwrap(), peer: None, subject: None }
    }

    #[test]
    fn ticket_is_in_the_directory_while_it_is_valid_and_outlives_its_node() {
        let mut node = Node::new();
        node.offer(1);
        node.run_for(5 * TICKET_RENEWAL);
        assert_eq!(node.entries(), 1, "it is renewed");
        // The node dies, just before a renewal at the worst.
        node.now += KEPT;
        assert_eq!(node.entries(), 1);
        node.now += TICKET_RENEWAL;
        assert_eq!(node.entries(), 0);

        let mut node = Node::new();
        node.offer(1);
        node.offers.withdraw(node.now, hash(1));
        node.run();
        assert_eq!((node.entries(), node.offers.len()), (0, 0));
        assert_eq!((node.offers.stats().offered, node.offers.stats().withdrawn), (1, 1));
        assert_eq!(node.offers.poll_timeout(), None);
    }

    #[test]
    fn used_ticket_is_not_written_again_unless_it_is_still_valid() {
        let mut node = Node::new();
        node.offer(1);
        assert!(node.redeem(1) && !node.redeem(1));
        node.offers.mark_used(hash(1));
        node.run_for(3 * TICKET_RENEWAL);
        assert_eq!(node.entries(), 0);
        // The room has refused the player who showed it.
        node.offer(1);
        assert_eq!(node.entries(), 1);
        assert!(node.redeem(1));
        node.offers.mark_used(hash(1));
        node.offers.withdraw(node.now, hash(1));
        assert!(node.offers.is_empty() && node.offers.poll_timeout().is_none());

        // A later owner of the room has used it up.
        node.offer(2);
        assert!(node.redeem(2));
        node.run_for(3 * TICKET_RENEWAL);
        assert!(node.entries() == 0 && node.offers.is_empty());
    }

    #[test]
    fn ticket_of_a_room_that_has_moved_stays_in_the_directory_for_the_next_node() {
        let mut node = Node::new();
        node.offer(1);
        node.offers.hand_over(hash(1));
        node.offers.withdraw(node.now, hash(1));
        node.run();
        assert_eq!((node.entries(), node.offers.len()), (1, 0));
        // The next node renews the entry.
        node.offer(1);
        node.run_for(3 * TICKET_RENEWAL);
        assert_eq!((node.entries(), node.offers.len()), (1, 1));
    }

    #[test]
    fn ticket_is_written_once_the_directory_responds_also_if_an_answer_was_lost() {
        let mut node = Node::new();
        node.is_reachable = false;
        node.offer(1);
        node.run_for(10 * TICKET_RETRY);
        assert!(node.offers.stats().unanswered > 5);
        node.is_reachable = true;
        node.run_for(2 * TICKET_RETRY);
        assert_eq!((node.entries(), node.offers.stats().offered), (1, 1));

        // The write of this one succeeds, and its answer is lost.
        node.offers.offer(node.now, hash(2), record(), KEPT);
        let request = node.offers.poll_request(node.now).unwrap();
        node.directory.apply_at(node.now, request.operation);
        node.run_for(2 * (REQUEST_TIMEOUT + TICKET_RETRY));
        assert_eq!(node.entries(), 2);
        let lost = OperationOutcome::Conflict;
        node.offers.handle_result(node.now, request.id, Ok(lost));
        node.offers.withdraw(node.now, hash(2));
        node.run();
        assert_eq!(node.entries(), 1);
    }

    #[test]
    fn ticket_that_changes_while_it_is_written_is_written_again() {
        let mut node = Node::new();
        node.offers.offer(node.now, hash(1), record(), KEPT);
        let first = node.offers.poll_request(node.now).unwrap();
        let moved = TicketRecord { room: RoomName::new("b").unwrap(), ..record() };
        node.offers.offer(node.now, hash(1), moved.clone(), KEPT);
        assert!(node.offers.poll_request(node.now).is_none(), "one request at a time");
        let written = node.directory.apply_at(node.now, first.operation);
        node.offers.handle_result(node.now, first.id, Ok(written));
        node.run();
        let get = Operation::Get(EntryKey::Ticket(hash(1)));
        let OperationOutcome::Entry(Some(entry)) = node.directory.apply_at(node.now, get) else {
            panic!("the ticket is in the directory");
        };
        assert_eq!(TicketRecord::decode(&entry.value), Some(moved));
    }
}
