//! Matchmaking across the nodes of a cluster.
//!
//! * **A seat** is in a room of this node that fits, or of another node, or in a new room. The
//!   [lists](ClusterHandle::lists) of rooms say which nodes may have one; the node of the room
//!   decides. A ticket has the tag of that node.
//! * **The queue** of a template is on one node, which all nodes compute ([`matchmaker`]).

use std::sync::Arc;

use mp_cluster::{
    ClusterNodeId, ListedRoom, NodeCall, NodeReply, QueueCall, QueueReport, SeatCall, SeatOffer,
    SeatVerb, matchmaker, place,
};
use mp_identity::{Credentials, Identity};
use mp_rooms::limits::LOBBY_PAGE_MAX;
use mp_rooms::{
    LobbyQuery, MatchRefusal, MatchRequest, MatchVerb, QueueRefusal, RoomName, Ticket, TicketHash,
};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::handle::{RoomsHandle, ServerEnded};
use super::host::RoomsHost;
use super::matchmaking::{Identified, Lobby, QueuePlace, Queued, Seat};
use crate::cluster::{ClaimOutcome, ClusterHandle, LIST_AGE_MAX, ToNode};

/// The request of a player for a seat.
#[derive(Clone, Debug)]
struct Wish {
    verb: MatchVerb,
    request: MatchRequest,
    /// The ticket, without the tag of a node.
    ticket: Ticket,
    identity: Arc<Identity>,
}

impl RoomsHost {
    /// Returns whether this node decides about a request for a seat, since it has a room that fits,
    /// or refuses the template.
    fn decides(&self, verb: MatchVerb, request: &MatchRequest, identity: &Identity) -> bool {
        if self.rooms.template(&request.template).is_none_or(|template| !template.matchmaking) {
            return true;
        }
        if let Some(room) = identity.room() {
            let room = RoomName::new(room);
            return room.is_ok_and(|room| self.rooms.find_by_name(&room).is_some());
        }
        match verb {
            MatchVerb::Join | MatchVerb::JoinOrCreate => {
                self.rooms.has_fitting_room(request, identity)
            }
            MatchVerb::JoinById(_) => true,
            _ => false,
        }
    }
}

impl RoomsHandle {
    /// Returns the other node of the cluster whose tickets have this tag.
    pub(super) fn elsewhere(&self, tag: u32) -> Option<(&ClusterHandle, ClusterNodeId)> {
        let cluster = self.cluster()?;
        Some((cluster, cluster.other_with_tag(tag)?))
    }

    /// Reserves a seat for a player who authenticates.
    pub(super) async fn match_in_cluster(
        &self,
        cluster: &ClusterHandle,
        credentials: Credentials,
        verb: MatchVerb,
        request: MatchRequest,
        ticket: Ticket,
    ) -> Identified<Seat, MatchRefusal> {
        let here = ticket.with_tag(cluster.node().ticket_tag());
        let (of, hash) = (request.clone(), here.hash());
        let decided = self.call_as(credentials, move |host, identity| {
            let is_here = host.decides(verb, &of, identity);
            let offer = is_here.then(|| host.request_seat(verb, &of, hash, identity));
            (Arc::clone(identity), offer)
        });
        let (identity, offer) = match decided.await? {
            Ok(decided) => decided,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let wish = Wish { verb, request, ticket, identity };
        Ok(Ok(match offer {
            Some(offer) => offer.map(|offer| Seat { ticket: here, offer }),
            None => self.match_elsewhere(cluster, &wish).await?,
        }))
    }

    /// Reserves a seat for a player who authenticates in the room of this name.
    pub(super) async fn seat_in_cluster(
        &self,
        cluster: &ClusterHandle,
        credentials: Credentials,
        room: RoomName,
        request: MatchRequest,
        ticket: Ticket,
    ) -> Identified<Seat, MatchRefusal> {
        let here = ticket.with_tag(cluster.node().ticket_tag());
        let (of, name, hash) = (request.clone(), room.clone(), here.hash());
        let decided = self.call_as(credentials, move |host, identity| {
            let room = host.rooms.find_by_name(&name).map(MatchVerb::JoinById);
            let offer = room.map(|verb| host.request_seat(verb, &of, hash, identity));
            (Arc::clone(identity), offer)
        });
        let (identity, offer) = match decided.await? {
            Ok(decided) => decided,
            Err(rejection) => return Ok(Err(rejection)),
        };
        if let Some(offer) = offer {
            return Ok(Ok(offer.map(|offer| Seat { ticket: here, offer })));
        }
        let wish = Wish { verb: MatchVerb::Join, request, ticket, identity };
        Ok(Ok(match other(cluster, room.clone()).await {
            Some(node) => seat_at(cluster, node, SeatVerb::In(room), &wish).await,
            None => Err(MatchRefusal::UnknownRoom),
        }))
    }

    async fn match_elsewhere(
        &self,
        cluster: &ClusterHandle,
        wish: &Wish,
    ) -> Result<Result<Seat, MatchRefusal>, ServerEnded> {
        if let Some(room) = wish.identity.room() {
            return match RoomName::new(room) {
                Ok(room) => self.match_in_own_room(cluster, room, wish).await,
                Err(_) => Ok(Err(MatchRefusal::WrongRoom)),
            };
        }
        if wish.verb != MatchVerb::Create
            && let Some(seat) = join_elsewhere(cluster, wish).await
        {
            return Ok(Ok(seat));
        }
        match wish.verb {
            // No room fits, which this node counts.
            MatchVerb::Join => self.seat_here(cluster, wish).await,
            _ => self.create_somewhere(cluster, wish).await,
        }
    }

    /// Reserves a seat in a new room, on the node where rooms are placed.
    async fn create_somewhere(
        &self,
        cluster: &ClusterHandle,
        wish: &Wish,
    ) -> Result<Result<Seat, MatchRefusal>, ServerEnded> {
        let (here, mut members) = (cluster.node(), cluster.members());
        let mut refused = Err(MatchRefusal::ServerFull);
        if place(&members, here).is_none_or(|node| node == here) {
            refused = self.seat_here(cluster, wish).await?;
            if !matches!(refused, Err(refusal) if is_shortage(refusal)) {
                return Ok(refused);
            }
        }
        members.remove(&here);
        Ok(match place(&members, here) {
            Some(node) => seat_at(cluster, node, SeatVerb::Create, wish).await,
            None => refused,
        })
    }

    /// Reserves a seat in the only room that a player may join, which is not on this node.
    async fn match_in_own_room(
        &self,
        cluster: &ClusterHandle,
        room: RoomName,
        wish: &Wish,
    ) -> Result<Result<Seat, MatchRefusal>, ServerEnded> {
        if let Some(node) = other(cluster, room.clone()).await {
            return Ok(match wish.verb {
                MatchVerb::Create => Err(MatchRefusal::NameTaken),
                _ => seat_at(cluster, node, SeatVerb::In(room), wish).await,
            });
        }
        if wish.verb == MatchVerb::Join {
            return self.seat_here(cluster, wish).await;
        }
        match cluster.claim(room.clone(), wish.request.template.clone()).await {
            ClaimOutcome::Owned => {
                let seat = self.seat_here(cluster, wish).await;
                let of = room.clone();
                let exists = self.call(move |host| host.rooms.find_by_name(&of).is_some()).await;
                let exists = exists.unwrap_or_default();
                cluster.send(ToNode::Unclaim { name: room, exists });
                seat
            }
            ClaimOutcome::Taken => Ok(Err(MatchRefusal::NameTaken)),
            ClaimOutcome::Unavailable => Ok(Err(MatchRefusal::Unreachable)),
        }
    }

    /// Reserves a seat on this node.
    async fn seat_here(
        &self,
        cluster: &ClusterHandle,
        wish: &Wish,
    ) -> Result<Result<Seat, MatchRefusal>, ServerEnded> {
        let Wish { verb, request, ticket, identity } = wish.clone();
        let ticket = ticket.with_tag(cluster.node().ticket_tag());
        let hash = ticket.hash();
        let (reply, offer) = oneshot::channel();
        let reply = move |_: &mut RoomsHost, offer| drop(reply.send(offer));
        self.call(move |host| {
            host.request_seat_within_limits(verb, request, hash, identity, reply);
        })
        .await?;
        let offer: Result<SeatOffer, _> = offer.await.map_err(|_| ServerEnded)?;
        Ok(offer.map(|offer| Seat { ticket, offer }))
    }

    /// Returns the tag of the tickets of a template's queue; `None` without a cluster.
    pub(crate) fn queue_tag(&self, template: &RoomName) -> Option<u32> {
        let cluster = self.cluster()?;
        let node = matchmaker(&cluster.members(), template).unwrap_or_else(|| cluster.node());
        Some(node.ticket_tag())
    }

    /// Adds a player who authenticates to the queue of a template, on the node that has it.
    pub(super) async fn queue_in_cluster(
        &self,
        cluster: &ClusterHandle,
        credentials: Credentials,
        place: QueuePlace,
        ticket: Ticket,
    ) -> Identified<Queued, QueueRefusal> {
        let QueuePlace { template, rank, party, tag } = place;
        let tag = tag.or_else(|| self.queue_tag(&template));
        let ticket = ticket.with_tag(tag.unwrap_or_else(|| cluster.node().ticket_tag()));
        let (node, hash) = (cluster.other_with_tag(ticket.tag()), ticket.hash());
        let of = template.clone();
        let decided = self.call_as(credentials, move |host, identity| {
            let here = || host.enter_queue(&of, hash, (rank, party), identity);
            (Arc::clone(identity), node.is_none().then(here))
        });
        let (identity, report) = match decided.await? {
            Ok(decided) => decided,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let report = match (report, node) {
            (Some(report), _) => report,
            (None, Some(node)) => {
                let call = QueueCall::Enter { rank, party, identity };
                queue_at(cluster, node, template, hash, call).await
            }
            (None, None) => Err(QueueRefusal::Unreachable),
        };
        Ok(Ok(report.map(|report| Queued { ticket, report })))
    }

    /// Returns the state of a player in a queue.
    pub(crate) async fn queue_state(
        &self,
        template: RoomName,
        ticket: &Ticket,
    ) -> Result<Result<QueueReport, QueueRefusal>, ServerEnded> {
        let here = RoomsHost::queue_report;
        self.call_queue(template, ticket, QueueCall::State, here).await
    }

    /// Confirms the group of a player, and returns its state.
    pub(crate) async fn confirm_group(
        &self,
        template: RoomName,
        ticket: &Ticket,
    ) -> Result<Result<QueueReport, QueueRefusal>, ServerEnded> {
        let here = RoomsHost::confirm_group;
        self.call_queue(template, ticket, QueueCall::Confirm, here).await
    }

    /// Makes a call about a player in a queue at the node of its ticket: `call` at another one,
    /// `here` at this one.
    async fn call_queue(
        &self,
        template: RoomName,
        ticket: &Ticket,
        call: QueueCall,
        here: fn(&mut RoomsHost, &RoomName, TicketHash) -> Result<QueueReport, QueueRefusal>,
    ) -> Result<Result<QueueReport, QueueRefusal>, ServerEnded> {
        let hash = ticket.hash();
        if let Some((cluster, node)) = self.elsewhere(ticket.tag()) {
            return Ok(queue_at(cluster, node, template, hash, call).await);
        }
        self.call(move |host| here(host, &template, hash)).await
    }

    /// Removes the party of a player from a queue, or frees its seat. Returns false if there is
    /// neither.
    pub(crate) async fn leave_queue(
        &self,
        template: RoomName,
        ticket: &Ticket,
    ) -> Result<Result<bool, QueueRefusal>, ServerEnded> {
        let hash = ticket.hash();
        if let Some((cluster, node)) = self.elsewhere(ticket.tag()) {
            let call = NodeCall::Queue { template, ticket: hash, call: QueueCall::Leave };
            return Ok(match cluster.call(node, call).await {
                Some(NodeReply::Left(has_left)) => Ok(has_left),
                _ => Err(QueueRefusal::Unreachable),
            });
        }
        let left = self.call(move |host| host.rooms.leave_queue(host.now(), &template, hash));
        left.await.map(Ok)
    }
}

/// Adds the rooms of other nodes to a page of those of this node.
pub(super) async fn lobby(cluster: &ClusterHandle, query: LobbyQuery, here: Lobby) -> Lobby {
    let lists = cluster.lists(&query.template, recently(Instant::now())).await;
    let limit = query.limit.clamp(1, LOBBY_PAGE_MAX);
    let is_listed =
        |room: &&ListedRoom| room.room.get() > query.after && query.filter.accepts(&room.metadata);
    let Lobby { mut rooms, next } = here;
    rooms.extend(lists.rooms().filter(is_listed).cloned());
    rooms.sort_by_key(|room| room.room);
    let has_more = rooms.len() > limit || next.is_some();
    rooms.truncate(limit);
    let next = rooms.last().map(|room| room.room.get()).filter(|_| has_more);
    Lobby { rooms, next }
}

/// Reserves a seat in a room of another node that fits. Public rooms are looked for in the last
/// lists, and then in new ones; private rooms are in no list.
async fn join_elsewhere(cluster: &ClusterHandle, wish: &Wish) -> Option<Seat> {
    let began = Instant::now();
    for since in [recently(began), began] {
        let (nodes, is_last) = match wish.request.code {
            Some(_) => (cluster.others().collect(), true),
            None => {
                let lists = cluster.lists(&wish.request.template, since).await;
                (lists.candidates(&wish.request), lists.since >= began)
            }
        };
        for node in nodes.into_iter().take(ATTEMPTS_MAX) {
            if let Ok(seat) = seat_at(cluster, node, SeatVerb::Join, wish).await {
                return Some(seat);
            }
        }
        if is_last {
            break;
        }
    }
    None
}

/// Returns the time from which lists are recent.
fn recently(now: Instant) -> Instant {
    now.checked_sub(LIST_AGE_MAX).unwrap_or(now)
}

/// Returns the other node that has a room.
async fn other(cluster: &ClusterHandle, room: RoomName) -> Option<ClusterNodeId> {
    cluster.find(room).await.filter(|node| *node != cluster.node())
}

/// Reserves a seat on another node.
async fn seat_at(
    cluster: &ClusterHandle,
    node: ClusterNodeId,
    verb: SeatVerb,
    wish: &Wish,
) -> Result<Seat, MatchRefusal> {
    let ticket = wish.ticket.with_tag(node.ticket_tag());
    let (request, identity) = (wish.request.clone(), Arc::clone(&wish.identity));
    let call = SeatCall { verb, request, ticket: ticket.hash(), identity };
    match cluster.call(node, NodeCall::Seat(Box::new(call))).await {
        Some(NodeReply::Seat(offer)) => offer.map(|offer| Seat { ticket, offer }),
        _ => Err(MatchRefusal::Unreachable),
    }
}

async fn queue_at(
    cluster: &ClusterHandle,
    node: ClusterNodeId,
    template: RoomName,
    ticket: TicketHash,
    call: QueueCall,
) -> Result<QueueReport, QueueRefusal> {
    match cluster.call(node, NodeCall::Queue { template, ticket, call }).await {
        Some(NodeReply::Queue(report)) => report,
        _ => Err(QueueRefusal::Unreachable),
    }
}

/// Returns whether another node may create the room that this one does not.
fn is_shortage(refusal: MatchRefusal) -> bool {
    matches!(
        refusal,
        MatchRefusal::ServerFull
            | MatchRefusal::TooManySeats
            | MatchRefusal::TooManyRooms
            | MatchRefusal::Overloaded
            | MatchRefusal::OutOfMemory
            | MatchRefusal::Draining
    )
}

/// Nodes that a request for a seat asks.
const ATTEMPTS_MAX: usize = 16;
