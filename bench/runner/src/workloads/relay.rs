//! Rooms that relay for Godot clients.

use crate::goal::Goal;
use crate::sample::Metric;
use crate::workload::{Area, Baseline, Contender, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    vec![
        Workload {
            title:
                "64 clients, each sends 30 messages per second to all others, one after the other"
                    .to_owned(),
            load: load("group", 64, 30),
            goals: vec![
                Goal::ratio(Metric::Cpu, "mp-server", 0.45, "Godot"),
                Goal::ratio(Metric::P50, "mp-server", 0.125, "Godot"),
                Goal::at_least(Metric::Delivered, "mp-server", 1.0),
                Goal::at_most(Metric::P50, "mp-server", 2_000.0),
            ],
            ..workload("relay-group-64", 64)
        },
        Workload {
            title: "64 clients, each sends 1,000 messages per second to the next".to_owned(),
            load: load("ring", 64, 1_000),
            goals: vec![Goal::at_least(Metric::Delivered, "mp-server", 0.995)],
            ..workload("relay-ring-64", 64)
        },
        Workload {
            title: "256 clients, each sends 30 messages per second to the next".to_owned(),
            load: load("ring", 256, 30),
            goals: vec![
                Goal::ratio(Metric::Cpu, "mp-server", 0.7, "Godot").with_explanation(SPARSE),
                Goal::at_most(Metric::P50, "mp-server", 1_000.0),
            ],
            ..workload("relay-ring-256", 256)
        },
        Workload {
            title: "one client's 200 messages per second to 128".to_owned(),
            load: load("fan", 129, 200),
            ..workload("relay-fan-128", 129)
        },
    ]
}

fn workload(name: &'static str, clients: u32) -> Workload {
    Workload {
        name,
        area: Area::Relay,
        title: String::new(),
        operation: "a message delivered to one client",
        load: Vec::new(),
        clients,
        rooms: 0,
        contenders: vec![
            Contender::new(
                "mp-server",
                Program::MpServer,
                &["--enet", "127.0.0.1:0", "--ws", "off", "--log", "warn"],
            ),
            Contender::new("Godot", Program::Godot("res://relay.gd"), &["--fps", "60"]),
        ],
        goals: Vec::new(),
        baseline: Baseline::IdleClients,
        is_idle: false,
        note: "",
    }
}

fn load(pattern: &str, clients: u32, rate: u32) -> Vec<String> {
    words(&format!(
        "udp --dialect godot --size 63 --channels 255 --pattern {pattern} --clients {clients} --rate {rate}"
    ))
}

const SPARSE: &str = "The packets are evenly spread, some 130 µs apart, and the servers sleep in \
    between. mp-server wakes up for every few packets. Godot receives all packets of a frame at \
    once, at the expense of latency.";
