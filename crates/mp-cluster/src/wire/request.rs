//! [`NodeRequest`]: requests between nodes and their answers, one per message of the bus.
//!
//! ```text
//! version: u8   postcard
//! ```
//!
//! The rules for versions are those of [frames](super::frame).
#![expect(clippy::exhaustive_structs, clippy::exhaustive_enums, reason = "servers construct them")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{ConnectionId, DisconnectReason, EndpointId, PeerId};
use mp_identity::{Identity, Subject};
use mp_rooms::limits::{CODE_BYTES_MAX, NAME_BYTES_MAX};
use mp_rooms::{Code, Resume, RoomName, Selection, TicketHash};
use serde::{Deserialize, Serialize};

use super::bounded::Text;
use super::call::{
    WireCall, WireReply, call_from_wire, call_to_wire, reply_from_wire, reply_to_wire,
};
use super::frame::{FrameRefusal, VERSION};
use super::identity::{WireIdentity, encode_attributes, identity_from_wire, identity_to_wire};
use super::reason::WireReason;
use crate::call::{NodeCall, NodeReply, QueueCall};
use crate::id::{ClusterId, ClusterNodeId, Epoch, NodeRequestId};
use crate::limits::{REPLY_BYTES_MAX, REQUEST_BYTES_MAX};

/// A request of a node to another one, or the answer to one.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeRequest {
    /// A player whose socket is on the sending node joins a room of the receiving one.
    Join(NodeRequestId, Box<RemoteJoin>),
    /// The answer to a join.
    Answer(NodeRequestId, JoinAnswer),
    /// A call about rooms or queues of the receiving node.
    Call(NodeRequestId, NodeCall),
    /// The reply to a call.
    Reply(NodeRequestId, NodeReply),
    /// The sending node has changed bans in the directory. There is no answer.
    BansChanged,
    /// The sending node has admitted a player whose home is the receiving node. There is no answer.
    PlayerJoined {
        /// The player.
        player: Subject,
        /// Number of the join, among those of the sending node.
        number: u64,
    },
    /// A player of the receiving node was admitted elsewhere, after the join with this number.
    /// There is no answer.
    PlayerElsewhere {
        /// The player.
        player: Subject,
        /// Number of the join, among those of the receiving node.
        number: u64,
    },
    /// A search for the session of a player on the receiving node.
    FindSession(NodeRequestId, Box<SessionQuery>),
    /// The answer to a search for a session; `None`: the node has none.
    Session(NodeRequestId, Option<FoundSession>),
    /// The sending node is about to end: the receiving one disconnects the players of the other
    /// from its rooms, with a ticket and the addresses of other nodes.
    Leaving,
}

/// A player who asks for its session. The node of the session makes a ticket for it valid.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionQuery {
    /// Template of the room.
    pub template: RoomName,
    /// The player, who has a subject.
    pub identity: Arc<Identity>,
    /// Hash of the ticket, which the node of the player has drawn.
    pub ticket: TicketHash,
}

/// The session of a player, on another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSession {
    /// The room.
    pub room: RoomName,
    /// Number of the room on its node.
    pub room_id: u64,
    /// The player.
    pub peer: PeerId,
    /// Time for which the place is still kept, or would be without a connection.
    pub time: Duration,
}

/// A join of a player of another node. That node has checked who the player is; credentials do not
/// cross the bus.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteJoin {
    /// The endpoint of the connection, by its id on its own node.
    pub endpoint: EndpointId,
    /// The connection, unique within its endpoint.
    pub connection: ConnectionId,
    /// Peer id that the connection claims.
    pub claimed_id: Option<PeerId>,
    /// The room.
    pub selection: Selection,
    /// The player.
    pub identity: Arc<Identity>,
    /// SHA-256 of the key with which a program hosts the room, or of a token without meaning, which
    /// the room's node checks; `None`: none.
    pub host_key: Option<[u8; 32]>,
    /// The ticket that the player has shown, which the room's node uses up.
    pub ticket: Option<PlayerTicket>,
}

/// A ticket that a player has shown, of which only the hash crosses the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayerTicket {
    /// The ticket with which the player resumes its session.
    Resume(Resume),
    /// The ticket of a seat.
    Seat(TicketHash),
}

impl PlayerTicket {
    /// Returns the hash of the ticket.
    pub fn hash(&self) -> TicketHash {
        match self {
            Self::Resume(resume) => resume.ticket,
            Self::Seat(hash) => *hash,
        }
    }
}

/// The decision of a room's node about a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinAnswer {
    /// The connection enters the room. The link for it has this epoch.
    Admitted {
        /// The epoch of the room.
        epoch: Epoch,
        /// True if the room authenticates its players itself.
        authenticates: bool,
    },
    /// The connection enters the room and resumes the session of a peer.
    Resumed {
        /// The epoch of the room.
        epoch: Epoch,
        /// The peer.
        peer: PeerId,
    },
    /// The connection is rejected.
    Refused(DisconnectReason),
    /// The node does not own the room, or not any more.
    NotOwner,
}

/// Encoder and decoder of a node's requests.
#[derive(Clone, Copy, Debug)]
pub struct RequestCodec {
    cluster: ClusterId,
    node: ClusterNodeId,
}

#[derive(Serialize, Deserialize)]
struct WireRequest<'a> {
    cluster: ClusterId,
    node: ClusterNodeId,
    id: NodeRequestId,
    #[serde(borrow)]
    body: WireBody<'a>,
}

/// New kinds are appended.
#[derive(Serialize, Deserialize)]
enum WireBody<'a> {
    Join(#[serde(borrow)] WireJoin<'a>),
    Admitted {
        epoch: Epoch,
        authenticates: bool,
    },
    Resumed {
        epoch: Epoch,
        peer: i32,
    },
    Refused(#[serde(borrow)] WireReason<'a>),
    NotOwner,
    JoinWithKey(#[serde(borrow)] WireJoin<'a>, [u8; 32]),
    Call(#[serde(borrow)] WireCall<'a>),
    Reply(#[serde(borrow)] WireReply<'a>),
    BansChanged,
    PlayerJoined(#[serde(borrow)] WirePlayer<'a>, u64),
    PlayerElsewhere(#[serde(borrow)] WirePlayer<'a>, u64),
    /// A join with a ticket.
    TicketJoin(#[serde(borrow)] WireJoin<'a>, WireTicket),
    FindSession(#[serde(borrow)] WireQuery<'a>),
    Session(#[serde(borrow)] Option<WireSession<'a>>),
    Leaving,
}

#[derive(Serialize, Deserialize)]
struct WireQuery<'a> {
    #[serde(borrow)]
    template: Text<'a, NAME_BYTES_MAX>,
    ticket: [u8; 32],
    #[serde(borrow)]
    identity: WireIdentity<'a>,
}

#[derive(Serialize, Deserialize)]
struct WireSession<'a> {
    #[serde(borrow)]
    room: Text<'a, NAME_BYTES_MAX>,
    room_id: u64,
    peer: i32,
    milliseconds: u64,
}

/// A ticket's hash, and the peer whose session it resumes.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum WireTicket {
    Resume([u8; 32], i32),
    Seat([u8; 32]),
}

type WirePlayer<'a> = Text<'a, { mp_identity::limits::SUBJECT_BYTES_MAX }>;

#[derive(Serialize, Deserialize)]
struct WireJoin<'a> {
    endpoint: u32,
    connection: ConnectionId,
    claimed_id: Option<i32>,
    #[serde(borrow)]
    room: Text<'a, NAME_BYTES_MAX>,
    #[serde(borrow)]
    template: Option<Text<'a, NAME_BYTES_MAX>>,
    #[serde(borrow)]
    code: Option<Text<'a, CODE_BYTES_MAX>>,
    #[serde(borrow)]
    identity: WireIdentity<'a>,
}

impl RequestCodec {
    /// Returns the codec of a node.
    pub fn new(cluster: ClusterId, node: ClusterNodeId) -> Self {
        Self { cluster, node }
    }

    /// Returns the message of a request.
    pub fn encode(&self, request: &NodeRequest) -> Bytes {
        let attributes = request.identity().map(encode_attributes).unwrap_or_default();
        let (id, body) = match request {
            NodeRequest::Join(id, join) => {
                let wire = join_to_wire(join, &attributes);
                let body = match (join.ticket, join.host_key) {
                    (Some(ticket), _) => WireBody::TicketJoin(wire, ticket.into()),
                    (None, Some(key)) => WireBody::JoinWithKey(wire, key),
                    (None, None) => WireBody::Join(wire),
                };
                (*id, body)
            }
            NodeRequest::Answer(id, answer) => (*id, answer_to_wire(*answer)),
            NodeRequest::Call(id, call) => (*id, WireBody::Call(call_to_wire(call, &attributes))),
            NodeRequest::Reply(id, reply) => (*id, WireBody::Reply(reply_to_wire(reply))),
            NodeRequest::BansChanged => (NodeRequestId::default(), WireBody::BansChanged),
            NodeRequest::PlayerJoined { player, number } => {
                let body = WireBody::PlayerJoined(Text(player.as_str()), *number);
                (NodeRequestId::default(), body)
            }
            NodeRequest::PlayerElsewhere { player, number } => {
                let body = WireBody::PlayerElsewhere(Text(player.as_str()), *number);
                (NodeRequestId::default(), body)
            }
            NodeRequest::FindSession(id, query) => {
                let query = WireQuery {
                    template: Text(query.template.as_str()),
                    ticket: *query.ticket.as_bytes(),
                    identity: identity_to_wire(&query.identity, &attributes),
                };
                (*id, WireBody::FindSession(query))
            }
            NodeRequest::Session(id, found) => {
                let session = found.as_ref().map(|found| WireSession {
                    room: Text(found.room.as_str()),
                    room_id: found.room_id,
                    peer: found.peer.get(),
                    milliseconds: u64::try_from(found.time.as_millis()).unwrap_or(u64::MAX),
                });
                (*id, WireBody::Session(session))
            }
            NodeRequest::Leaving => (NodeRequestId::default(), WireBody::Leaving),
        };
        let wire = WireRequest { cluster: self.cluster, node: self.node, id, body };
        // An encoding into memory has no errors.
        postcard::to_extend(&wire, vec![VERSION]).unwrap_or_default().into()
    }

    /// Decodes a message. Returns the node that has sent it, too.
    ///
    /// # Errors
    ///
    /// The reason for which it is refused.
    pub fn decode(&self, bytes: &[u8]) -> Result<(ClusterNodeId, NodeRequest), FrameRefusal> {
        let length = bytes.len();
        if length > REPLY_BYTES_MAX {
            return Err(FrameRefusal::TooLong);
        }
        let (version, bytes) = bytes.split_first().ok_or(FrameRefusal::MalformedHeader)?;
        if version.abs_diff(VERSION) > 1 {
            return Err(FrameRefusal::OtherVersion);
        }
        let malformed = FrameRefusal::MalformedBody;
        let (wire, rest) =
            postcard::take_from_bytes::<WireRequest<'_>>(bytes).map_err(|_| malformed)?;
        if !rest.is_empty() && *version <= VERSION {
            return Err(malformed);
        }
        if wire.cluster != self.cluster {
            return Err(FrameRefusal::OtherCluster);
        }
        if length > REQUEST_BYTES_MAX && !matches!(wire.body, WireBody::Reply(_)) {
            return Err(FrameRefusal::TooLong);
        }
        let request = match wire.body {
            WireBody::Join(join) => {
                let join = join_from_wire(&join, None, None).ok_or(malformed)?;
                NodeRequest::Join(wire.id, Box::new(join))
            }
            WireBody::JoinWithKey(join, key) => {
                let join = join_from_wire(&join, Some(key), None).ok_or(malformed)?;
                NodeRequest::Join(wire.id, Box::new(join))
            }
            WireBody::Call(call) => {
                NodeRequest::Call(wire.id, call_from_wire(call).ok_or(malformed)?)
            }
            WireBody::Reply(reply) => {
                NodeRequest::Reply(wire.id, reply_from_wire(reply).ok_or(malformed)?)
            }
            WireBody::BansChanged => NodeRequest::BansChanged,
            WireBody::PlayerJoined(player, number) => {
                let player = Subject::new(player.0).map_err(|_| malformed)?;
                NodeRequest::PlayerJoined { player, number }
            }
            WireBody::PlayerElsewhere(player, number) => {
                let player = Subject::new(player.0).map_err(|_| malformed)?;
                NodeRequest::PlayerElsewhere { player, number }
            }
            WireBody::TicketJoin(join, ticket) => {
                let join = join_from_wire(&join, None, Some(ticket)).ok_or(malformed)?;
                NodeRequest::Join(wire.id, Box::new(join))
            }
            WireBody::FindSession(query) => {
                let query = query_from_wire(&query).ok_or(malformed)?;
                NodeRequest::FindSession(wire.id, Box::new(query))
            }
            WireBody::Session(None) => NodeRequest::Session(wire.id, None),
            WireBody::Session(Some(session)) => {
                let session = session_from_wire(&session).ok_or(malformed)?;
                NodeRequest::Session(wire.id, Some(session))
            }
            WireBody::Leaving => NodeRequest::Leaving,
            body => {
                let answer = answer_from_wire(body).ok_or(malformed)?;
                NodeRequest::Answer(wire.id, answer)
            }
        };
        Ok((wire.node, request))
    }
}

impl NodeRequest {
    /// Returns the player of whom the request is.
    fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Join(_, join) => Some(&join.identity),
            Self::FindSession(_, query) => Some(&query.identity),
            Self::Call(_, NodeCall::Seat(seat)) => Some(&seat.identity),
            Self::Call(_, NodeCall::Queue { call: QueueCall::Enter { identity, .. }, .. }) => {
                Some(identity)
            }
            _ => None,
        }
    }
}

fn join_to_wire<'a>(join: &'a RemoteJoin, attributes: &'a [u8]) -> WireJoin<'a> {
    let selection = &join.selection;
    WireJoin {
        endpoint: join.endpoint.0,
        connection: join.connection,
        claimed_id: join.claimed_id.map(PeerId::get),
        room: Text(selection.room.as_str()),
        template: selection.template.as_ref().map(|name| Text(name.as_str())),
        code: selection.code.as_ref().map(|code| Text(code.as_str())),
        identity: identity_to_wire(&join.identity, attributes),
    }
}

/// Returns the query that was encoded; `None` if a value is not allowed.
fn query_from_wire(wire: &WireQuery<'_>) -> Option<SessionQuery> {
    let identity = Arc::new(identity_from_wire(&wire.identity)?);
    let (template, ticket) = (RoomName::new(wire.template.0).ok()?, wire.ticket);
    Some(SessionQuery { template, identity, ticket: TicketHash::from_bytes(ticket) })
}

/// Returns the session that was encoded; `None` if a value is not allowed.
fn session_from_wire(wire: &WireSession<'_>) -> Option<FoundSession> {
    Some(FoundSession {
        room: RoomName::new(wire.room.0).ok()?,
        room_id: wire.room_id,
        peer: PeerId::new(wire.peer)?,
        time: Duration::from_millis(wire.milliseconds),
    })
}

fn answer_to_wire(answer: JoinAnswer) -> WireBody<'static> {
    match answer {
        JoinAnswer::Admitted { epoch, authenticates } => {
            WireBody::Admitted { epoch, authenticates }
        }
        JoinAnswer::Resumed { epoch, peer } => WireBody::Resumed { epoch, peer: peer.get() },
        JoinAnswer::Refused(reason) => WireBody::Refused(reason.into()),
        JoinAnswer::NotOwner => WireBody::NotOwner,
    }
}

/// Returns the answer that was encoded; `None` if a value is not allowed.
fn answer_from_wire(body: WireBody<'_>) -> Option<JoinAnswer> {
    Some(match body {
        WireBody::Join(_)
        | WireBody::JoinWithKey(..)
        | WireBody::Call(_)
        | WireBody::Reply(_)
        | WireBody::BansChanged
        | WireBody::PlayerJoined(..)
        | WireBody::PlayerElsewhere(..)
        | WireBody::TicketJoin(..)
        | WireBody::FindSession(_)
        | WireBody::Session(_)
        | WireBody::Leaving => return None,
        WireBody::Admitted { epoch, authenticates } => {
            JoinAnswer::Admitted { epoch, authenticates }
        }
        WireBody::Resumed { epoch, peer } => {
            JoinAnswer::Resumed { epoch, peer: PeerId::new(peer)? }
        }
        WireBody::Refused(reason) => JoinAnswer::Refused(reason.into()),
        WireBody::NotOwner => JoinAnswer::NotOwner,
    })
}

/// Returns the join that was encoded; `None` if a value is not allowed.
fn join_from_wire(
    wire: &WireJoin<'_>,
    host_key: Option<[u8; 32]>,
    ticket: Option<WireTicket>,
) -> Option<RemoteJoin> {
    let claimed_id = match wire.claimed_id {
        Some(id) => Some(PeerId::new(id)?),
        None => None,
    };
    let mut selection = Selection::new(RoomName::new(wire.room.0).ok()?);
    if let Some(template) = wire.template {
        selection = selection.template(RoomName::new(template.0).ok()?);
    }
    if let Some(code) = wire.code {
        selection = selection.code(Code::new(code.0).ok()?);
    }
    let ticket = match ticket {
        Some(ticket) => Some(ticket_from_wire(ticket)?),
        None => None,
    };
    Some(RemoteJoin {
        endpoint: EndpointId(wire.endpoint),
        connection: wire.connection,
        claimed_id,
        selection,
        identity: Arc::new(identity_from_wire(&wire.identity)?),
        host_key,
        ticket,
    })
}

impl From<PlayerTicket> for WireTicket {
    fn from(ticket: PlayerTicket) -> Self {
        match ticket {
            PlayerTicket::Resume(Resume { ticket, peer }) => {
                Self::Resume(*ticket.as_bytes(), peer.get())
            }
            PlayerTicket::Seat(hash) => Self::Seat(*hash.as_bytes()),
        }
    }
}

/// Returns the ticket that was encoded; `None` if its peer id is not allowed.
fn ticket_from_wire(wire: WireTicket) -> Option<PlayerTicket> {
    Some(match wire {
        WireTicket::Resume(hash, peer) => {
            let (ticket, peer) = (TicketHash::from_bytes(hash), PeerId::new(peer)?);
            PlayerTicket::Resume(Resume { ticket, peer })
        }
        WireTicket::Seat(hash) => PlayerTicket::Seat(TicketHash::from_bytes(hash)),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mp_core::Rejection;
    use mp_identity::{Attributes, Role};

    use super::*;

    fn codec(cluster: &str) -> RequestCodec {
        RequestCodec::new(ClusterId::named(cluster), ClusterNodeId::new(7))
    }

    fn join(host_key: Option<[u8; 32]>, ticket: Option<PlayerTicket>) -> NodeRequest {
        let attributes = BTreeMap::from([("rank".to_owned(), 3.into())]);
        let identity = Identity::new(Subject::new("kay").unwrap())
            .with_name("Kay")
            .unwrap()
            .with_role(Role::Spectator)
            .with_create(true)
            .with_attributes(Attributes::new(attributes).unwrap());
        let selection = Selection::new(RoomName::new("a").unwrap())
            .template(RoomName::new("arena").unwrap())
            .code(Code::new("sesame").unwrap());
        let join = RemoteJoin {
            endpoint: EndpointId(3),
            connection: ConnectionId { slot: 4, generation: 5 },
            claimed_id: PeerId::new(9),
            selection,
            identity: Arc::new(identity),
            host_key,
            ticket,
        };
        NodeRequest::Join(NodeRequestId::new(1), Box::new(join))
    }

    fn sessions() -> [NodeRequest; 4] {
        let id = NodeRequestId::new(3);
        let identity = Arc::new(Identity::new(Subject::new("kay").unwrap()));
        let (room, ticket) = (RoomName::new("a").unwrap(), TicketHash::from_bytes([7; 32]));
        let query = SessionQuery { template: room.clone(), identity, ticket };
        let time = Duration::from_millis(1_500);
        let found = FoundSession { room, room_id: 7, peer: PeerId::SERVER, time };
        [
            NodeRequest::FindSession(id, Box::new(query)),
            NodeRequest::Session(id, Some(found)),
            NodeRequest::Session(id, None),
            NodeRequest::Leaving,
        ]
    }

    #[test]
    fn requests_and_answers_survive_encoding_and_decoding() {
        let full = DisconnectReason::Rejected(Rejection::new("room_full", "the room is full"));
        let answers = [
            JoinAnswer::Admitted { epoch: Epoch::new(8), authenticates: true },
            JoinAnswer::Resumed { epoch: Epoch::new(8), peer: PeerId::SERVER },
            JoinAnswer::Refused(full),
            JoinAnswer::NotOwner,
        ];
        let answers = answers.map(|answer| NodeRequest::Answer(NodeRequestId::new(2), answer));
        let ticket = TicketHash::from_bytes([7; 32]);
        let resume = Resume { ticket, peer: PeerId::SERVER };
        let tickets = [PlayerTicket::Resume(resume), PlayerTicket::Seat(ticket)].map(Some);
        let joins = tickets.into_iter().chain([None]).map(|ticket| join(None, ticket));
        let joins = joins.chain([join(Some([8; 32]), None)]);
        for request in answers.into_iter().chain(joins).chain(sessions()) {
            let bytes = codec("a").encode(&request);
            let decoded = codec("a").decode(&bytes);
            assert_eq!(decoded, Ok((ClusterNodeId::new(7), request)));
            for length in 0..bytes.len() {
                assert!(codec("a").decode(&bytes[..length]).is_err());
            }
        }
    }

    #[test]
    fn requests_of_other_clusters_and_versions_and_long_ones_are_refused() {
        let bytes = codec("a").encode(&join(None, None));
        assert_eq!(codec("b").decode(&bytes), Err(FrameRefusal::OtherCluster));
        let mut other = bytes.to_vec();
        other[0] = VERSION + 2;
        assert_eq!(codec("a").decode(&other), Err(FrameRefusal::OtherVersion));
        let mut long = bytes.to_vec();
        long[0] = VERSION + 1;
        long.resize(REQUEST_BYTES_MAX + 1, 0);
        assert_eq!(codec("a").decode(&long), Err(FrameRefusal::TooLong));
        other[0] = VERSION;
        other.push(0);
        assert_eq!(codec("a").decode(&other), Err(FrameRefusal::MalformedBody));
        // A later version may append fields.
        other[0] = VERSION + 1;
        assert!(codec("a").decode(&other).is_ok());
    }
}
