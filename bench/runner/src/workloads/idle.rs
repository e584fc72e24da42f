//! Clients that are connected and say nothing; and as many of them as ENet allows.

use crate::goal::Goal;
use crate::sample::Figure;
use crate::workload::{Area, Contender, Idle, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    vec![
        Workload {
            title: "500 ENet clients with 255 channels that say nothing".to_owned(),
            load: words("enet --pattern idle --clients 500 --channels 255"),
            contenders: vec![
                Contender::new("mp", Program::Binary("enet-mp"), &["echo", "--channels", "255"]),
                Contender::new("C ENet", Program::EnetC, &["echo", "512", "255"]),
                Contender::new(
                    "rusty_enet",
                    Program::Binary("enet-rusty"),
                    &["echo", "--channels", "255"],
                ),
            ],
            goals: vec![Goal::at_most(Figure::Memory, "mp", 4.0 * 1_024.0)],
            ..workload("idle-500", 500)
        },
        Workload {
            title: "256 of Godot's clients in a room that say nothing".to_owned(),
            load: words("enet --pattern idle --dialect godot --clients 256 --channels 255"),
            contenders: vec![
                Contender::new(
                    "mp-server",
                    Program::MpServer,
                    &["--enet", "127.0.0.1:0", "--ws", "off", "--log", "warn"],
                ),
                Contender::new("Godot", Program::Godot("res://relay.gd"), &["--fps", "60"]),
            ],
            goals: vec![
                Goal::at_most(Figure::Resident, "mp-server", 12.0 * 1_048_576.0),
                Goal::ratio(Figure::Memory, "mp-server", 1.0, "Godot"),
            ],
            ..workload("idle-room-256", 256)
        },
        Workload {
            title: "4,095 ENet clients, each sends 5 messages per second to the next".to_owned(),
            operation: "a message passed on",
            load: words("enet --pattern ring --clients 4095 --rate 5"),
            contenders: vec![
                Contender::new("mp", Program::Binary("enet-mp"), &["next", "--peers", "4095"]),
                Contender::new("C ENet", Program::EnetC, &["next", "4095", "2"]),
            ],
            goals: vec![Goal::at_least(Figure::Delivered, "mp", 1.0)],
            is_idle: false,
            ..workload("full-4095", 4_095)
        },
        Workload {
            title:
                "1,000 of Godot's clients in one room, each sends a message per second to the next"
                    .to_owned(),
            operation: "a message delivered to one client",
            load: words(
                "enet --pattern ring --dialect godot --size 63 --clients 1000 --rate 1 --channels 255",
            ),
            contenders: vec![Contender::new(
                "mp-server",
                Program::MpServer,
                &["--enet", "127.0.0.1:0", "--ws", "off", "--log", "warn", "--max-clients", "1000"],
            )],
            goals: vec![Goal::at_least(Figure::Delivered, "mp-server", 1.0)],
            is_idle: false,
            note: "Each client is told of all others: a million announcements before the first message.",
            ..workload("full-room-1000", 1_000)
        },
    ]
}

fn workload(name: &'static str, clients: u32) -> Workload {
    Workload {
        name,
        area: Area::Idle,
        title: String::new(),
        operation: "nothing",
        load: Vec::new(),
        clients,
        contenders: Vec::new(),
        goals: Vec::new(),
        idle: Idle::Counts,
        is_idle: true,
        note: "",
    }
}
