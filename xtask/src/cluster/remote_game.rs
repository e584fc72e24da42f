//! Scenarios of interop whose server and players are on different nodes. The server listens on ENet
//! as ever, and is in a room of one node by `mp-server tunnel`; its players join on two others, by
//! ENet at one and by WebSocket at the other.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::node::{LOBBY, NodeSettings};
use super::nodes::Nodes;
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, has_event, now, wait_for_all};
use crate::scenario_run::{check_all, free_port};
use crate::suite::{Scenario, Suite};
use crate::workspace::program;

/// Runs scenarios of calls, relay and replication, with Godot as the players and mp-interop as
/// their server.
///
/// # Errors
///
/// Returns the sides that have not passed, with reasons.
pub(super) fn play(godot: &Godot, is_long: bool) -> Result<String, String> {
    let nodes = Nodes::start("remote-game", SETTINGS)?;
    let interop = program("mp-interop", "MP_INTEROP_BIN")?;
    let mut played = Vec::new();
    let mut play_suite = |suite: &Suite, names: &[&str]| {
        for name in names {
            let game = RemoteGame {
                nodes: &nodes,
                godot,
                interop: &interop,
                suite,
                scenario: suite.scenario(name)?,
            };
            game.play().map_err(|why| format!("{name}: {why}"))?;
            played.push((*name).to_owned());
        }
        Ok::<_, String>(())
    };
    play_suite(&Suite::read(&Suite::own_folder())?, &SHORT)?;
    if is_long {
        play_suite(&Suite::read(&Suite::own_folder())?, &LONG)?;
        if let Some(folder) = Suite::additional_folder() {
            play_suite(&Suite::read(&folder)?, &ADDITIONAL)?;
        }
    }
    nodes.check_permissions()?;
    Ok(format!("scenarios with server and players on different nodes: {}", played.join(", ")))
}

/// A scenario whose server is behind the first node, and whose players are on the others.
struct RemoteGame<'a> {
    nodes: &'a Nodes,
    godot: &'a Godot,
    interop: &'a Path,
    suite: &'a Suite,
    scenario: &'a Scenario,
}

impl RemoteGame<'_> {
    fn play(&self) -> Result<(), String> {
        let port = free_port()?;
        let mut command = Command::new(self.interop);
        command.arg(self.suite.option()).args(self.args("server", "enet", port));
        let mut server = Process::start("server", &mut command, &self.log("server"))?;
        let limit = now() + PROCESS_TIMEOUT;
        if !server.wait_until(limit, |server| has_event(&server.output(), "listening")) {
            return Err(format!("the server does not listen: {}", server.errors()));
        }
        let _tunnel = self.tunnel(port)?;
        let mut all = vec![server];
        for index in 0..self.scenario.clients {
            let node = self.nodes.node(1 + index as usize % 2);
            let (transport, port) = match index % 2 {
                1 if !CHANNELS.contains(&&*self.scenario.name) => ("ws", node.ws()),
                _ => ("enet", node.enet()),
            };
            let mut command = self.godot.command(&self.suite.folder);
            command.args(self.args("client", transport, port)).arg(format!("--index={index}"));
            let who = format!("client{index}");
            all.push(Process::start(&who, &mut command, &self.log(&who))?);
        }
        wait_for_all(&mut all, limit);
        check_all(&mut all)?;
        match self.nodes.owners(LOBBY)?[..] {
            [0] => Ok(()),
            ref owners => Err(format!("the game is on the nodes {owners:?}, expected the first")),
        }
    }

    /// Connects the server with the room.
    fn tunnel(&self, port: u16) -> Result<Process, String> {
        let mut command = Command::new(self.nodes.node(0).program());
        command.args(["tunnel", "--insecure", "--room", LOBBY, &format!("--key={KEY}")]);
        command.args(["--to", &format!("127.0.0.1:{port}")]);
        command.args(["--server", &format!("ws://127.0.0.1:{}", self.nodes.node(0).ws())]);
        let mut tunnel = Process::start("tunnel", &mut command, &self.log("tunnel"))?;
        let hosts = |tunnel: &Process| {
            [tunnel.output(), tunnel.errors()].iter().any(|text| text.contains("hosting "))
        };
        match tunnel.wait_until(now() + PROCESS_TIMEOUT, hosts) {
            true => Ok(tunnel),
            false => Err(format!("the tunnel does not host the room: {}", tunnel.errors())),
        }
    }

    fn args(&self, role: &str, transport: &str, port: u16) -> [String; 6] {
        [
            format!("--role={role}"),
            format!("--transport={transport}"),
            format!("--port={port}"),
            format!("--scenario={}", self.scenario.name),
            format!("--peers={}", self.scenario.clients),
            format!("--timeout={}", PROCESS_TIMEOUT.as_secs()),
        ]
    }

    fn log(&self, who: &str) -> PathBuf {
        self.nodes.folder().join(format!("{}.{who}.log", self.scenario.name))
    }
}

const SETTINGS: NodeSettings = NodeSettings {
    enet: "room = \"lobby\"",
    template: "host = \"tunnel\"\nhost_key = \"key of the game that CI plays\"\nhost_grace = 1",
};
const KEY: &str = "key of the game that CI plays";

/// Scenarios that check the channels and modes of packets, which WebSocket does not have: all
/// players use ENet.
const CHANNELS: [&str; 2] = ["relay", "rpc_modes"];
/// Scenarios of the project's own suite: calls, relay and replication.
const SHORT: [&str; 3] = ["calls", "relay", "nested"];
/// More of them.
const LONG: [&str; 9] =
    ["hello", "traffic", "rejoin", "containers", "player", "swap", "respawn", "hidden", "level"];
/// Scenarios of an additional suite.
const ADDITIONAL: [&str; 8] = [
    "rpc_basic",
    "rpc_modes",
    "relay",
    "spawner",
    "sync_always",
    "sync_delta",
    "sync_authority",
    "sync_visibility",
];
