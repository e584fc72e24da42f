//! [`Node`]: a process of mp-server that is a node of a cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use serde_json::{Value, json};

use crate::example::write;
use crate::metrics::{Metrics, call};
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::workspace::program;

/// The settings of all nodes of a cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeSettings {
    /// Lines of the ENet listener: the room of its players, or how they select one. WebSocket
    /// players select by path.
    pub(super) enet: &'static str,
    /// Lines of the template of all rooms.
    pub(super) template: &'static str,
}

/// A running node.
pub(super) struct Node {
    program: PathBuf,
    process: Process,
    ports: NodePorts,
    id: String,
}

/// The ports of a node, which its successor uses again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NodePorts {
    enet: u16,
    ws: u16,
    admin: u16,
}

impl Node {
    /// Starts a node, which reaches NATS at the port `nats`, and waits until it listens. Ports that
    /// are 0 are chosen by the system.
    pub(super) fn start(
        folder: &Path,
        name: &str,
        nats: u16,
        settings: NodeSettings,
        ports: NodePorts,
    ) -> Result<Self, String> {
        let NodeSettings { enet, template } = settings;
        let config = folder.join(format!("{name}.toml"));
        let text = format!(
            "[cluster]\nservers = [\"nats://127.0.0.1:{nats}\"]\nname = \"europe\"\nuser = \"mp\"\n\
             password = \"change-me\"\n[admin]\naddress = \"127.0.0.1:{admin}\"\n\
             [shutdown]\ndrain_timeout = {DRAIN_SECONDS}\n[template.default]\n{template}\n\
             [[listen]]\ntransport = \"enet\"\naddress = \"127.0.0.1:{enet_port}\"\n{enet}\n\
             [[listen]]\ntransport = \"websocket\"\naddress = \"127.0.0.1:{ws}\"\nroom = \"{LOBBY}\"\n\
             select = \"path\"\n",
            admin = ports.admin,
            enet_port = ports.enet,
            ws = ports.ws,
        );
        write(&config, &text)?;
        let program = program("mp-server", "MP_SERVER_BIN")?;
        let mut command = Command::new(&program);
        command.arg("--dev").arg("--config").arg(&config);
        let mut process = Process::start(name, &mut command, &config.with_extension("log"))?;
        // The log is written after the lines on standard output.
        process.wait_until(now() + PROCESS_TIMEOUT, |node| ports_in(&node.errors()).is_some());
        let Some(ports) = ports_in(&process.errors()) else {
            return Err(format!("the node {name} does not listen: {}", process.errors()));
        };
        let id = call(ports.admin, "GET", "/v1/cluster", &Value::Null)?;
        let id = id["node"].as_str().unwrap_or_default().to_owned();
        Ok(Self { program, process, ports, id })
    }

    /// Returns the name in messages.
    pub(super) fn name(&self) -> &str {
        &self.process.who
    }

    /// Returns the id in the cluster.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn ports(&self) -> NodePorts {
        self.ports
    }

    /// Returns the port of ENet players.
    pub(super) fn enet(&self) -> u16 {
        self.ports.enet
    }

    /// Returns the port of WebSocket players.
    pub(super) fn ws(&self) -> u16 {
        self.ports.ws
    }

    /// Returns the address of a room for players over WebSocket.
    pub(super) fn url(&self, room: &str) -> String {
        format!("ws://127.0.0.1:{}/{room}", self.ports.ws)
    }

    /// Returns the cluster as this node knows it.
    pub(super) fn cluster(&self) -> Result<Value, String> {
        self.get("/v1/cluster")
    }

    /// Returns the rooms on this node, with their numbers of players.
    pub(super) fn rooms(&self) -> Result<BTreeMap<String, u64>, String> {
        let page = self.get("/v1/rooms?limit=1000")?;
        let rooms = page["rooms"].as_array().into_iter().flatten();
        let name = |room: &Value| room["name"].as_str().unwrap_or_default().to_owned();
        Ok(rooms.map(|room| (name(room), room["players"].as_u64().unwrap_or_default())).collect())
    }

    /// Creates a room on this node.
    pub(super) fn create(&self, room: &str) -> Result<(), String> {
        call(self.ports.admin, "POST", "/v1/rooms", &json!({ "name": room })).map(drop)
    }

    /// Closes a room of this node.
    pub(super) fn close(&self, room: &str) -> Result<(), String> {
        self.ctl(&["close", room]).map(drop)
    }

    /// Begins to drain the node.
    pub(super) fn drain(&self) {
        self.process.terminate();
    }

    pub(super) fn metrics(&self) -> Result<Metrics, String> {
        Metrics::read(self.ports.admin)
    }

    /// Returns the output of `mp-server ctl` with these arguments.
    pub(super) fn ctl(&self, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        command
            .arg("ctl")
            .args(args)
            .args(["--server", &format!("127.0.0.1:{}", self.ports.admin)]);
        let output = command.output().map_err(|error| format!("cannot run ctl: {error}"))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(format!("ctl {args:?}: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }

    /// Returns the exit status once the process has ended.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Returns the log.
    pub(super) fn log(&self) -> String {
        self.process.errors()
    }

    /// Returns the path of the program.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        call(self.ports.admin, "GET", path, &Value::Null)
    }
}

/// Returns the ports in the log of a node that listens.
fn ports_in(log: &str) -> Option<NodePorts> {
    let (admin, listening) = (port_after(log, "admin API address=")?, "listening enet=");
    let ws = port_after(log.split_once(listening)?.1, " ws=")?;
    Some(NodePorts { enet: port_after(log, listening)?, ws, admin })
}

/// Returns the port of the address that follows `before`, if the log goes on after it.
fn port_after(log: &str, before: &str) -> Option<u16> {
    let (address, _) = log.split_once(before)?.1.split_once(char::is_whitespace)?;
    address.rsplit(':').next()?.parse().ok()
}

/// Room of players who select none.
pub(super) const LOBBY: &str = "lobby";
/// Seconds for which a node that drains waits for its players.
const DRAIN_SECONDS: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_from_the_log() {
        let log =
            "admin API address=127.0.0.1:30\nlistening enet=127.0.0.1:10 ws=[::1]:20 tls=no\n";
        let expected = NodePorts { enet: 10, ws: 20, admin: 30 };
        assert_eq!(ports_in(log), Some(expected));
        // A line that is not complete.
        assert_eq!(ports_in(&log[..log.len() - 10]), None);
    }
}
