//! Many nodes, each with one Vector3, to many clients, 60 times a second.

use crate::goal::Goal;
use crate::sample::Figure;
use crate::workload::{Area, Contender, Idle, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    vec![
        Workload {
            goals: vec![
                Goal::at_most(Figure::Cpu, "mp", 60.0),
                Goal::ratio(Figure::Cpu, "mp", 0.125, "Godot"),
                Goal::ratio(Figure::Share, "mp 1 %", 0.05, "mp").but(ONE_PERCENT),
            ],
            contenders: contenders(8),
            note: NOTE,
            ..workload("sync-1000x8", 1_000, 8)
        },
        Workload {
            goals: vec![
                Goal::at_most(Figure::Cpu, "mp", 60.0),
                Goal::at_most(Figure::Cpu, "mp", 25.0),
                Goal::ratio(Figure::Cpu, "mp", 0.125, "Godot"),
                Goal::ratio(Figure::Cpu, "mp", 1.0, "bevy_replicon"),
                Goal::at_least(Figure::Ticks, "mp", 59.9),
                Goal::at_most(Figure::Share, "mp", 0.15),
                Goal::ratio(Figure::Share, "mp 1 %", 0.05, "mp").but(ONE_PERCENT),
            ],
            contenders: contenders(32),
            note: NOTE,
            ..workload("sync-1000x32", 1_000, 32)
        },
        workload("sync-1000x1", 1_000, 1),
        workload("sync-1000x128", 1_000, 128),
        workload("sync-100x8", 100, 8),
        workload("sync-10000x8", 10_000, 8),
    ]
}

fn workload(name: &'static str, nodes: usize, clients: u32) -> Workload {
    Workload {
        name,
        area: Area::Replication,
        title: format!("{nodes} nodes, {clients} client{}", if clients == 1 { "" } else { "s" }),
        operation: "the state of one node for one client in one tick (for \"mp 1 %\": a change that arrived)",
        load: words(&format!("sync --clients {clients} --nodes {nodes}")),
        clients,
        contenders: vec![mp(nodes)],
        goals: Vec::new(),
        idle: Idle::Alone,
        is_idle: false,
        note: "",
    }
}

fn mp(nodes: usize) -> Contender {
    Contender::new("mp", Program::Binary("replication-mp"), &["--nodes", &nodes.to_string()])
}

fn contenders(clients: u32) -> Vec<Contender> {
    let clients = clients.to_string();
    let changes = ["--nodes", "1000", "--changes", "10"];
    let replicon = ["--nodes", "1000", "--clients", &clients];
    vec![
        mp(1_000),
        Contender::new("mp 1 %", Program::Binary("replication-mp"), &changes),
        Contender::new(
            "Godot",
            Program::Godot("res://replication.gd"),
            &["--nodes", "1000", "--fps", "60"],
        ),
        Contender::new("bevy_replicon", Program::Binary("replicon"), &replicon).alone(),
    ]
}

const NOTE: &str = "mp and Godot send Godot's SYNC packets over ENet, every node in every tick; \"mp 1 %\" changes 10 nodes in each tick and \
    sends only those, reliably. bevy_replicon runs in memory: no transport, no acknowledgements. What moving the nodes costs without \
    clients is taken off, but for bevy_replicon. bytes/op: the payload of ENet's packets, per update that arrived.";

const ONE_PERCENT: &str = "The full case is one large datagram after the other, which the kernel takes a peer's worth at a time and nobody answers. The \
    1 % case still sends each peer a datagram in each tick, reliably, takes in its acknowledgement, and wakes twice for it: its cost is by \
    peer and tick, whatever has changed.";
