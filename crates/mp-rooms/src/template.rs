//! [`Template`]: the settings with which rooms are created.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mp_core::ReceiveLimits;
use mp_identity::{Role, Token};

use crate::limits::{
    DEPARTURE_TIMEOUT, EMPTY_TIMEOUT, HOST_GRACE, MAX_PLAYERS_DEFAULT, SEAT_TIMEOUT,
};
use crate::name::{Code, RoomName};
use crate::queue::QueueSettings;
use crate::record::RecordSettings;

/// Texts of a room by key.
pub type Metadata = BTreeMap<String, String>;

/// The client of a room that is the server of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomHost {
    /// None: the room itself is peer 1.
    #[default]
    None,
    /// The first client that joins.
    First,
    /// The first client that joins with a role. Others may join before and wait.
    Role(Role),
    /// A program beside the game, which passes on the packets of all clients. It joins with the
    /// role [`Host`](Role::Host), or with the [key](Template::host_key) of the template. Only it
    /// creates rooms on demand.
    Tunnel,
}

/// The settings with which rooms go on when their [host](RoomHost) has left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostMigration {
    /// The player who becomes the host.
    pub next: NextHost,
    /// Text that the player receives as a raw packet of peer 1. Default: `become_host`.
    pub message: String,
}

impl HostMigration {
    /// Returns the settings with defaults.
    pub fn new(next: NextHost) -> Self {
        Self { next, message: "become_host".to_owned() }
    }
}

/// The player who becomes the host when the host has left. Spectators do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextHost {
    /// The player who has been in the room for the longest time.
    Oldest,
    /// The player with the lowest round-trip time when the host has left; of several, and if none
    /// is known, the one who has been in the room for the longest time.
    LowestRtt,
    /// As `Oldest`, among the players with a role.
    Role(Role),
}

/// The settings with which rooms are created.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Template {
    /// Name of the template.
    pub name: RoomName,
    /// Type of its rooms: the function of the program that builds them. Default: `relay`.
    pub room_type: String,
    /// Maximum number of players of a room. Further ones are refused. Default:
    /// [`MAX_PLAYERS_DEFAULT`].
    pub max_players: u16,
    /// True if a join creates the room that it selects. Default: yes. Other rooms are created by
    /// the program.
    pub auto_create: bool,
    /// Time after which a room closes that no player has joined; `None`: it stays. Default:
    /// [`EMPTY_TIMEOUT`].
    pub empty_timeout: Option<Duration>,
    /// Time after which a room closes that its last player has left; `None`: it stays. Default:
    /// [`DEPARTURE_TIMEOUT`].
    pub departure_timeout: Option<Duration>,
    /// True if the server relays packets between players. Default: yes.
    pub relay: bool,
    /// The client that is peer 1 for the others. Default: none.
    pub host: RoomHost,
    /// The settings with which the rooms go on when the host has left; `None`: the players are
    /// disconnected. Default: `None`.
    pub migration: Option<HostMigration>,
    /// True if the state of a game that no player can host is kept, so that a later room of the
    /// same name, template and code goes on from it. It needs [`migration`](Self::migration).
    /// Default: no.
    pub keep: bool,
    /// Key with which a client has the role of a host in rooms with [`RoomHost::Tunnel`]; `None`:
    /// its identity decides. Default: `None`.
    pub host_key: Option<Token>,
    /// Time for which a room waits when its host has left: the host of a tunnel can come back, or
    /// the game is paused before the next host of [`migration`](Self::migration) goes on. Default:
    /// [`HOST_GRACE`].
    pub host_grace: Duration,
    /// Code that players need to join; `None`: none. Default: `None`.
    pub code: Option<Code>,
    /// True if rooms refuse all players until they are unlocked. Default: no.
    pub locked: bool,
    /// Texts that the program and lists of rooms read. Default: none.
    pub metadata: Metadata,
    /// Maximum rate at which all players of a room send in sum. Default: no limit.
    pub receive_limits: ReceiveLimits,
    /// True if players receive the server's announcements, and the reason why it disconnects them,
    /// as raw packets ([`Notice`](crate::Notice)). Default: no.
    pub notify: bool,
    /// Place of the recordings of the rooms; `None`: they are not recorded. Default: `None`.
    pub record: Option<RecordSettings>,
    /// True if each room runs on a thread of its own. Default: no.
    pub own_thread: bool,
    /// True if players can [move](crate::Rooms::start_move) between the rooms and others with this
    /// setting. Their nodes have larger ids then, which lengthen calls by one to three bytes.
    /// Default: no.
    pub moves: bool,
    /// Time for which the place of a player is kept after its connection was lost, so that it can
    /// resume its session; `None`: players leave at once. Default: `None`.
    pub resume: Option<Duration>,
    /// True if players may request seats in the rooms, also in new ones. Default: yes.
    pub matchmaking: bool,
    /// Time after which a reserved seat expires, unless its owner takes it. Default:
    /// [`SEAT_TIMEOUT`].
    pub seat_timeout: Duration,
    /// Keys of metadata that players may set when their request for a seat creates the room.
    /// Default: none.
    pub player_metadata: BTreeSet<String>,
    /// Queue of players who wait for a room with others; `None`: there is none. Default: `None`.
    pub queue: Option<QueueSettings>,
}

impl Template {
    /// Returns a template with defaults.
    pub fn new(name: RoomName) -> Self {
        Self {
            name,
            room_type: RELAY.to_owned(),
            max_players: MAX_PLAYERS_DEFAULT,
            auto_create: true,
            empty_timeout: Some(EMPTY_TIMEOUT),
            departure_timeout: Some(DEPARTURE_TIMEOUT),
            relay: true,
            host: RoomHost::None,
            migration: None,
            keep: false,
            host_key: None,
            host_grace: HOST_GRACE,
            code: None,
            locked: false,
            metadata: Metadata::new(),
            receive_limits: ReceiveLimits::default(),
            notify: false,
            record: None,
            own_thread: false,
            moves: false,
            resume: None,
            matchmaking: true,
            seat_timeout: SEAT_TIMEOUT,
            player_metadata: BTreeSet::new(),
            queue: None,
        }
    }
}

/// Type of rooms that relay packets between their players.
const RELAY: &str = "relay";
