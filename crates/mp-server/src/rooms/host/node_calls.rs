//! Calls of other nodes of the cluster about rooms and queues of this one.

use mp_cluster::{
    FoundSession, ListedRoom, NodeCall, NodeReply, QueueCall, SeatCall, SeatVerb, SessionQuery,
};
use mp_rooms::{LobbyQuery, MatchRefusal, MatchVerb, RoomName, TicketHash};

use super::RoomsHost;
use crate::cluster::{RemoteRequest, ToNode};

impl RoomsHost {
    /// Replies to a call of another node.
    pub(crate) fn handle_node_call(&mut self, from: RemoteRequest, call: NodeCall) {
        let reply = match call {
            NodeCall::List { template, after } => self.list_rooms(template, after),
            NodeCall::Seat(call) => return self.seat_for(from, *call),
            NodeCall::SeatOf(ticket) => NodeReply::Seat(self.seat_again(ticket)),
            NodeCall::Queue { template, ticket, call } => self.call_queue(&template, ticket, call),
            NodeCall::Session(query) => NodeReply::Session(self.find_session(&query)),
            NodeCall::Player(player) => NodeReply::Player(self.report_of(&player)),
        };
        self.notify_cluster(|| ToNode::Reply(from, reply));
    }

    /// Returns the session of a player, to whom another node has given the ticket.
    fn find_session(&mut self, query: &SessionQuery) -> Option<FoundSession> {
        let SessionQuery { template, identity, ticket } = query;
        if self.is_banned(identity) {
            return None;
        }
        let session = self.rooms.session_of(self.now(), template, identity).ok()?;
        self.rooms.set_resume_ticket(&session, *ticket);
        Some(FoundSession {
            room: session.name,
            room_id: session.room.get(),
            peer: session.peer,
            time: session.time,
        })
    }

    /// Returns a page of the public rooms; none while the server refuses players.
    fn list_rooms(&self, template: RoomName, after: u64) -> NodeReply {
        let mut query = LobbyQuery::new(template);
        query.after = after;
        match self.rooms.lobby(&query) {
            Ok(page) if self.rooms.refusal_of_all().is_none() => {
                let rooms = page.rooms.into_iter().map(|room| ListedRoom::from(room).shortened());
                NodeReply::Rooms { rooms: rooms.collect(), next: page.next }
            }
            _ => NodeReply::Rooms { rooms: Vec::new(), next: None },
        }
    }

    /// Replies with a seat, which may take some round trips to other nodes.
    fn seat_for(&mut self, from: RemoteRequest, call: SeatCall) {
        let SeatCall { verb, request, ticket, identity } = call;
        let reply = move |host: &mut Self, seat| {
            host.notify_cluster(|| ToNode::Reply(from, NodeReply::Seat(seat)));
        };
        let verb = match verb {
            SeatVerb::Join => MatchVerb::Join,
            SeatVerb::Create => MatchVerb::Create,
            SeatVerb::In(room) => match self.rooms.find_by_name(&room) {
                Some(room) => MatchVerb::JoinById(room),
                None => return reply(self, Err(MatchRefusal::UnknownRoom)),
            },
        };
        self.request_seat_within_limits(verb, request, ticket, identity, reply);
    }

    fn call_queue(
        &mut self,
        template: &RoomName,
        ticket: TicketHash,
        call: QueueCall,
    ) -> NodeReply {
        NodeReply::Queue(match call {
            QueueCall::Enter { rank, party, identity } => {
                self.enter_queue(template, ticket, (rank, party), &identity)
            }
            QueueCall::State => self.queue_report(template, ticket),
            QueueCall::Confirm => self.confirm_group(template, ticket),
            QueueCall::Leave => {
                let now = self.now();
                return NodeReply::Left(self.rooms.leave_queue(now, template, ticket));
            }
        })
    }
}
