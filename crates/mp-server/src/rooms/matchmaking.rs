//! Matchmaking: requests of players to the registry, from other threads. In a cluster,
//! [`elsewhere`](super::elsewhere) passes them to the nodes that have rooms and queues.

use std::sync::Arc;
use std::time::Duration;

use mp_cluster::{FoundSession, ListedRoom, PlayerTicket, QueueReport, SeatOffer, SessionQuery};
use mp_core::Instant;
use mp_identity::{AuthRefusal, AuthRejection, Credentials, Identity};
use mp_rooms::{
    Join, JoinRefusal, LobbyQuery, MatchRefusal, MatchRequest, MatchVerb, PartyRequest,
    PlayerSession, QueueRefusal, QueueState, QueueStatus, Reservation, ResumeTicket, RoomName,
    Ticket, TicketHash,
};

use super::handle::{RoomsHandle, ServerEnded};
use super::host::RoomsHost;
use crate::cluster::ClusterHandle;

/// The result of a request whose player authenticates, or the reason why the player is refused.
pub(crate) type Identified<T, E> = Result<Result<Result<T, E>, AuthRejection>, ServerEnded>;

/// A seat of a room.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// The ticket that admits the player.
    pub(crate) ticket: Ticket,
    pub(crate) offer: SeatOffer,
}

/// A place in a queue, or the seat that follows.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    /// The ticket of the player.
    pub(crate) ticket: Ticket,
    pub(crate) report: QueueReport,
}

/// The session of a player, on this node or on another one, and a ticket for it.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) room: RoomName,
    /// Number of the room on its node.
    pub(crate) room_id: u64,
    pub(crate) template: RoomName,
    pub(crate) ticket: ResumeTicket,
    /// Time for which the place is still kept, or would be without a connection.
    pub(crate) time: Duration,
}

/// The place of a session: here, or on another node, with the secret of its ticket.
enum SessionPlace {
    Here(Session),
    Elsewhere(ClusterHandle, Ticket, Arc<Identity>),
}

/// A request to enter the queue of a template.
#[derive(Clone, Debug)]
pub(crate) struct QueuePlace {
    pub(crate) template: RoomName,
    pub(crate) rank: i32,
    pub(crate) party: PartyRequest,
    /// Tag of the secret of the party, which is that of the node with the queue.
    pub(crate) tag: Option<u32>,
}

/// A list of rooms for players.
#[derive(Clone, Debug)]
pub(crate) struct Lobby {
    /// The rooms, by number.
    pub(crate) rooms: Vec<ListedRoom>,
    /// Value of [`LobbyQuery::after`] for the next page; `None`: there are no more rooms.
    pub(crate) next: Option<u64>,
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
        if let Ok(hash) = ticket
            && self.may_be_elsewhere(now, hash)
        {
            let identity = Arc::new(Identity::anonymous());
            self.show_ticket(join.clone(), identity, PlayerTicket::Seat(hash));
            return true;
        }
        let identity = ticket.ok().and_then(|ticket| self.rooms.identity_of_seat(ticket));
        if identity.is_some_and(|identity| self.is_banned(identity)) {
            self.reject(join.connection, &AuthRefusal::Banned.into());
        } else {
            self.take_seat(join, ticket);
        }
        true
    }

    fn take_seat(&mut self, join: &Join, ticket: Result<TicketHash, JoinRefusal>) {
        let (connection, claimed_id) = (join.connection, join.claimed_id);
        let limits = ticket.ok().and_then(|ticket| self.rooms.limits_of_seat(ticket));
        self.join_within_limits(connection, limits, move |host, may_join| {
            if may_join {
                let now = host.now();
                host.rooms.join_by_ticket(now, connection, claimed_id, ticket);
            }
        });
    }

    /// Reserves a seat for a player.
    pub(super) fn request_seat(
        &mut self,
        verb: MatchVerb,
        request: &MatchRequest,
        ticket: TicketHash,
        identity: &Arc<Identity>,
    ) -> Result<SeatOffer, MatchRefusal> {
        let now = self.now();
        let reserved = self.rooms.request_seat_as(now, verb, request, ticket, identity);
        reserved.map(|reservation| offer(now, reservation))
    }

    /// Returns the seat of a ticket again.
    pub(super) fn seat_again(&mut self, ticket: TicketHash) -> Result<SeatOffer, MatchRefusal> {
        let now = self.now();
        self.rooms.reconnect(now, ticket).map(|reservation| offer(now, reservation))
    }

    /// Adds a player to a queue.
    pub(super) fn enter_queue(
        &mut self,
        template: &RoomName,
        ticket: TicketHash,
        (rank, party): (i32, PartyRequest),
        identity: &Arc<Identity>,
    ) -> Result<QueueReport, QueueRefusal> {
        self.rooms.enter_queue_as(self.now(), template, ticket, identity, rank, party)?;
        self.queue_report(template, ticket)
    }

    /// Confirms the group of a player.
    pub(super) fn confirm_group(
        &mut self,
        template: &RoomName,
        ticket: TicketHash,
    ) -> Result<QueueReport, QueueRefusal> {
        self.rooms.confirm_group(self.now(), template, ticket)?;
        self.queue_report(template, ticket)
    }

    /// Returns the state of a player in a queue.
    pub(super) fn queue_report(
        &mut self,
        template: &RoomName,
        ticket: TicketHash,
    ) -> Result<QueueReport, QueueRefusal> {
        let now = self.now();
        Ok(match self.rooms.queue_state(now, template, ticket)? {
            QueueState::Seated(seat) => QueueReport::Seated(offer(now, seat)),
            QueueState::Queued(status) => report(now, status),
            state => {
                mp_core::bug!("unknown state of a queue: {state:?}");
                return Err(QueueRefusal::UnknownTicket);
            }
        })
    }
}

impl RoomsHandle {
    /// Reserves a seat for a player who authenticates, on the node of a cluster that has a room
    /// that fits. See [`Rooms::request_seat_as`](mp_rooms::Rooms::request_seat_as).
    pub(crate) async fn request_seat(
        &self,
        credentials: Credentials,
        verb: MatchVerb,
        request: MatchRequest,
        ticket: Ticket,
    ) -> Identified<Seat, MatchRefusal> {
        if let Some(cluster) = self.cluster() {
            return self.match_in_cluster(cluster, credentials, verb, request, ticket).await;
        }
        let hash = ticket.hash();
        let seat = self.call_as(credentials, move |host, identity| {
            host.request_seat(verb, &request, hash, identity)
        });
        Ok(seat.await?.map(|seat| seat.map(|offer| Seat { ticket, offer })))
    }

    /// Reserves a seat in the room of this name.
    pub(crate) async fn request_seat_in(
        &self,
        credentials: Credentials,
        room: RoomName,
        request: MatchRequest,
        ticket: Ticket,
    ) -> Identified<Seat, MatchRefusal> {
        if let Some(cluster) = self.cluster() {
            return self.seat_in_cluster(cluster, credentials, room, request, ticket).await;
        }
        let hash = ticket.hash();
        let seat = self.call_as(credentials, move |host, identity| {
            let room = host.rooms.find_by_name(&room).ok_or(MatchRefusal::UnknownRoom)?;
            host.request_seat(MatchVerb::JoinById(room), &request, hash, identity)
        });
        Ok(seat.await?.map(|seat| seat.map(|offer| Seat { ticket, offer })))
    }

    /// Returns a seat again. See [`Rooms::reconnect`](mp_rooms::Rooms::reconnect).
    pub(crate) async fn reconnect(
        &self,
        ticket: Ticket,
    ) -> Result<Result<Seat, MatchRefusal>, ServerEnded> {
        let hash = ticket.hash();
        let offer = match self.elsewhere(ticket.tag()) {
            Some((cluster, node)) => {
                cluster.seat_of(node, hash).await.ok_or(MatchRefusal::NotResumable)
            }
            None => self.call(move |host| host.seat_again(hash)).await?,
        };
        Ok(offer.map(|offer| Seat { ticket, offer }))
    }

    /// Gives a player who authenticates a new ticket with which it resumes its session in a room of
    /// a template. See [`Rooms::session_of`](mp_rooms::Rooms::session_of).
    pub(crate) async fn resume_session(
        &self,
        credentials: Credentials,
        template: RoomName,
    ) -> Identified<Session, MatchRefusal> {
        let of = template.clone();
        let found = self.call_as(credentials, move |host, identity| {
            let session = host.rooms.session_of(host.now(), &template, identity);
            let Ok(session) = session else {
                let cluster = host.cluster().ok_or(MatchRefusal::NotResumable)?;
                let secret = host.draw_secret().ok_or(MatchRefusal::NotResumable)?;
                return Ok(SessionPlace::Elsewhere(cluster, secret, Arc::clone(identity)));
            };
            let ticket = host.draw_ticket(session.peer).ok_or(MatchRefusal::NotResumable)?;
            host.rooms.set_resume_ticket(&session, ticket.hash());
            let PlayerSession { room, name, template, time, .. } = session;
            let room_id = room.get();
            Ok(SessionPlace::Here(Session { room: name, room_id, template, ticket, time }))
        });
        Ok(match found.await? {
            Ok(Ok(SessionPlace::Here(session))) => Ok(Ok(session)),
            Ok(Ok(SessionPlace::Elsewhere(cluster, secret, identity))) => {
                let query = SessionQuery { template: of.clone(), identity, ticket: secret.hash() };
                let found = cluster.find_session(query).await.ok_or(MatchRefusal::NotResumable);
                Ok(found.map(|FoundSession { room, room_id, peer, time }| {
                    let ticket = ResumeTicket::new(secret, peer);
                    Session { room, room_id, template: of, ticket, time }
                }))
            }
            Ok(Err(refusal)) => Ok(Err(refusal)),
            Err(rejection) => Err(rejection),
        })
    }

    /// Returns a list of rooms for players, of all nodes of a cluster.
    pub(crate) async fn lobby(
        &self,
        query: LobbyQuery,
    ) -> Result<Result<Lobby, MatchRefusal>, ServerEnded> {
        let of = query.clone();
        let page = match self.call(move |host| host.rooms.lobby(&of)).await? {
            Ok(page) => page,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let rooms = page.rooms.into_iter().map(ListedRoom::from).collect();
        let here = Lobby { rooms, next: page.next };
        Ok(Ok(match self.cluster() {
            Some(cluster) => super::elsewhere::lobby(cluster, query, here).await,
            None => here,
        }))
    }

    /// Adds a player who authenticates to a queue, and returns its state.
    pub(crate) async fn enter_queue(
        &self,
        credentials: Credentials,
        place: QueuePlace,
        ticket: Ticket,
    ) -> Identified<Queued, QueueRefusal> {
        if let Some(cluster) = self.cluster() {
            return self.queue_in_cluster(cluster, credentials, place, ticket).await;
        }
        let QueuePlace { template, rank, party, .. } = place;
        let hash = ticket.hash();
        let entered = self.call_as(credentials, move |host, identity| {
            host.enter_queue(&template, hash, (rank, party), identity)
        });
        Ok(entered.await?.map(|entered| entered.map(|report| Queued { ticket, report })))
    }
}

/// Returns a seat as players see it.
fn offer(now: Instant, reservation: Reservation) -> SeatOffer {
    let expires_in = reservation.expires - now;
    let Reservation { room, name, template, .. } = reservation;
    SeatOffer { room, name, template, expires_in }
}

fn report(now: Instant, status: QueueStatus) -> QueueReport {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    match status {
        QueueStatus::Gathering { present, size } => {
            QueueReport::Gathering { present: count(present), size: count(size) }
        }
        QueueStatus::Waiting { since } => QueueReport::Waiting { waited: now - since },
        QueueStatus::Confirming { deadline, is_confirmed, missing } => QueueReport::Confirming {
            is_confirmed,
            missing: count(missing),
            expires_in: deadline - now,
        },
        QueueStatus::Formed => QueueReport::Formed,
        QueueStatus::Ended(reason) => QueueReport::Ended(reason),
        status => {
            mp_core::bug!("unknown state of a queue: {status:?}");
            QueueReport::Waiting { waited: Duration::ZERO }
        }
    }
}
