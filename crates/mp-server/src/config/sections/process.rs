//! Settings of the file, the log and the end of the process.

use crate::config::key::{Key, Kind, Preset};
use crate::config::rules::LOG_FILTER;

pub(super) const TOP: &[Key] = &[
    Key::new(
        "version",
        Kind::Number { min: 1, max: 1 },
        Preset::Number(1),
        "Version of this file's format",
    ),
    Key::new(
        "dev",
        Kind::Switch,
        Preset::Switch(false),
        "Development: operators simulate bad links to players, and need no token on loopback

See [link], and `mp-server ctl link --help`.",
    )
    .flag("dev"),
];

pub(super) const LOG: &[Key] = &[
    Key::new(
        "filter",
        Kind::Text(&LOG_FILTER),
        Preset::Text("info"),
        "Log events on standard error: error, warn, info, debug, trace, or filters by module \
(mp_scene=debug)

At info: start, end, and at most once per second the number of players who joined and left. Events \
of single players are at debug, so that no player can fill a disk.",
    )
    .flag("log")
    .formerly(&["level"])
    .now(),
    Key::new(
        "format",
        Kind::Word(&["text", "json"]),
        Preset::Text("text"),
        "Format of the log: text for reading, json with one object per line for programs",
    )
    .flag("log-format"),
];

pub(super) const SHUTDOWN: &[Key] = &[Key::new(
    "drain_timeout",
    Kind::Seconds { min: 0, max: 86_400 },
    Preset::Number(30),
    "Seconds that a stopping server waits for its players to leave",
)
.formerly(&["shutdown_grace_sec"])
.now()];
