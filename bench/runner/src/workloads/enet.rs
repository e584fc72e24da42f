//! ENet servers that forward packets.

use crate::goal::Goal;
use crate::sample::Metric;
use crate::workload::{Area, Baseline, Contender, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    let echo = [
        ("echo-1x64", 1, 64, "", 0.8),
        ("echo-64x1", 64, 1, "", 1.0),
        ("echo-64x8", 64, 8, "", 0.8),
        ("echo-500x1", 500, 1, "", 1.0),
        ("echo-reliable-1x64", 1, 64, "--reliable", 0.8),
        ("echo-reliable-64x1", 64, 1, "--reliable", 0.75),
        ("echo-reliable-64x8", 64, 8, "--reliable", 0.8),
        ("echo-reliable-500x1", 500, 1, "--reliable", 1.0),
    ];
    let fan = [
        ("fan-32", 32, 2_000, "", 1.0),
        ("fan-128", 128, 500, "", 0.75),
        ("fan-499", 499, 100, "", 1.0),
        ("fan-reliable-128", 128, 200, "--reliable", 1.0),
    ];
    let echo = echo.into_iter().map(|(name, clients, in_flight, how, most)| Workload {
        title: format!(
            "{clients} client{} with {in_flight} message{} of 64 B in flight{}, {}",
            if clients == 1 { "" } else { "s" },
            if in_flight == 1 { "" } else { "s" },
            if clients == 1 { "" } else { " each" },
            if how.is_empty() { "unreliable" } else { "reliable" },
        ),
        operation: "a message received and sent back",
        load: words(&format!(
            "udp --pattern echo --clients {clients} --in-flight {in_flight} {how}"
        )),
        contenders: contenders("echo"),
        goals: vec![Goal::ratio(Metric::Cpu, "mp", most, "C ENet")],
        ..workload(name, clients)
    });
    let fan = fan.into_iter().map(|(name, others, rate, how, most)| {
        let mut contenders = contenders("others");
        let goal = Goal::ratio(Metric::Cpu, "mp", most, "C ENet");
        let mut goals = vec![if how.is_empty() { goal.with_explanation(FAN) } else { goal }];
        if how.is_empty() {
            // Reliable packets need more than datagrams.
            let limit = Contender::new("sendmmsg", Program::Binary("udp-sendmmsg"), &["others"]);
            contenders.push(limit.with_load("--transport datagram"));
        }
        if name == "fan-128" {
            goals.push(Goal::ratio(Metric::Cpu, "mp", 1.3, "sendmmsg"));
        }
        let reliability = if how.is_empty() { "unreliable" } else { "reliable" };
        let clients = others + 1;
        Workload {
            title: format!(
                "one client's {rate} messages of 64 B per second to {others}, {reliability}"
            ),
            operation: "a message sent to one client",
            load: words(&format!("udp --pattern fan --clients {clients} --rate {rate} {how}")),
            contenders,
            goals,
            note: if how.is_empty() {
                "sendmmsg: datagrams without a protocol, the lower bound of this machine."
            } else {
                ""
            },
            ..workload(name, clients)
        }
    });
    let ring = Workload {
        title: "500 clients, each sends 30 messages of 64 B per second to the next".to_owned(),
        operation: "a message forwarded",
        load: words("udp --pattern ring --clients 500 --rate 30"),
        contenders: contenders("next"),
        goals: vec![Goal::ratio(Metric::Cpu, "mp", 1.0, "C ENet")],
        ..workload("ring-500", 500)
    };
    echo.chain(fan).chain([ring]).collect()
}

const FAN: &str = "On this machine datagrams by sendmmsg without a protocol take nearly as much CPU \
    time as C ENet's single system calls. So batching system calls saves next to nothing, and the \
    messages are too rare to share datagrams.";

fn workload(name: &'static str, clients: u32) -> Workload {
    Workload {
        name,
        area: Area::Enet,
        title: String::new(),
        operation: "",
        load: Vec::new(),
        clients,
        rooms: 0,
        contenders: Vec::new(),
        goals: Vec::new(),
        baseline: Baseline::Zero,
        is_idle: false,
        note: "",
    }
}

fn contenders(pass: &str) -> Vec<Contender> {
    vec![
        Contender::new("mp", Program::Binary("enet-mp"), &[pass]),
        Contender::new("C ENet", Program::EnetC, &[pass, "512", "2"]),
        Contender::new("rusty_enet", Program::Binary("enet-rusty"), &[pass]),
    ]
}
