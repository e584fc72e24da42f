//! [`Tunnel`]: a room of mp-server, and the program that connects a game with it.

use std::time::Duration;

use crate::process::{ChildProcess, Programs, Stream};

/// Transport of the connection between the program and the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Enet,
    WebSocket,
}

/// Processes between the players and their game.
pub(crate) struct Tunnel {
    room: ChildProcess,
    program: ChildProcess,
    port: u16,
}

impl Tunnel {
    /// Starts the processes, and waits until the game at the UDP port `game` is hosted.
    pub(crate) fn start(programs: &Programs, link: Link, game: u16) -> Result<Self, String> {
        let command = programs.mp_server(&["--config", "bench/rooms/tunnel.toml"]);
        let mut room = ChildProcess::start("mp-server", command)?;
        let (port, websocket) = room.read_until(START_TIMEOUT, |line| {
            Some((port_after(line, "ENet on UDP ")?, port_after(line, "WebSocket on TCP ")?))
        })?;
        let server = match link {
            Link::Enet => format!("enet://127.0.0.1:{port}"),
            Link::WebSocket => format!("ws://127.0.0.1:{websocket}"),
        };
        let game = format!("127.0.0.1:{game}");
        let command = programs.mp_server(&[
            "tunnel",
            "--insecure",
            "--room",
            ROOM,
            "--key",
            KEY,
            "--to",
            &game,
            "--server",
            &server,
        ]);
        let mut program = ChildProcess::start_reading("tunnel", command, Stream::Errors)?;
        program.read_until(START_TIMEOUT, |line| line.starts_with("hosting ").then_some(()))?;
        Ok(Self { room, program, port })
    }

    /// Returns the UDP port at which players join.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the CPU time of the processes in ns.
    pub(crate) fn cpu(&self) -> Result<u64, String> {
        Ok(self.room.cpu()? + self.program.cpu()?)
    }
}

/// Returns the port of the address that follows `start` in a line of mp-server.
pub(crate) fn port_after(line: &str, start: &str) -> Option<u16> {
    let (_, rest) = line.split_once(start)?;
    rest.split([' ', ',']).next()?.rsplit(':').next()?.parse().ok()
}

const START_TIMEOUT: Duration = Duration::from_secs(20);
/// First of the rooms that the load selects.
const ROOM: &str = "room-0";
/// Key in bench/rooms/tunnel.toml.
const KEY: &str = "key of the benchmarks";
