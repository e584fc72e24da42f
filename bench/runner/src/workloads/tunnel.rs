//! A game behind a tunnel, beside the same game that players join directly.

use crate::goal::Goal;
use crate::sample::Metric;
use crate::tunnel::Link;
use crate::workload::{Area, Contender, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    vec![
        Workload {
            title: "16 players with 8 messages in flight each, which their game sends back"
                .to_owned(),
            load: load("echo --in-flight 8"),
            goals: vec![Goal::ratio(Metric::Cpu, TUNNEL, 4.0, DIRECT).with_explanation(HOPS)],
            ..workload("tunnel-echo")
        },
        Workload {
            title: "16 players, each sends 30 messages per second, which their game sends back"
                .to_owned(),
            load: load("steady --rate 30"),
            goals: vec![
                Goal::at_least(Metric::Delivered, TUNNEL, 1.0),
                Goal::one_way_difference(Metric::P50, TUNNEL, 2_000.0, DIRECT),
                Goal::one_way_difference(Metric::P99, TUNNEL, 4_000.0, DIRECT),
            ],
            ..workload("tunnel-latency")
        },
    ]
}

fn workload(name: &'static str) -> Workload {
    let game = |name| Contender::new(name, Program::Binary("relay-loop"), &[]).with_windows(2);
    Workload {
        operation: "a message received by the game and sent back",
        clients: 16,
        contenders: vec![
            game(TUNNEL).behind_tunnel(Link::Enet),
            game(WEBSOCKET).behind_tunnel(Link::WebSocket),
            game(DIRECT),
        ],
        note: NOTE,
        ..Workload::new(name, Area::Tunnel)
    }
}

fn load(pattern: &str) -> Vec<String> {
    words(&format!("udp --dialect godot --size 63 --channels 255 --clients 16 --pattern {pattern}"))
}

const HOPS: &str = "On its way to the game and back a message is received and sent five times instead \
    of once: twice by mp-server, twice by the tunnel, and by the game.";
const TUNNEL: &str = "mp tunnel";
const WEBSOCKET: &str = "mp tunnel, WebSocket";
const DIRECT: &str = "direct";

const NOTE: &str = "Players and game use ENet; the tunnel's own connection is ENet, or WebSocket. \
    The game is a relay room of mp. Game, mp-server and mp-server tunnel share a core, and the CPU \
    time is that of all three. Times are round trips: a message passes the tunnel on its way to the \
    game and on its way back.";
