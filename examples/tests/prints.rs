//! Examples that run alone print what their first comment promises, and exit with 0.
#![allow(missing_docs, reason = "a test")]

use std::process::Command;

/// Returns the indented lines after the line that ends with `prints`, in the first comment of a
/// source.
fn promised(source: &str) -> Vec<&str> {
    source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .skip_while(|line| !line.ends_with("prints"))
        .skip(2)
        .take_while(|line| line.starts_with("     "))
        .map(str::trim)
        .collect()
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
