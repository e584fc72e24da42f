//! Examples print what their first comment promises, and exit with 0.
#![allow(missing_docs, reason = "a test")]

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Stdio};

/// Returns the indented lines after the line that ends with `prints`, in the first comment of a
/// source.
fn promised(source: &str) -> Vec<&str> {
    source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .skip_while(|line| !line.ends_with("prints"))
        .skip(2)
        .skip_while(|line| line.trim() == "```text")
        .take_while(|line| line.starts_with("     "))
        .map(str::trim)
        .collect()
}

/// Returns whether `line` is `pattern`, in which `…` stands for any text.
fn matches(line: &str, pattern: &str) -> bool {
    match pattern.split_once('…') {
        None => line == pattern,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|line| {
            line.char_indices()
                .map(|(index, _)| index)
                .chain([line.len()])
                .any(|index| matches(&line[index..], rest))
        }),
    }
}

fn check(binary: &str, source: &str) {
    let output = Command::new(binary).output().expect("the example can be started");
    let printed = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<_> = printed.lines().map(str::trim).collect();
    assert!(!promised(source).is_empty(), "the comment promises nothing");
    assert_eq!(lines, promised(source), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}", output.status);
}

#[test]
fn custom_transport_prints_what_its_comment_promises() {
    check(env!("CARGO_BIN_EXE_custom-transport"), include_str!("../custom_transport/main.rs"));
}

#[test]
fn ecs_prints_what_its_comment_promises() {
    check(env!("CARGO_BIN_EXE_ecs"), include_str!("../ecs/main.rs"));
}

#[test]
fn game_loop_prints_what_its_comment_promises() {
    check(env!("CARGO_BIN_EXE_game-loop"), include_str!("../game_loop/main.rs"));
}

#[test]
fn logging_api_prints_what_its_comment_promises() {
    check(env!("CARGO_BIN_EXE_logging-api"), include_str!("../logging_api/main.rs"));
}

#[test]
fn packet_peer_prints_what_its_comment_promises() {
    check(env!("CARGO_BIN_EXE_packet-peer"), include_str!("../packet_peer/main.rs"));
}

#[test]
fn two_roots_prints_what_its_comment_promises() {
    check(env!("CARGO_BIN_EXE_two-roots"), include_str!("../two_roots/main.rs"));
}

/// Returns a port that UDP and TCP can use.
fn free_port() -> u16 {
    loop {
        let udp = UdpSocket::bind("0.0.0.0:0").expect("there is a free port");
        let port = udp.local_addr().expect("the socket is bound").port();
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

#[test]
fn arena_with_bots_prints_what_its_comments_promise() {
    let (binary, port) = (env!("CARGO_BIN_EXE_arena"), free_port().to_string());
    let mut command = Command::new(binary);
    command.args(["serve", "--view", "--port", &port]).stdout(Stdio::piped());
    let mut server = command.spawn().expect("the example can be started");
    let mut output = BufReader::new(server.stdout.take().expect("it is piped"));
    let mut seen = String::new();
    output.read_line(&mut seen).expect("the server prints");

    let bots = |count: &str| {
        let mut command = Command::new(binary);
        command.args(["bots", "--count", count, "--seconds", "3"]);
        let output = command.arg(format!("127.0.0.1:{port}")).output();
        let output = output.expect("the example can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let printed = bots("20");
    let expected = promised(include_str!("../arena/bots.rs"));
    assert_eq!(printed.lines().count(), expected.len(), "{printed}");
    for (line, pattern) in printed.lines().zip(expected) {
        let pattern = pattern.replace("7780", &port);
        assert!(matches(line, &pattern), "{line:?} is not {pattern:?}");
    }

    bots("1");
    server.kill().expect("the server runs");
    server.wait().expect("the server has ended");
    output.read_to_string(&mut seen).expect("the server printed text");
    let view = promised(include_str!("../arena/view.rs"));
    assert!(!view.is_empty(), "the comment promises nothing");
    for pattern in view {
        assert!(seen.lines().any(|line| matches(line, pattern)), "no line {pattern:?} in {seen}");
    }
}

#[test]
fn a_pattern_matches_any_text_at_its_ellipsis() {
    assert!(matches("a 12 b 3 c", "a … b … c"));
    assert!(matches("a  b", "a … b"));
    assert!(matches("a", "…"));
    assert!(!matches("a 12 b", "a … c"));
    assert!(!matches("a 12 b d", "a … b"));
}
