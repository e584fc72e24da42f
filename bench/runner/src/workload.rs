//! Definition of a benchmark.

use crate::cluster::RoomsOn;
use crate::goal::Goal;
use crate::tunnel::Link;

/// A benchmark: contenders, and the load for all of them.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Section of the document.
    pub(crate) area: Area,
    pub(crate) title: String,
    /// Unit of the metrics per operation.
    pub(crate) operation: &'static str,
    /// Arguments of the program `load`.
    pub(crate) load: Vec<String>,
    /// Number of clients, for metrics per client; 0: none.
    pub(crate) clients: u32,
    /// Number of rooms without clients, for metrics per room; 0: none.
    pub(crate) rooms: u32,
    pub(crate) contenders: Vec<Contender>,
    pub(crate) goals: Vec<Goal>,
    /// CPU time to subtract.
    pub(crate) baseline: Baseline,
    /// True if memory and idle CPU time are measured.
    pub(crate) is_idle: bool,
    /// Note for readers.
    pub(crate) note: &'static str,
}

impl Workload {
    /// Returns a workload without contenders, whose load is measured while it runs.
    pub(crate) fn new(name: &'static str, area: Area) -> Self {
        Self {
            name,
            area,
            title: String::new(),
            operation: "",
            load: Vec::new(),
            clients: 0,
            rooms: 0,
            contenders: Vec::new(),
            goals: Vec::new(),
            baseline: Baseline::Zero,
            is_idle: false,
            note: "",
        }
    }
}

/// Section of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Area {
    Enet,
    Latency,
    Relay,
    Tunnel,
    Cluster,
    Calls,
    Actors,
    Idle,
    Rooms,
    Replication,
    WebSocket,
    WebRtc,
}

/// CPU time of a server to subtract from its measured time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Baseline {
    /// Zero.
    Zero,
    /// CPU time without clients.
    NoClients,
    /// CPU time with idle clients.
    IdleClients,
}

/// A server under test.
#[derive(Clone)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    pub(crate) arguments: Vec<String>,
    /// Additional arguments of the load for this contender.
    pub(crate) load: Vec<String>,
    /// Arguments of its load in place of the workload's.
    pub(crate) own_load: Option<Vec<String>>,
    /// Operations of the workload that a delivery of its load stands for.
    pub(crate) operations_per_delivery: f64,
    /// True if it answers `mark` with its counters.
    pub(crate) answers: bool,
    /// True if it needs no load, and counts operations itself.
    pub(crate) is_alone: bool,
    /// Number of its clients, if it differs from that of the workload.
    pub(crate) clients: Option<u32>,
    /// True if the load uses the admin API of mp-server.
    pub(crate) has_admin: bool,
    /// Number of nodes of the client that is the host of the room.
    pub(crate) nodes: Option<u32>,
    /// True if the rooms are recorded.
    pub(crate) is_recorded: bool,
    /// Players reach it through a room of mp-server, with which this connects it.
    pub(crate) link: Option<Link>,
    /// It is a node of a cluster, and its players' rooms are there or on another node.
    pub(crate) rooms_on: Option<RoomsOn>,
    /// Factor of the time that is measured.
    pub(crate) windows: u32,
}

/// Program of a contender.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// Binary of this workspace.
    Binary(&'static str),
    /// `mp-server`.
    MpServer,
    /// `mp-server` with its feature `cluster`.
    ClusterNode,
    /// Server in enet/c/enet.c.
    EnetC,
    /// Godot with a script of the project bench/godot.
    Godot(&'static str),
}

impl Contender {
    pub(crate) fn new(name: &'static str, program: Program, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let answers = matches!(program, Program::Binary(_));
        Self {
            name,
            program,
            arguments,
            load: Vec::new(),
            own_load: None,
            operations_per_delivery: 1.0,
            answers,
            is_alone: false,
            clients: None,
            has_admin: false,
            nodes: None,
            is_recorded: false,
            link: None,
            rooms_on: None,
            windows: 1,
        }
    }

    /// Marks it as running without a load.
    pub(crate) fn alone(mut self) -> Self {
        self.is_alone = true;
        self
    }

    /// Replaces the load by one whose deliveries stand for several operations each.
    pub(crate) fn with_own_load(mut self, arguments: &str, operations_per_delivery: f64) -> Self {
        self.own_load = Some(words(arguments));
        self.operations_per_delivery = operations_per_delivery;
        self
    }

    /// Sets the number of its clients, and starts the load with that number.
    pub(crate) fn with_clients(mut self, clients: u32) -> Self {
        self.clients = Some(clients);
        self.load.extend(["--clients".to_owned(), clients.to_string()]);
        self
    }

    /// Opens the admin API on a free port, which the load receives.
    pub(crate) fn with_admin(mut self) -> Self {
        self.has_admin = true;
        self
    }

    /// Starts the load with a client that is the host of the room, and has this number of nodes.
    pub(crate) fn with_host_nodes(mut self, nodes: u32) -> Self {
        self.nodes = Some(nodes);
        self
    }

    /// Records the rooms.
    pub(crate) fn recorded(mut self) -> Self {
        self.is_recorded = true;
        self
    }

    /// Puts a room of mp-server between the players and this game.
    pub(crate) fn behind_tunnel(mut self, link: Link) -> Self {
        self.link = Some(link);
        self.with_load("--rooms 1")
    }

    /// Makes it a node of a cluster.
    pub(crate) fn in_cluster(mut self, rooms_on: RoomsOn) -> Self {
        self.rooms_on = Some(rooms_on);
        self
    }

    /// Marks a server of another program than mp's that answers `mark`.
    pub(crate) fn with_answers(mut self) -> Self {
        self.answers = true;
        self
    }

    /// Sets the factor of the time that is measured.
    pub(crate) fn with_windows(mut self, windows: u32) -> Self {
        self.windows = windows;
        self
    }

    /// Adds arguments for the load.
    pub(crate) fn with_load(mut self, arguments: &str) -> Self {
        self.load.extend(words(arguments));
        self
    }
}

impl Area {
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Enet => "ENet: a server that forwards packets",
            Self::Latency => "Latency",
            Self::Calls => "Remote procedure calls",
            Self::Relay => "A relay room for Godot's clients",
            Self::Tunnel => "A game behind a tunnel",
            Self::Cluster => "Rooms on another node of a cluster",
            Self::Actors => "Overhead of the actors",
            Self::Idle => "Idle clients",
            Self::Rooms => "Rooms",
            Self::Replication => "Replication",
            Self::WebSocket => "WebSocket",
            Self::WebRtc => "WebRTC",
        }
    }
}

/// Workloads and contenders that the smoke test leaves out: only an optimized server completes them
/// in time, or others are like them.
pub(crate) const NOT_IN_SMOKE: [&str; 26] = [
    FULL_ROOM,
    WEBRTC_RELAY,
    "echo-64x8",
    "echo-reliable-64x8",
    "echo-reliable-500x1",
    "fan-32",
    "fan-499",
    "relay-ring-64",
    "sync-100x8",
    "sync-1000x128",
    "ws-64x16",
    "webrtc-64x16",
    "cluster-hop",
    "cluster-rooms",
    "cluster-placed",
    "mp, 1,024",
    "mp, 2,048",
    "mp, 4,095",
    "mp-server, not recorded",
    "mp-server, no cache",
    "mp-server, 0",
    "mp-server, 4",
    "mp-server, 8",
    "rpc-in-fast",
    "mp, 16",
    "mp, 3,072",
];
pub(crate) const FULL_ROOM: &str = "full-room-4095";
pub(crate) const WEBRTC_RELAY: &str = "webrtc-relay-64";

/// Returns whether a contender is mp's.
pub(crate) fn is_own(name: &str) -> bool {
    name.starts_with("mp")
}

/// Splits at blanks.
pub(crate) fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
