//! Matchmaking: requests of players to the registry, from other threads.

use std::time::Duration;

use mp_core::Instant;
use mp_identity::{AuthRefusal, AuthRejection, Credentials};
use mp_rooms::{
    Join, LobbyPage, LobbyQuery, MatchRefusal, MatchRequest, MatchVerb, PartyRequest,
    PlayerSession, QueueRefusal, QueueState, QueueStatus, Reservation, ResumeTicket, RoomName,
    TicketHash,
};

use super::handle::{RoomsHandle, ServerEnded};
use super::host::RoomsHost;

/// The result of a request whose player authenticates, or the reason why the player is refused.
pub(crate) type Identified<T, E> = Result<Result<Result<T, E>, AuthRejection>, ServerEnded>;

/// A seat of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) reservation: Reservation,
    /// Time in which the player must take the seat.
    pub(crate) expires_in: Duration,
}

/// The state of a player in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QueueProgress {
    Seated(Seat),
    Queued {
        status: QueueStatus,
        /// Time since the party of a player who waits was opened.
        waited: Duration,
        /// Time in which a group must be confirmed.
        expires_in: Duration,
    },
}

/// A request to enter the queue of a template.
#[derive(Clone, Debug)]
pub(crate) struct QueuePlace {
    pub(crate) template: RoomName,
    pub(crate) rank: i32,
    pub(crate) party: PartyRequest,
}

impl Seat {
    fn new(now: Instant, reservation: Reservation) -> Self {
        let expires_in = reservation.expires - now;
        Self { reservation, expires_in }
    }
}

impl RoomsHost {
    /// Lets a connection take the seat of its ticket, as the identity of the seat. Returns false if
    /// its player has no ticket, and authenticates.
    pub(super) fn join_by_ticket(&mut self, now: Instant, join: &Join) -> bool {
        let ticket = match join.ticket() {
            None => return false,
            // Tokens of the operator may begin like a ticket, too.
            Some(Err(_)) if !self.is_open => return false,
            Some(ticket) => ticket.map(|ticket| ticket.hash()),
        };
        let identity = ticket.ok().and_then(|ticket| self.rooms.identity_of_seat(ticket));
        if identity.is_some_and(|identity| self.is_banned(identity)) {
            self.reject(join.connection, &AuthRefusal::Banned.into());
        } else {
            self.rooms.join_by_ticket(now, join.connection, join.claimed_id, ticket);
        }
        true
    }

    fn queue_progress(
        &mut self,
        template: &RoomName,
        ticket: TicketHash,
    ) -> Result<QueueProgress, QueueRefusal> {
        let now = self.now();
        Ok(match self.rooms.queue_state(now, template, ticket)? {
            QueueState::Seated(seat) => QueueProgress::Seated(Seat::new(now, seat)),
            QueueState::Queued(status) => queued(now, status),
            state => {
                mp_core::bug!("unknown state of a queue: {state:?}");
                return Err(QueueRefusal::UnknownTicket);
            }
        })
    }
}

impl RoomsHandle {
    /// Reserves a seat for a player who authenticates. See
    /// [`Rooms::request_seat_as`](mp_rooms::Rooms::request_seat_as).
    pub(crate) async fn request_seat(
        &self,
        credentials: Credentials,
        verb: MatchVerb,
        request: MatchRequest,
        ticket: TicketHash,
    ) -> Identified<Seat, MatchRefusal> {
        self.call_as(credentials, move |host, identity| {
            let now = host.now();
            let reserved = host.rooms.request_seat_as(now, verb, &request, ticket, identity);
            reserved.map(|reservation| Seat::new(now, reservation))
        })
        .await
    }

    /// Reserves a seat in the room of this name.
    pub(crate) async fn request_seat_in(
        &self,
        credentials: Credentials,
        room: RoomName,
        request: MatchRequest,
        ticket: TicketHash,
    ) -> Identified<Seat, MatchRefusal> {
        self.call_as(credentials, move |host, identity| {
            let now = host.now();
            let room = host.rooms.find_by_name(&room).ok_or(MatchRefusal::UnknownRoom)?;
            let verb = MatchVerb::JoinById(room);
            let reserved = host.rooms.request_seat_as(now, verb, &request, ticket, identity);
            reserved.map(|reservation| Seat::new(now, reservation))
        })
        .await
    }

    /// Returns a seat again. See [`Rooms::reconnect`](mp_rooms::Rooms::reconnect).
    pub(crate) async fn reconnect(
        &self,
        ticket: TicketHash,
    ) -> Result<Result<Seat, MatchRefusal>, ServerEnded> {
        self.call(move |host| {
            let now = host.now();
            host.rooms.reconnect(now, ticket).map(|reservation| Seat::new(now, reservation))
        })
        .await
    }

    /// Gives a player who authenticates a new ticket with which it resumes its session in a room of
    /// a template. See [`Rooms::session_of`](mp_rooms::Rooms::session_of).
    pub(crate) async fn resume_session(
        &self,
        credentials: Credentials,
        template: RoomName,
    ) -> Identified<(PlayerSession, ResumeTicket), MatchRefusal> {
        self.call_as(credentials, move |host, identity| {
            let session = host.rooms.session_of(host.now(), &template, identity)?;
            let ticket = host.draw_ticket(session.peer).ok_or(MatchRefusal::NotResumable)?;
            host.rooms.set_resume_ticket(&session, ticket.hash());
            Ok((session, ticket))
        })
        .await
    }

    /// Returns a list of rooms for players.
    pub(crate) async fn lobby(
        &self,
        query: LobbyQuery,
    ) -> Result<Result<LobbyPage, MatchRefusal>, ServerEnded> {
        self.call(move |host| host.rooms.lobby(&query)).await
    }

    /// Adds a player who authenticates to a queue, and returns its state.
    pub(crate) async fn enter_queue(
        &self,
        credentials: Credentials,
        place: QueuePlace,
        ticket: TicketHash,
    ) -> Identified<QueueProgress, QueueRefusal> {
        self.call_as(credentials, move |host, identity| {
            let (QueuePlace { template, rank, party }, now) = (place, host.now());
            host.rooms.enter_queue_as(now, &template, ticket, identity, rank, party)?;
            host.queue_progress(&template, ticket)
        })
        .await
    }

    /// Confirms the group of a player, and returns its state.
    pub(crate) async fn confirm_group(
        &self,
        template: RoomName,
        ticket: TicketHash,
    ) -> Result<Result<QueueProgress, QueueRefusal>, ServerEnded> {
        self.call(move |host| {
            host.rooms.confirm_group(host.now(), &template, ticket)?;
            host.queue_progress(&template, ticket)
        })
        .await
    }

    /// Returns the state of a player in a queue.
    pub(crate) async fn queue_progress(
        &self,
        template: RoomName,
        ticket: TicketHash,
    ) -> Result<Result<QueueProgress, QueueRefusal>, ServerEnded> {
        self.call(move |host| host.queue_progress(&template, ticket)).await
    }

    /// Removes the party of a player from a queue, or frees its seat. Returns false if there is
    /// neither.
    pub(crate) async fn leave_queue(
        &self,
        template: RoomName,
        ticket: TicketHash,
    ) -> Result<bool, ServerEnded> {
        self.call(move |host| host.rooms.leave_queue(host.now(), &template, ticket)).await
    }
}

fn queued(now: Instant, status: QueueStatus) -> QueueProgress {
    let waited = match status {
        QueueStatus::Waiting { since } => now - since,
        _ => Duration::ZERO,
    };
    let expires_in = match status {
        QueueStatus::Confirming { deadline, .. } => deadline - now,
        _ => Duration::ZERO,
    };
    QueueProgress::Queued { status, waited, expires_in }
}
