//! Simulated link conditions of all connections.

use crate::config::key::{Key, Kind, Preset};
use crate::config::rules::{LINK_DELAY, LINK_PERCENTAGE};

pub(super) const LINK: &[Key] = &[
    Key::new("latency", Kind::Text(&LINK_DELAY), Preset::Text("0ms"), "Delay of each direction"),
    Key::new(
        "jitter",
        Kind::Text(&LINK_DELAY),
        Preset::Text("0ms"),
        "Maximum further delay, drawn for each datagram",
    ),
    Key::new(
        "loss",
        Kind::Text(&LINK_PERCENTAGE),
        Preset::Text("0%"),
        "Part of the datagrams that is lost

The protocol repeats reliable data.",
    ),
    Key::new(
        "duplication",
        Kind::Text(&LINK_PERCENTAGE),
        Preset::Text("0%"),
        "Part of the datagrams that arrives twice",
    )
    .formerly(&["duplicates"]),
    Key::new(
        "reordering",
        Kind::Text(&LINK_PERCENTAGE),
        Preset::Text("0%"),
        "Part of the datagrams that others overtake",
    ),
    Key::new(
        "bytes_per_second",
        Kind::Bytes { min: 0, max: 1 << 40 },
        Preset::Number(0),
        "Rate of each direction of a connection in bytes; 0: no limit",
    ),
];
