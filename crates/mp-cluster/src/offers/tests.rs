//! Tests of [`TicketOffers`].

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
            let outcome = self.is_reachable.then(|| self.directory.apply_at(self.now, operation));
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
