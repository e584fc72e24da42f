//! [`SharedBans`]: bans that hold on all nodes of a cluster.

use std::collections::BTreeMap;

use mp_core::{Instant, UnixSeconds};

use crate::directory::{
    BanRecord, Entry, EntryKey, EntryKind, Operation, OperationId, OperationOutcome, Request,
    Revision, Unavailable,
};
use crate::lease::Lease;
use crate::limits::{
    BANS_MAX, BANS_READ_INTERVAL, BANS_READ_SOON, BANS_REPLICATION_TIME, REQUEST_RETRY,
    REQUEST_TIMEOUT,
};

/// The bans in the directory, which a node reads at its start, when another node has changed them,
/// and once per [`BANS_READ_INTERVAL`]; and those of the node that it writes.
///
/// The directory is the truth: a node applies its entries, also those of bans that were lifted, and
/// adds bans that it alone has, such as those of its file.
#[derive(Debug, Default)]
pub struct SharedBans {
    /// Bans of this node that the directory does not have.
    changes: BTreeMap<EntryKey, BanRecord>,
    /// Revisions of the entries that were read or written.
    known: BTreeMap<EntryKey, Revision>,
    /// The unanswered request, and when it was sent.
    pending: Option<(OperationId, Instant, Purpose)>,
    last_id: OperationId,
    /// True if the entry of the first change must be read, because it has another revision.
    is_conflicting: bool,
    next_attempt: Instant,
    next_read: Instant,
    /// True if the next read may be of a replica that lacks the latest changes.
    reads_again: bool,
}

/// The consequence of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BanEvent {
    /// All changes of this node are in the directory: the other nodes should read it.
    Written,
    /// The bans of the directory, without those that this node has changed meanwhile. Bans of this
    /// node that are not among them are to be [added](SharedBans::add).
    Read(Vec<BanRecord>),
}

#[derive(Debug)]
enum Purpose {
    Read,
    Find(EntryKey),
    Write(EntryKey, BanRecord),
}

impl SharedBans {
    /// Queues changes of this node. Beyond [`BANS_MAX`] they are dropped.
    pub fn change(&mut self, records: impl IntoIterator<Item = BanRecord>) {
        for record in records {
            let key = record.key();
            if self.changes.len() < BANS_MAX || self.changes.contains_key(&key) {
                self.changes.insert(key, record);
            }
        }
    }

    /// Queues bans of this node that the directory does not have, unless they have changed.
    pub fn add(&mut self, records: impl IntoIterator<Item = BanRecord>) {
        let is_unchanged = |record: &BanRecord| !self.changes.contains_key(&record.key());
        let records: Vec<_> = records.into_iter().filter(is_unchanged).collect();
        self.change(records);
    }

    /// Reads the bans soon, because another node has changed them.
    pub fn read_soon(&mut self, now: Instant) {
        self.next_read = self.next_read.min(now + BANS_READ_SOON);
        self.reads_again = true;
    }

    /// Returns the request that is due. `unix` is the time of the wall clock.
    pub fn poll_request(
        &mut self,
        now: Instant,
        unix: UnixSeconds,
        lease: &Lease,
    ) -> Option<Request> {
        if let Some((_, sent, _)) = self.pending
            && now.saturating_since(sent) >= REQUEST_TIMEOUT
        {
            self.fail(now);
        }
        if self.pending.is_some() || now < self.next_attempt {
            return None;
        }
        if !lease.may_speak(now) {
            // The directory does not respond.
            self.next_attempt = now + REQUEST_RETRY;
            return None;
        }
        let (purpose, operation) = match self.changes.first_key_value() {
            Some((key, _)) if self.is_conflicting => {
                (Purpose::Find(key.clone()), Operation::Get(key.clone()))
            }
            Some((key, record)) => {
                let operation = record.put(unix, self.known.get(key).copied());
                (Purpose::Write(key.clone(), record.clone()), operation)
            }
            None if now >= self.next_read => (Purpose::Read, Operation::List(EntryKind::Ban)),
            None => return None,
        };
        let id = self.last_id.advance();
        self.pending = Some((id, now, purpose));
        Some(Request { id, operation })
    }

    /// Handles the result of a request. One that has timed out is ignored.
    pub fn handle_result(
        &mut self,
        now: Instant,
        id: OperationId,
        result: Result<OperationOutcome, Unavailable>,
    ) -> Option<BanEvent> {
        let (_, _, purpose) = self.pending.take_if(|(pending, ..)| *pending == id)?;
        match (purpose, result) {
            (Purpose::Read, Ok(OperationOutcome::Entries(entries))) => {
                let interval = match std::mem::take(&mut self.reads_again) {
                    true => BANS_REPLICATION_TIME,
                    false => BANS_READ_INTERVAL,
                };
                self.next_read = now + interval;
                Some(BanEvent::Read(self.read(entries)))
            }
            (Purpose::Find(key), Ok(OperationOutcome::Entry(entry))) => {
                self.is_conflicting = false;
                match entry {
                    Some(entry) => drop(self.known.insert(key, entry.revision)),
                    None => drop(self.known.remove(&key)),
                }
                None
            }
            (Purpose::Write(key, record), Ok(OperationOutcome::Written(revision))) => {
                self.known.insert(key.clone(), revision);
                if self.changes.get(&key) == Some(&record) {
                    self.changes.remove(&key);
                }
                // An earlier read may be applied after this change.
                self.read_soon(now);
                self.changes.is_empty().then_some(BanEvent::Written)
            }
            (Purpose::Write(..), Ok(OperationOutcome::Conflict)) => {
                self.is_conflicting = true;
                self.next_attempt = now + REQUEST_RETRY;
                None
            }
            _ => {
                self.fail(now);
                None
            }
        }
    }

    /// Returns the time at which [`poll_request`](Self::poll_request) is due.
    pub fn poll_timeout(&self) -> Instant {
        match self.pending {
            Some((_, sent, _)) => sent + REQUEST_TIMEOUT,
            None if self.changes.is_empty() => self.next_attempt.max(self.next_read),
            None => self.next_attempt,
        }
    }

    fn fail(&mut self, now: Instant) {
        self.pending = None;
        self.next_attempt = now + REQUEST_RETRY;
        // The outcome of a write is not known.
        self.is_conflicting = true;
    }

    /// Returns the bans of a list that are not older than what this node knows.
    fn read(&mut self, entries: Vec<(EntryKey, Entry)>) -> Vec<BanRecord> {
        let newest = entries.iter().map(|(_, entry)| entry.revision).max();
        let mut listed = BTreeMap::new();
        let mut records = Vec::new();
        for (key, entry) in entries.into_iter().take(BANS_MAX) {
            let is_older = self.known.get(&key).is_some_and(|known| entry.revision < *known);
            listed.insert(key.clone(), entry.revision);
            if !is_older && !self.changes.contains_key(&key) {
                records.extend(BanRecord::decode(&entry.value).filter(|it| it.key() == key));
            }
        }
        // Entries that are newer than the list are not in it yet.
        self.known.retain(|key, known| listed.contains_key(key) || Some(*known) > newest);
        for (key, revision) in listed {
            let known = self.known.entry(key).or_insert(revision);
            *known = revision.max(*known);
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryDirectory;
    use crate::directory::NodeRecord;
    use crate::id::ClusterNodeId;

    struct Node {
        bans: SharedBans,
        lease: Lease,
    }

    /// Carries out the requests of a node, and returns its events.
    fn run(node: &mut Node, directory: &mut MemoryDirectory, now: Instant) -> Vec<BanEvent> {
        while let Some(Request { id, operation }) = node.lease.poll_request(now) {
            let outcome = directory.apply_at(now, operation);
            node.lease.handle_result(now, id, Ok(outcome));
        }
        let mut events = Vec::new();
        while let Some(Request { id, operation }) = node.bans.poll_request(now, 0, &node.lease) {
            let outcome = directory.apply_at(now, operation);
            events.extend(node.bans.handle_result(now, id, Ok(outcome)));
        }
        events
    }

    fn node(number: u64) -> Node {
        let id = ClusterNodeId::new(number);
        let lease = Lease::new(id, NodeRecord::with_capacity(1));
        Node { bans: SharedBans::default(), lease }
    }

    fn kay(is_lifted: bool) -> BanRecord {
        BanRecord { target: "player kay".to_owned(), until: None, is_lifted }
    }

    #[test]
    fn ban_of_a_node_is_written_and_read_by_the_others_and_stays_lifted() {
        let (mut directory, mut now) = (MemoryDirectory::new(), Instant::from_millis(1));
        let (mut one, mut two) = (node(1), node(2));
        one.bans.change([kay(false)]);
        assert_eq!(run(&mut one, &mut directory, now)[0], BanEvent::Written);
        assert_eq!(run(&mut two, &mut directory, now), [BanEvent::Read(vec![kay(false)])]);
        // The second node lifts it, although the first one has changed it since.
        one.bans.change([BanRecord { until: Some(7), ..kay(false) }]);
        run(&mut one, &mut directory, now);
        two.bans.change([kay(true)]);
        assert_eq!(run(&mut two, &mut directory, now), []);
        now += REQUEST_RETRY;
        run(&mut one, &mut directory, now);
        assert_eq!(run(&mut two, &mut directory, now)[0], BanEvent::Written);
        one.bans.read_soon(now);
        assert_eq!(run(&mut one, &mut directory, now), [], "soon, not at once");
        now += BANS_READ_SOON;
        assert_eq!(run(&mut one, &mut directory, now), [BanEvent::Read(vec![kay(true)])]);
        assert_eq!(one.bans.poll_timeout(), now + BANS_REPLICATION_TIME);
    }

    #[test]
    fn list_of_a_replica_that_lacks_a_change_does_not_undo_it() {
        let (mut directory, now) = (MemoryDirectory::new(), Instant::from_millis(1));
        let mut one = node(1);
        one.bans.change([kay(false)]);
        run(&mut one, &mut directory, now);
        let OperationOutcome::Entries(before) =
            directory.apply_at(now, Operation::List(EntryKind::Ban))
        else {
            panic!("no list");
        };
        one.bans.change([kay(true)]);
        assert_eq!(one.bans.read(before.clone()), [], "the change is not written");
        run(&mut one, &mut directory, now);
        assert_eq!(one.bans.read(before), [], "the list is older");
        assert_eq!(one.bans.read(Vec::new()), []);
    }

    #[test]
    fn changes_wait_while_the_directory_does_not_respond() {
        let now = Instant::from_millis(1);
        let mut one = node(1);
        one.bans.change([kay(false)]);
        assert_eq!(one.bans.poll_request(now, 0, &one.lease), None, "there is no lease");
        assert_eq!(one.bans.poll_timeout(), now + REQUEST_RETRY);
        let mut directory = MemoryDirectory::new();
        let events = run(&mut one, &mut directory, now + REQUEST_RETRY);
        assert_eq!(events[0], BanEvent::Written);
    }
}
