//! [`Cluster`]: NATS, and the node that has the rooms of players of another node.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::{env, fs, process};

use crate::process::{ChildProcess, Programs, Stream};
use crate::tunnel::port_after;

/// Node on which the rooms are, seen from the players of a contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoomsOn {
    SameNode,
    OtherNode,
}

/// Processes beside the node to which the players connect.
pub(crate) struct Cluster {
    nats: ChildProcess,
    other: Option<OtherNode>,
    url: String,
    _store: Store,
}

/// The node with the rooms.
struct OtherNode {
    node: ChildProcess,
    /// TCP port of its admin API.
    admin: u16,
}

/// Directory of the files of NATS, which is removed when dropped.
struct Store(PathBuf);

impl Cluster {
    /// Starts the processes. `admin`: TCP port for the admin API of the node with the rooms.
    pub(crate) fn start(
        programs: &Programs,
        rooms_on: RoomsOn,
        admin: u16,
    ) -> Result<Self, String> {
        let store = Store(env::temp_dir().join(format!("mp-bench-nats-{}", process::id())));
        let mut nats = programs.nats()?;
        nats.args(["--addr", "127.0.0.1", "--port", "-1", "--jetstream", "--store_dir"]);
        nats.arg(&store.0);
        let mut nats = ChildProcess::start_reading("nats-server", nats, Stream::Errors)?;
        let port = nats.read_until(START_TIMEOUT, |line| {
            let (_, address) = line.split_once("Listening for client connections on ")?;
            address.trim().rsplit(':').next()?.parse::<u16>().ok()
        })?;
        nats.read_until(START_TIMEOUT, |line| line.contains("Server is ready").then_some(()))?;
        let url = format!("nats://127.0.0.1:{port}");
        let mut cluster = Self { nats, other: None, url, _store: store };
        if rooms_on == RoomsOn::OtherNode {
            let mut command = programs.cluster_node(&CONFIG)?;
            cluster.join(&mut command);
            command.env("MP_ADMIN__ADDRESS", format!("127.0.0.1:{admin}"));
            let mut node = ChildProcess::start("mp-server with the rooms", command)?;
            node.read_until(START_TIMEOUT, |line| port_after(line, "ENet on UDP "))?;
            cluster.other = Some(OtherNode { node, admin });
        }
        Ok(cluster)
    }

    /// Makes the server that a command starts a node.
    pub(crate) fn join(&self, command: &mut Command) {
        command.env("MP_CLUSTER__SERVERS", &self.url);
    }

    /// Returns the port of the admin API of the other node, if there is one.
    pub(crate) fn other_admin(&self) -> Option<u16> {
        self.other.as_ref().map(|other| other.admin)
    }

    /// Returns the CPU time of NATS in ns.
    pub(crate) fn nats_cpu(&self) -> Result<u64, String> {
        self.nats.cpu()
    }

    /// Returns the CPU time of all these processes in ns.
    pub(crate) fn cpu(&self) -> Result<u64, String> {
        let other = self.other.as_ref().map_or(Ok(0), |other| other.node.cpu())?;
        Ok(self.nats.cpu()? + other)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A server that has not started has not created it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Arguments of all nodes.
pub(crate) const CONFIG: [&str; 2] = ["--config", "bench/rooms/cluster.toml"];
const START_TIMEOUT: Duration = Duration::from_secs(20);
