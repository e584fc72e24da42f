//! WebRTC: a server that forwards packets, and idle clients.

use crate::goal::Goal;
use crate::sample::Metric;
use crate::workload::{Area, Contender, Program, WEBRTC_RELAY, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    vec![
        Workload {
            title: "64 clients with 1 message of 64 B in flight each".to_owned(),
            load: words("udp --pattern echo --clients 64 --in-flight 1"),
            contenders: contenders("echo"),
            goals: vec![Goal::ratio(Metric::Cpu, "mp", 1.15, "str0m")],
            ..workload("webrtc-64x1", 64)
        },
        Workload {
            title: "64 clients with 16 messages of 64 B in flight each".to_owned(),
            load: words("udp --pattern echo --clients 64 --in-flight 16"),
            contenders: contenders("echo"),
            goals: vec![Goal::ratio(Metric::Cpu, "mp", 1.15, "str0m")],
            ..workload("webrtc-64x16", 64)
        },
        relay("webrtc-relay-16", 16),
        relay(WEBRTC_RELAY, 64),
        Workload {
            title: "256 idle clients".to_owned(),
            operation: "nothing",
            load: words("udp --pattern idle --clients 256"),
            contenders: contenders("echo"),
            goals: vec![Goal::ratio(Metric::Memory, "mp", 1.15, "str0m")],
            is_idle: true,
            ..workload("webrtc-idle-256", 256)
        },
    ]
}

/// Returns a workload in which each client sends to all others.
fn relay(name: &'static str, clients: u32) -> Workload {
    Workload {
        title: format!(
            "{clients} clients, each sends 30 messages of 64 B per second to all others"
        ),
        operation: "a message sent to one client",
        load: words(&format!("udp --pattern group --clients {clients} --rate 30")),
        contenders: contenders("others"),
        goals: vec![
            Goal::ratio(Metric::Cpu, "mp", 1.15, "str0m"),
            Goal::at_least(Metric::Delivered, "mp", 0.99),
        ],
        ..workload(name, clients)
    }
}

fn workload(name: &'static str, clients: u32) -> Workload {
    Workload {
        operation: "a message received and sent back",
        clients,
        note: NOTE,
        ..Workload::new(name, Area::WebRtc)
    }
}

fn contenders(pass: &str) -> Vec<Contender> {
    let webrtc = |name, binary| {
        let contender = Contender::new(name, Program::Binary(binary), &[pass]);
        contender.with_load("--transport web-rtc")
    };
    let dtls = Contender::new("mp ENet + DTLS", Program::Binary("enet-mp"), &[pass, "--dtls"]);
    vec![
        webrtc("mp", "webrtc-mp"),
        webrtc("str0m", "webrtc-str0m"),
        dtls.with_load("--transport enet-dtls"),
    ]
}

const NOTE: &str = "Messages are unreliable and unordered. str0m: the library that mp's WebRTC \
    uses, alone in a loop that receives, handles and answers each datagram. ICE-lite servers. Of mp's \
    instructions in user space for echoes, 47 % are SCTP, 27 % DTLS and 14 % other parts of str0m, \
    and 12 % mp and tokio (callgrind, 8 clients with 1 message in flight each).";
