//! Many nodes with one Vector3 each, replicated to many clients 60 times per second.

use crate::goal::Goal;
use crate::sample::Metric;
use crate::workload::{Area, Baseline, Contender, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    vec![
        Workload {
            goals: vec![
                Goal::ratio(Metric::Cpu, "mp", 1.5, "sendmmsg"),
                Goal::ratio(Metric::Cpu, "mp", 0.125, "Godot"),
                Goal::ratio(Metric::Share, "mp 1 %", 0.05, "mp").with_explanation(ONE_PERCENT),
            ],
            contenders: contenders(8),
            note: NOTE,
            ..workload("sync-1000x8", 1_000, 8)
        },
        Workload {
            goals: vec![
                Goal::ratio(Metric::Cpu, "mp", 1.5, "sendmmsg"),
                Goal::ratio(Metric::Cpu, "mp", 0.6, "sendmmsg"),
                Goal::ratio(Metric::Cpu, "mp", 0.125, "Godot"),
                Goal::ratio(Metric::Cpu, "mp", 1.0, "bevy_replicon"),
                Goal::at_least(Metric::Ticks, "mp", 59.9),
                Goal::at_most(Metric::Share, "mp", 0.15),
                Goal::ratio(Metric::Share, "mp 1 %", 0.05, "mp").with_explanation(ONE_PERCENT),
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
        operation: "the state of one node for one client in one tick (for \"mp 1 %\": a received change)",
        load: words(&format!("sync --clients {clients} --nodes {nodes}")),
        clients,
        rooms: 0,
        contenders: vec![mp(nodes)],
        goals: Vec::new(),
        baseline: Baseline::NoClients,
        is_idle: false,
        note: "",
    }
}

fn mp(nodes: usize) -> Contender {
    Contender::new("mp", Program::Binary("replication-mp"), &["--nodes", &nodes.to_string()])
}

fn contenders(clients: u32) -> Vec<Contender> {
    let floor = floor(clients);
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
        floor,
    ]
}

/// Returns a server that sends as many datagrams of the same size as mp for 1,000 nodes: a client's
/// datagrams, each to all others.
fn floor(clients: u32) -> Contender {
    let load = format!(
        "udp --transport datagram --pattern fan --clients {} --rate {} --size {DATAGRAM_SIZE}",
        clients + 1,
        TICKS * DATAGRAMS
    );
    Contender::new("sendmmsg", Program::Binary("udp-sendmmsg"), &["others"])
        .with_own_load(&load, 1_000.0 / f64::from(DATAGRAMS))
}

/// Ticks per second.
const TICKS: u32 = 60;
/// Datagrams for one client in one tick: 1,000 nodes of 24 bytes.
const DATAGRAMS: u32 = 18;
/// Bytes of each of these datagrams.
const DATAGRAM_SIZE: u32 = 1_336;

const NOTE: &str = "mp and Godot send Godot's SYNC packets over ENet, every node in every tick; \
    \"mp 1 %\" changes 10 nodes per tick and sends only those, reliably. bevy_replicon runs in \
    memory, without transport and acknowledgements. sendmmsg: as many datagrams of the same size \
    without nodes and without a protocol, one system call for all clients. The CPU time of moving \
    the nodes without clients is subtracted, except for bevy_replicon. bytes/op: payload of ENet's packets per \
    received update.";

const ONE_PERCENT: &str = "The full case sends large datagrams back to back, which the kernel accepts \
    per peer at once, and which are not acknowledged. The 1 % case still sends each peer a \
    reliable datagram per tick, receives its acknowledgement, and wakes up twice for it: its CPU \
    time depends on peers and ticks, not on the number of changes.";
