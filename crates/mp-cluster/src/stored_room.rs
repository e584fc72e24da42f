//! [`StoredRoom`]: the state of a room, which its node stores for the node that adopts it.
//!
//! ```text
//! version: u8   postcard
//! ```
//!
//! The rules for versions are those of [frames](crate::wire::frame). A player is a request to join
//! ([`RemoteJoin`]), so that what may cross the bus about a player is defined once.
#![expect(clippy::exhaustive_structs, clippy::exhaustive_enums, reason = "servers construct them")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mp_core::EndpointId;
use mp_identity::Identity;
use mp_rooms::limits::{CODE_BYTES_MAX, NAME_BYTES_MAX};
use mp_rooms::{Code, Metadata, RoomName, TicketHash};
use serde::{Deserialize, Serialize};

use crate::id::{ClusterId, ClusterNodeId, NodeRequestId};
use crate::limits::{
    SNAPSHOT_BYTES_MAX, STATE_ENDPOINTS_MAX, STATE_PLAYERS_MAX, STATE_TEXT_BYTES_MAX,
    STATE_TEXTS_MAX,
};
use crate::wire::bounded::{List, Payload, Text};
use crate::wire::frame::{FrameRefusal, VERSION};
use crate::wire::identity::{
    WireIdentity, encode_attributes, identity_from_wire, identity_to_wire,
};
use crate::wire::request::{NodeRequest, RemoteJoin, RequestCodec};

/// The state of a room at one time. A node stores it, and the node that adopts the room restores
/// it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRoom {
    /// Template of the room.
    pub template: RoomName,
    /// Code that players need to join.
    pub code: Option<Code>,
    /// True if the room refuses new players.
    pub is_locked: bool,
    /// Maximum number of players.
    pub max_players: u16,
    /// The endpoints that served the branch of the room.
    pub endpoints: Vec<StoredEndpoint>,
    /// The players.
    pub players: Vec<StoredPlayer>,
    /// The state of the branch.
    pub content: StoredContent,
    /// Metadata of the room; `None`: that of the template. Encoding leaves out metadata of more
    /// than [`STATE_TEXTS_MAX`] texts, or with one of more than [`STATE_TEXT_BYTES_MAX`] bytes.
    pub metadata: Option<Metadata>,
    /// The reserved seats.
    pub seats: Vec<StoredSeat>,
}

/// An endpoint of the room's branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEndpoint {
    /// Its id in the process of the branch.
    pub id: EndpointId,
    /// The node that has the endpoint.
    pub node: ClusterNodeId,
    /// Its id on this node.
    pub there: EndpointId,
}

/// A player of the room.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPlayer {
    /// The node of the player's socket.
    pub node: ClusterNodeId,
    /// The connection and the player. The peer id is the claimed one.
    pub join: RemoteJoin,
    /// Hash of the ticket with which the player can resume its session.
    pub ticket: Option<TicketHash>,
    /// Time for which the place of the player is still kept; `None`: it is connected.
    pub kept_for: Option<Duration>,
}

/// A seat that is reserved for a player.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSeat {
    /// Hash of the ticket with which the player takes it.
    pub ticket: TicketHash,
    /// The player.
    pub identity: Arc<Identity>,
    /// Time for which it is still reserved.
    pub time: Duration,
}

/// The state of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredContent {
    /// It has no state that can be kept.
    Nothing,
    /// The peers of a relay, which stay connected (`mp_scene::Handover`).
    Peers(Bytes),
    /// The state of the program (`mp_scene::Snapshot`). Its players join anew.
    Program(Bytes),
}

#[derive(Serialize, Deserialize)]
struct WireState<'a> {
    cluster: ClusterId,
    #[serde(borrow)]
    template: Text<'a, NAME_BYTES_MAX>,
    #[serde(borrow)]
    code: Option<Text<'a, CODE_BYTES_MAX>>,
    is_locked: bool,
    max_players: u16,
    endpoints: List<StoredEndpoint, STATE_ENDPOINTS_MAX>,
    #[serde(borrow)]
    players: List<WirePlayer<'a>, STATE_PLAYERS_MAX>,
    #[serde(borrow)]
    content: WireContent<'a>,
    #[serde(borrow)]
    metadata: Option<List<(StateText<'a>, StateText<'a>), STATE_TEXTS_MAX>>,
    #[serde(borrow)]
    seats: List<WireSeat<'a>, STATE_PLAYERS_MAX>,
}

type StateText<'a> = Text<'a, STATE_TEXT_BYTES_MAX>;

#[derive(Serialize, Deserialize)]
struct WirePlayer<'a> {
    /// A message of [`RequestCodec`].
    #[serde(borrow)]
    join: Payload<'a>,
    ticket: Option<[u8; 32]>,
    kept_ms: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct WireSeat<'a> {
    ticket: [u8; 32],
    #[serde(borrow)]
    identity: WireIdentity<'a>,
    ms: u64,
}

/// New kinds are appended.
#[derive(Serialize, Deserialize)]
enum WireContent<'a> {
    Nothing,
    #[serde(borrow)]
    Peers(Payload<'a>),
    Program(Payload<'a>),
}

impl StoredRoom {
    /// Returns the bytes of the state.
    pub fn encode(&self, cluster: ClusterId) -> Bytes {
        let joins: Vec<Bytes> = self.players.iter().map(|it| it.encode_join(cluster)).collect();
        let player = |(player, join)| {
            let StoredPlayer { ticket, kept_for, .. }: &StoredPlayer = player;
            let join: &Bytes = join;
            let kept_ms = kept_for.map(millis);
            WirePlayer { join: Payload(join), ticket: ticket.map(|it| *it.as_bytes()), kept_ms }
        };
        let attributes: Vec<_> =
            self.seats.iter().map(|it| encode_attributes(&it.identity)).collect();
        let seat = |(seat, attributes)| {
            let StoredSeat { ticket, identity, time }: &StoredSeat = seat;
            let attributes: &Vec<u8> = attributes;
            let identity = identity_to_wire(identity, attributes);
            WireSeat { ticket: *ticket.as_bytes(), identity, ms: millis(*time) }
        };
        let wire = WireState {
            cluster,
            template: Text(self.template.as_str()),
            code: self.code.as_ref().map(|code| Text(code.as_str())),
            is_locked: self.is_locked,
            max_players: self.max_players,
            endpoints: List(self.endpoints.clone()),
            players: List(self.players.iter().zip(&joins).map(player).collect()),
            content: match &self.content {
                StoredContent::Nothing => WireContent::Nothing,
                StoredContent::Peers(bytes) => WireContent::Peers(Payload(bytes)),
                StoredContent::Program(bytes) => WireContent::Program(Payload(bytes)),
            },
            metadata: self.metadata.as_ref().filter(|it| fits(it)).map(|metadata| {
                List(metadata.iter().map(|(key, text)| (Text(key), Text(text))).collect())
            }),
            seats: List(self.seats.iter().zip(&attributes).map(seat).collect()),
        };
        // An encoding into memory has no errors.
        postcard::to_extend(&wire, vec![VERSION]).unwrap_or_default().into()
    }

    /// Decodes a state, whose parts share the bytes.
    ///
    /// # Errors
    ///
    /// The reason for which it is refused.
    pub fn decode(cluster: ClusterId, bytes: &Bytes) -> Result<Self, FrameRefusal> {
        if bytes.len() > SNAPSHOT_BYTES_MAX {
            return Err(FrameRefusal::TooLong);
        }
        let (version, body) = bytes.split_first().ok_or(FrameRefusal::MalformedHeader)?;
        if version.abs_diff(VERSION) > 1 {
            return Err(FrameRefusal::OtherVersion);
        }
        let malformed = FrameRefusal::MalformedBody;
        let (wire, rest) =
            postcard::take_from_bytes::<WireState<'_>>(body).map_err(|_| malformed)?;
        if !rest.is_empty() && *version <= VERSION {
            return Err(malformed);
        }
        if wire.cluster != cluster {
            return Err(FrameRefusal::OtherCluster);
        }
        let shared = |payload: Payload<'_>| bytes.slice_ref(payload.0);
        let players = wire.players.0.into_iter().map(|player| {
            let (node, join) = decode_join(cluster, player.join.0)?;
            let ticket = player.ticket.map(TicketHash::from_bytes);
            Ok(StoredPlayer {
                node,
                join,
                ticket,
                kept_for: player.kept_ms.map(Duration::from_millis),
            })
        });
        let seats = wire.seats.0.iter().map(|seat| {
            let identity = Arc::new(identity_from_wire(&seat.identity).ok_or(malformed)?);
            let ticket = TicketHash::from_bytes(seat.ticket);
            Ok(StoredSeat { ticket, identity, time: Duration::from_millis(seat.ms) })
        });
        Ok(Self {
            seats: seats.collect::<Result<_, FrameRefusal>>()?,
            players: players.collect::<Result<_, FrameRefusal>>()?,
            template: RoomName::new(wire.template.0).map_err(|_| malformed)?,
            code: match wire.code {
                Some(code) => Some(Code::new(code.0).map_err(|_| malformed)?),
                None => None,
            },
            is_locked: wire.is_locked,
            max_players: wire.max_players,
            endpoints: wire.endpoints.0,
            content: match wire.content {
                WireContent::Nothing => StoredContent::Nothing,
                WireContent::Peers(bytes) => StoredContent::Peers(shared(bytes)),
                WireContent::Program(bytes) => StoredContent::Program(shared(bytes)),
            },
            metadata: wire.metadata.map(|texts| {
                let texts = texts.0.into_iter();
                texts.map(|(key, text)| (key.0.to_owned(), text.0.to_owned())).collect()
            }),
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Returns whether metadata can be stored.
fn fits(metadata: &Metadata) -> bool {
    let is_short = |text: &String| text.len() <= STATE_TEXT_BYTES_MAX;
    metadata.len() <= STATE_TEXTS_MAX
        && metadata.iter().all(|(key, text)| is_short(key) && is_short(text))
}

impl StoredPlayer {
    fn encode_join(&self, cluster: ClusterId) -> Bytes {
        let request = NodeRequest::Join(NodeRequestId::default(), Box::new(self.join.clone()));
        RequestCodec::new(cluster, self.node).encode(&request)
    }
}

fn decode_join(
    cluster: ClusterId,
    bytes: &[u8],
) -> Result<(ClusterNodeId, RemoteJoin), FrameRefusal> {
    // The codec's own node does not matter.
    match RequestCodec::new(cluster, ClusterNodeId::new(0)).decode(bytes)? {
        (node, NodeRequest::Join(_, join)) => Ok((node, *join)),
        _ => Err(FrameRefusal::MalformedBody),
    }
}

#[cfg(test)]
mod tests {
    use mp_core::{ConnectionId, PeerId};
    use mp_identity::Subject;
    use mp_rooms::Selection;

    use super::*;

    fn state() -> StoredRoom {
        let room = RoomName::new("a").unwrap();
        let join = RemoteJoin {
            endpoint: EndpointId(3),
            connection: ConnectionId { slot: 4, generation: 5 },
            claimed_id: PeerId::new(9),
            selection: Selection::new(room),
            identity: Arc::new(Identity::new(Subject::new("kay").unwrap())),
            host_key: None,
            ticket: None,
        };
        let node = ClusterNodeId::new(7);
        StoredRoom {
            template: RoomName::new("arena").unwrap(),
            code: Some(Code::new("sesame").unwrap()),
            is_locked: true,
            max_players: 40,
            endpoints: vec![StoredEndpoint { id: EndpointId(1), node, there: EndpointId(3) }],
            players: vec![StoredPlayer {
                node,
                join,
                ticket: Some(TicketHash::from_bytes([3; 32])),
                kept_for: Some(Duration::from_secs(4)),
            }],
            content: StoredContent::Peers(Bytes::from_static(b"peers")),
            metadata: Some([("mode".to_owned(), "duel".to_owned())].into()),
            seats: vec![StoredSeat {
                ticket: TicketHash::from_bytes([4; 32]),
                identity: Arc::new(Identity::new(Subject::new("bob").unwrap())),
                time: Duration::from_secs(9),
            }],
        }
    }

    #[test]
    fn metadata_that_is_too_long_is_not_stored() {
        let cluster = ClusterId::named("a");
        let text = "x".repeat(STATE_TEXT_BYTES_MAX);
        for (text, is_stored) in [(text.clone(), true), (text + "x", false)] {
            let metadata = Some([("mode".to_owned(), text)].into());
            let state = StoredRoom { metadata, ..state() };
            let decoded = StoredRoom::decode(cluster, &state.encode(cluster)).unwrap();
            assert_eq!(decoded.metadata.is_some(), is_stored);
        }
    }

    #[test]
    fn states_survive_encoding_and_decoding() {
        let cluster = ClusterId::named("a");
        let contents =
            [StoredContent::Nothing, StoredContent::Program(Bytes::from_static(b"game"))];
        let others = contents.map(|content| StoredRoom { content, ..state() });
        for state in others.into_iter().chain([state()]) {
            let bytes = state.encode(cluster);
            assert_eq!(StoredRoom::decode(cluster, &bytes), Ok(state));
            for len in 0..bytes.len() {
                assert!(StoredRoom::decode(cluster, &bytes.slice(..len)).is_err());
            }
        }
        let bytes = state().encode(cluster);
        let other = StoredRoom::decode(ClusterId::named("b"), &bytes);
        assert_eq!(other, Err(FrameRefusal::OtherCluster));
    }
}
