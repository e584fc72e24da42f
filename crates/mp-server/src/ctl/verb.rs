//! [`Verb`]: the operations of a server, with their arguments.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};

use super::link_args::LinkArgs;
use super::watch_args::PlaybackArgs;
use crate::admin::RoomSettings;

/// An operation of a server.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Verb {
    /// Show the server as a whole
    Status,
    /// Show the nodes of the cluster
    Cluster,
    /// List the rooms
    Rooms,
    /// Create a room
    Create {
        /// Name of the room
        room: String,
        /// Template of the room [default: default]
        #[arg(long)]
        template: Option<String>,
        /// Keep the room without players
        #[arg(long)]
        permanent: bool,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Change a room
    Set {
        /// Name of the room
        room: String,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Close a room, and disconnect its players
    Close {
        /// Name of the room
        room: String,
    },
    /// Make a key with which mp-server tunnel hosts a room, of a template with host = "tunnel"
    ///
    /// The key is valid until the room closes or has another one. It is printed alone.
    HostKey {
        /// Name of the room
        room: String,
        /// Make a key for one host: it expires when its host has left, and has not returned within
        /// host_grace
        #[arg(long)]
        once: bool,
    },
    /// List the recordings of rooms
    Recordings,
    /// Start to record a room, of a template with record, or end its recording
    Record {
        /// Name of the room
        room: String,
        /// End the recording
        #[arg(long)]
        stop: bool,
    },
    /// Pause, speed up or seek the recording that a room of mp-server watch plays; without options,
    /// show where it is
    Watch {
        /// Name of the room
        room: String,
        #[command(flatten)]
        change: PlaybackArgs,
    },
    /// Let a room refuse new players
    Lock {
        /// Name of the room
        room: String,
    },
    /// Let a room accept players again
    Unlock {
        /// Name of the room
        room: String,
    },
    /// List the players of a room
    Peers {
        /// Name of the room
        room: String,
    },
    /// Show the nodes of a room, with the values of synchronized properties
    Nodes {
        /// Name of the room
        room: String,
    },
    /// Disconnect a player, who may join again
    Kick {
        /// Name of the room
        room: String,
        /// Peer id
        peer: i32,
        /// Reason, for the server's log, and for the player if the room's template has notify
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// Move a player to another room, without a new connection
    Move {
        /// Name of the room
        room: String,
        /// Peer id
        peer: i32,
        /// Name of the other room
        to: String,
        /// Code of the other room, if it is private
        #[arg(long)]
        code: Option<String>,
        /// Ticket of a seat in the other room, with which the player enters even if it is locked
        #[arg(long, value_name = "TICKET")]
        seat: Option<String>,
    },
    /// Simulate a bad link to a player; without conditions, show them (servers with --dev)
    Link {
        /// Name of the room
        room: String,
        /// Peer id
        peer: i32,
        /// Stop the simulation
        #[arg(long)]
        clear: bool,
        #[command(flatten)]
        conditions: LinkArgs,
    },
    /// Let bots of the server join a room: Godot clients without a game
    Bots {
        /// Name of the room
        room: String,
        /// Number of bots, at most 16 on the whole server
        #[arg(long, default_value_t = 1)]
        count: u32,
        /// Seconds after which they leave, at most 3600
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Each sends 8 random bytes to all others every second
        #[arg(long)]
        send: bool,
        /// Let the bots of the room leave
        #[arg(long, conflicts_with_all = ["count", "seconds", "send"])]
        end: bool,
    },
    /// List the bans
    Bans,
    /// Ban an address, a network or a player, and disconnect the players
    Ban {
        #[command(flatten)]
        target: BanArgs,
        /// Seconds until the ban ends [default: it does not end]
        #[arg(long, value_name = "SECONDS")]
        seconds: Option<u64>,
        /// Reason, for the server's log, and for the players who are disconnected
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// End a ban
    Unban {
        #[command(flatten)]
        target: BanArgs,
    },
    /// Send a text to the players of all rooms whose template has notify
    Announce {
        /// Text, at most 1024 bytes
        text: String,
        /// Send it to the players of this room only
        #[arg(long)]
        room: Option<String>,
    },
    /// Refuse new players, wait until the others have left, and end the server
    Drain {
        /// Seconds to wait [default: shutdown.drain_timeout of the server]
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u64>,
    },
    /// Read the server's configuration file again
    Reload,
    /// Show the configuration in effect
    Config,
    /// Make the first token with the link that the server prints
    Setup {
        /// The link, or its part after #
        link: String,
        /// Name of the token in logs
        #[arg(long, default_value = "admin")]
        name: String,
    },
}

/// A banned address or player.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct BanArgs {
    /// IP address, or a network such as 192.0.2.0/24
    pub(super) address: Option<String>,
    /// Subject of a player (claim sub of its token)
    #[arg(long, value_name = "SUBJECT")]
    pub(super) sub: Option<String>,
}

/// Settings of a room.
#[derive(Args, Clone, Debug)]
pub(super) struct SettingsArgs {
    /// Maximum number of players
    #[arg(long, value_name = "N")]
    max_players: Option<u16>,
    /// Refuse new players, or accept them
    #[arg(long, value_name = "true|false")]
    locked: Option<bool>,
    /// Code that new players need; empty: none
    #[arg(long)]
    code: Option<String>,
    /// Text for lists of rooms, may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl From<SettingsArgs> for RoomSettings {
    fn from(args: SettingsArgs) -> Self {
        let metadata: BTreeMap<_, _> = args.metadata.into_iter().collect();
        Self {
            max_players: args.max_players,
            locked: args.locked,
            code: args.code.map(|code| Some(code).filter(|code| !code.is_empty())),
            metadata: Some(metadata).filter(|metadata| !metadata.is_empty()),
        }
    }
}
