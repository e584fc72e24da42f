//! Idle clients, and rooms with as many clients as ENet allows.

use crate::goal::Goal;
use crate::sample::Metric;
use crate::workload::{Area, Contender, FULL_ROOM, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    vec![
        Workload {
            title: "500 idle ENet clients with 255 channels".to_owned(),
            load: words("udp --pattern idle --clients 500 --channels 255"),
            contenders: vec![
                Contender::new("mp", Program::Binary("enet-mp"), &["echo", "--channels", "255"]),
                Contender::new("C ENet", Program::EnetC, &["echo", "512", "255"]),
                Contender::new(
                    "rusty_enet",
                    Program::Binary("enet-rusty"),
                    &["echo", "--channels", "255"],
                ),
            ],
            goals: vec![Goal::at_most(Metric::Memory, "mp", 4.0 * 1_024.0)],
            ..workload("idle-500", 500)
        },
        Workload {
            title: "256 idle Godot clients in a room".to_owned(),
            load: words("udp --pattern idle --dialect godot --clients 256 --channels 255"),
            contenders: vec![
                Contender::new(
                    "mp-server",
                    Program::MpServer,
                    &["--enet", "127.0.0.1:0", "--ws", "off", "--log", "warn"],
                ),
                Contender::new("Godot", Program::Godot("res://relay.gd"), &["--fps", "60"]),
            ],
            goals: vec![
                Goal::at_most(Metric::Resident, "mp-server", 12.0 * 1_048_576.0)
                    .with_explanation(PROGRAM_PAGES),
                Goal::at_most(Metric::Anonymous, "mp-server", 6.0 * 1_048_576.0),
                Goal::ratio(Metric::Memory, "mp-server", 1.0, "Godot"),
                Goal::at_most(Metric::Memory, "mp-server", 12.0 * 1_024.0)
                    .with_explanation(FREE_MEMORY),
            ],
            note: IDLE_ROOM,
            ..workload("idle-room-256", 256)
        },
        Workload {
            title: "4,095 ENet clients, each sends 5 messages per second to the next".to_owned(),
            operation: "a message forwarded",
            load: words("udp --pattern ring --clients 4095 --rate 5"),
            contenders: vec![
                Contender::new("mp", Program::Binary("enet-mp"), &["next", "--peers", "4095"]),
                Contender::new("C ENet", Program::EnetC, &["next", "4095", "2"]),
            ],
            goals: vec![Goal::at_least(Metric::Delivered, "mp", 1.0)],
            is_idle: false,
            ..workload("full-4095", 4_095)
        },
        full_room("full-room-1000", 1_000),
        Workload {
            goals: vec![
                Goal::at_least(Metric::Delivered, "mp-server", 1.0),
                Goal::at_most(Metric::Joined, "mp-server", 10e6),
                Goal::at_most(Metric::AtEnd, "mp-server", 300e6),
            ],
            ..full_room(FULL_ROOM, 4_095)
        },
    ]
}

const IDLE_ROOM: &str = "\"of it heap\": without the pages of files, such as the program. With \
    256 clients mp-server grows by 7 KiB per client after malloc_trim; the rest of the growth is free \
    memory that the announcements used while all joined: at the peak of 7.5 MB, 48 % were ENet's reliable commands in \
    flight, and 20 % other queued packets (heaptrack, when a command took 160 bytes; now it takes 88). Other allocators, preloaded, in KiB per client: glibc 22 \
    to 24, with one arena 19, mimalloc 20, mimalloc that returns memory at once 11, jemalloc 33, with one arena and a decay of 1 s 17.";

const FREE_MEMORY: &str = "All but 7 KiB is memory that the program has freed and the allocator keeps for \
    itself, in pages with other memory (malloc_trim). mimalloc would return it only if it does so at once, \
    which it has to be compiled for, or with an environment variable.";

const PROGRAM_PAGES: &str = "Most of it are pages of the program's file, of which the kernel maps 64 KiB \
    around each page that is used: 10 MiB of code and 2.3 MiB of constants, then 2 MiB of libraries and 2 MiB of heap \
    (smaps). They are shared with other processes, and freed if memory is short.";

/// Returns a room with the given number of Godot clients.
fn full_room(name: &'static str, clients: u32) -> Workload {
    let load = format!(
        "udp --pattern ring --dialect godot --size 63 --clients {clients} --rate 1 --channels 255"
    );
    let most = clients.to_string();
    let server = ["--enet", "127.0.0.1:0", "--ws", "off", "--log", "warn", "--max-clients", &most];
    Workload {
        title: format!(
            "{clients} Godot clients in one room, each sends a message per second to the next"
        ),
        operation: "a message delivered to one client",
        load: words(&load),
        contenders: vec![Contender::new("mp-server", Program::MpServer, &server)],
        goals: vec![Goal::at_least(Metric::Delivered, "mp-server", 1.0)],
        is_idle: false,
        note: "Each client receives announcements of all others: 1,000 clients need a million announcements before the first message, 4,095 need 17 million. \"joined after\": time until all clients know all others.",
        ..workload(name, clients)
    }
}

fn workload(name: &'static str, clients: u32) -> Workload {
    Workload { operation: "nothing", clients, is_idle: true, ..Workload::new(name, Area::Idle) }
}
