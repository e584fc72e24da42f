//! [`ClusterNode`]: the place of a server in a cluster.

use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use actix::Arbiter;
use mp_cluster::bus::Bus;
use mp_cluster::limits::SNAPSHOT_BYTES_MAX;
use mp_cluster::{ClusterId, ClusterNodeId, Directory, Snapshots};
use mp_core::host::SystemClock;
use tokio::sync::{mpsc, oneshot};

use super::driver::Driver;
use super::handle::{ClusterHandle, ToNode};
use super::snapshots::SnapshotSettings;
use super::stats::SharedStats;
use super::storage::SnapshotStorage;
use crate::rooms::RoomsHandle;

/// The place of a server in a cluster: the bus and the directory that it shares with other servers.
/// See [`ServerBuilder::cluster`](crate::ServerBuilder::cluster).
#[must_use = "nothing starts before the server runs"]
pub struct ClusterNode {
    id: ClusterNodeId,
    clock: SystemClock,
    snapshots: SnapshotSettings,
    connect: Box<Connect>,
}

/// The fate of a room that a node adopts from one that has died, if no snapshot of the room is
/// stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WithoutSnapshot {
    /// It creates the room from its template, empty.
    #[default]
    Empty,
    /// The room has ended, and its name is free.
    End,
}

/// A function that connects a node, and returns its driver or a message.
type Connect = dyn FnOnce(NodeContext) -> Pin<Box<Connecting>> + Send;
type Connecting = dyn Future<Output = Result<Pin<Box<Running>>, String>>;
type Running = dyn Future<Output = ()>;

/// The parts of a server that its driver uses.
pub(super) struct NodeContext {
    pub(super) clock: SystemClock,
    pub(super) rooms: RoomsHandle,
    /// Maximum number of players of the server.
    pub(super) capacity: u32,
    pub(super) inbox: mpsc::Receiver<ToNode>,
    pub(super) stats: SharedStats,
    pub(super) snapshots: SnapshotSettings,
}

/// A node that runs, on a thread of its own, until the task that owns the rooms has ended.
pub(crate) struct RunningNode {
    pub(crate) stats: SharedStats,
    thread: Arbiter,
    /// Its sender is dropped when the driver has ended.
    alive: oneshot::Receiver<()>,
}

impl ClusterNode {
    /// Returns the node `id` of a cluster. Each start of a process needs
    /// [another id](ClusterNodeId::random).
    pub fn new<B, D>(cluster: ClusterId, id: ClusterNodeId, bus: B, directory: D) -> Self
    where
        B: Bus,
        D: Directory + Send + 'static,
    {
        Self::connecting(cluster, id, move || ready(Ok::<_, Infallible>((bus, directory))))
    }

    /// Returns the node `id` of a cluster, which connects to its bus and directory on its own
    /// thread, within a tokio runtime. If it cannot, the server does not start.
    pub fn connecting<B, D, E, F>(
        cluster: ClusterId,
        id: ClusterNodeId,
        connect: impl FnOnce() -> F + Send + 'static,
    ) -> Self
    where
        B: Bus,
        D: Directory + 'static,
        E: fmt::Display,
        F: Future<Output = Result<(B, D), E>> + 'static,
    {
        let connect = move |context: NodeContext| -> Pin<Box<Connecting>> {
            Box::pin(async move {
                let (bus, directory) = connect().await.map_err(|error| error.to_string())?;
                let driver = Driver::new(cluster, id, bus, directory, context);
                let running: Pin<Box<Running>> = Box::pin(driver.run());
                Ok(running)
            })
        };
        let (clock, snapshots) = (SystemClock::new(), SnapshotSettings::default());
        Self { id, clock, snapshots, connect: Box::new(connect) }
    }

    /// Stores the states of the node's rooms, from which the node that adopts a room goes on.
    /// Default: adopted rooms begin anew.
    pub fn snapshots(mut self, store: impl Snapshots) -> Self {
        self.snapshots.storage = Some(SnapshotStorage::new(store));
        self
    }

    /// Sets the time between two snapshots of a room whose players stay. Default: 5 s. After
    /// players have joined or left, there is one within half a second.
    pub fn snapshot_interval(mut self, interval: Duration) -> Self {
        self.snapshots.interval = interval;
        self
    }

    /// Sets the maximum size of a snapshot in bytes, at most [`SNAPSHOT_BYTES_MAX`]. A larger one
    /// is counted and not stored. Default: 16 MiB.
    pub fn snapshot_max_bytes(mut self, max: usize) -> Self {
        self.snapshots.max_bytes = max.min(SNAPSHOT_BYTES_MAX);
        self
    }

    /// Sets what happens with adopted rooms of which there is no snapshot. Default:
    /// [`WithoutSnapshot::Empty`].
    pub fn without_snapshot(mut self, without: WithoutSnapshot) -> Self {
        self.snapshots.without_snapshot = without;
        self
    }

    /// Sets the clock. Nodes with a directory in memory need the same one.
    pub fn clock(mut self, clock: SystemClock) -> Self {
        self.clock = clock;
        self
    }

    /// Starts the node. `capacity`: maximum number of players.
    pub(crate) async fn start(self, rooms: &RoomsHandle, capacity: u32) -> io::Result<RunningNode> {
        let thread = Arbiter::try_new()?;
        let stats = SharedStats::default();
        let (handle, inbox) = ClusterHandle::new(self.id, stats.clone());
        // Fails only if the server has ended.
        let _ = rooms.join_cluster(handle).await;
        let (clock, rooms, snapshots) = (self.clock, rooms.clone(), self.snapshots);
        let context =
            NodeContext { clock, rooms, capacity, inbox, stats: stats.clone(), snapshots };
        let (alive, until_ended) = oneshot::channel();
        let (reply, connected) = oneshot::channel();
        let connect = self.connect;
        thread.spawn_fn(move || {
            actix::spawn(async move {
                let running = connect(context).await;
                match running {
                    Ok(running) => {
                        let _ = reply.send(Ok(()));
                        running.await;
                    }
                    Err(error) => drop(reply.send(Err(error))),
                }
                drop(alive);
            });
        });
        let ended = || Err("its thread has ended".to_owned());
        connected.await.unwrap_or_else(|_| ended()).map_err(io::Error::other)?;
        Ok(RunningNode { stats, thread, alive: until_ended })
    }
}

impl fmt::Debug for ClusterNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterNode").field("id", &self.id).finish_non_exhaustive()
    }
}

impl RunningNode {
    /// Waits until the node has ended, after the task that owns the rooms, and removed its rooms
    /// from the directory.
    pub(crate) async fn ended(mut self) {
        let _ = tokio::time::timeout(END_TIMEOUT, &mut self.alive).await;
    }

    /// Ends the node without notifying others, as a crash does.
    #[cfg(test)]
    pub(crate) fn kill(&self) {
        self.thread.stop();
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        self.thread.stop();
    }
}

/// Time after which a program does not wait any longer for its node.
const END_TIMEOUT: Duration = Duration::from_secs(2);
