//! ENet servers that forward packets.

use crate::goal::{FLOOR, Goal};
use crate::sample::Metric;
use crate::workload::{Area, Contender, Program, Workload, words};

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
        contenders: contenders("echo", how),
        goals: vec![goal(most)],
        note: match name {
            "echo-1x64" => ECHO_MANY,
            "echo-reliable-1x64" => ECHO_RELIABLE,
            _ => NOTE,
        },
        ..workload(name, clients)
    });
    let fan = fan.into_iter().map(|(name, others, rate, how, most)| {
        let reliability = if how.is_empty() { "unreliable" } else { "reliable" };
        let clients = others + 1;
        Workload {
            title: format!(
                "one client's {rate} messages of 64 B per second to {others}, {reliability}"
            ),
            operation: "a message sent to one client",
            load: words(&format!("udp --pattern fan --clients {clients} --rate {rate} {how}")),
            contenders: contenders("others", how),
            goals: vec![goal(most)],
            note: if how.is_empty() { FAN } else { FAN_RELIABLE },
            ..workload(name, clients)
        }
    });
    let ring = Workload {
        title: "500 clients, each sends 30 messages of 64 B per second to the next".to_owned(),
        operation: "a message forwarded",
        load: words("udp --pattern ring --clients 500 --rate 30"),
        contenders: contenders("next", ""),
        goals: vec![goal(1.0)],
        note: NOTE,
        ..workload("ring-500", 500)
    };
    echo.chain(fan).chain([ring]).collect()
}

/// Returns the goal of a ratio to C ENet, if the machine allows it.
fn goal(most: f64) -> Goal {
    Goal::ratio(Metric::Cpu, "mp", most, "C ENet").or_floor(FLOOR, 1.3)
}

/// Returns the note about the floor, with a text about the workload.
macro_rules! note {
    ($text:literal) => {
        concat!(
            "floor: datagrams of the same lengths without a protocol, received by recvmmsg and sent \
            by sendmmsg, the lower bound of this machine. It does not coalesce echoes; otherwise it \
            receives and sends at most once per millisecond, as mp does under load.",
            $text
        )
    };
}

const NOTE: &str = note!("");

const ECHO_MANY: &str = note!(
    " Up to 19 messages share a datagram, so half of the CPU time is that of user space: per \
    message mp executes 1,720 instructions there, C ENet 2,750 (callgrind)."
);

const ECHO_RELIABLE: &str = note!(
    " A client acknowledges messages before its program has handled them, so it sends two datagrams \
    for one of the server. A datagram has 32 commands: acknowledgements of 16 messages and as many \
    messages. More than 16 messages at a time need a further datagram for acknowledgements. Per \
    message mp executes 2,700 instructions in user space, C ENet 3,500 (callgrind)."
);

const FAN: &str = note!(
    " The messages are too rare to share datagrams (except in fan-32). The CPU time is that of the \
    kernel for one datagram per client and message, whether sent by sendmmsg or one by one."
);

const FAN_RELIABLE: &str = note!(
    " Each client acknowledges each message with a datagram: the kernel's CPU time for both is most \
    of that of all contenders."
);

fn workload(name: &'static str, clients: u32) -> Workload {
    Workload { clients, ..Workload::new(name, Area::Enet) }
}

fn contenders(pass: &str, how: &str) -> Vec<Contender> {
    vec![
        Contender::new("mp", Program::Binary("enet-mp"), &[pass]),
        Contender::new("C ENet", Program::EnetC, &[pass, "512", "2"]),
        Contender::new("rusty_enet", Program::Binary("enet-rusty"), &[pass]),
        floor(pass, how),
    ]
}

/// Returns a server without a protocol. Its messages have the length of ENet's commands: with an
/// acknowledgement if they are reliable.
fn floor(pass: &str, how: &str) -> Contender {
    let size = if how.is_empty() { "72" } else { "78" };
    let interval = if pass == "echo" { "0" } else { "1" };
    let arguments = [pass, "--size", size, "--interval", interval];
    Contender::new(FLOOR, Program::Binary("udp-floor"), &arguments)
        .with_load(&format!("--transport datagram --size {size}"))
}
