//! Groups: parties that were found to fit, and their confirmation.

use mp_core::Instant;

use super::Queue;
use super::party::{Party, PartyId, PartyState};
use super::refusal::{QueueEnd, QueueRefusal};
use super::status::QueueStatus;
use crate::matchmaking::TicketHash;

/// A group of players that a [`Queue`] has formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId(u64);

/// The parties of a group.
#[derive(Debug)]
pub(super) struct Group {
    parties: Vec<PartyId>,
    /// Time until which all players must confirm; `None`: all have, or need not.
    deadline: Option<Instant>,
}

impl Queue {
    /// Records that a player confirms its group.
    ///
    /// # Errors
    ///
    /// [`QueueRefusal::UnknownTicket`] and [`QueueRefusal::NothingToConfirm`].
    pub fn confirm(&mut self, ticket: TicketHash) -> Result<(), QueueRefusal> {
        let id = *self.members.get(&ticket).ok_or(QueueRefusal::UnknownTicket)?;
        let party = self.parties.get_mut(&id).ok_or(QueueRefusal::UnknownTicket)?;
        let PartyState::Grouped(number) = party.state else {
            return Err(QueueRefusal::NothingToConfirm);
        };
        for member in party.members.iter_mut().filter(|member| member.ticket == ticket) {
            member.is_confirmed = true;
        }
        if self.missing(number) == 0
            && let Some(group) = self.groups.get_mut(&number)
            && let Some(deadline) = group.deadline.take()
        {
            self.deadlines.remove(&(deadline, number));
            self.formed.push_back(number);
        }
        Ok(())
    }

    /// Removes and returns the oldest group that is complete, with the tickets of its players.
    pub fn next_group(&mut self) -> Option<(GroupId, Vec<TicketHash>)> {
        let number = self.formed.pop_front()?;
        let parties = self.groups.get(&number)?.parties.iter();
        let members = parties.filter_map(|id| self.parties.get(id)).flat_map(|it| &it.members);
        Some((number, members.map(|member| member.ticket).collect()))
    }

    /// Handles that the players of a group have a room, and leave the queue; or that there was none
    /// for them, so that they wait again.
    pub fn resolve(&mut self, now: Instant, group: GroupId, has_room: bool) {
        let Some(group) = self.groups.remove(&group) else { return };
        for id in group.parties {
            if has_room {
                self.forget(id);
            } else {
                self.wait_again(now, id);
            }
        }
    }

    /// Makes a group of parties that wait.
    pub(super) fn form(&mut self, now: Instant, parties: Vec<PartyId>) {
        let number = GroupId(self.next_id);
        self.next_id += 1;
        for &id in &parties {
            self.stop_waiting(id);
            self.set_due(id, None);
            if let Some(party) = self.parties.get_mut(&id) {
                party.state = PartyState::Grouped(number);
            }
        }
        let deadline = self.settings.confirm_timeout.map(|timeout| now + timeout);
        match deadline {
            Some(deadline) => drop(self.deadlines.insert((deadline, number))),
            None => self.formed.push_back(number),
        }
        self.groups.insert(number, Group { parties, deadline });
    }

    /// Ends the parties with players who did not confirm in time.
    pub(super) fn expire_groups(&mut self, now: Instant) {
        while let Some(&(due, number)) = self.deadlines.first()
            && now >= due
        {
            self.deadlines.pop_first();
            let Some(group) = self.groups.remove(&number) else { continue };
            for id in group.parties {
                let party = self.parties.get(&id);
                match party.is_some_and(|party| party.members.iter().all(|it| it.is_confirmed)) {
                    true => self.wait_again(now, id),
                    false => self.end(now, id, QueueEnd::NotConfirmed),
                }
            }
        }
    }

    /// Lets the parties of a party's group wait again.
    pub(super) fn dissolve_group_of(&mut self, now: Instant, id: PartyId) {
        let Some(party) = self.parties.get(&id) else { return };
        let PartyState::Grouped(number) = party.state else { return };
        let Some(group) = self.groups.remove(&number) else { return };
        if let Some(deadline) = group.deadline {
            self.deadlines.remove(&(deadline, number));
        }
        self.formed.retain(|formed| *formed != number);
        for id in group.parties {
            self.wait_again(now, id);
        }
    }

    pub(super) fn status_in_group(
        &self,
        number: GroupId,
        party: &Party,
        ticket: TicketHash,
    ) -> Option<QueueStatus> {
        let Some(deadline) = self.groups.get(&number)?.deadline else {
            return Some(QueueStatus::Formed);
        };
        let is_confirmed = party.members.iter().any(|it| it.ticket == ticket && it.is_confirmed);
        Some(QueueStatus::Confirming { deadline, is_confirmed, missing: self.missing(number) })
    }

    /// Returns the number of players of a group who have not confirmed.
    fn missing(&self, number: GroupId) -> usize {
        let parties = self.groups.get(&number).into_iter().flat_map(|group| &group.parties);
        let members = parties.filter_map(|id| self.parties.get(id)).flat_map(|it| &it.members);
        members.filter(|member| !member.is_confirmed).count()
    }

    fn wait_again(&mut self, now: Instant, id: PartyId) {
        if let Some(party) = self.parties.get_mut(&id) {
            for member in &mut party.members {
                member.is_confirmed = false;
            }
        }
        self.wait(now, id);
    }
}
