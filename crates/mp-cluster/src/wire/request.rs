//! [`NodeRequest`]: requests between nodes and their answers, one per message of the bus.
//!
//! ```text
//! version: u8   postcard
//! ```
//!
//! The rules for versions are those of [frames](super::frame).
#![expect(clippy::exhaustive_structs, clippy::exhaustive_enums, reason = "servers construct them")]

use std::sync::Arc;

use bytes::Bytes;
use mp_core::{ConnectionId, DisconnectReason, EndpointId, PeerId};
use mp_identity::{Identity, Subject};
use mp_rooms::limits::NAME_BYTES_MAX;
use mp_rooms::{Resume, RoomName, Selection, TicketHash};
use serde::{Deserialize, Serialize};

use super::bounded::Text;
use super::call::{
    WireCall, WireReply, call_from_wire, call_to_wire, reply_from_wire, reply_to_wire,
};
use super::frame::{FrameRefusal, VERSION};
use super::identity::encode_attributes;
use super::join::{WireJoin, WireTicket, join_from_wire, join_to_wire};
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
    /// The sending node is about to end: the receiving one disconnects the players of the other
    /// from its rooms, with a ticket and the addresses of other nodes.
    Leaving,
    /// The sending node has moved the room to the receiving one. There is no answer.
    RoomMoved(RoomName),
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
    Leaving,
    RoomMoved(#[serde(borrow)] Text<'a, NAME_BYTES_MAX>),
}

type WirePlayer<'a> = Text<'a, { mp_identity::limits::SUBJECT_BYTES_MAX }>;

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
            NodeRequest::Leaving => (NodeRequestId::default(), WireBody::Leaving),
            NodeRequest::RoomMoved(room) => {
                (NodeRequestId::default(), WireBody::RoomMoved(Text(room.as_str())))
            }
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
            WireBody::Leaving => NodeRequest::Leaving,
            WireBody::RoomMoved(room) => {
                NodeRequest::RoomMoved(RoomName::new(room.0).map_err(|_| malformed)?)
            }
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
            Self::Call(_, NodeCall::Seat(seat)) => Some(&seat.identity),
            Self::Call(_, NodeCall::Session(query)) => Some(&query.identity),
            Self::Call(_, NodeCall::Queue { call: QueueCall::Enter { identity, .. }, .. }) => {
                Some(identity)
            }
            _ => None,
        }
    }
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
        | WireBody::Leaving
        | WireBody::RoomMoved(_) => return None,
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

#[cfg(test)]
mod tests;
