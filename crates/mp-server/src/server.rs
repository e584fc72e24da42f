//! [`ServerBuilder`]: a server with room types of the program.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::available_parallelism;

use mp_scene::{Branch, BuildError};

use crate::cluster::ClusterNode;
use crate::plan::RELAY;
use crate::relay::relay;
use crate::rooms::{RoomContext, RoomType, RoomTypes, RoomsHandle};

/// A server with rooms of the program's own types, which is otherwise `mp-server`.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use mp_scene::{Branch, BuildError};
/// use mp_server::{RoomContext, ServerBuilder};
///
/// fn arena(room: &RoomContext) -> Result<Branch, BuildError> {
///     let players = room.template().max_players;
///     println!("{} is open for {players} players", room.name());
///     Branch::builder("/root/Game").build()
/// }
///
/// fn main() -> ExitCode {
///     ServerBuilder::new().room_type("arena", arena).run(std::env::args_os())
/// }
/// ```
#[must_use = "nothing starts before `run`"]
pub struct ServerBuilder {
    pub(crate) types: RoomTypes,
    pub(crate) threads: usize,
    /// Type of the rooms of the template `default`.
    pub(crate) default_type: String,
    pub(crate) on_start: Option<Box<dyn FnOnce(RoomsHandle) + Send>>,
    pub(crate) cluster: Option<ClusterNode>,
}

impl ServerBuilder {
    /// Returns the settings of a server with the room type `relay`.
    pub fn new() -> Self {
        let relay: RoomType = Arc::new(relay);
        Self {
            types: BTreeMap::from([(RELAY.to_owned(), relay)]),
            threads: available_parallelism().map_or(1, usize::from),
            default_type: RELAY.to_owned(),
            on_start: None,
            cluster: None,
        }
    }

    /// Adds a room type. `build` runs on the thread of each of its rooms.
    pub fn room_type<F>(mut self, name: &str, build: F) -> Self
    where
        F: Fn(&RoomContext) -> Result<Branch, BuildError> + Send + Sync + 'static,
    {
        self.types.insert(name.to_owned(), Arc::new(build));
        self
    }

    /// Sets the type of the rooms of the template `default`, unless the configuration does.
    /// Default: `relay`.
    pub fn default_type(mut self, name: &str) -> Self {
        name.clone_into(&mut self.default_type);
        self
    }

    /// Sets a function that receives the rooms when the server has opened its listeners. It runs on
    /// the main thread, within a tokio runtime, and must not block.
    pub fn on_start(mut self, run: impl FnOnce(RoomsHandle) + Send + 'static) -> Self {
        self.on_start = Some(Box::new(run));
        self
    }

    /// Makes the server a node of a cluster: its players join rooms of all nodes, and each name
    /// of a room exists once. Rooms of a node that ends go on on another one, from their last
    /// [snapshot](ClusterNode::snapshots); without one they are created anew. Room types and
    /// templates must be the same on all nodes.
    ///
    /// Lists of rooms, seats, queues, tickets and bans are those of the cluster. Limits of players
    /// are those of each node. Players do not move from or to a room on another node.
    pub fn cluster(mut self, node: ClusterNode) -> Self {
        self.cluster = Some(node);
        self
    }

    /// Sets the maximum number of threads of rooms, at least 1. Default: the number of cores. The
    /// endpoints have another thread, which a server with one room shares.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Runs the program `mp-server` with the command line `args`, whose first element is the
    /// program's name.
    ///
    /// Exits the process if `args` are invalid or request help, and at a second signal.
    pub fn run(self, args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
        crate::run(self, args)
    }
}

impl Default for ServerBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = self.types.keys().collect::<Vec<_>>();
        f.debug_struct("ServerBuilder").field("types", &types).finish_non_exhaustive()
    }
}
