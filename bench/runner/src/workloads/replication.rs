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
                one_percent(0.3, "mp"),
                one_percent(0.05, "Godot 1 %"),
                above_floor(),
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
                one_percent(0.3, "mp"),
                one_percent(0.05, "Godot 1 %"),
                above_floor(),
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
        title: format!("{nodes} nodes, {clients} client{}", if clients == 1 { "" } else { "s" }),
        operation: "the state of one node for one client in one tick (for those with \"1 %\": a received change)",
        load: words(&format!("sync --clients {clients} --nodes {nodes}")),
        clients,
        contenders: vec![mp(nodes)],
        baseline: Baseline::NoClients,
        ..Workload::new(name, Area::Replication)
    }
}

fn mp(nodes: usize) -> Contender {
    Contender::new("mp", Program::Binary("replication-mp"), &["--nodes", &nodes.to_string()])
}

fn contenders(clients: u32) -> Vec<Contender> {
    let changes = ["--nodes", "1000", "--changes", "10"];
    let memory = ["--nodes", "1000", "--clients", &clients.to_string()];
    vec![
        mp(1_000),
        Contender::new("mp 1 %", Program::Binary("replication-mp"), &changes),
        Contender::new(
            "Godot",
            Program::Godot("res://replication.gd"),
            &["--nodes", "1000", "--fps", "60"],
        ),
        Contender::new(
            "Godot 1 %",
            Program::Godot("res://replication.gd"),
            &["--nodes", "1000", "--changes", "10", "--fps", "60"],
        ),
        Contender::new("bevy_replicon", Program::Binary("replicon"), &memory).alone(),
        Contender::new("renet2", Program::Binary("renet"), &memory).alone(),
        floor(clients),
        floor_one_percent(clients),
    ]
}

/// Returns the goal of the case in which few nodes change: a ratio to another contender's CPU time.
fn one_percent(most: f64, versus: &'static str) -> Goal {
    Goal::ratio(Metric::Share, "mp 1 %", most, versus)
        .or_floor(FLOOR_ONE_PERCENT, 1.5)
        .with_explanation(ONE_PERCENT)
}

/// Returns the goal of the same case that depends on mp alone, and not on how much others do.
fn above_floor() -> Goal {
    Goal::ratio(Metric::Share, "mp 1 %", 1.5, FLOOR_ONE_PERCENT).with_explanation(ONE_PERCENT)
}

/// Returns a server that sends one datagram of the same size as mp's to each client per tick, and
/// receives one of the size of an acknowledgement from each.
fn floor_one_percent(clients: u32) -> Contender {
    let load = format!(
        "udp --transport datagram --pattern fan --reliable --clients {} --rate {TICKS} --size {DELTA_SIZE}",
        clients + 1
    );
    let size = DELTA_SIZE.to_string();
    let arguments = ["others", "--size", &size, "--interval", "1"];
    Contender::new(FLOOR_ONE_PERCENT, Program::Binary("udp-floor"), &arguments)
        .with_own_load(&load, CHANGES)
}

/// Returns a server that sends as many datagrams of the same size as mp for 1,000 nodes: a client's
/// datagrams, each to all others.
fn floor(clients: u32) -> Contender {
    let load = format!(
        "udp --transport datagram --pattern fan --clients {} --rate {} --size {DATAGRAM_SIZE}",
        clients + 1,
        TICKS * DATAGRAMS
    );
    let size = DATAGRAM_SIZE.to_string();
    Contender::new("sendmmsg", Program::Binary("udp-floor"), &["others", "--size", &size])
        .with_own_load(&load, 1_000.0 / f64::from(DATAGRAMS))
}

/// Ticks per second.
const TICKS: u32 = 60;
/// Datagrams for one client in one tick: 1,000 nodes of 24 bytes.
const DATAGRAMS: u32 = 18;
/// Bytes of each of these datagrams.
const DATAGRAM_SIZE: u32 = 1_336;
/// Changes per tick of the contenders "1 %".
const CHANGES: f64 = 10.0;
/// Bytes of ENet's command with these changes.
const DELTA_SIZE: u32 = 327;
const FLOOR_ONE_PERCENT: &str = "floor 1 %";

const NOTE: &str = "mp and Godot send Godot's SYNC packets over ENet, every node in every tick; \
    those with \"1 %\" change 10 nodes per tick and send only those, reliably. bevy_replicon runs in \
    memory, without transport and acknowledgements, and so does renet2, which has no replication: \
    its messages have as many bytes per node as a SYNC. lightyear is no contender: 0.30.1 replicates \
    with bevy_replicon (0.44.1), and 0.31.0 needs rustc 1.97. sendmmsg: as many datagrams of the same size \
    without nodes and without a protocol, one system call for all clients. floor 1 %: one datagram \
    per client and tick, and one back that stands for its acknowledgement. The CPU time of moving \
    the nodes without clients is subtracted, except for bevy_replicon and renet2. bytes/op: payload of \
    ENet's packets per received update.";

const ONE_PERCENT: &str = "The full case sends large datagrams back to back, which the kernel accepts \
    per peer at once, and which are not acknowledged. The 1 % case still sends each peer a \
    reliable datagram per tick, receives its acknowledgement, and wakes up twice for it, as \
    floor 1 % does: its CPU time depends on peers and ticks, not on the number of changes. With 32 \
    clients a tick takes 224,000 instructions in user space (callgrind) and 12 system calls \
    (strace). 27 % of the instructions find out what each client lacks, and most of the others are \
    ENet's: some 5,000 per client for a datagram, its acknowledgement and timers. With 8 clients, \
    floor 1 % took 0.048 × Godot 1 %: a protocol would have to add less than 5 % to it.";
