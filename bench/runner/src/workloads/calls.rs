//! Remote procedure calls: of a server to many clients, and of clients to a server.

use crate::goal::Goal;
use crate::sample::Metric;
use crate::workload::{Area, Contender, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    let ours = [(1_024, "mp, 1,024"), (2_048, "mp, 2,048"), (3_072, "mp, 3,072"), (4_095, ALL)]
        .map(|(clients, name)| mp(name, "out").with_clients(clients));
    let theirs = [(512, "Godot, 512"), (1_024, "Godot, 1,024"), (2_048, "Godot, 2,048")]
        .map(|(clients, name)| godot(name, &["--ticks"]).with_clients(clients));
    let broadcast = ours.into_iter().chain(theirs).chain([floor()]);
    let broadcast = broadcast.map(|contender| contender.with_windows(5));
    vec![
        Workload {
            title: "one unreliable call with an int to all clients, 60 times per second".to_owned(),
            operation: "a call received by one client",
            load: words("calls"),
            contenders: broadcast.collect(),
            goals: vec![
                Goal::at_least(Metric::Least, ALL, 0.99),
                Goal::at_least(Metric::Ticks, ALL, 59.4).with_explanation(DATAGRAMS),
                Goal::ratio(Metric::Cpu, ALL, 1.5, FLOOR),
                Goal::ratio(Metric::Cpu, "mp, 1,024", 1.0, "Godot, 1,024"),
            ],
            note: "The numbers are those of the clients. \"worst client\" is the share of the calls that the client received which received the fewest: the largest number of clients with 99 % and 60 ticks/s is the limit of a contender. floor: datagrams of the same length to 4,095 clients at 60 Hz, sent by sendmmsg. The measured time is five times as long as elsewhere.",
            ..workload("broadcast-60", 0)
        },
        Workload {
            title: "16 clients, each sends 60 datagrams per second with 30 unreliable calls (int, Vector3, String)".to_owned(),
            load: words("calls --clients 16 --rate 60 --batch 30"),
            contenders: vec![mp("mp", "in"), godot("Godot", &[])],
            goals: vec![
                Goal::ratio(Metric::Cpu, "mp", 0.4, "Godot").with_explanation(WAKE_UPS),
                Goal::at_least(Metric::Delivered, "mp", 0.99),
            ],
            note: RECEIVED,
            ..workload("rpc-in-30", 16)
        },
        Workload {
            title: "16 clients, each sends 2,000 datagrams per second with one unreliable call (int, Vector3, String)".to_owned(),
            load: words("calls --clients 16 --rate 2000"),
            contenders: vec![mp("mp", "in"), godot("Godot", &[])],
            goals: vec![
                // 250,000 per second on one core.
                Goal::at_most(Metric::Cpu, "mp", 4_000.0),
                Goal::at_least(Metric::Delivered, "mp", 0.99),
            ],
            note: RECEIVED,
            ..workload("rpc-in-1", 16)
        },
    ]
}

const RECEIVED: &str = "The server counts the calls of its method, which compares their arguments. \
    Godot receives once per frame, and loses what its socket cannot buffer.";

const WAKE_UPS: &str = "The 960 datagrams per second arrive 1.04 ms apart, so that each wakes the server, \
    also if it polls once per ms. The load on a busy machine sent them in bunches: with 110 wake-ups per second mp took \
    860 ns per call, Godot with 67 took 1,080 ns (0.80 ×). The other time of a call, 1,300 ns, is therefore most likely \
    that of waking a core that sleeps. A wake-up makes one recvmmsg, two epoll_wait and a write to the runtime's \
    eventfd (strace). `flush_interval` of 16 ms, Godot's latency, would save wake-ups; this was not measured. \
    A call executes at most 1,260 instructions for ENet's packet, and 3,900 for the scene, of which 960 decode the \
    arguments (callgrind).";

const DATAGRAMS: &str = "Each client receives a datagram of its own, 245,700 per second. The kernel's time for them \
    takes most of a core: compare the floor.";

/// mp with as many clients as ENet has peers.
const ALL: &str = "mp, 4,095";
const FLOOR: &str = "floor";

/// Returns a server that sends the datagrams of one client to all others: as many, and of the same
/// size, as those of the calls.
fn floor() -> Contender {
    let size = CALL_DATAGRAM.to_string();
    let load =
        format!("udp --transport datagram --pattern fan --clients 4096 --rate 60 --size {size}");
    Contender::new(FLOOR, Program::Binary("udp-floor"), &["others", "--size", &size])
        .with_own_load(&load, 1.0)
}

/// Bytes of ENet's datagram with one call: headers of 12, and a call of 12.
const CALL_DATAGRAM: u32 = 24;

fn mp(name: &'static str, direction: &str) -> Contender {
    Contender::new(name, Program::Binary("calls-mp"), &[direction])
}

fn godot(name: &'static str, arguments: &[&str]) -> Contender {
    let arguments = [&["--fps", "60"], arguments].concat();
    let contender = Contender::new(name, Program::Godot("res://calls.gd"), &arguments);
    // A server that calls prints nothing.
    if arguments.contains(&"--ticks") { contender } else { contender.with_answers() }
}

fn workload(name: &'static str, clients: u32) -> Workload {
    Workload {
        operation: "a call received by the server",
        clients,
        ..Workload::new(name, Area::Calls)
    }
}
