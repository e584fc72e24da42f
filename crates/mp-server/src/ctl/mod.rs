//! `mp-server ctl`: the client of the admin API, with the same words.

mod client;
mod link_args;
mod print;
mod ready;
mod token_args;
mod watch_args;

use std::collections::BTreeMap;
use std::io;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::client::Client;
use self::link_args::LinkArgs;
use self::token_args::NewTokenArgs;
use self::watch_args::PlaybackArgs;
use crate::admin::{
    Announcement, Link, MovePeer, NewBan, NewBots, NewRoom, PlaybackChange, RoomSettings,
};
use crate::{Failure, output};

/// Operate a running server through its admin API
///
/// The token is in MP_ADMIN_TOKEN or in the file of --token-file. The first token is made with the
/// link that the server prints: mp-server ctl setup LINK
#[derive(Args, Clone, Debug)]
pub(crate) struct CtlArgs {
    /// Address of the admin API: HOST:PORT, or a URL that begins with http://
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT",
        env = "MP_ADMIN_SERVER",
        default_value = "127.0.0.1:7780"
    )]
    server: String,
    /// File with the token, in place of MP_ADMIN_TOKEN
    #[arg(long, global = true, value_name = "FILE", env = "MP_ADMIN_TOKEN_FILE")]
    token_file: Option<std::path::PathBuf>,
    /// Print the response of the server as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Verb(Verb),
    NewToken(NewTokenArgs),
    /// Exit with 0 if the server accepts players, else with 1 and the reasons; needs no token
    Ready,
}

/// An operation of a server.
#[derive(Clone, Debug, Subcommand)]
enum Verb {
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
struct BanArgs {
    /// IP address, or a network such as 192.0.2.0/24
    address: Option<String>,
    /// Subject of a player (claim sub of its token)
    #[arg(long, value_name = "SUBJECT")]
    sub: Option<String>,
}

/// Settings of a room.
#[derive(Args, Clone, Debug)]
struct SettingsArgs {
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

/// A request of the admin API.
struct Call {
    method: &'static str,
    path: String,
    body: Option<Value>,
}

impl Call {
    fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None }
    }

    fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }
}

/// Runs the command.
pub(crate) fn run(args: CtlArgs) -> Result<(), Failure> {
    let CtlArgs { server, token_file, json, verb } = args;
    let verb = match verb {
        Command::NewToken(args) => return print_text(args.make().map_err(Failure::Request)?),
        Command::Ready => return ready::run(&server),
        Command::Verb(verb) => verb,
    };
    let client = Client::new(&server, token_file.as_deref()).map_err(Failure::Request)?;
    let (call, show) = call(verb);
    let response = match paged(&call) {
        Some(list) => client.all_pages(&call, list),
        None => client.send(&call),
    };
    let response = response.map_err(Failure::Request)?;
    print_text(match json {
        true => format!("{response:#}\n"),
        false => show(&response),
    })
}

fn print_text(text: String) -> Result<(), Failure> {
    let printed = output::print(io::stdout(), text);
    printed.map_err(|error| Failure::Unprinted(format!("cannot print: {error}")))
}

/// Returns the name of the list of a response that has pages.
fn paged(call: &Call) -> Option<&'static str> {
    match (call.method, &call.path) {
        ("GET", path) if path.ends_with("/peers") => Some("peers"),
        ("GET", path) if path == "/v1/rooms" => Some("rooms"),
        _ => None,
    }
}

/// Function that shows a response to people.
type Show = Box<dyn Fn(&Value) -> String>;

/// Returns the request of a verb, and how its response is shown.
fn call(verb: Verb) -> (Call, Show) {
    let room = |room: &str| format!("/v1/rooms/{}", client::escaped(room));
    let done = |text: String| -> Show { Box::new(move |_| format!("{text}\n")) };
    match verb {
        Verb::Cluster => (Call::new("GET", "/v1/cluster"), Box::new(print::cluster)),
        Verb::Status => (Call::new("GET", "/v1/status"), Box::new(print::status)),
        Verb::Rooms => (Call::new("GET", "/v1/rooms"), Box::new(print::rooms)),
        Verb::Create { room: name, template, permanent, settings } => {
            let text = format!("{name} is open");
            let RoomSettings { max_players, locked, code, metadata } = settings.into();
            let new = NewRoom { name, template, permanent, max_players, locked, code, metadata };
            (Call::new("POST", "/v1/rooms").with(json!(new)), done(text))
        }
        Verb::Set { room: name, settings } => {
            let settings = RoomSettings::from(settings);
            (Call::new("PATCH", room(&name)).with(json!(settings)), Box::new(print::room))
        }
        Verb::Close { room: name } => {
            (Call::new("DELETE", room(&name)), done(format!("{name} is closed")))
        }
        Verb::HostKey { room: name, once } => {
            let query = if once { "?once=true" } else { "" };
            (Call::new("POST", room(&name) + "/host-key" + query), Box::new(print::host_key))
        }
        Verb::Recordings => (Call::new("GET", "/v1/recordings"), Box::new(print::recordings)),
        Verb::Record { room: name, stop } => {
            let (method, text) = match stop {
                true => ("DELETE", format!("the recording of {name} has ended")),
                false => ("POST", format!("{name} is recorded from its next packet on")),
            };
            (Call::new(method, room(&name) + "/recording"), done(text))
        }
        Verb::Watch { room: name, change } => {
            let (path, change) = (room(&name) + "/playback", PlaybackChange::from(change));
            let call = match change == PlaybackChange::default() {
                true => Call::new("GET", path),
                false => Call::new("PATCH", path).with(json!(change)),
            };
            (call, Box::new(print::playback))
        }
        Verb::Lock { room: name } => {
            let text = format!("{name} refuses new players");
            (Call::new("PATCH", room(&name)).with(json!({"locked": true})), done(text))
        }
        Verb::Unlock { room: name } => {
            let text = format!("{name} accepts players");
            (Call::new("PATCH", room(&name)).with(json!({"locked": false})), done(text))
        }
        Verb::Peers { room: name } => {
            (Call::new("GET", format!("{}/peers", room(&name))), Box::new(print::peers))
        }
        Verb::Nodes { room: name } => {
            (Call::new("GET", format!("{}/nodes", room(&name))), Box::new(print::nodes))
        }
        Verb::Kick { room: name, peer, reason } => {
            let call = Call::new("DELETE", format!("{}/peers/{peer}", room(&name)));
            let text = format!("{peer} is disconnected, and may join again");
            (call.with(json!({"reason": reason})), done(text))
        }
        Verb::Move { room: name, peer, to, code, seat } => {
            let call = Call::new("POST", format!("{}/peers/{peer}/move", room(&name)));
            let text = format!("{peer} is in {to} now");
            (call.with(json!(MovePeer { to, code, seat })), done(text))
        }
        Verb::Link { room: name, peer, clear, conditions } => {
            let path = format!("{}/peers/{peer}/link", room(&name));
            let link = Link::from(conditions);
            if clear {
                (Call::new("DELETE", path), done(format!("{peer} has no simulated link any more")))
            } else if link == Link::default() {
                (Call::new("GET", path), Box::new(print::link))
            } else {
                let text = format!("the link to {peer} is simulated");
                (Call::new("PUT", path).with(json!(link)), done(text))
            }
        }
        Verb::Bots { room: name, end: true, .. } => {
            let call = Call::new("DELETE", format!("{}/bots", room(&name)));
            (call, Box::new(print::ended_bots))
        }
        Verb::Bots { room: name, count, seconds, send, end: false } => {
            let call = Call::new("POST", format!("{}/bots", room(&name)));
            (call.with(json!(NewBots { count, seconds, send })), Box::new(print::joined_bots))
        }
        Verb::Bans => (Call::new("GET", "/v1/bans"), Box::new(print::bans)),
        Verb::Ban { target: BanArgs { address, sub }, seconds, reason } => {
            let ban = NewBan { address, sub, seconds, reason };
            (Call::new("POST", "/v1/bans").with(json!(ban)), Box::new(print::banned))
        }
        Verb::Unban { target: BanArgs { address, sub } } => {
            let key = if sub.is_some() { "sub" } else { "address" };
            let target = address.or(sub).unwrap_or_default();
            let path = format!("/v1/bans?{key}={}", client::escaped(&target));
            (Call::new("DELETE", path), done(format!("{target} is not banned any more")))
        }
        Verb::Announce { text, room: name } => {
            let path = name.map_or_else(|| "/v1".to_owned(), |name| room(&name)) + "/announce";
            let call = Call::new("POST", path).with(json!(Announcement { text }));
            (call, Box::new(print::announced))
        }
        Verb::Drain { timeout } => {
            let call = Call::new("POST", "/v1/drain").with(json!({"timeout_seconds": timeout}));
            (call, done("the server refuses new players, and ends".to_owned()))
        }
        Verb::Reload => (Call::new("POST", "/v1/reload"), Box::new(print::reloaded)),
        Verb::Config => (Call::new("GET", "/v1/config"), Box::new(print::config)),
        Verb::Setup { link, name } => {
            let code = link.rsplit('#').next().unwrap_or_default();
            let call = Call::new("POST", "/v1/setup").with(json!({"code": code, "name": name}));
            (call, Box::new(print::token))
        }
    }
}
