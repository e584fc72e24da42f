//! `GET /v1/cluster`: the cluster as this node knows it.

use axum::extract::State;
use axum::http::StatusCode;
use mp_cluster::ClusterNodeId;
use mp_cluster::directory::{AddressKind, NodeRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::context::AdminContext;
use crate::http::{Json, Problem};

/// The cluster as this node knows it, at most a second ago.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Cluster {
    /// Id of this node.
    pub(crate) node: String,
    /// True while this node may speak for its rooms to other nodes.
    pub(crate) has_lease: bool,
    /// Leases that this node has lost since the start.
    pub(crate) lost_leases: u64,
    /// Nodes that are registered, by id.
    pub(crate) nodes: Vec<ClusterMember>,
    /// Rooms that this node owns.
    pub(crate) rooms: usize,
    /// Players of other nodes in rooms of this one.
    pub(crate) guests: usize,
    /// Players of this node whose room is looked for.
    pub(crate) waiting: usize,
    /// Links to rooms of other nodes, one per endpoint and room.
    pub(crate) links_to_others: usize,
    /// Links of other nodes to rooms of this one.
    pub(crate) links_from_others: usize,
    /// Frames sent to other nodes since the start.
    pub(crate) frames_sent: u64,
    /// Frames received from other nodes since the start.
    pub(crate) frames_received: u64,
    /// Bytes of the frames sent.
    pub(crate) bytes_sent: u64,
}

/// A node of the cluster.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ClusterMember {
    /// Its id.
    pub(crate) id: String,
    /// Players in its rooms.
    pub(crate) players: u32,
    /// Players that it can have.
    pub(crate) capacity: u32,
    /// False if it is about to end.
    pub(crate) accepts_rooms: bool,
    /// Version of the messages that it sends.
    pub(crate) version: u8,
    /// Its name, if it has one.
    pub(crate) name: Option<String>,
    /// Addresses at which players reach it.
    pub(crate) addresses: ClusterAddresses,
}

/// The addresses of a node; `null` of the kinds that it does not advertise.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ClusterAddresses {
    /// `HOST:PORT`, or `dtls://HOST:PORT`.
    pub(crate) enet: Option<String>,
    /// URL of the WebSocket port.
    pub(crate) websocket: Option<String>,
    /// URL of the signaling of WebRTC players.
    pub(crate) webrtc: Option<String>,
    /// URL of the port for matchmaking.
    #[serde(rename = "match")]
    pub(crate) matchmaking: Option<String>,
}

impl ClusterMember {
    fn new(id: ClusterNodeId, record: &NodeRecord) -> Self {
        let NodeRecord { players, capacity, accepts_rooms, version, ref contact } = *record;
        let address = |kind| contact.address(kind).map(str::to_owned);
        let addresses = ClusterAddresses {
            enet: address(AddressKind::Enet),
            websocket: address(AddressKind::WebSocket),
            webrtc: address(AddressKind::WebRtc),
            matchmaking: address(AddressKind::Matchmaking),
        };
        let (id, name) = (id.to_string(), contact.name().map(str::to_owned));
        Self { id, players, capacity, accepts_rooms, version, name, addresses }
    }
}

/// Show the nodes of the cluster, and the traffic between this one and the others
#[utoipa::path(
    get,
    path = "/v1/cluster",
    operation_id = "show_cluster",
    tag = "server",
    security(("token" = ["read"])),
    responses((status = 200, body = Cluster), Problem)
)]
pub(super) async fn get(State(context): State<AdminContext>) -> Result<Json<Cluster>, Problem> {
    let no_cluster = || {
        let detail = "the server is not a node of a cluster";
        Problem::new(StatusCode::NOT_FOUND, "no_cluster", detail)
    };
    let stats = context.cluster().ok_or_else(no_cluster)?;
    let frames = &stats.gateways.gateways;
    Ok(Json(Cluster {
        node: stats.node.to_string(),
        has_lease: stats.has_lease,
        lost_leases: stats.lost_leases,
        nodes: stats.members.iter().map(|(id, it)| ClusterMember::new(*id, it)).collect(),
        rooms: stats.rooms,
        guests: stats.guests,
        waiting: stats.asking,
        links_to_others: stats.gateways.near,
        links_from_others: stats.gateways.far,
        frames_sent: frames.frames_sent,
        frames_received: frames.frames_received,
        bytes_sent: frames.bytes_sent,
    }))
}
