//! The players of one room are on three nodes: Godot and Rust clients, then bots. What the nodes
//! report agrees.

use std::process::Command;

use serde_json::Value;

use super::bots::Bots;
use super::node::{LOBBY, Node, NodeSettings};
use super::nodes::{NODES, Nodes};
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, has_event, now, wait_for_all};
use crate::scenario_run::{ROOM, check_all};
use crate::suite::Suite;
use crate::workspace::program;

/// Runs the scenario `room` with players of three nodes over ENet and WebSocket, and bots that call
/// each other.
///
/// # Errors
///
/// Returns the players that have not passed, or the first values of nodes that differ.
pub(super) fn play(godot: &Godot) -> Result<String, String> {
    let nodes = Nodes::start("shared-room", SETTINGS)?;
    let mut players = join(&nodes, godot)?;
    let limit = now() + PROCESS_TIMEOUT;
    let is_ready = |player: &mut Process| {
        player.wait_until(limit, |player| has_event(&player.output(), "ready_for_close"))
    };
    if !players.iter_mut().all(is_ready) {
        check_all(&mut players)?;
        return Err("a player has left before the room was closed".to_owned());
    }
    let owner = owner(&nodes)?;
    let here = nodes.node(owner).rooms()?.get(LOBBY).copied();
    if here != Some(PLAYERS as u64) {
        return Err(format!("the room has {here:?} players, expected {PLAYERS}"));
    }
    nodes.node(owner).close(LOBBY)?;
    wait_for_all(&mut players, now() + PROCESS_TIMEOUT);
    check_all(&mut players)?;
    let calls = bots(&nodes)?;
    nodes.check_permissions()?;
    Ok(format!("{PLAYERS} players of three nodes in one room; {calls} calls of bots answered"))
}

/// Starts players on each node, over ENet and WebSocket.
fn join(nodes: &Nodes, godot: &Godot) -> Result<Vec<Process>, String> {
    let (project, interop) = (Suite::own_folder(), program("mp-interop", "MP_INTEROP_BIN")?);
    let mut players = Vec::new();
    for index in 0..PLAYERS {
        let node = nodes.node(index % NODES);
        let is_godot = index % 2 == 0;
        let (transport, port) = match index < NODES {
            true => ("enet", node.enet()),
            false => ("ws", node.ws()),
        };
        let mut command = match is_godot {
            true => godot.command(&project),
            false => Command::new(&interop),
        };
        command.args(["--role=client".to_owned(), format!("--scenario={ROOM}")]);
        command.args([format!("--transport={transport}"), format!("--port={port}")]);
        command.args([format!("--peers={PLAYERS}"), format!("--index={index}")]);
        if is_godot {
            command.arg("--expect-close");
        }
        let program = if is_godot { "godot" } else { "rust" };
        let who = format!("{program}-{transport}-{}", node.name());
        let log = nodes.folder().join(format!("{who}.log"));
        players.push(Process::start(&who, &mut command, &log)?);
    }
    Ok(players)
}

/// Lets bots of all nodes play in the room, and compares what the nodes report. Returns the number
/// of calls that were answered.
fn bots(nodes: &Nodes) -> Result<u64, String> {
    nodes.until("the room is closed", |nodes| Ok(nodes.owners(LOBBY)?.is_empty()))?;
    let enet = nodes.living().map(|node| format!("enet://127.0.0.1:{}", node.enet()));
    let addresses: Vec<_> = enet.chain(nodes.living().map(|node| node.url(LOBBY))).collect();
    let mut bots = Bots::start_alone(nodes, "bots", &addresses, BOTS)?;
    bots.until_players(BOTS)?;
    let owner = owner(nodes)?;
    let mut difference = String::new();
    let readings = nodes.until("the readings of the nodes agree", |nodes| {
        difference = difference_of(nodes, owner)?;
        Ok(difference.is_empty())
    });
    readings.map_err(|why| format!("{difference}\n{why}"))?;
    let report = bots.stop()?;
    report.check_undisturbed()?;
    let sum = |label: &str| -> Result<f64, String> {
        let frames = |node: &Node| -> Result<f64, String> {
            Ok(node.metrics()?.sum("mp_cluster_frames_total", label))
        };
        nodes.living().map(frames).sum()
    };
    nodes.until("each frame that was sent is received", |_| {
        Ok(sum("direction=\"sent\"")? == sum("direction=\"received\"")?)
    })?;
    Ok(report.count("replies"))
}

/// Returns the first reading of a node that is not as expected, from `/v1/cluster`, the metrics or
/// `ctl cluster`; an empty text if there is none.
fn difference_of(nodes: &Nodes, owner: usize) -> Result<String, String> {
    for index in 0..NODES {
        let node = nodes.node(index);
        let is_owner = index == owner;
        // Two endpoints of each node have a link to the room.
        let (guests, to, from) = if is_owner { (BOTS / NODES * 2, 0, 4) } else { (0, 2, 0) };
        let readings = [
            Reading::new("nodes", NODES, "mp_cluster_nodes", ""),
            Reading::new("rooms", usize::from(is_owner), "mp_cluster_rooms", "rooms here"),
            Reading::new("guests", guests, "mp_cluster_guests", "guests here"),
            Reading::new("waiting", 0, "mp_cluster_waiting", "waiting"),
            Reading::new(
                "links_to_others",
                to,
                "mp_cluster_links{direction=\"to\"}",
                "links to others",
            ),
            Reading::new(
                "links_from_others",
                from,
                "mp_cluster_links{direction=\"from\"}",
                "links from others",
            ),
        ];
        let (cluster, metrics, shown) = (node.cluster()?, node.metrics()?, node.ctl(&["cluster"])?);
        for Reading { key, expected, metric, line } in readings {
            let value = match &cluster[key] {
                Value::Array(values) => values.len() as u64,
                value => value.as_u64().unwrap_or(u64::MAX),
            };
            let (name, label) = metric.split_once('{').unwrap_or((metric, ""));
            let sample = metrics.sum(name, label.trim_end_matches('}'));
            let text = shown.lines().find_map(|it| it.strip_prefix(line)).unwrap_or_default();
            let is_shown = line.is_empty() || text.trim() == expected.to_string();
            if value != expected as u64 || sample != expected as f64 || !is_shown {
                let name = node.name();
                return Ok(format!(
                    "{key} of {name}: expected {expected}, /v1/cluster {value}, {metric} {sample}, \
                     ctl cluster {text:?}"
                ));
            }
        }
        let players = |id: &str| {
            let mut members = cluster["nodes"].as_array().into_iter().flatten();
            members.find(|it| it["id"] == id).and_then(|it| it["players"].as_u64())
        };
        let of_owner = players(nodes.node(owner).id());
        if of_owner != Some(BOTS as u64) {
            return Ok(format!("{} knows {of_owner:?} players of the owner", node.name()));
        }
    }
    Ok(String::new())
}

/// A value of a node in its three forms.
struct Reading {
    /// Key in `/v1/cluster`.
    key: &'static str,
    expected: usize,
    /// Sample, with its label.
    metric: &'static str,
    /// Start of the line of `ctl cluster`; empty if there is none.
    line: &'static str,
}

impl Reading {
    fn new(key: &'static str, expected: usize, metric: &'static str, line: &'static str) -> Self {
        Self { key, expected, metric, line }
    }
}

/// Returns the node that has the room.
fn owner(nodes: &Nodes) -> Result<usize, String> {
    match nodes.owners(LOBBY)?[..] {
        [owner] => Ok(owner),
        ref owners => {
            let names: Vec<_> = owners.iter().map(|it| nodes.node(*it)).map(Node::name).collect();
            Err(format!("the room is on the nodes {names:?}"))
        }
    }
}

const SETTINGS: NodeSettings = NodeSettings { enet: "room = \"lobby\"", template: "" };
/// Players of the scenario: two on each node.
const PLAYERS: usize = 2 * NODES;
/// Bots: as many over each transport of each node.
const BOTS: usize = 4 * NODES;
