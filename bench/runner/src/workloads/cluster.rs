//! Rooms on another node of a cluster than the sockets of their players.

use crate::cluster::{CONFIG, RoomsOn};
use crate::goal::Goal;
use crate::sample::Metric;
use crate::workload::{Area, Contender, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    vec![
        Workload {
            title: "8 rooms with 2 players each, who send 30 messages per second to each other"
                .to_owned(),
            load: words(&format!("{PLAYERS} --clients 16 --rooms 8 --rate 30")),
            clients: 16,
            contenders: vec![
                node(OTHER_NODE, RoomsOn::OtherNode).with_load("--create-rooms"),
                node(SAME_NODE, RoomsOn::SameNode).with_load("--create-rooms"),
                alone().with_load("--create-rooms"),
            ],
            goals: vec![
                Goal::at_least(Metric::Delivered, OTHER_NODE, 1.0),
                Goal::one_way_difference(Metric::P50, OTHER_NODE, 500.0, SAME_NODE),
                Goal::difference(Metric::Share, SAME_NODE, 0.015, ALONE),
            ],
            is_idle: false,
            note: HOP,
            ..workload("cluster-hop")
        },
        Workload {
            title: "10, 100 and 1,000 rooms with 2 players each, who send 6,000 messages per \
                second in sum"
                .to_owned(),
            load: words(PLAYERS),
            contenders: [
                ("mp-server, 10", RoomsOn::OtherNode, 10),
                ("mp-server, 100", RoomsOn::OtherNode, 100),
                ("mp-server, 1,000", RoomsOn::OtherNode, 1_000),
                ("mp-server, 10, same node", RoomsOn::SameNode, 10),
                ("mp-server, 100, same node", RoomsOn::SameNode, 100),
                ("mp-server, 1,000, same node", RoomsOn::SameNode, 1_000),
            ]
            .map(|(name, rooms_on, rooms)| with_rooms(node(name, rooms_on), rooms))
            .into_iter()
            .chain([with_rooms(alone_as("mp-server, 100, no cluster"), 100)])
            .collect(),
            goals: vec![
                Goal::ratio(
                    Metric::Cpu,
                    "mp-server, 100, same node",
                    1.1,
                    "mp-server, 100, no cluster",
                ),
                Goal::at_least(Metric::Delivered, "mp-server, 1,000", 1.0),
                Goal::ratio(Metric::Cpu, "mp-server, 1,000", 4.0, "mp-server, 100")
                    .with_explanation(SEPARATE_FRAMES),
            ],
            is_idle: false,
            note: ROOMS,
            ..workload("cluster-rooms")
        },
        Workload {
            title: "2,000 rooms that are placed, 16 at the same time".to_owned(),
            load: words("empty-rooms --rooms 2000"),
            contenders: vec![node(SAME_NODE, RoomsOn::SameNode), alone()],
            goals: vec![Goal::at_least(Metric::Rooms, SAME_NODE, 500.0)],
            note: "The rooms are created over the admin API; \"create\" is the time of such a \
                request, of the first 500, which are sent one after another, and \"rooms/s\" the \
                rate of the others. A node of a cluster writes each name to the directory first.",
            ..workload("cluster-placed")
        },
    ]
}

/// Returns a node whose players have their rooms there or on another one.
fn node(name: &'static str, rooms_on: RoomsOn) -> Contender {
    Contender::new(name, Program::ClusterNode, &CONFIG).with_admin().in_cluster(rooms_on)
}

/// Returns the same server without a cluster.
fn alone() -> Contender {
    alone_as(ALONE)
}

fn alone_as(name: &'static str) -> Contender {
    Contender::new(name, Program::MpServer, &CONFIG).with_admin()
}

/// Adds rooms whose players send 6,000 messages per second in sum.
fn with_rooms(contender: Contender, rooms: u32) -> Contender {
    let rate = 3_000 / rooms;
    contender
        .with_clients(2 * rooms)
        .with_load(&format!("--create-rooms --rooms {rooms} --rate {rate}"))
}

fn workload(name: &'static str) -> Workload {
    Workload {
        operation: "a message delivered to one client",
        is_idle: true,
        ..Workload::new(name, Area::Cluster)
    }
}

const OTHER_NODE: &str = "mp-server, other node";
const SAME_NODE: &str = "mp-server, same node";
const ALONE: &str = "mp-server, no cluster";

/// Load without numbers.
const PLAYERS: &str = "udp --pattern ring --dialect godot --size 63 --channels 255";

const HOP: &str = "\"other node\": the players are connected to one node, and their rooms are on another; each message \
    passes NATS on its way to the room and on its way back. Both nodes and NATS share a core, and the CPU time is that of all \
    three. A node without messages takes 1 % of a core together with NATS, for its lease, the scan of the directory and \
    snapshots.";

const SEPARATE_FRAMES: &str = "Messages of different rooms do not share a frame, and a link has eight frames per second without messages.";

const ROOMS: &str = "Each room has a link between the two nodes, with frames in both directions at least four times per second. \
    \"same node\": the rooms are on the node of the players, in the same cluster. \"no cluster\": a server alone.";
