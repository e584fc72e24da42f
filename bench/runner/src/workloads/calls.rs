//! Remote procedure calls: of a server to many clients, and of clients to a server.

use crate::goal::{FLOOR, Goal};
use crate::sample::Metric;
use crate::workload::{Area, Contender, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    let ours = [(1_024, "mp, 1,024"), (2_048, "mp, 2,048"), (3_072, "mp, 3,072"), (4_095, ALL)]
        .map(|(clients, name)| mp(name, "out").with_clients(clients));
    let theirs = [(512, "Godot, 512"), (1_024, "Godot, 1,024"), (2_048, "Godot, 2,048")]
        .map(|(clients, name)| godot(name, &["--ticks"]).with_clients(clients));
    let broadcast = ours.into_iter().chain(theirs).chain([broadcast_floor()]);
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
            title: title(60, 30),
            load: load(60, 30),
            contenders: contenders(60, 30),
            goals: goals(),
            note: RECEIVED,
            ..workload("rpc-in-30", 16)
        },
        Workload {
            title: format!("as rpc-in-30, four times as often: {}", title(240, 30)),
            load: load(240, 30),
            contenders: contenders(240, 30),
            goals: goals(),
            note: RECEIVED,
            ..workload("rpc-in-fast", 16)
        },
        Workload {
            title: title(2_000, 1),
            load: load(2_000, 1),
            contenders: vec![mp("mp", "in"), godot("Godot", &[]), floor(FLOOR, "1", 2_000, 1)],
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

fn title(rate: u32, batch: u32) -> String {
    let calls = match batch {
        1 => "one unreliable call".to_owned(),
        _ => format!("{batch} unreliable calls"),
    };
    format!(
        "16 clients, each sends {rate} datagrams per second with {calls} (int, Vector3, String)"
    )
}

fn load(rate: u32, batch: u32) -> Vec<String> {
    words(&format!("calls --clients 16 --rate {rate} --batch {batch}"))
}

/// Returns mp and a server without a protocol, both at the default latency of mp's server and at
/// that of Godot, and Godot.
fn contenders(rate: u32, batch: u32) -> Vec<Contender> {
    vec![
        mp("mp", "in"),
        Contender::new(
            MP_AT_GODOTS_LATENCY,
            Program::Binary("calls-mp"),
            &["in", "--flush-interval", "16"],
        ),
        godot("Godot", &[]),
        floor(FLOOR, "1", rate, batch),
        floor(FLOOR_AT_GODOTS_LATENCY, "16", rate, batch),
    ]
}

/// Returns a server that receives datagrams of the same lengths, at most once per `interval` in ms,
/// and counts them.
fn floor(name: &'static str, interval: &str, rate: u32, batch: u32) -> Contender {
    let size = (DATAGRAM_HEAD + CALL_LEN * batch).to_string();
    let load = format!(
        "udp --transport datagram --pattern server --clients 16 --rate {rate} --size {size}"
    );
    let arguments = ["drop", "--size", &size, "--interval", interval];
    Contender::new(name, Program::Binary("udp-floor"), &arguments)
        .with_own_load(&load, f64::from(batch))
}

/// Returns the goals of calls that share datagrams.
fn goals() -> Vec<Goal> {
    vec![
        Goal::ratio(Metric::Cpu, MP_AT_GODOTS_LATENCY, 0.4, "Godot")
            .or_floor(FLOOR_AT_GODOTS_LATENCY, 1.5)
            .with_explanation(CALLS),
        Goal::difference(Metric::Cpu, "mp", 500.0, FLOOR).with_explanation(CALLS),
        Goal::at_least(Metric::Delivered, "mp", 0.99),
        Goal::at_least(Metric::Delivered, MP_AT_GODOTS_LATENCY, 0.99),
    ]
}

const MP_AT_GODOTS_LATENCY: &str = "mp, 16";
const FLOOR_AT_GODOTS_LATENCY: &str = "floor, 16";
/// Length of a datagram of ENet without its commands, in bytes.
const DATAGRAM_HEAD: u32 = 4;
/// Length of a command of ENet with a call of the load.
const CALL_LEN: u32 = 43;

const RECEIVED: &str = "The server counts the calls of its method, which compares their arguments. \
    Godot receives once per frame of 16.7 ms, and loses what its socket cannot buffer. mp receives at \
    most once per ms, \"mp, 16\" once per 16 ms (`flush_interval`), if that saves wake-ups. floor: \
    datagrams of the same lengths without a protocol, received by recvmmsg once per ms, the lower \
    bound of this machine at this latency; \"floor, 16\" once per 16 ms.";

const CALLS: &str = "Of a call mp executes 3,650 instructions in user space: 1,010 for ENet's packet and its \
    delivery to the branch, and 2,550 in the scene, of which 740 decode the arguments, and 550 convert them and run \
    the method (callgrind). On a busy machine, where a wake-up receives many datagrams, mp took 530 ns per call, \
    Godot 1,080 ns (0.51 ×) and floor 110 ns: these instructions then take most of the CPU time. At most once per ms \
    each of the 960 datagrams per second of rpc-in-30 wakes mp and floor, since they arrive 1.04 ms apart. mp then \
    makes one recvmmsg, two epoll_wait and a write to the runtime's eventfd (strace).";

const DATAGRAMS: &str = "Each client receives a datagram of its own, 245,700 per second. The kernel's time for them \
    takes most of a core: compare the floor.";

/// mp with as many clients as ENet has peers.
const ALL: &str = "mp, 4,095";

/// Returns a server that sends the datagrams of one client to all others: as many, and of the same
/// size, as those of the calls.
fn broadcast_floor() -> Contender {
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
