//! [`Queue`]: players who wait for others of a similar rank.

mod candidates;
mod confirmation;
mod party;
mod refusal;
mod settings;
mod status;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use mp_core::Instant;
use mp_identity::{Identity, Subject};

use self::confirmation::Group;
pub use self::confirmation::GroupId;
use self::party::{Member, Party, PartyId, PartyState};
pub use self::refusal::{QueueEnd, QueueRefusal};
pub use self::settings::{PartyRequest, QueueSettings};
pub use self::status::QueueStatus;
use crate::limits::{QUEUE_END_KEPT, QUEUE_INTERVAL, QUEUE_PARTIES_PER_STEP};
use crate::matchmaking::{TicketHash, TicketsBySubject};

/// Players who wait for others of a similar rank, a state machine without I/O.
///
/// Each player has a ticket. Alone, or as a party whose members stay together, it waits until
/// parties of a similar rank are a group of [`QueueSettings::group_size`] players. The host reads
/// groups by [`next_group`](Self::next_group) and [reports](Self::resolve) whether it found a place
/// for them.
///
/// * The ranks of a group differ by no more than the window of each of its parties, which grows
///   with the time that the party has waited.
/// * Groups are formed once per [`QUEUE_INTERVAL`]. Those who wait longest choose first, from the
///   parties of the nearest ranks. A step looks at [`QUEUE_PARTIES_PER_STEP`] parties, so that a
///   long queue does not delay its host; the next step goes on.
/// * With a [`confirm_timeout`](QueueSettings::confirm_timeout), each player of a group must
///   confirm. If one does not, its party leaves the queue, and the others keep their places.
#[derive(Debug)]
pub struct Queue {
    settings: QueueSettings,
    parties: BTreeMap<PartyId, Party>,
    members: BTreeMap<TicketHash, PartyId>,
    by_subject: TicketsBySubject,
    codes: BTreeMap<TicketHash, PartyId>,
    /// Complete parties without a group, by age and by rank.
    waiting: BTreeSet<PartyId>,
    by_rank: BTreeSet<(i32, PartyId)>,
    /// Times at which parties time out or are forgotten.
    dues: BTreeSet<(Instant, PartyId)>,
    groups: BTreeMap<GroupId, Group>,
    /// Times at which groups must be confirmed.
    deadlines: BTreeSet<(Instant, GroupId)>,
    formed: VecDeque<GroupId>,
    /// Time of the next search for groups; `None` while no party waits.
    next_search: Option<Instant>,
    /// The last party of the step before, if a search goes on.
    searched: Option<PartyId>,
    next_id: u64,
}

impl Queue {
    /// Returns an empty queue.
    pub fn new(settings: QueueSettings) -> Self {
        Self {
            settings,
            parties: BTreeMap::new(),
            members: BTreeMap::new(),
            by_subject: TicketsBySubject::default(),
            codes: BTreeMap::new(),
            waiting: BTreeSet::new(),
            by_rank: BTreeSet::new(),
            dues: BTreeSet::new(),
            groups: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            formed: VecDeque::new(),
            next_search: None,
            searched: None,
            next_id: 0,
        }
    }

    /// Replaces the settings. Groups that are formed stay.
    pub fn set_settings(&mut self, settings: QueueSettings) {
        self.settings = settings;
    }

    /// Returns the number of players in the queue, including those whose end is still reported.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Returns whether the queue has no players.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Adds a player, whose ticket the caller has drawn.
    ///
    /// # Errors
    ///
    /// See [`QueueRefusal`].
    pub fn enter(
        &mut self,
        now: Instant,
        ticket: TicketHash,
        rank: i32,
        party: PartyRequest,
    ) -> Result<(), QueueRefusal> {
        self.enter_as(now, ticket, &Arc::new(Identity::anonymous()), rank, party)
    }

    /// Adds a player whose identity is known. Its rank is `rank`, whatever its attributes say.
    pub(crate) fn enter_as(
        &mut self,
        now: Instant,
        ticket: TicketHash,
        identity: &Arc<Identity>,
        rank: i32,
        party: PartyRequest,
    ) -> Result<(), QueueRefusal> {
        if self.members.contains_key(&ticket) {
            mp_core::bug!("{ticket:?} is drawn twice");
            return Err(QueueRefusal::UnknownTicket);
        }
        if let Some(refusal) = self.refusal(party, &[]) {
            return Err(refusal);
        }
        let id = match party {
            PartyRequest::Alone => self.open(now, 1, None),
            PartyRequest::Open { code, size } => self.open(now, size, Some(code)),
            PartyRequest::Join { code } => {
                *self.codes.get(&code).ok_or(QueueRefusal::UnknownParty)?
            }
        };
        let Some(party) = self.parties.get_mut(&id) else { return Err(QueueRefusal::UnknownParty) };
        let identity = Arc::clone(identity);
        self.by_subject.insert(&identity, ticket);
        party.members.push(Member { ticket, identity, rank, is_confirmed: false });
        self.members.insert(ticket, id);
        if party.is_complete() {
            self.wait(now, id);
        }
        Ok(())
    }

    /// Returns the reason why a player with these other places may not enter as `party`.
    pub(crate) fn refusal(&self, party: PartyRequest, own: &[TicketHash]) -> Option<QueueRefusal> {
        if self.members.len() >= self.settings.max_players {
            return Some(QueueRefusal::QueueFull);
        }
        let joined = match party {
            PartyRequest::Alone => return None,
            PartyRequest::Open { size, .. } => {
                let is_valid = (1..=self.settings.group_size).contains(&size);
                return (!is_valid).then_some(QueueRefusal::InvalidPartySize);
            }
            PartyRequest::Join { code } => self.codes.get(&code),
        };
        let Some(party) = joined.and_then(|id| self.parties.get(id)) else {
            return Some(QueueRefusal::UnknownParty);
        };
        if party.is_complete() {
            return Some(QueueRefusal::PartyFull);
        }
        let is_in = party.members.iter().any(|member| own.contains(&member.ticket));
        is_in.then_some(QueueRefusal::AlreadyMatching)
    }

    /// Removes the party of a player from the queue. Returns false if there is none.
    pub fn leave(&mut self, now: Instant, ticket: TicketHash) -> bool {
        self.leave_because(now, ticket, QueueEnd::Left)
    }

    pub(crate) fn leave_because(
        &mut self,
        now: Instant,
        ticket: TicketHash,
        reason: QueueEnd,
    ) -> bool {
        let Some(id) = self.active(ticket) else { return false };
        self.dissolve_group_of(now, id);
        self.end(now, id, reason);
        true
    }

    /// Returns the tickets of a player whose parties have not ended.
    pub(crate) fn tickets_of(&self, subject: &Subject) -> impl Iterator<Item = TicketHash> {
        self.by_subject.of(subject).filter(|&ticket| self.active(ticket).is_some())
    }

    /// Returns the identity of a player in the queue.
    pub(crate) fn identity(&self, ticket: TicketHash) -> Option<&Arc<Identity>> {
        let party = self.parties.get(self.members.get(&ticket)?)?;
        let member = party.members.iter().find(|member| member.ticket == ticket)?;
        Some(&member.identity)
    }

    /// Returns the state of a player; `None` if it is not in the queue, because its party has left
    /// for a room, or its end was reported long enough.
    pub fn status(&self, ticket: TicketHash) -> Option<QueueStatus> {
        let party = self.parties.get(self.members.get(&ticket)?)?;
        Some(match party.state {
            PartyState::Gathering => {
                QueueStatus::Gathering { present: party.members.len(), size: party.size.into() }
            }
            PartyState::Waiting => QueueStatus::Waiting { since: party.since },
            PartyState::Grouped(group) => self.status_in_group(group, party, ticket)?,
            PartyState::Ended(reason) => QueueStatus::Ended(reason),
        })
    }

    /// Ends all parties, for example because the server is about to end.
    pub fn end_all(&mut self, now: Instant, reason: QueueEnd) {
        self.groups.clear();
        self.deadlines.clear();
        self.formed.clear();
        let is_active = |party: &Party| !matches!(party.state, PartyState::Ended(_));
        let active = self.parties.iter().filter(|(_, party)| is_active(party));
        for id in active.map(|(&id, _)| id).collect::<Vec<_>>() {
            self.end(now, id, reason);
        }
        self.next_search = None;
    }

    /// Ends what is over, and searches for groups if it is time and `may_form` is true.
    pub fn handle_timeout(&mut self, now: Instant, may_form: bool) {
        self.expire_groups(now);
        while let Some(&(due, id)) = self.dues.first()
            && now >= due
        {
            match self.parties.get(&id).map(|party| party.state) {
                Some(PartyState::Ended(_)) | None => self.forget(id),
                Some(_) => self.end(now, id, QueueEnd::TimedOut),
            }
        }
        if self.next_search.is_some_and(|due| now >= due) {
            match may_form {
                true => self.search(now),
                false => self.next_search = Some(now + QUEUE_INTERVAL),
            }
        }
    }

    /// Returns the time of the next [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = self.dues.first().map(|&(due, _)| due);
        let deadline = self.deadlines.first().map(|&(due, _)| due);
        [due, deadline, self.next_search].into_iter().flatten().min()
    }

    /// Looks for groups with the parties that wait, the oldest first.
    fn search(&mut self, now: Instant) {
        let start = self.searched.take().map_or(Bound::Unbounded, Bound::Excluded);
        let parties = self.waiting.range((start, Bound::Unbounded));
        let parties: Vec<_> = parties.take(QUEUE_PARTIES_PER_STEP).copied().collect();
        for &id in &parties {
            if self.waiting.contains(&id)
                && let Some(group) = self.find_group(now, id)
            {
                self.form(now, group);
            }
        }
        self.next_search = match parties.last() {
            Some(&last) if parties.len() == QUEUE_PARTIES_PER_STEP => {
                self.searched = Some(last);
                Some(now)
            }
            _ if self.waiting.is_empty() => None,
            _ => Some(now + QUEUE_INTERVAL),
        };
    }

    fn open(&mut self, now: Instant, size: u16, code: Option<TicketHash>) -> PartyId {
        let id = PartyId(self.next_id);
        self.next_id += 1;
        self.parties.insert(id, Party::new(now, size, code));
        self.codes.extend(code.map(|code| (code, id)));
        self.set_due(id, Some(now + self.settings.timeout));
        id
    }

    /// Lets a complete party wait for a group.
    fn wait(&mut self, now: Instant, id: PartyId) {
        let timeout = self.settings.timeout;
        let Some(party) = self.parties.get_mut(&id) else { return };
        party.state = PartyState::Waiting;
        let due = party.since + timeout;
        self.by_rank.insert((party.rank(), id));
        self.waiting.insert(id);
        self.set_due(id, Some(due));
        self.next_search.get_or_insert(now + QUEUE_INTERVAL);
    }

    fn stop_waiting(&mut self, id: PartyId) {
        let Some(party) = self.parties.get(&id) else { return };
        self.by_rank.remove(&(party.rank(), id));
        self.waiting.remove(&id);
    }

    /// Ends a party. Its members can read the reason for a while.
    fn end(&mut self, now: Instant, id: PartyId, reason: QueueEnd) {
        self.stop_waiting(id);
        let Some(party) = self.parties.get_mut(&id) else { return };
        party.state = PartyState::Ended(reason);
        if let Some(code) = party.code {
            self.codes.remove(&code);
        }
        self.set_due(id, Some(now + QUEUE_END_KEPT));
    }

    /// Removes a party.
    fn forget(&mut self, id: PartyId) {
        self.stop_waiting(id);
        self.set_due(id, None);
        let Some(party) = self.parties.remove(&id) else { return };
        for member in &party.members {
            self.members.remove(&member.ticket);
            self.by_subject.remove(&member.identity, member.ticket);
        }
        if let Some(code) = party.code {
            self.codes.remove(&code);
        }
    }

    fn set_due(&mut self, id: PartyId, due: Option<Instant>) {
        let Some(party) = self.parties.get_mut(&id) else { return };
        if let Some(old) = std::mem::replace(&mut party.due, due) {
            self.dues.remove(&(old, id));
        }
        self.dues.extend(due.map(|due| (due, id)));
    }

    /// Returns the party of a ticket, unless it has ended.
    fn active(&self, ticket: TicketHash) -> Option<PartyId> {
        let id = *self.members.get(&ticket)?;
        let is_active = !matches!(self.parties.get(&id)?.state, PartyState::Ended(_));
        is_active.then_some(id)
    }

    /// Returns the rank window of a party.
    fn window(&self, now: Instant, party: &Party) -> u64 {
        let waited: Duration = now - party.since;
        let growth = u64::from(self.settings.rank_window_growth).saturating_mul(waited.as_secs());
        growth.saturating_add(self.settings.rank_window.into())
    }
}
