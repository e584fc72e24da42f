//! Matchmaking: requests of players to the registry, from other threads.

use std::time::Duration;

use mp_core::Instant;
use mp_rooms::{
    LobbyPage, LobbyQuery, MatchRefusal, MatchRequest, MatchVerb, PartyRequest, QueueRefusal,
    QueueState, QueueStatus, Reservation, RoomName, TicketHash,
};

use super::handle::{RoomsHandle, ServerEnded};

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

impl RoomsHandle {
    /// Reserves a seat. See [`Rooms::request_seat`](mp_rooms::Rooms::request_seat).
    pub(crate) async fn request_seat(
        &self,
        verb: MatchVerb,
        request: MatchRequest,
        ticket: TicketHash,
    ) -> Result<Result<Seat, MatchRefusal>, ServerEnded> {
        self.call(move |host| {
            let now = host.now();
            let reserved = host.rooms.request_seat(now, verb, &request, ticket);
            reserved.map(|reservation| Seat::new(now, reservation))
        })
        .await
    }

    /// Reserves a seat in the room of this name.
    pub(crate) async fn request_seat_in(
        &self,
        room: RoomName,
        request: MatchRequest,
        ticket: TicketHash,
    ) -> Result<Result<Seat, MatchRefusal>, ServerEnded> {
        let room = self.call(move |host| host.rooms.find_by_name(&room)).await?;
        match room {
            Some(room) => self.request_seat(MatchVerb::JoinById(room), request, ticket).await,
            None => Ok(Err(MatchRefusal::UnknownRoom)),
        }
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

    /// Returns a list of rooms for players.
    pub(crate) async fn lobby(
        &self,
        query: LobbyQuery,
    ) -> Result<Result<LobbyPage, MatchRefusal>, ServerEnded> {
        self.call(move |host| host.rooms.lobby(&query)).await
    }

    /// Adds a player to a queue, and returns its state.
    pub(crate) async fn enter_queue(
        &self,
        place: QueuePlace,
        ticket: TicketHash,
    ) -> Result<Result<QueueProgress, QueueRefusal>, ServerEnded> {
        let template = place.template.clone();
        let entered = self.call(move |host| {
            let QueuePlace { template, rank, party } = place;
            host.rooms.enter_queue(host.now(), &template, ticket, rank, party)
        });
        match entered.await? {
            Ok(()) => self.queue_progress(template, ticket).await,
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Confirms the group of a player, and returns its state.
    pub(crate) async fn confirm_group(
        &self,
        template: RoomName,
        ticket: TicketHash,
    ) -> Result<Result<QueueProgress, QueueRefusal>, ServerEnded> {
        let of = template.clone();
        let confirmed =
            self.call(move |host| host.rooms.confirm_group(host.now(), &of, ticket)).await?;
        match confirmed {
            Ok(()) => self.queue_progress(template, ticket).await,
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Returns the state of a player in a queue.
    pub(crate) async fn queue_progress(
        &self,
        template: RoomName,
        ticket: TicketHash,
    ) -> Result<Result<QueueProgress, QueueRefusal>, ServerEnded> {
        self.call(move |host| {
            let now = host.now();
            Ok(match host.rooms.queue_state(now, &template, ticket)? {
                QueueState::Seated(seat) => QueueProgress::Seated(Seat::new(now, seat)),
                QueueState::Queued(status) => queued(now, status),
                state => {
                    mp_core::bug!("unknown state of a queue: {state:?}");
                    return Err(QueueRefusal::UnknownTicket);
                }
            })
        })
        .await
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
