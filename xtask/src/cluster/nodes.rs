//! [`Nodes`]: three nodes, NATS, and the paths between them, which can be cut.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use super::nats_server::NatsServer;
use super::node::{Node, NodePorts, NodeSettings};
use crate::process::{PROCESS_TIMEOUT, now};
use crate::tcp_proxy::TcpProxy;
use crate::workspace::target;

/// The nodes of a cluster, by their index.
pub(super) struct Nodes {
    folder: PathBuf,
    settings: NodeSettings,
    nats: NatsServer,
    /// The path of each node to NATS.
    paths: Vec<TcpProxy>,
    /// `None` if the node was killed.
    nodes: Vec<Option<Node>>,
}

/// Number of nodes.
pub(super) const NODES: usize = 3;
const NAMES: [&str; NODES] = ["a", "b", "c"];

impl Nodes {
    /// Starts NATS and the nodes, and waits until they know each other. `name` is that of the
    /// folder of their logs.
    pub(super) fn start(name: &str, settings: NodeSettings) -> Result<Self, String> {
        let folder = target().join("interop/cluster").join(name);
        let nats = NatsServer::start(folder.join("nats"))?;
        let mut this = Self { folder, settings, nats, paths: Vec::new(), nodes: Vec::new() };
        for name in NAMES {
            let path = TcpProxy::start(this.nats.port());
            let path = path.map_err(|error| format!("proxy: {error}"))?;
            let ports = NodePorts::default();
            let node = Node::start(&this.folder, name, path.port(), settings, ports)?;
            this.paths.push(path);
            this.nodes.push(Some(node));
        }
        this.until_complete()?;
        Ok(this)
    }

    /// Returns a node.
    ///
    /// # Panics
    ///
    /// Panics if it was killed.
    pub(super) fn node(&self, index: usize) -> &Node {
        self.nodes[index].as_ref().expect("a node that runs")
    }

    /// Returns the nodes that were not killed.
    pub(super) fn living(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flatten()
    }

    /// Returns the addresses of rooms over WebSocket, each on these nodes.
    pub(super) fn urls(&self, of: &[usize], rooms: &[String]) -> Vec<String> {
        let pairs = rooms.iter().flat_map(|room| of.iter().map(move |node| (*node, room)));
        pairs.map(|(node, room)| self.node(node).url(room)).collect()
    }

    /// Returns the path from a node to NATS.
    pub(super) fn path(&self, index: usize) -> &TcpProxy {
        &self.paths[index]
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits until a condition holds. Returns the time that it took.
    pub(super) fn until(
        &self,
        what: &str,
        mut condition: impl FnMut(&Self) -> Result<bool, String>,
    ) -> Result<Duration, String> {
        let started = now();
        loop {
            if condition(self)? {
                return Ok(now() - started);
            }
            if now() - started > PROCESS_TIMEOUT {
                self.check_permissions()?;
                let states = self.living().map(|node| format!("{:?}", node.cluster()));
                let states = states.collect::<Vec<_>>().join("\n");
                return Err(format!("not within {PROCESS_TIMEOUT:?}: {what}\n{states}"));
            }
            thread::sleep(POLL);
        }
    }

    /// Waits until each node has its lease and knows the others. Returns the time that it took.
    pub(super) fn until_complete(&self) -> Result<Duration, String> {
        let mut ids: Vec<_> = self.living().map(Node::id).collect();
        ids.sort_unstable();
        self.until("each node knows the others", |nodes| {
            for node in nodes.living() {
                let cluster = node.cluster()?;
                let members = cluster["nodes"].as_array().into_iter().flatten();
                let members: Vec<_> = members.filter_map(|it| it["id"].as_str()).collect();
                if cluster["has_lease"] != true || members != ids {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Waits until all rooms together have this number of players.
    pub(super) fn until_players(&self, players: u64) -> Result<Duration, String> {
        self.until(&format!("{players} players are in rooms"), |nodes| {
            let mut sum = 0;
            for node in nodes.living() {
                sum += node.rooms()?.values().sum::<u64>();
            }
            Ok(sum == players)
        })
    }

    /// Returns the indices of the nodes that have a room.
    pub(super) fn owners(&self, room: &str) -> Result<Vec<usize>, String> {
        let mut owners = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            if let Some(node) = node
                && node.rooms()?.contains_key(room)
            {
                owners.push(index);
            }
        }
        Ok(owners)
    }

    /// Kills a node. Returns the time.
    pub(super) fn kill(&mut self, index: usize) -> Instant {
        self.nodes[index] = None;
        now()
    }

    /// Waits until a node that drains has ended. Returns its status.
    pub(super) fn ended(&mut self, index: usize) -> Result<ExitStatus, String> {
        let limit = now() + PROCESS_TIMEOUT;
        let Some(node) = &mut self.nodes[index] else { return Err("it was killed".to_owned()) };
        loop {
            match node.ended() {
                Some(status) => return Ok(status),
                None if now() > limit => {
                    return Err(format!("{} does not end: {}", node.name(), node.log()));
                }
                None => thread::sleep(POLL),
            }
        }
    }

    /// Starts the successor of a node that has ended, on its ports, and waits until it is known.
    pub(super) fn replace(&mut self, index: usize) -> Result<(), String> {
        let ports = self.node(index).ports();
        let path = self.paths[index].port();
        let node = Node::start(&self.folder, NAMES[index], path, self.settings, ports)?;
        self.nodes[index] = Some(node);
        self.until_complete().map(drop)
    }

    /// Checks that the permissions of the page for operators were enough.
    pub(super) fn check_permissions(&self) -> Result<(), String> {
        self.nats.check_permissions()
    }

    /// Kills NATS.
    pub(super) fn stop_nats(&mut self) {
        self.nats.stop();
    }

    /// Starts NATS again, with what it has stored.
    pub(super) fn restart_nats(&mut self) -> Result<(), String> {
        self.nats.restart()?;
        self.paths.iter().for_each(|path| path.set_server(self.nats.port()));
        Ok(())
    }
}

/// Interval at which conditions are checked: the error of measured times.
const POLL: Duration = Duration::from_millis(20);
