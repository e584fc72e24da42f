//! Settings of the section `limits`.

use crate::config::key::{Key, Kind, Preset};
use crate::config::rules::FILE;

pub(super) const LIMITS: &[Key] = &[
    Key::new(
        "max_clients",
        Kind::Number { min: 1, max: 65_535 },
        Preset::Number(256),
        "Maximum number of players on the server

Further ones are rejected. The flag sets max_players of the template `default` as well.",
    )
    .flag("max-clients")
    .formerly(&["max_peers", "max_connections"]),
    Key::new(
        "max_clients_per_address",
        Kind::Number { min: 1, max: 4_095 },
        Preset::Unset("no limit"),
        "Maximum number of players from one IP address, 1 to 4095

Players behind one router share an address. All addresses of an IPv6 network of 64 bits count as \
one.",
    )
    .now()
    .example("8")
    .flag("max-clients-per-address"),
    Key::new(
        "handshakes_per_second",
        Kind::Number { min: 0, max: 1_000_000 },
        Preset::Number(0),
        "Maximum number of new connections per second; 0: no limit",
    )
    .now(),
    Key::new(
        "packets_per_second",
        Kind::Number { min: 0, max: 10_000_000 },
        Preset::Number(0),
        "Maximum rate of packets that a player may send; 0: no limit

Above a rate, unreliable packets are dropped, and reliable ones are received later, so that the \
player slows down. The limits of packets and bytes apply both.",
    )
    .now()
    .formerly(&["max_messages_per_second"]),
    Key::new(
        "packets_burst",
        Kind::Number { min: 0, max: 10_000_000 },
        Preset::Unset("the packets of two seconds"),
        "Number of packets that a player may send at once beyond the rate",
    )
    .now()
    .example("120"),
    Key::new(
        "bytes_per_second",
        Kind::Bytes { min: 0, max: 1 << 40 },
        Preset::Number(0),
        "Maximum rate of bytes that a player may send; 0: no limit",
    )
    .now(),
    Key::new(
        "bytes_burst",
        Kind::Bytes { min: 0, max: 1 << 40 },
        Preset::Unset("the bytes of two seconds"),
        "Number of bytes that a player may send at once beyond the rate",
    )
    .now()
    .example("1_000_000"),
    Key::new(
        "max_rate_excess",
        Kind::Seconds { min: 0, max: 86_400 },
        Preset::Number(0),
        "Seconds after which a player is disconnected who sends more than the rates; 0: never

A pause of one second restarts the time.",
    )
    .now(),
    Key::new(
        "max_packet_size",
        Kind::Bytes { min: 1_024, max: 32 << 20 },
        Preset::Number(32 << 20),
        "Largest packet in bytes that a player may send",
    )
    .flag("max-packet-size"),
    Key::new(
        "max_reliable_queue",
        Kind::Bytes { min: 64 << 10, max: u32::MAX as i64 },
        Preset::Number(64 << 20),
        "Maximum of reliable bytes queued for one player, who is disconnected beyond",
    )
    .flag("max-reliable-queue"),
    Key::new(
        "max_rooms",
        Kind::Number { min: 1, max: 1_000_000 },
        Preset::Number(10_000),
        "Maximum number of rooms",
    ),
    Key::new(
        "max_rooms_per_owner",
        Kind::Number { min: 0, max: 1_000_000 },
        Preset::Number(0),
        "Maximum number of rooms that one player has created; 0: no limit

A room that a player creates by joining it counts until it closes. Players without an identity \
(identity.method is open or secret) have no limit.",
    ),
    Key::new(
        "max_memory",
        Kind::Bytes { min: 0, max: 1 << 46 },
        Preset::Number(0),
        "Memory in bytes beyond which new players and rooms are rejected; 0: no limit

The resident memory of the process, which is known on Linux alone.",
    ),
    Key::new(
        "max_lateness",
        Kind::Number { min: 0, max: 60_000 },
        Preset::Number(0),
        "Milliseconds by which the server may be late before new players and rooms are rejected; 0: no \
limit

It must be late for half a second. It accepts players again after two seconds below half of the \
value. The thread of the listeners is measured, and each thread of rooms, whose rooms alone reject \
players while another thread can run new rooms.",
    ),
    Key::new(
        "ban_file",
        Kind::Text(&FILE),
        Preset::Unset("bans end with the process"),
        "File that keeps the bans of IP addresses

The server writes it. A damaged file is renamed, and reported as a warning.",
    )
    .example(r#""bans""#),
];
