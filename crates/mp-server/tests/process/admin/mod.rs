//! The admin API over HTTP.

mod bots;
#[cfg(target_os = "linux")]
mod cluster;
mod ctl;
mod events;
mod health;
mod host_key;
pub(crate) mod http;
mod kept;
mod link;
mod metrics;
mod moves;
mod notices;
mod openapi;
mod peers;
mod playback;
mod process;
mod ready;
mod recordings;
mod security;
mod setup;
mod status;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{ChildStderr, Command, Stdio};

use self::http::{Request, Response};
use crate::server::{FREE_PORTS, Server, command};

/// Tokens of the servers of these tests, by scope.
const ALL: &str = "all-0123456789abcdef";
const READ: &str = "read-0123456789abcdef";
const ROOMS: &str = "rooms-0123456789abcdef";
const PEERS: &str = "peers-0123456789abcdef";
const SERVER: &str = "server-0123456789abcdef";

/// A server with an admin API on a free port.
pub(crate) struct AdminServer {
    server: Server,
    address: SocketAddr,
    log: BufReader<ChildStderr>,
}

impl AdminServer {
    /// Starts a server with a token of each scope, and one with all.
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// Starts a server with a configuration file.
    fn configured(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mp-server.toml");
        std::fs::write(&file, config).unwrap();
        // The file is read before the server prints its addresses.
        Self::with(|command| {
            command.env("MP_CONFIG", &file);
        })
    }

    /// Returns the address of the admin API.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of ENet.
    pub(crate) fn enet(&self) -> SocketAddr {
        self.server.enet
    }

    /// Starts a server that simulates bad links.
    fn in_development() -> Self {
        Self::with(|command| {
            command.arg("--dev");
        })
    }

    /// Starts a server whose configuration file has its listeners as well.
    fn with_listeners(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mp-server.toml");
        std::fs::write(&file, config).unwrap();
        let mut command = command();
        command.env("MP_CONFIG", &file).env("MP_ADMIN__TOKENS", tokens());
        command.env("MP_ADMIN__ADDRESS", "127.0.0.1:0");
        Self::of(command)
    }

    /// Starts a server with further settings.
    pub(crate) fn with(settings: impl FnOnce(&mut Command)) -> Self {
        Self::without_tokens(|command| {
            command.env("MP_ADMIN__TOKENS", tokens());
            settings(command);
        })
    }

    fn without_tokens(settings: impl FnOnce(&mut Command)) -> Self {
        let mut command = command();
        command.args(FREE_PORTS).env("MP_ADMIN__ADDRESS", "127.0.0.1:0");
        settings(&mut command);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let mut server = Server::of(command.stderr(Stdio::piped()));
        let mut log = BufReader::new(server.stderr());
        let line = line_with(&mut log, "admin API address=");
        let address = line.split("address=").nth(1).unwrap().trim().parse().unwrap();
        Self { server, address, log }
    }

    /// Waits for a log line with this part.
    fn line_with(&mut self, part: &str) -> String {
        line_with(&mut self.log, part)
    }

    /// Sends a request with a token.
    fn ask(&self, token: &str, method: &str, path: &str) -> Response {
        Request::new(method, path).token(token).send(self.address)
    }
}

/// Returns the setting with a token of each scope, and one with all.
fn tokens() -> String {
    let tokens = [("read", READ), ("rooms", ROOMS), ("peers", PEERS), ("server", SERVER)];
    let tokens = tokens.map(|(scope, secret)| format!("{scope}:{scope}:{secret},"));
    format!("{}all:read+rooms+peers+server:{ALL}", tokens.concat())
}

fn line_with(log: &mut impl BufRead, part: &str) -> String {
    let mut line = String::new();
    while !line.contains(part) {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "no line with {part}");
    }
    line
}
