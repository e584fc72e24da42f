//! [`NodeRequest`]: requests between nodes and their answers, one per message of the bus.
//!
//! ```text
//! version: u8   postcard
//! ```
//!
//! The rules for versions are those of [frames](super::frame).
#![expect(clippy::exhaustive_structs, clippy::exhaustive_enums, reason = "servers construct them")]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use mp_core::{ConnectionId, DisconnectReason, EndpointId, PeerId};
use mp_identity::{Attributes, Identity, Role, Subject};
use mp_rooms::limits::{CODE_BYTES_MAX, NAME_BYTES_MAX};
use mp_rooms::{Code, RoomName, Selection};
use serde::{Deserialize, Serialize};

use super::bounded::{Payload, Text};
use super::frame::{FrameRefusal, VERSION};
use super::reason::WireReason;
use crate::id::{ClusterId, ClusterNodeId, Epoch, NodeRequestId};
use crate::limits::REQUEST_BYTES_MAX;

/// A request of a node to another one, or the answer to one.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeRequest {
    /// A player whose socket is on the sending node joins a room of the receiving one.
    Join(NodeRequestId, Box<RemoteJoin>),
    /// The answer to a join.
    Answer(NodeRequestId, JoinAnswer),
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
    Admitted { epoch: Epoch, authenticates: bool },
    Resumed { epoch: Epoch, peer: i32 },
    Refused(#[serde(borrow)] WireReason<'a>),
    NotOwner,
}

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

#[derive(Serialize, Deserialize)]
struct WireIdentity<'a> {
    #[serde(borrow)]
    subject: Option<Text<'a, { mp_identity::limits::SUBJECT_BYTES_MAX }>>,
    #[serde(borrow)]
    name: Option<Text<'a, { mp_identity::limits::NAME_BYTES_MAX }>>,
    role: Role,
    #[serde(borrow)]
    room: Option<Text<'a, { mp_identity::limits::ROOM_BYTES_MAX }>>,
    may_create: bool,
    max_players: Option<u16>,
    /// JSON; empty: none.
    #[serde(borrow)]
    attributes: Payload<'a>,
    expires: Option<u64>,
}

impl RequestCodec {
    /// Returns the codec of a node.
    pub fn new(cluster: ClusterId, node: ClusterNodeId) -> Self {
        Self { cluster, node }
    }

    /// Returns the message of a request.
    pub fn encode(&self, request: &NodeRequest) -> Bytes {
        let attributes = match request {
            NodeRequest::Join(_, join) if !join.identity.attributes().is_empty() => {
                serde_json::to_vec(join.identity.attributes().values()).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let (id, body) = match request {
            NodeRequest::Join(id, join) => (*id, WireBody::Join(join_to_wire(join, &attributes))),
            NodeRequest::Answer(id, answer) => (*id, answer_to_wire(*answer)),
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
        if bytes.len() > REQUEST_BYTES_MAX {
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
        let request = match wire.body {
            WireBody::Join(join) => {
                let join = join_from_wire(&join).ok_or(malformed)?;
                NodeRequest::Join(wire.id, Box::new(join))
            }
            body => {
                let answer = answer_from_wire(body).ok_or(malformed)?;
                NodeRequest::Answer(wire.id, answer)
            }
        };
        Ok((wire.node, request))
    }
}

fn join_to_wire<'a>(join: &'a RemoteJoin, attributes: &'a [u8]) -> WireJoin<'a> {
    let (identity, selection) = (&join.identity, &join.selection);
    WireJoin {
        endpoint: join.endpoint.0,
        connection: join.connection,
        claimed_id: join.claimed_id.map(PeerId::get),
        room: Text(selection.room.as_str()),
        template: selection.template.as_ref().map(|name| Text(name.as_str())),
        code: selection.code.as_ref().map(|code| Text(code.as_str())),
        identity: WireIdentity {
            subject: identity.subject().map(|subject| Text(subject.as_str())),
            name: identity.name().map(Text),
            role: identity.role(),
            room: identity.room().map(Text),
            may_create: identity.may_create(),
            max_players: identity.max_players(),
            attributes: Payload(attributes),
            expires: identity.expires(),
        },
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
        WireBody::Join(_) => return None,
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
fn join_from_wire(wire: &WireJoin<'_>) -> Option<RemoteJoin> {
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
    Some(RemoteJoin {
        endpoint: EndpointId(wire.endpoint),
        connection: wire.connection,
        claimed_id,
        selection,
        identity: Arc::new(identity_from_wire(&wire.identity)?),
    })
}

fn identity_from_wire(wire: &WireIdentity<'_>) -> Option<Identity> {
    let mut identity = match wire.subject {
        Some(subject) => Identity::new(Subject::new(subject.0).ok()?),
        None => Identity::anonymous(),
    };
    if let Some(name) = wire.name {
        identity = identity.with_name(name.0).ok()?;
    }
    if let Some(room) = wire.room {
        identity = identity.with_room(room.0).ok()?;
    }
    if !wire.attributes.0.is_empty() {
        let values: BTreeMap<_, _> = serde_json::from_slice(wire.attributes.0).ok()?;
        identity = identity.with_attributes(Attributes::new(values).ok()?);
    }
    let identity = identity.with_role(wire.role).with_create(wire.may_create);
    Some(identity.with_max_players(wire.max_players).with_expires(wire.expires))
}

#[cfg(test)]
mod tests {
    use mp_core::Rejection;

    use super::*;

    fn codec(cluster: &str) -> RequestCodec {
        RequestCodec::new(ClusterId::named(cluster), ClusterNodeId::new(7))
    }

    fn join() -> NodeRequest {
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
        };
        NodeRequest::Join(NodeRequestId::new(1), Box::new(join))
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
        for request in answers.into_iter().chain([join()]) {
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
        let bytes = codec("a").encode(&join());
        assert_eq!(codec("b").decode(&bytes), Err(FrameRefusal::OtherCluster));
        let mut other = bytes.to_vec();
        other[0] = VERSION + 2;
        assert_eq!(codec("a").decode(&other), Err(FrameRefusal::OtherVersion));
        let long = vec![0; REQUEST_BYTES_MAX + 1];
        assert_eq!(codec("a").decode(&long), Err(FrameRefusal::TooLong));
        other[0] = VERSION;
        other.push(0);
        assert_eq!(codec("a").decode(&other), Err(FrameRefusal::MalformedBody));
        // A later version may append fields.
        other[0] = VERSION + 1;
        assert!(codec("a").decode(&other).is_ok());
    }
}
