//! Rooms that relay for Godot clients.

use crate::goal::{FLOOR, Goal};
use crate::sample::Metric;
use crate::workload::{Area, Baseline, Contender, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    vec![
        Workload {
            title:
                "64 clients, each sends 30 messages per second to all others, one after the other"
                    .to_owned(),
            load: load("group", 64, 30),
            contenders: contenders("others", "group", 64, 30),
            goals: vec![
                Goal::ratio(Metric::Share, "mp-server", 0.45, "Godot").or_floor(FLOOR, 1.5),
                Goal::ratio(Metric::P50, "mp-server", 0.125, "Godot"),
                Goal::at_least(Metric::Delivered, "mp-server", 1.0),
                Goal::at_most(Metric::P50, "mp-server", 2_000.0),
            ],
            ..workload("relay-group-64", 64)
        },
        Workload {
            title: "as relay-group-64, while the room is recorded".to_owned(),
            load: load("group", 64, 30),
            contenders: vec![
                server(RECORDED, &PLAIN).recorded().with_windows(5),
                server(UNRECORDED, &PLAIN).with_windows(5),
            ],
            goals: vec![
                Goal::ratio(Metric::Cpu, RECORDED, 1.1, UNRECORDED),
                Goal::at_least(Metric::Delivered, RECORDED, 1.0),
            ],
            baseline: Baseline::Zero,
            note: RECORDING,
            ..workload("relay-record-64", 64)
        },
        Workload {
            title: "as relay-group-64, in a room whose host is a further client with 1,000 nodes"
                .to_owned(),
            load: load("group", 64, 30),
            contenders: vec![
                server(CACHED, &["--config", "bench/rooms/host-cache.toml"])
                    .with_host_nodes(1_000)
                    .with_windows(5),
                server(UNCACHED, &["--config", "bench/rooms/host.toml"])
                    .with_host_nodes(1_000)
                    .with_windows(5),
            ],
            goals: vec![
                Goal::ratio(Metric::Cpu, CACHED, 1.15, UNCACHED),
                Goal::difference(Metric::NodeMemory, CACHED, 1_200.0, UNCACHED),
                Goal::at_least(Metric::Delivered, CACHED, 1.0),
            ],
            baseline: Baseline::Zero,
            note: CACHE,
            ..workload("relay-host-64", 64)
        },
        Workload {
            title: "64 clients, each sends 1,000 messages per second to the next".to_owned(),
            load: load("ring", 64, 1_000),
            contenders: contenders("next", "ring", 64, 1_000),
            goals: vec![Goal::at_least(Metric::Delivered, "mp-server", 0.995)],
            ..workload("relay-ring-64", 64)
        },
        Workload {
            title: "256 clients, each sends 30 messages per second to the next".to_owned(),
            load: load("ring", 256, 30),
            contenders: contenders("next", "ring", 256, 30),
            goals: vec![
                Goal::ratio(Metric::Share, "mp-server", 0.7, "Godot")
                    .or_floor(FLOOR, 1.5)
                    .with_explanation(SPARSE),
                Goal::at_most(Metric::P50, "mp-server", 1_000.0),
            ],
            ..workload("relay-ring-256", 256)
        },
        Workload {
            title: "256 clients, each sends 30 messages per second to the next, by \
                `flush_interval` in ms"
                .to_owned(),
            load: load("ring", 256, 30),
            contenders: by_flush_interval(),
            goals: vec![
                Goal::ratio(Metric::Share, "mp-server, 16", 0.8, "Godot"),
                Goal::ratio(Metric::Cpu, "mp-server, 16", 1.25, "relay, 16"),
                Goal::at_most(Metric::P50, "mp-server, 1", 1_000.0),
                Goal::ratio(Metric::Share, "mp-server, 1", 1.5, "Godot"),
            ],
            note: FLUSH,
            ..workload("relay-flush-256", 256)
        },
        Workload {
            title: "one client's 200 messages per second to 128".to_owned(),
            load: load("fan", 129, 200),
            contenders: contenders("others", "fan", 129, 200)
                .into_iter()
                .map(|contender| contender.with_windows(3))
                .collect(),
            goals: vec![
                Goal::ratio(Metric::Share, "mp-server", 0.75, "Godot")
                    .or_floor(FLOOR, 1.3)
                    .with_explanation(FAN),
            ],
            ..workload("relay-fan-128", 129)
        },
    ]
}

fn workload(name: &'static str, clients: u32) -> Workload {
    Workload {
        operation: "a message delivered to one client",
        clients,
        baseline: Baseline::IdleClients,
        note: NOTE,
        ..Workload::new(name, Area::Relay)
    }
}

/// Returns mp-server, Godot, and a server without a protocol that receives the same load.
fn contenders(pass: &str, pattern: &str, clients: u32, rate: u32) -> Vec<Contender> {
    vec![
        server("mp-server", &PLAIN),
        Contender::new("Godot", Program::Godot("res://relay.gd"), &["--fps", "60"]),
        floor(FLOOR, pass, "1", &format!("--pattern {pattern} --clients {clients} --rate {rate}")),
    ]
}

fn server(name: &'static str, arguments: &[&str]) -> Contender {
    Contender::new(name, Program::MpServer, arguments)
}

/// Arguments of a server with one room without a host.
const PLAIN: [&str; 6] = ["--enet", "127.0.0.1:0", "--ws", "off", "--log", "warn"];

/// Returns a server without a protocol that receives and sends once per `interval` in ms.
fn floor(name: &'static str, pass: &str, interval: &str, load: &str) -> Contender {
    let arguments = [pass, "--size", COMMAND_LEN, "--interval", interval];
    Contender::new(name, Program::Binary("udp-floor"), &arguments)
        .with_own_load(&format!("udp --transport datagram --size {COMMAND_LEN} {load}"), 1.0)
}

/// Returns mp-server with several coalescing delays, Godot, and a relay without a protocol.
fn by_flush_interval() -> Vec<Contender> {
    let server =
        |name, interval| server(name, &[&PLAIN[..], &["--flush-interval", interval]].concat());
    let relay =
        |name, interval| floor(name, "next", interval, "--pattern ring --clients 256 --rate 30");
    vec![
        server("mp-server, 1", "1"),
        server("mp-server, 0", "0"),
        server("mp-server, 4", "4"),
        server("mp-server, 8", "8"),
        server("mp-server, 16", "16"),
        Contender::new("Godot", Program::Godot("res://relay.gd"), &["--fps", "60"]),
        relay("relay, 1", "1"),
        relay("relay, 16", "16"),
    ]
}

const RECORDED: &str = "mp-server, recorded";
const UNRECORDED: &str = "mp-server, not recorded";
const RECORDING: &str = "The CPU time includes that of the thread that compresses and writes. recorded/min: \
    compressed bytes per minute, at 1,920 received messages per second. Of the 63 bytes of a \
    message, 16 are its sender, number and time, and the others are equal.";

const CACHED: &str = "mp-server, cache";
const UNCACHED: &str = "mp-server, no cache";
const CACHE: &str = "The host sends the other clients a SPAWN of each node, and 10 times per second a \
    DELTA with the Vector3 of 20 nodes. \"cache\" keeps the nodes, from which the game goes on \
    without the host (`next_host`). Operations are the messages of the clients alone. per node: \
    growth of the memory of the server when all clients have joined, and have received the nodes; \
    the difference is the cache.";

/// Length in bytes of a command of ENet with a relay packet of 63 bytes.
const COMMAND_LEN: &str = "78";

const NOTE: &str = "CPU ns/op is without the CPU time for as many idle clients. Godot's is large, and \
    varies by more than rare messages cost, so goals compare \"core\", at the same rate. floor: \
    datagrams of the same lengths without a protocol, received by recvmmsg and sent by sendmmsg at \
    most once per millisecond, as mp-server does under load: the lower bound of this machine at this \
    latency. Packets to a client in the same millisecond share datagrams. Godot receives and sends \
    once per frame of 16.7 ms.";

const FLUSH: &str = "CPU ns/op is without the CPU time for as many idle clients. Godot's varies by \
    more than the messages cost, so goals compare \"core\". Godot receives and sends once per frame \
    of 16.7 ms. relay: datagrams of the same size without a protocol, received by recvmmsg and sent \
    by sendmmsg once per interval, the lower bound of this machine. A longer interval receives and \
    sends more datagrams per wake-up and system call.";

fn load(pattern: &str, clients: u32, rate: u32) -> Vec<String> {
    words(&format!(
        "udp --dialect godot --size 63 --channels 255 --pattern {pattern} --clients {clients} --rate {rate}"
    ))
}

const FAN: &str = "Three quarters of mp-server's CPU time are the kernel's (perf), which sends the \
    datagrams one by one, as for the floor. The rest are some 1,150 instructions per delivered \
    message (callgrind), a quarter of which queue it. The share of all servers varies by half between \
    rounds of two seconds.";

const SPARSE: &str = "The packets are evenly spread, some 130 µs apart, and the servers sleep in \
    between. mp-server wakes up once per millisecond. Godot receives all packets of a frame at \
    once, at the expense of latency.";
