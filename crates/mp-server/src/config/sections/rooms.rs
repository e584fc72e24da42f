//! Settings of rooms and their templates.

use crate::config::key::{Key, Kind, Preset};
use crate::config::rules::{CODE, DIRECTORY, HOST_KEY, METADATA_KEY, NAME, PACKET, WORDS};

pub(super) const TEMPLATE: &[Key] = &[
    Key::new("type", Kind::Text(&NAME), Preset::Text("relay"), "Type of the rooms").now(),
    Key::new(
        "max_players",
        Kind::Number { min: 1, max: 4_095 },
        Preset::Number(256),
        "Maximum number of players of a room, 1 to 4095

Further ones are rejected. Each player is notified of all others, so the traffic of a busy room \
grows with the square of this number.",
    )
    .flag("max-clients")
    .formerly(&["max_participants", "max_clients"])
    .now(),
    Key::new(
        "auto_create",
        Kind::Switch,
        Preset::Switch(true),
        "Create a room when the first player selects it",
    )
    .now(),
    Key::new(
        "empty_timeout",
        Kind::Seconds { min: 0, max: 31_536_000 },
        Preset::Number(300),
        "Seconds after which a room that no player has joined is closed; 0: never",
    )
    .formerly(&["auto_dispose"])
    .now(),
    Key::new(
        "departure_timeout",
        Kind::Seconds { min: 0, max: 31_536_000 },
        Preset::Number(20),
        "Seconds after which a room is closed that the last player has left; 0: never",
    )
    .now(),
    Key::new(
        "relay",
        Kind::Switch,
        Preset::Switch(true),
        "Relay packets between players; without it they reach only the server",
    )
    .now(),
    Key::new(
        "host",
        Kind::Word(&["none", "first", "role:host", "tunnel"]),
        Preset::Text("none"),
        "Player that is the server of the others: the first one, the first with the role host, or a game beside mp-server tunnel

The host runs the game with authority over its nodes, and the others see it as peer 1. It needs \
no open port. They are disconnected when it leaves, unless there is a next_host. With tunnel the \
host is a game that calls create_server as ever: mp-server tunnel connects it with the room. Rooms \
of other types have no host.",
    )
    .now(),
    Key::new(
        "host_key",
        Kind::Text(&HOST_KEY),
        Preset::Unset("none"),
        "Key of the hosts of rooms with host = \"tunnel\"; without one they need a token with the role host",
    )
    .example(r#""a key of 16 characters or more""#)
    .now(),
    Key::new(
        "host_grace",
        Kind::Seconds { min: 0, max: 3_600 },
        Preset::Number(30),
        "Seconds for which a game waits when its host has left

mp-server tunnel can come back in this time. With next_host, the game is paused before that player \
is the host.",
    )
    .now(),
    Key::new(
        "next_host",
        Kind::Word(&["none", "oldest", "lowest_rtt", "role:host"]),
        Preset::Text("none"),
        "Player that becomes the host when the host has left: the one that has been in the room for \
the longest time, the one with the lowest round-trip time, or the first of those with the role host

The others keep their connections and nodes. Players who join meanwhile receive the nodes from the \
room. Spectators do not become hosts.",
    )
    .now(),
    Key::new(
        "host_message",
        Kind::Text(&PACKET),
        Preset::Text("become_host"),
        "Text that the next host receives as a raw packet

Godot passes it to the signal peer_packet, with the id 1.",
    )
    .now(),
    Key::new(
        "keep",
        Kind::Switch,
        Preset::Switch(false),
        "Keep the state of a game that no player can host in the folder of [snapshots]

A later room of the same name, template and code goes on from it: players receive its nodes, and the \
first one that may be the host becomes it. The state is saved when host_grace is over, when a room \
closes without a host, and at the end of the server.",
    )
    .now(),
    Key::new(
        "private",
        Kind::Switch,
        Preset::Switch(false),
        "Leave the rooms out of lists, and admit only players who know the code",
    )
    .now(),
    Key::new("code", Kind::Text(&CODE), Preset::Unset("none"), "Code of private rooms")
        .example(r#""CODE""#)
        .now(),
    Key::new("locked", Kind::Switch, Preset::Switch(false), "Reject new players").now(),
    Key::new(
        "own_thread",
        Kind::Switch,
        Preset::Switch(false),
        "Run each room on a thread of its own

For rooms of a program that may take long: they cannot delay other rooms then. Other rooms share \
threads, one per core.",
    )
    .now(),
    Key::new(
        "moves",
        Kind::Switch,
        Preset::Switch(false),
        "Let operators and programs move players between the rooms and others with this setting

A player who moves stays connected. Nodes have larger ids in such rooms: each call is one to three \
bytes longer. Rooms with a host take no part.",
    )
    .now(),
    Key::new(
        "resume",
        Kind::Seconds { min: 0, max: 3_600 },
        Preset::Number(0),
        "Seconds for which a player whose connection was lost is kept; 0: players leave at once

The other players notice nothing unless the time is over. A player receives a ticket for it as a \
raw packet, {\"code\": \"resume\", \"ticket\": …}, and resumes its session with it: over WebSocket \
and WebRTC by the query ?resume=TICKET, with the same peer id; over ENet by an authentication \
packet, with a new one.",
    )
    .now(),
    Key::new(
        "notify",
        Kind::Switch,
        Preset::Switch(false),
        "Send players the server's announcements, and the reason why it disconnects them, as raw packets

Godot passes them to the signal peer_packet, with the id 1: {\"code\": \"kicked\", \"text\": …}; the \
codes are announcement, draining, replaced, banned and kicked. Over WebSocket the close reason \
begins with the code in any case.",
    )
    .now(),
    Key::new(
        "record",
        Kind::Text(&DIRECTORY),
        Preset::Unset("the rooms are not recorded"),
        "Directory of recordings of the rooms, for mp-server replay

A recording has all packets of the players, what they write in chats included, but not their \
addresses and credentials. Each room writes a file that only the user of the server may read \
(Unix). Only rooms of the type relay are recorded, without moves, resume and host = \"tunnel\".",
    )
    .example(r#""recordings""#)
    .now(),
    Key::new(
        "record_minutes",
        Kind::Number { min: 0, max: 1_440 },
        Preset::Number(0),
        "Minutes that a recording keeps: the last ones; 0: all

The beginning is dropped in steps, so that a recording has up to half as much again.",
    )
    .now(),
    Key::new(
        "record_on_demand",
        Kind::Switch,
        Preset::Switch(false),
        "Record a room only from mp-server ctl record on, not from its start",
    )
    .now(),
    Key::new(
        "record_bytes",
        Kind::Bytes { min: 1 << 20, max: 1 << 50 },
        Preset::Number(1 << 30),
        "Maximum size of all recordings in the directory in bytes

The oldest ones are deleted first. If that is not enough, a recording ends.",
    )
    .now(),
    Key::new(
        "record_retention",
        Kind::Seconds { min: 0, max: 315_360_000 },
        Preset::Number(604_800),
        "Seconds after which a recording is deleted; 0: only if there are too many",
    )
    .now(),
    Key::new("metadata", Kind::Table, Preset::EmptyTable, "Texts for lists of rooms")
        .example(r#"{ mode = "duel", map = "harbor" }"#)
        .now(),
    Key::new(
        "matchmaking",
        Kind::Switch,
        Preset::Unset("auto_create"),
        "Let players request seats in the rooms over the port of [match], also in new rooms",
    )
    .example("true")
    .now(),
    Key::new(
        "seat_timeout",
        Kind::Seconds { min: 1, max: 3_600 },
        Preset::Number(15),
        "Seconds after which a seat is free again that its player has not taken",
    )
    .formerly(&["seat_reservation_timeout"])
    .now(),
    Key::new(
        "player_metadata",
        Kind::Texts(&METADATA_KEY),
        Preset::EmptyList,
        "Keys of metadata that players may set when their request creates a room",
    )
    .example(r#"["mode", "map"]"#)
    .formerly(&["filter_by"])
    .now(),
    Key::new(
        "queue_players",
        Kind::Number { min: 0, max: 64 },
        Preset::Number(0),
        "Number of players of a group of the queue; 0: the template has no queue

A group receives a room of its own, which is locked.",
    )
    .now(),
    Key::new(
        "queue_rank_window",
        Kind::Number { min: 0, max: u32::MAX as i64 },
        Preset::Unset("all ranks"),
        "Maximum difference of the ranks of a group",
    )
    .example("100")
    .now(),
    Key::new(
        "queue_rank_growth",
        Kind::Number { min: 0, max: u32::MAX as i64 },
        Preset::Number(0),
        "Growth of the maximum difference per second that a player waits",
    )
    .now(),
    Key::new(
        "queue_rank_attribute",
        Kind::Text(&WORDS),
        Preset::Unset("the rank of the request"),
        "Attribute of a player's identity that is its rank in the queue, so that it cannot claim another

The attribute is a number in the claim mp.attributes of the token, or of the response of the service. \
Players without it are refused.",
    )
    .example(r#""elo""#)
    .now(),
    Key::new(
        "queue_confirm_timeout",
        Kind::Seconds { min: 0, max: 600 },
        Preset::Number(0),
        "Seconds in which all players of a group must confirm; 0: they need not",
    )
    .now(),
    Key::new(
        "queue_timeout",
        Kind::Seconds { min: 1, max: 86_400 },
        Preset::Number(300),
        "Seconds after which a player leaves the queue without a group",
    )
    .now(),
    Key::new(
        "queue_max_players",
        Kind::Number { min: 1, max: 1_000_000 },
        Preset::Number(10_000),
        "Maximum number of players in the queue",
    )
    .now(),
    Key::new(
        "packets_per_second",
        Kind::Number { min: 0, max: 100_000_000 },
        Preset::Number(0),
        "Maximum rate of packets that the players of a room may send in sum; 0: no limit",
    )
    .now(),
    Key::new(
        "bytes_per_second",
        Kind::Bytes { min: 0, max: 1 << 40 },
        Preset::Number(0),
        "Maximum rate of bytes that the players of a room may send in sum; 0: no limit",
    )
    .now(),
];

pub(super) const ROOM: &[Key] = &[
    Key::new("name", Kind::Text(&NAME), Preset::Required, "Name by which players select the room")
        .example(r#""lobby""#),
    Key::new("template", Kind::Text(&NAME), Preset::Text("default"), "Template of the room"),
    Key::new(
        "max_players",
        Kind::Number { min: 1, max: 4_095 },
        Preset::Unset("that of the template"),
        "Maximum number of players",
    )
    .example("16")
    .formerly(&["max_participants", "max_clients"])
    .now(),
    Key::new("private", Kind::Switch, Preset::Unset("that of the template"), "As in the template")
        .example("true")
        .now(),
    Key::new(
        "code",
        Kind::Text(&CODE),
        Preset::Unset("that of the template"),
        "As in the template",
    )
    .example(r#""CODE""#)
    .now(),
    Key::new("locked", Kind::Switch, Preset::Unset("that of the template"), "As in the template")
        .example("false")
        .now(),
    Key::new(
        "metadata",
        Kind::Table,
        Preset::Unset("that of the template"),
        "Texts for lists of rooms, in place of the template's",
    )
    .example(r#"{ map = "harbor" }"#)
    .now(),
];
