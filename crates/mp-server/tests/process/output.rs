//! The program with blocked, closed or full output: players are not affected.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::players::RawPlayer;
use crate::server::{
    FREE_PORTS, Server, ask_healthz, assert_is_healthy, command, without_settings,
};

/// Capacity in bytes of a pipe on Linux.
const PIPE_BYTES: usize = 64 * 1_024;

#[test]
fn full_disk_of_the_log_does_not_stop_the_room() {
    let server = start(dev_full(), &[]);
    assert_players_come_and_go(server);
}

#[test]
fn closed_log_pipe_does_not_stop_the_room() {
    let (reader, writer) = io::pipe().unwrap();
    let server = start(writer.into(), &["--log", "debug"]);
    let _player = RawPlayer::join(server.ws);
    drop(reader);
    assert_players_come_and_go(server);
}

#[test]
fn unread_log_pipe_does_not_stop_the_room() {
    for is_nonblocking in [false, true] {
        let (_reader, mut writer) = io::pipe().unwrap();
        writer.write_all(&[b'.'; PIPE_BYTES]).unwrap();
        if is_nonblocking {
            fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        }
        let server = start(writer.into(), &["--log", "debug"]);
        assert_players_come_and_go(server);
    }
}

#[test]
fn lost_log_lines_are_reported_later() {
    let (mut reader, mut writer) = io::pipe().unwrap();
    writer.write_all(&[b'.'; PIPE_BYTES]).unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let _server = start(writer.into(), &[]);
    // The first line is lost once the log thread has retried for a second, or later if that thread
    // is delayed.
    std::thread::sleep(Duration::from_secs(6));
    let mut seen = vec![0; PIPE_BYTES];
    reader.read_exact(&mut seen).unwrap();
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    assert!(line.contains("log lines were lost") && line.contains("lines=1"), "{line}");
}

#[test]
fn certificate_is_created_although_its_use_cannot_be_printed() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        command().arg("cert").current_dir(folder.path()).stdout(dev_full()).output().unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert!(printed.lines().count() == 1 && printed.contains("server.crt"), "{printed}");
    mp_tls::Identity::from_files(
        folder.path().join("server.crt"),
        folder.path().join("server.key"),
    )
    .unwrap();
}

#[test]
fn closed_standard_streams_do_not_stop_the_room() {
    for closed in ["<&-", "2>&-", "<&- 2>&-"] {
        assert_players_come_and_go(Server::of(&mut in_shell(&format!("exec {closed}"), &[])));
    }
}

#[test]
fn files_that_cannot_be_written_or_read_are_errors_of_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing/server.crt").display().to_string();
    let folder = folder.path().display().to_string();
    for (args, printed) in [
        (&["cert", "--tls-cert", &missing][..], "cannot write"),
        (&["cert", "--tls-cert", "/proc/server.crt"], "cannot write"),
        (&["--tls-cert", &folder, "--tls-key", &folder], "cannot read"),
    ] {
        let output = command().args(args).output().unwrap();
        let lines = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {lines}");
        assert!(lines.lines().count() == 1 && lines.contains(printed), "{args:?}: {lines}");
    }
}

#[test]
fn room_on_all_addresses_serves_ipv4_and_ipv6() {
    let every = ["--enet", "*:0", "--ws", "*:0", "--webrtc", "*:0"];
    let server = Server::of(command().args(every).stderr(Stdio::null()));
    RawPlayer::join((Ipv4Addr::LOCALHOST, server.ws.port()).into());
    // The system may have no IPv6.
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        RawPlayer::join((Ipv6Addr::LOCALHOST, server.ws.port()).into());
    }
}

#[test]
fn too_few_files_are_an_error_of_one_line() {
    for limit in [6, 8, 10, 14, 30] {
        let output = in_shell(&format!("ulimit -n {limit}"), &[]).output().unwrap();
        let printed = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{limit}: {printed}");
        assert!(
            printed.lines().count() == 1 && printed.contains("ulimit -n"),
            "{limit}: {printed}"
        );
    }
}

#[test]
fn the_limit_of_open_files_is_raised_and_a_shortage_is_reported() {
    let mut server = Server::of(&mut in_shell("ulimit -S -n 128", &["--max-clients", "200"]));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.process_id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let soft: u64 = files.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!(soft > 1_224, "{files}");
    assert_eq!(server.terminate(), Some(0));

    let (reader, writer) = io::pipe().unwrap();
    let few = ["--max-clients", "2000"];
    let mut server = Server::of(in_shell("ulimit -n 512", &few).stderr(writer));
    assert_eq!(server.terminate(), Some(0));
    let log = io::read_to_string(reader).unwrap();
    assert!(log.contains("too few open files") && log.contains("limit=512"), "{log}");
}

/// Checks that players join and leave, `/healthz` responds, and SIGTERM stops the server with
/// success.
fn assert_players_come_and_go(mut server: Server) {
    for _ in 0..20 {
        RawPlayer::join(server.ws);
    }
    let _player = RawPlayer::join(server.ws);
    assert_is_healthy(|| ask_healthz(server.ws));
    assert_eq!(server.terminate(), Some(0));
}

fn start(stderr: Stdio, args: &[&str]) -> Server {
    Server::of(command().args(FREE_PORTS).args(args).stderr(stderr))
}

/// Returns the command that runs the server in a shell after `prepare`.
fn in_shell(prepare: &str, args: &[&str]) -> Command {
    let mut command = without_settings(Command::new("sh"));
    let script = format!(r#"{prepare} && exec "$0" "$@""#);
    command.args(["-c", &script, env!("CARGO_BIN_EXE_mp-server")]);
    command.args(FREE_PORTS).args(args);
    command
}

fn dev_full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}
