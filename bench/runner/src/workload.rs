//! What a benchmark is made of.

use crate::goal::Goal;

/// A benchmark: contenders, and the load that all of them get.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// The part of the document it stands in.
    pub(crate) area: Area,
    pub(crate) title: String,
    /// What an operation is.
    pub(crate) operation: &'static str,
    /// Arguments of the program `load`.
    pub(crate) load: Vec<String>,
    /// How many clients there are, for what each of them costs.
    pub(crate) clients: u32,
    pub(crate) contenders: Vec<Contender>,
    pub(crate) goals: Vec<Goal>,
    /// What is taken off the CPU time.
    pub(crate) idle: Idle,
    /// Whether memory and idle CPU are the point.
    pub(crate) is_idle: bool,
    /// What a reader must know.
    pub(crate) note: &'static str,
}

/// A part of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Area {
    Enet,
    Relay,
    Actors,
    Idle,
    Replication,
    WebSocket,
}

/// What is taken off the CPU time of a server: what it uses anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// Nothing
    Counts,
    /// What it uses when nobody is there
    Alone,
    /// What it uses when the clients are there and say nothing
    Quiet,
}

/// A server under test.
#[derive(Clone)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    pub(crate) arguments: Vec<String>,
    /// Further arguments of the load, where it must speak otherwise to this one.
    pub(crate) load: Vec<String>,
    /// Whether it answers `mark` with its counters.
    pub(crate) answers: bool,
    /// Whether it needs no load, and counts operations itself.
    pub(crate) is_alone: bool,
}

/// Which program a contender is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// A binary of this workspace
    Binary(&'static str),
    /// `mp-server`
    MpServer,
    /// enet/c/enet.c
    EnetC,
    /// Real Godot, with a script of the project bench/godot
    Godot(&'static str),
}

impl Contender {
    pub(crate) fn new(name: &'static str, program: Program, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let answers = matches!(program, Program::Binary(_));
        Self { name, program, arguments, load: Vec::new(), answers, is_alone: false }
    }

    /// Without a load.
    pub(crate) fn alone(mut self) -> Self {
        self.is_alone = true;
        self
    }

    /// With further arguments for the load.
    pub(crate) fn with_load(mut self, arguments: &str) -> Self {
        self.load = words(arguments);
        self
    }
}

impl Area {
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Enet => "ENet: a server that passes packets on",
            Self::Relay => "A relay room for Godot's clients",
            Self::Actors => "What the actors cost",
            Self::Idle => "Clients that say nothing",
            Self::Replication => "Replication",
            Self::WebSocket => "WebSocket",
        }
    }
}

/// What only a server with optimisation can do in time.
pub(crate) const TOO_MUCH_UNOPTIMISED: &str = "full-room-4095";

/// Whether a contender is mp's.
pub(crate) fn is_own(name: &str) -> bool {
    name.starts_with("mp")
}

/// Splits at blanks.
pub(crate) fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
