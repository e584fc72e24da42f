//! Players whose machine leaves the network without a word, in network namespaces.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::{
    Channel, ConnectionId, DisconnectReason, Instant, MultiplayerPeer, Outgoing, PeerEvent, Prefix,
    TransferMode,
};
use mp_transport_ws::{ServerOptions, WebSocketMultiplayerPeer};

const TEST: &str = "players_whose_network_is_gone_end_with_a_timeout_whatever_they_were_doing";
/// Environment variable that says which part of the test a process runs.
const ROLE: &str = "MP_VANISHED_ROLE";

const TCP_TIMEOUT: Duration = Duration::from_secs(3);
/// Timers of TCP go off late by up to their interval.
const LIMIT: Duration = Duration::from_secs(9);

const SERVER: &str = "10.77.0.1";
const PLAYER: &str = "10.77.0.2";

#[test]
fn players_whose_network_is_gone_end_with_a_timeout_whatever_they_were_doing() {
    match std::env::var(ROLE).as_deref() {
        Ok("server") => serve(),
        Ok(_) => play(),
        Err(_) => {
            let output = part(&["-Urn"], "server").output().expect("unshare is installed");
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            assert!(
                !text.contains("unshare: "),
                "this test needs network namespaces without root: {text}\
                 permit them with `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` or \
                 `sysctl -w user.max_user_namespaces=10000`"
            );
            assert!(output.status.success(), "{text}");
        }
    }
}

/// This test again, in new namespaces.
fn part(namespaces: &[&str], role: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(namespaces).arg("--").arg(std::env::current_exe().unwrap());
    command.args(["--exact", TEST, "--nocapture"]).env(ROLE, role);
    command
}

/// The server's part: three players join, one that is sent nothing, one that is sent something every
/// 200 ms, and one whose socket is full. Then their machine is gone.
fn serve() {
    let (mut machine, mut orders, mut answers) = start_machine();
    let mut options = ServerOptions::default();
    options.web_socket.tcp_timeout = TCP_TIMEOUT;
    let address: SocketAddr = format!("{SERVER}:0").parse().unwrap();
    let mut server = WebSocketMultiplayerPeer::create_server(address, options).unwrap();
    let address = server.local_addr().unwrap();
    writeln!(orders, "{address}").unwrap();

    let clock = SystemClock::new();
    let mut players = Vec::new();
    run(&mut server, &clock, Duration::from_secs(10), |_, event| {
        if let PeerEvent::Connected { connection, .. } = event {
            players.push(connection);
        }
        players.len() < 3
    });
    let [_, fed, full] = players[..] else { panic!("{} players", players.len()) };
    // More than both sockets hold: the player reads nothing.
    for _ in 0..200 {
        send(&mut server, full, vec![0; 60_000]);
    }
    run(&mut server, &clock, Duration::from_millis(300), |_, _| true);
    writeln!(orders, "vanish").unwrap();
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();

    let gone = clock.now();
    let mut next = gone;
    let mut ends = BTreeMap::new();
    run(&mut server, &clock, LIMIT, |server, event| {
        if let PeerEvent::Disconnected { connection, reason } = event {
            ends.insert(connection, (reason, clock.now() - gone));
        }
        if clock.now() >= next && !ends.contains_key(&fed) {
            next += Duration::from_millis(200);
            send(server, fed, b"news".to_vec());
        }
        ends.len() < 3
    });
    let _ = machine.kill();
    let _ = machine.wait();
    for player in players {
        let (reason, _) = ends.get(&player).unwrap_or_else(|| panic!("{player}: {ends:?}"));
        assert_eq!(*reason, DisconnectReason::Timeout, "{ends:?}");
    }
}

/// Runs `server` until `goes_on` returns false, for `limit` at most. It is called without an event, too.
fn run(
    server: &mut WebSocketMultiplayerPeer,
    clock: &SystemClock,
    limit: Duration,
    mut goes_on: impl FnMut(&mut WebSocketMultiplayerPeer, PeerEvent) -> bool,
) {
    let end: Instant = clock.now() + limit;
    while clock.now() < end {
        server.poll(clock.now());
        let mut events: Vec<_> = std::iter::from_fn(|| server.next_event()).collect();
        events.push(PeerEvent::UniqueId(server.unique_id()));
        for event in events {
            if !goes_on(server, event) {
                return;
            }
        }
        server.flush(clock.now());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn send(server: &mut WebSocketMultiplayerPeer, to: ConnectionId, payload: Vec<u8>) {
    let (mode, channel) = (TransferMode::Reliable, Channel(0));
    let (to, payload) = (to.into(), payload.into());
    server.send(Outgoing { to, mode, channel, prefix: Prefix::EMPTY, payload }).unwrap();
}

/// Starts the players' machine: a process in a network namespace of its own, at the end of a cable.
fn start_machine() -> (Child, ChildStdin, BufReader<ChildStdout>) {
    let mut machine = part(&["-n"], "player")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare is installed");
    let orders = machine.stdin.take().unwrap();
    let mut answers = BufReader::new(machine.stdout.take().unwrap());
    // `unshare` has become the process itself, in its namespace.
    wait_for(&mut answers, "ready");
    ip("link set lo up");
    ip("link add cable0 type veth peer name cable1");
    ip(&format!("link set cable1 netns {}", machine.id()));
    ip(&format!("addr add {SERVER}/24 dev cable0"));
    ip("link set cable0 up");
    (machine, orders, answers)
}

fn wait_for(lines: &mut impl BufRead, word: &str) {
    let mut line = String::new();
    while !line.ends_with(&format!("{word}\n")) {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the machine ends before {word:?}");
    }
}

/// The machine's part: connects three players, then takes its end of the cable down.
fn play() {
    println!("\nready");
    let mut orders = BufReader::new(std::io::stdin()).lines().map(Result::unwrap);
    let server = orders.next().unwrap();
    ip(&format!("addr add {PLAYER}/24 dev cable1"));
    ip("link set cable1 up");
    let _players = [0; 3].map(|_| {
        let mut player = TcpStream::connect(&server).unwrap();
        let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        player.write_all(request.as_bytes()).unwrap();
        player
    });
    assert_eq!(orders.next().as_deref(), Some("vanish"));
    ip("link set cable1 down");
    println!("vanished");
    // Until the server's part ends.
    orders.for_each(drop);
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.expect("`ip` is installed, from the package iproute2");
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {why}");
}
