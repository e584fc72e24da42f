//! WebSocket: echo of small binary messages, and idle connections.

use crate::goal::Goal;
use crate::sample::Metric;
use crate::workload::{Area, Contender, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    vec![
        Workload {
            title: "64 connections with 1 binary message of 64 B in flight each".to_owned(),
            goals: vec![
                Goal::ratio(Metric::Cpu, "mp", 1.3, "raw TCP"),
                Goal::ratio(Metric::Cpu, "mp", 1.0, "fastwebsockets"),
            ],
            ..workload("ws-64x1", 64, 1)
        },
        Workload {
            title: "64 connections with 16 binary messages of 64 B in flight each".to_owned(),
            goals: vec![
                Goal::ratio(Metric::Cpu, "mp", 2.0, "raw TCP"),
                Goal::ratio(Metric::Cpu, "mp", 0.2, "fastwebsockets"),
            ],
            ..workload("ws-64x16", 64, 16)
        },
        Workload {
            title: "10,000 idle connections".to_owned(),
            operation: "nothing",
            goals: vec![Goal::at_most(Metric::Memory, "mp", 8.0 * 1_024.0)],
            is_idle: true,
            note: "The kernel's buffers are not part of a process's memory.",
            ..workload("ws-idle-10000", 10_000, 0)
        },
    ]
}

fn workload(name: &'static str, clients: u32, in_flight: u32) -> Workload {
    let server = |name, binary, arguments: &[&str], frames: &str| {
        let contender = Contender::new(name, Program::Binary(binary), arguments);
        contender.with_load(&format!("--frames {frames}"))
    };
    Workload {
        operation: "a message received and sent back",
        load: words(&format!("stream --clients {clients} --in-flight {in_flight}")),
        clients,
        contenders: vec![
            server("mp", "ws-mp", &[], "godot"),
            server("raw TCP", "ws-tcp", &[], "bare"),
            server("fastwebsockets", "ws-fastwebsockets", &[], "web-socket"),
            server("tokio-tungstenite", "ws-tungstenite", &[], "web-socket"),
            server("tungstenite, one flush", "ws-tungstenite", &["batched"], "web-socket"),
            server("tokio-websockets", "ws-tokio-websockets", &[], "web-socket"),
        ],
        note: "The crates are used as in their examples, all in tokio on one thread; \"one flush\": all received messages are sent back with one flush.",
        ..Workload::new(name, Area::WebSocket)
    }
}
