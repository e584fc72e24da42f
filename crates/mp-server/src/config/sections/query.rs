//! Settings of server queries and of the sidecar of Agones.

use crate::config::key::{Key, Kind, Preset};
use crate::config::rules::SHORT_TEXT;

pub(super) const QUERY: &[Key] = &[
    Key::new(
        "enabled",
        Kind::Switch,
        Preset::Switch(false),
        "Answer queries of server lists on the ENet port: A2S_INFO, A2S_PLAYER and A2S_RULES

Clients must prove their address first, and at most 5 queries per second of an address are answered.",
    )
    .flag("query"),
    Key::new("name", Kind::Text(&SHORT_TEXT), Preset::Text("mp-server"), "Name of the server in lists")
        .now(),
    Key::new("game", Kind::Text(&SHORT_TEXT), Preset::Text("Godot"), "Name of the game in lists").now(),
    Key::new("map", Kind::Text(&SHORT_TEXT), Preset::Text("rooms"), "Name of the map in lists").now(),
    Key::new(
        "player_names",
        Kind::Switch,
        Preset::Switch(false),
        "List the names of players in public rooms

Names are those of tokens and of the service of [identity]. Anyone can read the list.",
    )
    .now(),
];

pub(super) const AGONES: &[Key] = &[Key::new(
    "enabled",
    Kind::Switch,
    Preset::Switch(false),
    "Report the server to the Agones sidecar of its pod: ready, health, counters, shutdown

The port of the sidecar is that of the environment variable AGONES_SDK_HTTP_PORT, or 9358. The \
counters rooms and players are updated if the GameServer has them.",
)
.flag("agones")];
