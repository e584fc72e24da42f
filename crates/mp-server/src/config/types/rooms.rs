//! Templates of rooms, and the rooms that are created at the start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use mp_rooms::{HostMigration, RecordSettings, RoomHost};

use super::{RateConfig, Secret};
use crate::snapshots::Folder;

/// A template of rooms: `[template.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TemplateConfig {
    /// Type of the rooms (default: `relay`).
    pub room_type: String,
    /// Maximum number of players of a room, 1 to 4,095 (default: 256).
    pub max_players: u16,
    /// True to create a room when the first player selects it (default).
    pub auto_create: bool,
    /// Time after which a room that no player has joined is closed; `None`: never. Default: 300 s.
    pub empty_timeout: Option<Duration>,
    /// Time after which a room is closed that the last player has left; `None`: never. Default:
    /// 20 s.
    pub departure_timeout: Option<Duration>,
    /// True to relay packets between players (default).
    pub relay: bool,
    /// Player that is peer 1 for the others of its room (default: none).
    pub host: RoomHost,
    /// Settings with which the rooms go on when the host has left; `None`: the players are
    /// disconnected (default).
    pub migration: Option<HostMigration>,
    /// True to keep the state of a game that no player can host (default: false).
    pub keep: bool,
    /// Key of the hosts of tunnels; `None`: their identity decides (default).
    pub host_key: Option<Secret>,
    /// Time for which a game waits when its host has left (default: 30 s).
    pub host_grace: Duration,
    /// True to leave the rooms out of lists and to admit only players who know the code (default:
    /// false).
    pub private: bool,
    /// Code of private rooms.
    pub code: Option<Secret>,
    /// True to reject new players (default: false).
    pub locked: bool,
    /// True if each room has a thread of its own.
    pub own_thread: bool,
    /// True if players can move between the rooms and others with this setting (default: false).
    pub moves: bool,
    /// Time for which a player whose connection was lost is kept; `None`: players leave at once
    /// (default).
    pub resume: Option<Duration>,
    /// True if players who are disconnected receive the reason as a raw packet (default: false).
    pub notify: bool,
    /// Place of the recordings of the rooms; `None`: they are not recorded (default).
    pub record: Option<RecordSettings>,
    /// Texts for lists of rooms (default: none).
    pub metadata: BTreeMap<String, String>,
    /// Maximum rates of what all players of a room send in sum.
    pub rates: RateConfig,
    /// True if players may request seats (default: `auto_create`).
    pub matchmaking: bool,
    /// Time after which a seat is free again that its player has not taken (default: 15 s).
    pub seat_timeout: Duration,
    /// Keys of metadata that players may set when their request creates a room (default: none).
    pub player_metadata: Vec<String>,
    /// Queue of players; `None`: there is none (default).
    pub queue: Option<QueueConfig>,
}

/// States of rooms on disk: `[snapshots]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotsConfig {
    /// Folder of the files; `None`: there is none (default).
    pub folder: Option<PathBuf>,
    /// Maximum size of all files in bytes (default: 256 MiB).
    pub max_bytes: u64,
    /// Time after which a state is removed (default: 7 days).
    pub max_age: Duration,
}

impl SnapshotsConfig {
    /// Returns the folder with its limits.
    pub(crate) fn folder(&self) -> Option<Folder> {
        Some(Folder::new(self.folder.clone()?, self.max_bytes, self.max_age))
    }
}

/// Queue of a template's players.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueConfig {
    /// Number of players of a group, 1 to 64.
    pub players: u16,
    /// Maximum difference of the ranks of a group; `None`: any (default).
    pub rank_window: Option<u32>,
    /// Growth of the maximum difference per second of waiting (default: 0).
    pub rank_growth: u32,
    /// Attribute of a player's identity that is its rank; `None`: the rank that the player claims.
    pub rank_attribute: Option<String>,
    /// Time in which all players of a group must confirm; `None`: they need not (default).
    pub confirm_timeout: Option<Duration>,
    /// Time after which a player leaves the queue without a group (default: 300 s).
    pub timeout: Duration,
    /// Maximum number of players in the queue (default: 10,000).
    pub max_players: usize,
}

/// A room that is created at the start: `[[room]]`. A `None` stands for the template's value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomConfig {
    /// Name by which players select the room.
    pub name: String,
    /// Name of the template (default: `default`).
    pub template: String,
    /// Maximum number of players, 1 to 4,095.
    pub max_players: Option<u16>,
    /// True to leave the room out of lists and to admit only players who know the code.
    pub private: Option<bool>,
    /// Code of a private room.
    pub code: Option<Secret>,
    /// True to reject new players.
    pub locked: Option<bool>,
    /// Texts for lists of rooms, in place of the template's.
    pub metadata: Option<BTreeMap<String, String>>,
}
