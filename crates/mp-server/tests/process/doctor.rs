//! `mp-server doctor`.

use std::net::UdpSocket;
use std::process::Output;

use serde_json::Value;

use crate::admin::AdminServer;
use crate::server::{FREE_PORTS, command};

/// Runs the command with an admin API at `admin`, without settings that depend on the machine.
fn run(admin: &str, args: &[&str]) -> Output {
    let mut command = command();
    command.arg("doctor").args(args).env("MP_ADMIN__ADDRESS", admin);
    command.output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns the result of the check of the port whose text contains `part`.
fn port<'j>(report: &'j Value, part: &str) -> &'j Value {
    let checks = report["checks"].as_array().unwrap();
    let is_it = |it: &&Value| it["check"] == "port" && it["text"].as_str().unwrap().contains(part);
    checks.iter().find(is_it).unwrap_or_else(|| panic!("{part} is not in {report}"))
}

#[test]
fn sound_setup_has_no_errors_and_json_on_one_line() {
    let output = run("off", &[&FREE_PORTS[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["errors"], output.stderr.len()), (&0.into(), 0));
    let names: Vec<_> =
        report["checks"].as_array().unwrap().iter().map(|it| &it["check"]).collect();
    for name in ["port", "loopback", "open-files", "clock", "identity"] {
        assert!(names.contains(&&name.into()), "{name} is not in {names:?}");
    }
}

#[test]
fn port_in_use_is_an_error_with_its_reason_and_a_command() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run("off", &["--enet", &address, "--ws", "off"]);
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output.stdout);
    for part in ["error    port", &address, "why: the server does not start", "fix: ", "ss -ulpn"] {
        assert!(printed.contains(part), "{part} is not in {printed}");
    }
    assert_eq!(text(&output.stderr), "mp-server: 1 error\n");
}

#[test]
fn ports_of_a_running_server_are_no_error() {
    let server = AdminServer::start();
    let [admin, enet] = [server.address(), server.enet()].map(|address| address.to_string());
    let output = run(&admin, &["--json", "--enet", &enet, "--ws", "off"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = port(&report, &enet);
    assert_eq!(found["level"], "ok");
    assert!(found["text"].as_str().unwrap().contains("while a server runs"), "{found}");
}

#[test]
fn invalid_configuration_is_one_error_with_all_messages() {
    let output = run("off", &["--flush-interval", "3", "--enet", "off", "--ws", "off", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [check] = &report["checks"].as_array().unwrap()[..] else { panic!("{report}") };
    assert_eq!((&check["check"], &check["level"]), (&"configuration".into(), &"error".into()));
    assert!(check["text"].as_str().unwrap().contains("no transport"), "{check}");
}

#[test]
fn certificate_is_checked_for_the_given_name() {
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = ["a.crt", "a.key"].map(|it| folder.path().join(it).display().to_string());
    let made =
        command().args(["cert", "game.example", "--tls-cert", &cert, "--tls-key", &key]).output();
    assert!(made.unwrap().status.success());
    let of = |name: &str| {
        let certificate = ["--tls-cert", &cert, "--tls-key", &key, "--name", name];
        run("off", &[&FREE_PORTS[..], &certificate].concat())
    };
    let (good, bad) = (of("game.example"), of("other.example"));
    assert_eq!((good.status.code(), bad.status.code()), (Some(0), Some(1)));
    assert!(text(&bad.stdout).contains("the certificate is not for other.example"));
}
