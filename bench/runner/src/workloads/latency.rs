//! Latency of messages that are sent at fixed times, whether or not others were answered.

use crate::goal::Goal;
use crate::sample::Metric;
use crate::workload::{Area, Contender, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    let mp = |name, arguments: &[&str]| Contender::new(name, Program::Binary("enet-mp"), arguments);
    let floor = Contender::new("raw UDP", Program::Binary("udp-floor"), &["echo", "--size", "64"]);
    vec![Workload {
        title: "500 clients, each sends 20 messages of 64 B per second, which are sent back"
            .to_owned(),
        operation: "a message received and sent back",
        load: words("udp --pattern steady --clients 500 --rate 20"),
        clients: 500,
        contenders: vec![
            mp("mp", &["echo"]),
            mp("mp 0 ms", &["echo", "--flush-interval", "0"]),
            Contender::new("C ENet", Program::EnetC, &["echo", "512", "2"]),
            floor.with_load("--transport datagram"),
        ],
        goals: vec![
            Goal::at_most(Metric::P50, "mp", 1_000.0),
            Goal::at_most(Metric::P99, "mp", 2_500.0),
            // The milliseconds are those of the machine, which runs other tasks, too.
            Goal::ratio(Metric::P999, "mp", 1.25, "raw UDP"),
            Goal::ratio(Metric::P50, "mp 0 ms", 1.5, "raw UDP"),
            Goal::ratio(Metric::P99, "mp 0 ms", 1.5, "raw UDP"),
        ],
        note: NOTE,
        ..Workload::new("latency", Area::Latency)
    }]
}

const NOTE: &str = "Times count from when a message was due, not from when it was sent, so a load \
    generator that is late does not hide a delay. raw UDP: datagrams without a protocol, received by \
    recvmmsg and sent back by sendmmsg. mp delays replies by up to 1 ms to share system calls (`flush_interval`); \
    \"mp 0 ms\" does not.";
