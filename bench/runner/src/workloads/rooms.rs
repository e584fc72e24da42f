//! Many rooms of one mp-server: empty ones, small ones, and some that are created all the time.

use crate::goal::Goal;
use crate::sample::Metric;
use crate::workload::{Area, Contender, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    vec![
        Workload {
            title: "10,000 rooms without clients".to_owned(),
            load: words("empty-rooms --rooms 10000"),
            rooms: 10_000,
            contenders: vec![enet_rooms("mp-server").with_admin()],
            goals: vec![
                Goal::at_most(Metric::RoomMemory, "mp-server", 30.0 * 1_024.0),
                Goal::at_most(Metric::Share, "mp-server", 0.005),
                Goal::at_most(Metric::Scrape, "mp-server", 100_000.0),
            ],
            note: "The rooms are created over the admin API; \"create\" is the time of such a request, of the first 500, which are sent one after another. \"scrape\" is the longest of 20 requests for all statistics (`/metrics`).",
            ..workload("rooms-empty-10000")
        },
        Workload {
            title: "1,000 rooms with 2 idle Godot clients each, over ENet".to_owned(),
            load: words("udp --pattern idle --dialect godot --channels 255"),
            clients: 2_000,
            contenders: vec![
                enet_rooms("mp-server").with_clients(2_000).with_load("--rooms 1000"),
                Contender::new(
                    ONE_ROOM,
                    Program::MpServer,
                    &["--enet", "127.0.0.1:0", "--ws", "off", "--log", "warn"],
                )
                .with_clients(256),
            ],
            goals: vec![Goal::ratio(Metric::ClientShare, "mp-server", 1.2, ONE_ROOM)],
            note: "\"mp-server, one room\" has the 256 clients of idle-room-256 in one room.",
            ..workload("rooms-idle-1000x2")
        },
        Workload {
            title: "1,000 rooms with 2 idle Godot clients each, over WebSocket".to_owned(),
            load: words("stream --frames godot --in-flight 0 --clients 2000 --rooms 1000"),
            clients: 2_000,
            contenders: vec![Contender::new(
                "mp-server",
                Program::MpServer,
                &["--config", "bench/rooms/websocket.toml"],
            )],
            goals: vec![Goal::at_most(Metric::Share, "mp-server", 0.02)],
            note: "Each client is sent a pong every 5 s.",
            ..workload("ws-rooms-idle-1000x2")
        },
        Workload {
            title: "32 rooms with 2 clients each, who send 30 messages per second to each other, \
                while 100 further rooms per second are created and closed"
                .to_owned(),
            operation: "a message delivered to one client",
            load: words(
                "udp --pattern ring --dialect godot --size 63 --channels 255 --clients 64 \
                --rooms 32 --rate 30",
            ),
            clients: 64,
            contenders: vec![
                enet_rooms("mp-server").with_admin().with_load("--creations 100").with_windows(5),
                enet_rooms(NO_CREATIONS).with_windows(5),
            ],
            goals: vec![
                Goal::ratio(Metric::P99, "mp-server", 1.2, NO_CREATIONS).with_explanation(CHURN),
                Goal::at_least(Metric::Delivered, "mp-server", 1.0),
                Goal::at_least(Metric::Rooms, "mp-server", 98.0),
            ],
            is_idle: false,
            note: "The rooms are created over the admin API, on the core of the other rooms, and close after a second. \"create\" is the time from when a room was due until it was open.",
            ..workload("rooms-churn")
        },
    ]
}

/// Returns a server whose ENet clients select rooms.
fn enet_rooms(name: &'static str) -> Contender {
    Contender::new(name, Program::MpServer, &["--config", "bench/rooms/enet.toml"])
}

const CHURN: &str = "A room takes some 150 µs of CPU time with its request (the difference of \"core\" in \
    a quiet round), which cannot delay messages by milliseconds. Of two rounds, both servers had 1.6 ms \
    in one. In the other, with 12.0 and 5.9 ms, both took more CPU time for the same messages: \
    something else used the machine.";

const ONE_ROOM: &str = "mp-server, one room";
const NO_CREATIONS: &str = "mp-server, no creations";

fn workload(name: &'static str) -> Workload {
    Workload { operation: "nothing", is_idle: true, ..Workload::new(name, Area::Rooms) }
}
