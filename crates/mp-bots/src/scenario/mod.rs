//! Scenarios: the players that join, their steps, and the thresholds of a run.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "programs may build a scenario without a file"
)]

mod arguments;
mod error;
mod file;
mod reader;
mod steps;
mod units;

use std::time::Duration;

use bytes::Bytes;
use mp_core::link_shaper::LinkConditions;
use mp_core::{Channel, TransferMode};

pub(crate) use arguments::random_bytes;
pub use arguments::{ArgumentContext, ArgumentTemplate, FloatRange};
pub use error::ScenarioErrors;
pub(crate) use units::shown as shown_time;

/// A load test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// Addresses of servers. Players use them in turn.
    pub servers: Vec<ServerAddress>,
    /// Verification of servers with TLS or DTLS.
    pub tls: TlsSettings,
    /// Folder of the game's Godot project, from which methods of nodes are read.
    pub project: Option<String>,
    /// Peer id of the first player over ENet; the next player has the next id. `None`: random ids.
    pub first_peer_id: Option<i32>,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Conditions of each player's link, in each direction.
    pub link: LinkConditions,
    /// Phases, one after the other.
    pub phases: Vec<Phase>,
    /// Nodes whose methods players call or receive.
    pub nodes: Vec<NodeMethods>,
    /// Steps of each player.
    pub steps: Vec<Step>,
    /// Replies to received calls.
    pub answers: Vec<AnswerRule>,
    /// Limits of the results.
    pub thresholds: Thresholds,
}

/// A server's transport and address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// Address as in the scenario, such as `enet://127.0.0.1:7777` or `wss://game.example.org/a`.
    pub url: String,
    /// Transport.
    pub transport: BotTransport,
    /// Host name or IP address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// A transport of players.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BotTransport {
    /// ENet over UDP.
    Enet,
    /// ENet over DTLS.
    EnetDtls,
    /// WebSocket, with TLS if the URL begins with `wss`.
    WebSocket,
    /// WebRTC. The URL is that of signaling, with TLS if it begins with `webrtcs`.
    WebRtc,
}

impl ServerAddress {
    /// Returns whether the URL is that of a WebSocket or signaling session over TLS.
    pub fn is_over_tls(&self) -> bool {
        self.url.starts_with("wss:") || self.url.starts_with("webrtcs:")
    }
}

/// Verification of servers with TLS or DTLS. By default the system's certificates are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM file with the only certificates that are trusted.
    pub ca: Option<String>,
    /// Name that the certificate must have, instead of the host of the address.
    pub name: Option<String>,
    /// True if any server is accepted.
    pub insecure: bool,
}

/// A time in which players join at a constant rate, whether or not earlier ones have connected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// Players that join per second.
    pub joins_per_second: f64,
    /// FloatRange of players that join.
    pub players: u32,
    /// Duration, including the time after the last join.
    pub duration: Duration,
}

/// Methods of nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeMethods {
    /// Path relative to the multiplayer root, such as `Main/Players/*`. A `*` matches one name.
    pub path: String,
    /// Source of the methods.
    pub source: MethodSource,
}

/// The source of a node's RPC methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodSource {
    /// A script of the project, `res://…`.
    Script(String),
    /// The names of all methods with `@rpc`, in any order.
    Names(Vec<String>),
}

/// A step of a player.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Connects to the server.
    Connect {
        /// Time limit of the join, up to the admission by the server.
        within: Duration,
    },
    /// Sends an authentication packet. The authentication is completed after the last one in a row.
    Authenticate {
        /// Packet; see [`Text`].
        packet: Text,
    },
    /// Calls a method.
    Call(CallStep),
    /// Sends bytes, as `send_bytes`.
    Raw {
        /// Content.
        content: RawContent,
        /// Receivers.
        to: Receivers,
        /// Transfer mode.
        mode: TransferMode,
        /// Channel.
        channel: Channel,
        /// Times.
        schedule: Schedule,
    },
    /// Waits.
    Wait {
        /// Minimum duration.
        from: Duration,
        /// Maximum duration. The actual one is random.
        to: Duration,
    },
    /// Waits for an observation.
    Expect {
        /// Kind of the observation.
        kind: ExpectedKind,
        /// Name of the spawned node, of the called method, or of the signal. `None`: any.
        name: Option<String>,
        /// Time limit.
        within: Duration,
    },
    /// Leaves the session; the last step.
    Leave {
        /// True if the server is not notified, as after a crash.
        vanish: bool,
    },
    /// Leaves, and begins again with the first step after a pause.
    Churn {
        /// Minimum pause.
        from: Duration,
        /// Maximum pause.
        to: Duration,
    },
}

/// The calls of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct CallStep {
    /// Path of the node, relative to the multiplayer root.
    pub path: Text,
    /// Method.
    pub method: String,
    /// Arguments.
    pub args: Vec<ArgumentTemplate>,
    /// Receivers.
    pub to: Receivers,
    /// Transfer mode. `None`: that of the project, else reliable.
    pub mode: Option<TransferMode>,
    /// Channel. `None`: that of the project, else 0.
    pub channel: Option<Channel>,
    /// Times.
    pub schedule: Schedule,
    /// Method by which a receiver replies. The time until then is the round-trip time.
    pub reply: Option<String>,
    /// Time limit of replies.
    pub within: Duration,
}

/// The times of a step that sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Interval. `None`: once.
    pub every: Option<Duration>,
    /// Duration, for which the next step waits. `None`: until the player leaves, while the next
    /// steps run.
    pub duration: Option<Duration>,
}

/// The receivers of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Receivers {
    /// The server.
    #[default]
    Server,
    /// All other peers, with the server.
    All,
    /// One other player, chosen at random each time.
    RandomPlayer,
}

/// The content of a raw packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawContent {
    /// Text.
    Text(Text),
    /// This number of random bytes.
    Random(usize),
}

/// A kind of observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedKind {
    /// A node was spawned.
    Spawn,
    /// Properties were received (SYNC or DELTA).
    Sync,
    /// A method was called.
    Call,
    /// Raw bytes were received.
    Raw,
    /// A signal of `MultiplayerAPI` was emitted.
    Signal,
}

/// A reply to a received call: another call on the same node, to the caller, with the same
/// arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRule {
    /// Method that was called.
    pub method: String,
    /// Method to call.
    pub with: String,
}

/// A text in which `{bot}` stands for the player's number, counted from 1, and `{peer}` for its
/// peer id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub String);

impl Text {
    /// Returns the text for a player.
    pub fn fill(&self, bot: u32, peer: i32) -> String {
        match self.0.contains('{') {
            true => self.0.replace("{bot}", &bot.to_string()).replace("{peer}", &peer.to_string()),
            false => self.0.clone(),
        }
    }

    /// Returns the bytes of the text for a player.
    pub(crate) fn bytes(&self, bot: u32, peer: i32) -> Bytes {
        self.fill(bot, peer).into_bytes().into()
    }
}

/// Limits of the results. A run that exceeds one fails.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Thresholds {
    /// 99th percentile of the time from a player's scheduled join until its admission.
    pub join_p99: Option<Duration>,
    /// 99th percentile of the time from a scheduled call until its reply.
    pub rtt_p99: Option<Duration>,
    /// Reliable calls whose reply was not received in time, or before the connection ended by
    /// itself. The reply has to be reliable, too: Godot's ENet drops unreliable packets when
    /// round-trip times vary.
    pub lost_reliable: Option<u64>,
    /// Players that could not join.
    pub failed_joins: Option<u64>,
    /// Players whose connection ended by itself.
    pub disconnects: Option<u64>,
    /// Expectations that were not met in time.
    pub unmet_expectations: Option<u64>,
}

impl Scenario {
    /// Reads a scenario from the `text` of `file`, whose name errors contain.
    ///
    /// # Errors
    ///
    /// All mistakes of the file with their lines.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioErrors> {
        file::parse(file, text)
    }

    /// Returns the number of players that join.
    pub fn players(&self) -> u32 {
        self.phases.iter().map(|phase| phase.players).sum()
    }

    /// Returns the duration of all phases.
    pub fn duration(&self) -> Duration {
        self.phases.iter().map(|phase| phase.duration).sum()
    }

    /// Returns whether players authenticate.
    pub fn authenticates(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Authenticate { .. }))
    }
}
