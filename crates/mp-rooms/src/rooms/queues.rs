//! The queues of templates, whose groups receive a room.

use std::collections::BTreeMap;
use std::sync::Arc;

use mp_core::{Instant, ReasonCounts};
use mp_identity::{Identity, Subject};

use super::Rooms;
use crate::limits::SEATS_MAX;
use crate::matchmaking::{Reservation, TicketHash};
use crate::name::RoomName;
use crate::queue::{PartyRequest, Queue, QueueEnd, QueueRefusal, QueueSettings, QueueStatus};
use crate::template::Template;

/// The queues of templates.
#[derive(Debug, Default)]
pub(super) struct Queues {
    by_template: BTreeMap<RoomName, Queue>,
    /// Groups that have received a room so far.
    pub(super) formed: u64,
    pub(super) refused: ReasonCounts<QueueRefusal>,
}

/// The state of a player who has entered a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueState {
    /// It waits.
    Queued(QueueStatus),
    /// Its group has a room, in which it has a seat: the ticket admits it.
    Seated(Reservation),
}

impl Queues {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.by_template.values().filter_map(Queue::poll_timeout).min()
    }

    /// Returns the tickets of a player's places.
    pub(super) fn of(&self, subject: &Subject) -> Vec<TicketHash> {
        self.by_template.values().flat_map(|queue| queue.tickets_of(subject)).collect()
    }

    /// Ends the place of a ticket, and those of its whole party.
    pub(super) fn end_place(&mut self, now: Instant, ticket: TicketHash, reason: QueueEnd) {
        for queue in self.by_template.values_mut() {
            queue.leave_because(now, ticket, reason);
        }
    }

    /// Returns the number of players in all queues.
    pub(super) fn players(&self) -> usize {
        self.by_template.values().map(Queue::len).sum()
    }
}

impl Rooms {
    /// Adds a player to the queue of a template. Its ticket, which the caller has drawn, becomes
    /// the ticket of a seat when its group has a room.
    ///
    /// # Errors
    ///
    /// See [`QueueRefusal`].
    pub fn enter_queue(
        &mut self,
        now: Instant,
        template: &RoomName,
        ticket: TicketHash,
        rank: i32,
        party: PartyRequest,
    ) -> Result<(), QueueRefusal> {
        let anonymous = Arc::new(Identity::anonymous());
        self.enter_queue_as(now, template, ticket, &anonymous, rank, party)
    }

    /// Same as [`enter_queue`](Self::enter_queue), for a player whose identity is known. Its
    /// attribute is its rank if the queue says so
    /// ([`QueueSettings::rank_attribute`](crate::QueueSettings::rank_attribute)). Other seats and
    /// places in queues of the same player are treated as
    /// [`RoomsSettings::same_player`](super::RoomsSettings::same_player) says. No player is twice
    /// in a party, unless that allows it.
    ///
    /// # Errors
    ///
    /// See [`QueueRefusal`].
    pub fn enter_queue_as(
        &mut self,
        now: Instant,
        template: &RoomName,
        ticket: TicketHash,
        identity: &Arc<Identity>,
        rank: i32,
        party: PartyRequest,
    ) -> Result<(), QueueRefusal> {
        let entered = self.queue_settings(template).and_then(|settings| {
            if identity.room().is_some() {
                return Err(QueueRefusal::WrongRoom);
            }
            let rank = settings.rank_of(identity, rank).ok_or(QueueRefusal::NoRank)?;
            let own = self.own_places(identity).ok_or(QueueRefusal::AlreadyMatching)?;
            let queues = &mut self.queues.by_template;
            let queue = queues.entry(template.clone()).or_insert_with(|| Queue::new(settings));
            if let Some(refusal) = queue.refusal(party, &own.queued) {
                return Err(refusal);
            }
            self.end_places(now, &own, QueueEnd::Replaced);
            let queue = self.queues.by_template.get_mut(template);
            queue.map_or(Err(QueueRefusal::NoQueue), |queue| {
                queue.enter_as(now, ticket, identity, rank, party)
            })
        });
        self.count_refusal(entered)
    }

    /// Removes the party of a player from the queue of a template, or frees its seat. Returns false
    /// if there is neither.
    pub fn leave_queue(&mut self, now: Instant, template: &RoomName, ticket: TicketHash) -> bool {
        let queue = self.queues.by_template.get_mut(template);
        queue.is_some_and(|queue| queue.leave(now, ticket)) || self.cancel_seat(now, ticket)
    }

    /// Records that a player confirms its group.
    ///
    /// # Errors
    ///
    /// [`QueueRefusal::UnknownTicket`] and [`QueueRefusal::NothingToConfirm`].
    pub fn confirm_group(
        &mut self,
        now: Instant,
        template: &RoomName,
        ticket: TicketHash,
    ) -> Result<(), QueueRefusal> {
        let queue = self.queues.by_template.get_mut(template);
        let confirmed = queue.map_or(Err(QueueRefusal::UnknownTicket), |it| it.confirm(ticket));
        self.count_refusal(confirmed)?;
        self.seat_groups(now, template);
        Ok(())
    }

    /// Returns the state of a player who has entered the queue of a template.
    ///
    /// # Errors
    ///
    /// [`QueueRefusal::UnknownTicket`], also if the player has taken its seat, or the seat has
    /// expired.
    pub fn queue_state(
        &mut self,
        now: Instant,
        template: &RoomName,
        ticket: TicketHash,
    ) -> Result<QueueState, QueueRefusal> {
        if let Some(seat) = self.seat(now, ticket).filter(|seat| seat.template == *template) {
            return Ok(QueueState::Seated(seat));
        }
        let queue = self.queues.by_template.get(template);
        let status = queue.and_then(|queue| queue.status(ticket));
        self.count_refusal(status.map(QueueState::Queued).ok_or(QueueRefusal::UnknownTicket))
    }

    /// Applies the settings of changed templates. Players of a queue that is no more wait until
    /// they time out.
    pub(super) fn update_queues(&mut self) {
        for (name, queue) in &mut self.queues.by_template {
            if let Some(settings) = self.templates.get(name).and_then(|it| it.queue.clone()) {
                queue.set_settings(settings);
            }
        }
    }

    /// Handles the timers of the queues.
    pub(super) fn run_queues(&mut self, now: Instant) {
        let may_form = self.create_refusal().is_none() && !self.has_all_rooms();
        let is_due = |queue: &Queue| queue.poll_timeout().is_some_and(|due| now >= due);
        let queues = self.queues.by_template.iter();
        let due: Vec<_> =
            queues.filter(|(_, queue)| is_due(queue)).map(|(name, _)| name.clone()).collect();
        for name in due {
            if let Some(queue) = self.queues.by_template.get_mut(&name) {
                if self.is_draining {
                    queue.end_all(now, QueueEnd::Draining);
                }
                queue.handle_timeout(now, may_form);
            }
            self.seat_groups(now, &name);
        }
    }

    /// Creates rooms for the groups of a queue, with a seat for each player.
    fn seat_groups(&mut self, now: Instant, name: &RoomName) {
        while let Some((group, tickets)) =
            self.queues.by_template.get_mut(name).and_then(Queue::next_group)
        {
            let queue = self.queues.by_template.get(name);
            let player = |ticket| Some((ticket, Arc::clone(queue?.identity(ticket)?)));
            let players: Vec<_> = tickets.into_iter().filter_map(player).collect();
            let has_room = self.seat_group(now, name, &players).is_some();
            self.queues.formed += u64::from(has_room);
            if let Some(queue) = self.queues.by_template.get_mut(name) {
                queue.resolve(now, group, has_room);
            }
        }
    }

    /// Creates a locked room with seats for a group. Returns `None` if that is refused.
    fn seat_group(
        &mut self,
        now: Instant,
        name: &RoomName,
        players: &[(TicketHash, Arc<Identity>)],
    ) -> Option<()> {
        let mut own = Template::clone(self.templates.get(name)?);
        let replaced = |identity| self.replaced_by(identity).map_or(0, |it| it.len());
        let leaving = players.iter().map(|(_, identity)| replaced(identity)).sum();
        if self.seats.len() + players.len() > SEATS_MAX
            || !self.has_places_for(players.len(), leaving)
        {
            return None;
        }
        own.locked = true;
        own.max_players = own.max_players.max(u16::try_from(players.len()).ok()?);
        let room = self.create_with(self.free_name(name), Arc::new(own)).ok()?;
        for (ticket, identity) in players {
            self.reserve_seat(now, room, *ticket, identity).ok()?;
        }
        Some(())
    }

    fn queue_settings(&self, template: &RoomName) -> Result<QueueSettings, QueueRefusal> {
        if self.is_draining {
            return Err(QueueRefusal::Draining);
        }
        let template = self.templates.get(template).ok_or(QueueRefusal::UnknownTemplate)?;
        template.queue.clone().ok_or(QueueRefusal::NoQueue)
    }

    fn count_refusal<T>(&mut self, result: Result<T, QueueRefusal>) -> Result<T, QueueRefusal> {
        if let Err(refusal) = result {
            self.queues.refused.count(refusal);
        }
        result
    }
}
