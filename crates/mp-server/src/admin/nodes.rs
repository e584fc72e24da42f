//! `GET /v1/rooms/{room}/nodes`: the nodes of a room, and its traffic while a viewer follows it.

use axum::extract::State;
use axum::http::StatusCode;
use mp_rooms::RoomId;
use mp_scene::{
    InspectedNode, InspectedProperty, PacketKind, PacketStats, ReplicationMode, TrafficCount,
    TrafficReport, TrafficRow,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::context::AdminContext;
use super::rooms::find;
use crate::http::{Json, Path, Problem};
use crate::plan::RELAY;
use crate::rooms::RoomInspection;

/// The nodes of a room, and its traffic.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RoomNodes {
    /// True for a relay room: the server passes packets on, and has no nodes of its own.
    pub(crate) relay: bool,
    /// At most 1024 nodes, parents before their children.
    pub(crate) nodes: Vec<RoomNode>,
    /// Number of further nodes.
    pub(crate) omitted: usize,
    /// Traffic since the first viewer of the room; missing while no viewer follows its events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) traffic: Option<RoomTraffic>,
}

/// A node of a room.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RoomNode {
    /// Path relative to the multiplayer root. Players may have chosen names.
    pub(crate) path: String,
    /// Name.
    pub(crate) name: String,
    /// Number of nodes above it.
    pub(crate) depth: usize,
    /// Peer id of its authority; 1 is the server.
    pub(crate) authority: i32,
    /// Peer that has spawned it; missing if the node is part of the scene on every peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spawned_by: Option<i32>,
    /// `node`, `spawner` or `synchronizer`.
    pub(crate) kind: String,
    /// Properties of a synchronizer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) properties: Vec<NodeProperty>,
}

/// A property of a synchronizer.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct NodeProperty {
    /// Path, such as `.:position`.
    pub(crate) path: String,
    /// `always`, `on_change` or `never`, besides announcements.
    pub(crate) mode: String,
    /// True if announcements of the node contain it.
    pub(crate) spawn: bool,
    /// Value as Godot prints it, at most 128 bytes; missing if it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
}

/// Traffic of a room since its first viewer.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RoomTraffic {
    /// All packets by kind.
    pub(crate) kinds: Vec<KindTraffic>,
    /// Traffic by method, node and property, at most 1024 rows.
    pub(crate) rows: Vec<NodeTraffic>,
    /// Traffic for which there was no row left.
    pub(crate) other: Traffic,
}

/// Traffic of a kind of packets.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct KindTraffic {
    /// Kind, as in metrics: `rpc`, `sync`, `delta`, `spawn`, `relay` and others.
    pub(crate) kind: String,
    #[serde(flatten)]
    pub(crate) traffic: Traffic,
}

/// Traffic of a method, of a node, or of a property.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct NodeTraffic {
    /// Kind of the packets.
    pub(crate) kind: String,
    /// True for packets that the server passes on between players.
    pub(crate) relayed: bool,
    /// Path of the node, at most 256 bytes; of relayed packets it may be a text with its id.
    pub(crate) node: String,
    /// Method or property, at most 256 bytes; empty for the rest of the node's packets.
    pub(crate) member: String,
    #[serde(flatten)]
    pub(crate) traffic: Traffic,
}

/// Packets and bytes, without the transport's headers.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Traffic {
    /// Packets received from players.
    pub(crate) packets_received: u64,
    /// Their bytes.
    pub(crate) bytes_received: u64,
    /// Packets sent to players, once per player.
    pub(crate) packets_sent: u64,
    /// Their bytes.
    pub(crate) bytes_sent: u64,
}

impl Traffic {
    fn of(received: TrafficCount, sent: TrafficCount) -> Self {
        Self {
            packets_received: received.packets,
            bytes_received: received.bytes,
            packets_sent: sent.packets,
            bytes_sent: sent.bytes,
        }
    }

    fn of_kind(packets: &PacketStats, kind: PacketKind) -> Self {
        Self {
            packets_received: packets.received.packets(kind),
            bytes_received: packets.received.bytes(kind),
            packets_sent: packets.sent.packets(kind),
            bytes_sent: packets.sent.bytes(kind),
        }
    }
}

impl From<TrafficReport> for RoomTraffic {
    fn from(report: TrafficReport) -> Self {
        let kind = |kind: PacketKind| KindTraffic {
            kind: kind.label().to_owned(),
            traffic: Traffic::of_kind(&report.packets, kind),
        };
        Self {
            kinds: PacketKind::ALL.into_iter().map(kind).collect(),
            rows: report.rows.into_iter().map(NodeTraffic::from).collect(),
            other: Traffic::of(report.other_received, report.other_sent),
        }
    }
}

impl From<TrafficRow> for NodeTraffic {
    fn from(row: TrafficRow) -> Self {
        Self {
            kind: row.kind.label().to_owned(),
            relayed: row.is_relayed,
            node: row.node,
            member: row.member,
            traffic: Traffic::of(row.received, row.sent),
        }
    }
}

impl From<InspectedNode> for RoomNode {
    fn from(node: InspectedNode) -> Self {
        let kind = match (node.is_spawner, node.is_synchronizer) {
            (true, _) => "spawner",
            (_, true) => "synchronizer",
            _ => "node",
        };
        Self {
            path: node.path,
            name: node.name,
            depth: node.depth,
            authority: node.authority.get(),
            spawned_by: node.spawned_by.map(|peer| peer.get()),
            kind: kind.to_owned(),
            properties: node.properties.into_iter().map(NodeProperty::from).collect(),
        }
    }
}

impl From<InspectedProperty> for NodeProperty {
    fn from(property: InspectedProperty) -> Self {
        let mode = match property.mode {
            ReplicationMode::Always => "always",
            ReplicationMode::OnChange => "on_change",
            ReplicationMode::Never => "never",
        };
        let InspectedProperty { path, spawn, value, .. } = property;
        Self { path, mode: mode.to_owned(), spawn, value }
    }
}

impl RoomNodes {
    /// Returns a copy of a room. `is_relay`: it has no nodes of a game.
    fn of(inspection: RoomInspection, is_relay: bool) -> Self {
        let RoomInspection { nodes, traffic } = inspection;
        let traffic = traffic.map(RoomTraffic::from);
        if is_relay {
            return Self { relay: true, traffic, ..Self::default() };
        }
        let omitted = nodes.omitted;
        let nodes = nodes.nodes.into_iter().map(RoomNode::from).collect();
        Self { relay: false, nodes, omitted, traffic }
    }
}

/// Show the nodes of a room, and its traffic while a viewer follows its events
#[utoipa::path(
    get,
    path = "/v1/rooms/{room}/nodes",
    operation_id = "show_nodes",
    tag = "rooms",
    security(("token" = ["read"])),
    params(("room" = String, Path, description = "Name of the room", example = "default")),
    responses((status = 200, body = RoomNodes), Problem)
)]
pub(super) async fn get(
    State(context): State<AdminContext>,
    Path(name): Path<String>,
) -> Result<Json<RoomNodes>, Problem> {
    let room = find(&context, &name).await?;
    let nodes = inspect(&context, room.id, is_relay(&room.room_type)).await?;
    nodes.map(Json).ok_or_else(|| room_busy(&name))
}

/// Returns the error of a room that has ended or is busy.
pub(super) fn room_busy(name: &str) -> Problem {
    let detail = format!("the room {name} has not responded within 5 seconds; try again");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "room_busy", detail)
}

/// Returns a copy of a room's nodes and traffic; `None` if the room has ended or is busy.
pub(super) async fn inspect(
    context: &AdminContext,
    room: RoomId,
    is_relay: bool,
) -> Result<Option<RoomNodes>, Problem> {
    let nodes_max = if is_relay { 0 } else { NODES_MAX };
    let inspection = context.rooms().inspect(room, nodes_max).await?;
    Ok(inspection.map(|inspection| RoomNodes::of(inspection, is_relay)))
}

/// Returns whether rooms of a type have no nodes.
pub(super) fn is_relay(room_type: &str) -> bool {
    room_type == RELAY
}

/// Maximum number of nodes of a response.
const NODES_MAX: usize = 1_024;
