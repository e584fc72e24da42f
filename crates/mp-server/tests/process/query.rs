//! Queries of server lists, by a client written from Valve's specification.

use std::net::{SocketAddr, UdpSocket};
use std::process::Stdio;

use mp_core::host::SystemClock;

use crate::admin::AdminServer;
use crate::admin::http::Request;
use crate::players::RawPlayer;
use crate::server::{FREE_PORTS, PATIENCE, Server, command};

const INFO: &[u8] = b"\xff\xff\xff\xffTSource Engine Query\0";
const PLAYERS: &[u8] = b"\xff\xff\xff\xffU";
const RULES: &[u8] = b"\xff\xff\xff\xffV";

/// A client of one server.
struct Client {
    socket: UdpSocket,
    server: SocketAddr,
}

impl Client {
    fn new(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, server }
    }

    fn exchange(&self, query: &[u8]) -> Vec<u8> {
        self.socket.send_to(query, self.server).unwrap();
        let mut buf = [0; 1_400];
        let (len, from) = self.socket.recv_from(&mut buf).unwrap();
        assert_eq!((from, &buf[..4]), (self.server, &[0xff; 4][..]));
        buf[4..len].to_vec()
    }

    /// Sends a query without a challenge, and again with that of the response.
    fn ask(&self, query: &[u8]) -> Vec<u8> {
        let first = if query == INFO { query.to_vec() } else { [query, &[0xff; 4]].concat() };
        let challenge = self.exchange(&first);
        let [b'A', challenge @ ..] = &challenge[..] else { panic!("{challenge:02x?}") };
        assert_eq!(challenge.len(), 4);
        self.exchange(&[query, challenge].concat())
    }
}

/// Reads the fields of a response.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn byte(&mut self) -> u8 {
        let (&byte, rest) = self.0.split_first().unwrap();
        self.0 = rest;
        byte
    }

    fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    fn text(&mut self) -> String {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap();
        let text = String::from_utf8(self.0[..end].to_vec()).unwrap();
        self.0 = &self.0[end + 1..];
        text
    }
}

fn server(settings: &[(&str, &str)]) -> Server {
    let mut command = command();
    command.args(FREE_PORTS).stderr(Stdio::null()).envs(settings.iter().copied());
    Server::of(&mut command)
}

/// Waits until the number of players in the response is `expected`.
fn wait_for_players(client: &Client, expected: u8) {
    for _ in 0..PATIENCE.as_secs() {
        let response = client.ask(INFO);
        let mut fields = Fields(&response[2..]);
        let _texts = [(); 4].map(|()| fields.text());
        let _app = fields.short();
        if fields.byte() == expected {
            return;
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    panic!("the number of players is not {expected}");
}

#[test]
fn client_of_the_specification_reads_info_players_and_rules() {
    let settings = [("MP_QUERY__ENABLED", "true"), ("MP_QUERY__NAME", "Harbor")];
    let server = server(&[&settings[..], &[("MP_MATCH__PUBLIC_HOST", "game.example")]].concat());
    let client = Client::new(server.enet);
    wait_for_players(&client, 0);
    let _player = RawPlayer::join(server.ws);
    wait_for_players(&client, 1);

    let response = client.ask(INFO);
    let mut fields = Fields(&response);
    assert_eq!((fields.byte(), fields.byte()), (b'I', 17));
    assert_eq!([(); 4].map(|()| fields.text()), ["Harbor", "rooms", "godot", "Godot"]);
    assert_eq!(fields.short(), 0);
    // Players, their maximum, bots; dedicated, Linux, public, without anti-cheat.
    assert_eq!([(); 3].map(|()| fields.byte()), [1, 255, 0]);
    let [kind, _system, is_private, has_anti_cheat] = [(); 4].map(|()| fields.byte());
    assert_eq!((kind, is_private, has_anti_cheat), (b'd', 0, 0));
    assert_eq!(fields.text(), env!("CARGO_PKG_VERSION"));
    assert_eq!((fields.byte(), fields.short(), fields.0.len()), (0x80, server.enet.port(), 0));

    assert_eq!(client.ask(PLAYERS), b"D\0", "the names of players are off");
    let response = client.ask(RULES);
    let mut fields = Fields(&response);
    assert_eq!(fields.byte(), b'E');
    let rules: Vec<_> = (0..fields.short()).map(|_| (fields.text(), fields.text())).collect();
    for (name, value) in [("address", "game.example"), ("rooms", "1"), ("draining", "0")] {
        assert!(rules.contains(&(name.to_owned(), value.to_owned())), "{name}: {rules:?}");
    }
}

#[test]
fn queries_are_ignored_unless_they_are_enabled() {
    let server = server(&[]);
    let client = Client::new(server.enet);
    client.socket.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
    client.socket.send_to(INFO, client.server).unwrap();
    assert!(client.socket.recv(&mut [0; 64]).is_err());
}

#[test]
fn flood_of_an_address_is_limited_counted_and_not_amplified() {
    let server = AdminServer::with(|command| {
        command.env("MP_QUERY__ENABLED", "true");
    });
    let client = Client::new(server.enet());
    for _ in 0..FLOOD {
        client.socket.send_to(INFO, client.server).unwrap();
    }
    let counts = || {
        let metrics = Request::new("GET", "/metrics").send(server.address()).body;
        ["challenged", "limited"].map(|result| {
            let sample = format!("mp_queries_total{{result=\"{result}\"}} ");
            let value = metrics.lines().find_map(|line| line.strip_prefix(&sample[..])).unwrap();
            value.parse::<f64>().unwrap() as u64
        })
    };
    let clock = SystemClock::new();
    let until = clock.now() + PATIENCE;
    while counts().iter().sum::<u64>() < FLOOD && clock.now() < until {}
    let [challenged, limited] = counts();
    assert_eq!(challenged + limited, FLOOD);
    assert!(limited > 0);
    client.socket.set_nonblocking(true).unwrap();
    let lengths = std::iter::from_fn(|| client.socket.recv(&mut [0; 64]).ok());
    assert_eq!(lengths.filter(|&len| len < INFO.len()).count() as u64, challenged);
}

/// More queries than are answered at once.
const FLOOD: u64 = 200;
