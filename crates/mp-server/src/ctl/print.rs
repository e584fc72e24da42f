//! Responses of the admin API as text for people.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::record::shown;

/// Returns a table. Columns are as wide as their longest cell.
fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let widths = header.iter().enumerate().map(|(column, title)| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([title.len()]).max().unwrap_or_default()
    });
    let widths: Vec<_> = widths.collect();
    let header = header.iter().map(|title| (*title).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&header).chain(rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// Returns the rows of a list of the response.
fn rows(response: &Value, list: &str, row: impl Fn(&Value) -> Vec<String>) -> Vec<Vec<String>> {
    response[list].as_array().map(|entries| entries.iter().map(row).collect()).unwrap_or_default()
}

/// Returns a value as text, without control characters, which could change the terminal.
fn text(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().filter(|c| !c.is_control()).collect()
}

pub(super) fn status(response: &Value) -> String {
    let state = match response["reasons"].as_array() {
        Some(reasons) if !reasons.is_empty() => {
            reasons.iter().map(text).collect::<Vec<_>>().join(", ")
        }
        _ => "ready".to_owned(),
    };
    let mut rows = vec![
        vec!["state".to_owned(), state],
        vec!["version".to_owned(), text(&response["version"])],
        vec!["uptime".to_owned(), format!("{} s", text(&response["uptime_seconds"]))],
        vec!["players".to_owned(), text(&response["players"])],
        vec!["rooms".to_owned(), text(&response["rooms"]["open"])],
        vec!["joined".to_owned(), text(&response["joined"])],
    ];
    if let Some(bytes) = response["memory_bytes"].as_u64() {
        rows.push(vec!["memory".to_owned(), format!("{} MiB", bytes >> 20)]);
    }
    for (name, list) in [("listening", &response["listening"]), ("refused", &response["refused"])] {
        for (key, value) in list.as_object().into_iter().flatten() {
            rows.push(vec![format!("{name} {key}"), text(value)]);
        }
    }
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(text, "{:20} {}", row[0], row[1]);
    }
    text
}

pub(super) fn cluster(response: &Value) -> String {
    let lease = if response["has_lease"] == true { "held" } else { "lost" };
    let frames = ["frames_sent", "frames_received", "bytes_sent"].map(|key| text(&response[key]));
    let rows = [
        ("lease", lease.to_owned()),
        ("rooms here", text(&response["rooms"])),
        ("guests here", text(&response["guests"])),
        ("waiting", text(&response["waiting"])),
        ("links to others", text(&response["links_to_others"])),
        ("links from others", text(&response["links_from_others"])),
        ("frames", format!("{} sent, {} received", frames[0], frames[1])),
        ("bytes sent", frames[2].clone()),
    ];
    let mut shown = String::new();
    for (name, value) in rows {
        let _ = writeln!(shown, "{name:20} {value}");
    }
    for node in response["nodes"].as_array().into_iter().flatten() {
        let own = if node["id"] == response["node"] { ", this node" } else { "" };
        let drains = if node["accepts_rooms"] == true { "" } else { ", about to end" };
        let (players, capacity) = (text(&node["players"]), text(&node["capacity"]));
        let name = format!("node {}", text(&node["id"]));
        let named = node["name"].as_str().map(|name| format!(", {name}")).unwrap_or_default();
        let _ = writeln!(shown, "{name:20} {players} of {capacity} players{drains}{own}{named}");
        for (kind, address) in node["addresses"].as_object().into_iter().flatten() {
            if let Some(address) = address.as_str() {
                let _ = writeln!(shown, "  {kind:18} {address}");
            }
        }
    }
    shown
}

const ROOM: [&str; 5] = ["ROOM", "PLAYERS", "STATE", "TEMPLATE", "FLAGS"];

fn room_row(room: &Value) -> Vec<String> {
    let is = |key: &str| room[key] == true;
    let flags = [("locked", is("locked")), ("private", is("private"))];
    let flags: Vec<_> = flags.into_iter().filter(|(_, is_set)| *is_set).map(|it| it.0).collect();
    vec![
        text(&room["name"]),
        format!("{}/{}", text(&room["players"]), text(&room["max_players"])),
        text(&room["state"]),
        text(&room["template"]),
        flags.join(","),
    ]
}

pub(super) fn rooms(response: &Value) -> String {
    table(&ROOM, &rows(response, "rooms", room_row))
}

pub(super) fn room(response: &Value) -> String {
    table(&ROOM, &[room_row(response)])
}

pub(super) fn peers(response: &Value) -> String {
    let row = |peer: &Value| {
        let connection = &peer["connection"];
        let round_trip = connection["round_trip_seconds"].as_f64();
        let state = match (&peer["kept_seconds"], &peer["authenticating"]) {
            (Value::Null, Value::Bool(true)) => "authenticates".to_owned(),
            (Value::Null, _) => "connected".to_owned(),
            (seconds, _) => format!("kept {} s", text(seconds)),
        };
        vec![
            text(&peer["id"]),
            state,
            text(&peer["connected_seconds"]),
            round_trip.map_or_else(|| "-".to_owned(), |time| format!("{:.0} ms", time * 1_000.0)),
            text(&connection["bytes_received"]),
            text(&connection["bytes_sent"]),
            text(&connection["queued_bytes"]),
        ]
    };
    let header = ["PEER", "STATE", "SECONDS", "ROUND TRIP", "RECEIVED", "SENT", "QUEUED"];
    table(&header, &rows(response, "peers", row))
}

pub(super) fn link(response: &Value) -> String {
    let row = |name: &str, direction: &Value| {
        let number = |key: &str| direction[key].as_f64().unwrap_or_default();
        let time = |key: &str| format!("{:.0} ms", number(key) * 1_000.0);
        let part = |key: &str| format!("{:.1} %", number(key) * 100.0);
        vec![
            name.to_owned(),
            time("latency_seconds"),
            time("jitter_seconds"),
            part("loss"),
            part("duplication"),
            part("reordering"),
            text(&direction["bytes_per_second"]),
        ]
    };
    let header = ["PLAYER", "LATENCY", "JITTER", "LOSS", "DUPLICATION", "REORDERING", "BYTES/S"];
    let rows = [row("to", &response["to_player"]), row("from", &response["from_player"])];
    let count = |key: &str| text(&response[key]);
    format!(
        "{}datagrams lost: {}, dropped for lack of space: {}; bytes on their way: {}\n",
        table(&header, &rows),
        count("lost"),
        count("overflowed"),
        count("queued_bytes")
    )
}

/// Returns the nodes as a tree, and a line for each property of a synchronizer.
pub(super) fn nodes(response: &Value) -> String {
    if response["relay"] == true {
        return "a relay room: the server passes packets on, and has no nodes of its own\n"
            .to_owned();
    }
    let mut lines = Vec::new();
    for node in response["nodes"].as_array().into_iter().flatten() {
        let depth = node["depth"].as_u64().unwrap_or_default() as usize;
        let name = |name: &Value| format!("{}{}", "  ".repeat(depth.min(DEPTH_MAX)), text(name));
        let origin = match &node["spawned_by"] {
            Value::Null => "scene".to_owned(),
            peer => format!("spawned by {}", text(peer)),
        };
        lines.push(vec![
            name(&node["name"]),
            text(&node["kind"]),
            text(&node["authority"]),
            origin,
        ]);
        for property in node["properties"].as_array().into_iter().flatten() {
            let mode = text(&property["mode"]).replace('_', " ");
            let value = text(&property["value"]);
            lines.push(vec![format!("  {}", name(&property["path"])), mode, String::new(), value]);
        }
    }
    let omitted = match response["omitted"].as_u64() {
        None | Some(0) => String::new(),
        Some(omitted) => format!("and {omitted} more nodes\n"),
    };
    table(&["NODE", "KIND", "AUTHORITY", "ORIGIN OR VALUE"], &lines) + &omitted
}

/// Maximum depth that is shown.
const DEPTH_MAX: usize = 32;

pub(super) fn recordings(response: &Value) -> String {
    let row = |recording: &Value| {
        let seconds = recording["seconds"].as_u64().unwrap_or_default();
        let kept = match &recording["kept_minutes"] {
            Value::Null => "all".to_owned(),
            minutes => format!("last {}", text(minutes)),
        };
        vec![
            text(&recording["room"]),
            text(&recording["state"]).replace('_', " "),
            format!("{}:{:02}", seconds / 60, seconds % 60),
            kept,
            text(&recording["bytes"]),
            text(&recording["file"]),
        ]
    };
    let header = ["ROOM", "STATE", "MINUTES", "KEEPS", "BYTES", "FILE"];
    table(&header, &rows(response, "recordings", row))
}

pub(super) fn playback(response: &Value) -> String {
    let seconds = response["position_seconds"].as_f64().unwrap_or_default();
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let states = ["paused", "seeking", "ended"].into_iter().filter(|&it| response[it] == true);
    let states: String = states.map(|state| format!(", {state}")).collect();
    format!("at {}, speed {}{states}\n", shown(time), text(&response["speed"]))
}

pub(super) fn bans(response: &Value) -> String {
    let row = |ban: &Value| {
        let ends = &ban["ends"];
        let ends = if ends.is_null() { "never".to_owned() } else { text(ends) };
        let target = match &ban["address"] {
            Value::Null => format!("sub {}", text(&ban["sub"])),
            address => text(address),
        };
        vec![target, ends]
    };
    table(&["BANNED", "ENDS (UNIX TIME)"], &rows(response, "bans", row))
}

pub(super) fn banned(response: &Value) -> String {
    format!("banned; players disconnected: {}\n", text(&response["disconnected"]))
}

pub(super) fn joined_bots(response: &Value) -> String {
    let ids = response["ids"].as_array().map(|ids| ids.iter().map(text).collect::<Vec<_>>());
    format!("joined: {}\n", ids.unwrap_or_default().join(", "))
}

pub(super) fn ended_bots(response: &Value) -> String {
    format!("bots that leave: {}\n", text(&response["count"]))
}

pub(super) fn announced(response: &Value) -> String {
    format!(
        "sent to {} players in {} rooms\n",
        text(&response["players"]),
        text(&response["rooms"])
    )
}

pub(super) fn host_key(response: &Value) -> String {
    format!("{}\n", text(&response["key"]))
}

pub(super) fn reloaded(response: &Value) -> String {
    let list = |key: &str| {
        let paths = response[key].as_array().map(|it| it.iter().map(text).collect::<Vec<_>>());
        paths.filter(|it| !it.is_empty()).map_or_else(|| "none".to_owned(), |it| it.join(", "))
    };
    format!("applied: {}\nneed a restart: {}\n", list("applied"), list("needs_restart"))
}

pub(super) fn config(response: &Value) -> String {
    let row = |setting: &Value| {
        let cells = ["path", "value", "origin"];
        cells.iter().map(|&key| text(&setting[key])).collect()
    };
    table(&["SETTING", "VALUE", "ORIGIN"], &rows(response, "settings", row))
}

/// Returns the token alone, so that a shell can write it to a file.
pub(super) fn token(response: &Value) -> String {
    format!("{}\n", text(&response["token"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nodes_are_indented_and_names_have_no_control_characters() {
        let sync = json!({"name": "S\u{1b}", "depth": 1, "kind": "synchronizer", "authority": 7,
            "spawned_by": 7, "properties": [{"path": ".:health", "mode": "on_change", "value": "42"}]});
        let root = json!({"name": "root", "depth": 0, "kind": "node", "authority": 1});
        let response = json!({"relay": false, "nodes": [root, sync], "omitted": 3});
        let expected = "NODE          KIND          AUTHORITY  ORIGIN OR VALUE\n\
             root          node          1          scene\n  \
             S           synchronizer  7          spawned by 7\n    \
             .:health  on change                42\n\
             and 3 more nodes\n";
        assert_eq!(nodes(&response), expected);
        assert!(nodes(&json!({"relay": true})).starts_with("a relay room"));
    }

    #[test]
    fn columns_are_aligned_and_control_characters_are_left_out() {
        let response = json!({"bans": [
            {"address": "192.0.2.0/24", "ends": 5}, {"sub": "kay\u{1b}[2J"},
        ]});
        let lines = "BANNED        ENDS (UNIX TIME)\n192.0.2.0/24  5\nsub kay[2J    never\n";
        assert_eq!(bans(&response), lines);
    }
}
