//! `mp-server bots` against mp-server: reports, thresholds and exit codes.

use std::fs;
use std::path::Path;
use std::process::Output;

use mp_tls::DevelopmentCertificate;
use tempfile::TempDir;

use crate::server::{Server, command};

/// One second of two players that call each other, and send bytes to each other.
const SCENARIO: &str = r#"
phase = [{ joins_per_second = 20, players = 2, for = "2s" }]
node = [{ path = "Main", methods = ["ping", "pong"] }]
answer = [{ rpc = "ping", with = "pong" }]
[[do]]
connect = "60s"
[[do]]
expect = "signal"
name = "peer_connected"
[[do]]
rpc = "ping"
path = "Main"
args = [{ value = "sequence" }]
to = "random_player"
every = "50ms"
reply = "pong"
[[do]]
raw = 32
to = "all"
every = "50ms"
for = "500ms"
[[do]]
expect = "raw"
[thresholds]
failed_joins = 0
lost_reliable = 0
disconnects = 0
unmet_expectations = 0
"#;

/// Runs the bots of a scenario in an empty folder, which is returned.
fn bots(scenario: &str, args: &[&str]) -> (Output, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bots.toml"), scenario).unwrap();
    let run = command().current_dir(&folder).args(["bots", "bots.toml"]).args(args).output();
    (run.unwrap(), folder)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn assert_passes(output: &Output) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
}

#[test]
fn bots_over_enet_and_websocket_meet_in_a_room_and_are_reported() {
    let server = Server::start(&[]);
    let addresses = [format!("enet://{}", server.enet), format!("ws://{}", server.ws)];
    let [enet, ws] = addresses.each_ref().map(String::as_str);
    let files = ["--json", "report.json", "--html", "report.html"];
    let (output, folder) =
        bots(SCENARIO, &[&["--server", enet, "--server", ws], &files[..]].concat());
    assert_passes(&output);
    let table = text(&output.stdout);
    for part in ["2 started, 2 joined, 0 failed, 2 left", "p99.9", "ok  lost_reliable = 0", "CPU"] {
        assert!(table.contains(part), "no {part:?} in {table}");
    }
    assert!(text(&output.stderr).contains(" 2 players  "), "{}", text(&output.stderr));
    let json = fs::read_to_string(folder.path().join("report.json")).unwrap();
    for part in ["\"joined\": 2,", "\"passed\": true", "\"lost_reliable\": 0,", "\"p99\": "] {
        assert!(json.contains(part), "no {part:?} in {json}");
    }
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(html.contains("<svg ") && html.contains("round-trip time in ms"), "{html}");
    assert!(!html.contains("http"), "the page needs other files: {html}");
}

#[test]
fn bots_over_webrtc_play_with_those_of_other_transports() {
    let server = Server::start(&[]);
    let addresses = [format!("webrtc://{}", server.ws), format!("enet://{}", server.enet)];
    let [webrtc, enet] = addresses.each_ref().map(String::as_str);
    // One joins after the other, so that the last one receives announcements of both kinds.
    let scenario = SCENARIO.replace("players = 2", "players = 4");
    let (output, folder) =
        bots(&scenario, &["--server", webrtc, "--server", enet, "--json", "report.json"]);
    assert_passes(&output);
    let table = text(&output.stdout);
    assert!(table.contains("4 started, 4 joined, 0 failed, 4 left"), "{table}");
    let json = fs::read_to_string(folder.path().join("report.json")).unwrap();
    for part in ["\"rejected_packets\": 0,", "\"malformed\": 0,", "\"lost_reliable\": 0,"] {
        assert!(json.contains(part), "no {part:?} in {json}");
    }
}

#[test]
fn webrtc_bots_that_signaling_refuses_name_its_reason() {
    let server = Server::start(&[]);
    let address = format!("webrtc://{}#another", server.ws);
    let (output, _) = bots(SCENARIO, &["--server", &address, "--quiet"]);
    assert_eq!(output.status.code(), Some(2));
    let refused = "signaling closed: Lobby does not exist";
    let expected = format!("mp-server: cannot reach {address}: {refused}\n");
    assert_eq!(text(&output.stderr), expected);
    let (output, _) = bots(SCENARIO, &["--server", "webrtc://127.0.0.1:1", "--quiet"]);
    let expected = "mp-server: cannot reach webrtc://127.0.0.1:1: refused\n";
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(2), expected));
}

#[test]
fn exceeded_threshold_fails_with_3_after_the_report() {
    let server = Server::start(&[]);
    let address = format!("enet://{}", server.enet);
    // A room of mp-server has no nodes.
    let unmet = SCENARIO.replace("expect = \"raw\"", "expect = \"spawn\"\nwithin = \"100ms\"");
    let (output, folder) =
        bots(&unmet, &["--server", &address, "--quiet", "--json", "report.json"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "mp-server: unmet_expectations = 2 exceeds 0\n");
    assert!(text(&output.stdout).contains("EXCEEDED  unmet_expectations = 2, limit 0"));
    let json = fs::read_to_string(folder.path().join("report.json")).unwrap();
    assert!(json.contains("\"passed\": false"), "{json}");
}

#[test]
fn unreachable_server_is_one_line_and_fails_with_2() {
    let refused = "mp-server: cannot reach ws://127.0.0.1:1: refused\n";
    let (output, _) = bots(SCENARIO, &["--server", "ws://127.0.0.1:1", "--quiet"]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(2), refused));
    let silent = "mp-server: cannot reach enet://127.0.0.1:1: no answer within 500 ms\n";
    let hasty = SCENARIO.replace("60s", "500ms");
    let (output, _) = bots(&hasty, &["--server", "enet://127.0.0.1:1", "--quiet"]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(2), silent));
    let (output, _) = bots(SCENARIO, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("pass --server ADDRESS"));
}

#[test]
fn invalid_scenario_is_shown_with_its_lines_and_fails_with_2() {
    let invalid = SCENARIO.replace("every = \"50ms\"\nreply", "evry = \"50ms\"\nreply");
    let (output, _) = bots(&invalid, &[]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains(" --> bots.toml:15:1\n"), "{error}");
    assert!(error.contains("help: did you mean `every`?"), "{error}");
    let (output, _) = bots(
        &SCENARIO.replace("rpc = \"ping\"\npath", "rpc = \"pin\"\npath"),
        &["--server", "ws://h:1"],
    );
    assert_eq!(output.status.code(), Some(2));
    let error = "mp-server: the node \"Main\" has no RPC method pin; did you mean ping?\n";
    assert_eq!(text(&output.stderr), error);
}

#[test]
fn bots_verify_the_certificate_of_servers_with_tls_and_dtls() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["my.crt", "my.key"].map(|name| folder.path().join(name));
    let [certificate, key] = files.each_ref().map(|file| file.display().to_string());
    let made = DevelopmentCertificate::new(&["localhost"]).unwrap();
    made.write(&files[0], &files[1]).unwrap();
    let server = Server::start(&["--dtls", "--tls-cert", &certificate, "--tls-key", &key]);
    let addresses = [
        format!("enets://localhost:{}", server.enet.port()),
        format!("wss://localhost:{}", server.ws.port()),
    ];
    let [enet, ws] = addresses.each_ref().map(String::as_str);
    let trusting = format!("{SCENARIO}\n[tls]\nca = \"{certificate}\"\n");
    assert_passes(&bots(&trusting, &["--server", enet, "--server", ws]).0);

    let (output, _) = bots(SCENARIO, &["--server", enet, "--quiet"]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("cannot reach enets://localhost:"), "{error}");
    assert!(error.contains("not trusted"), "{error}");
}

#[test]
fn bots_select_rooms_by_their_first_authentication_packet() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("mp-server.toml");
    let listen = "[[listen]]\ntransport = \"enet\"\naddress = \"127.0.0.1:0\"\nselect = \"auth\"\n[[listen]]\ntransport = \"websocket\"\naddress = \"127.0.0.1:0\"\nselect = \"auth\"\n";
    fs::write(&config, listen).unwrap();
    let mut run = command();
    let server = Server::of(run.arg("--config").arg(&config));
    // Each player is alone in its room, so it has no other player to call.
    let rooms = "connect = \"60s\"\n[[do]]\nroom = \"arena-{bot}\"\n[[do]]\nwait = \"1s\"\n[[do]]\nleave = \"disconnect\"";
    let start = SCENARIO.split("connect = ").next().unwrap();
    let (output, _) =
        bots(&format!("{start}{rooms}"), &["--server", &format!("enet://{}", server.enet)]);
    assert_passes(&output);
    assert!(
        text(&output.stdout).contains("2 joined, 0 failed, 2 left"),
        "{}",
        text(&output.stdout)
    );

    let invalid =
        format!("{start}{rooms}\n[thresholds]\nfailed_joins = 0\n").replace("arena-{bot}", "a b");
    let (output, _) = bots(&invalid, &["--server", &format!("enet://{}", server.enet), "--quiet"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
}

#[test]
fn scenario_of_the_guide_runs() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mp/guide/bots.md");
    let page = fs::read_to_string(page).unwrap();
    let scenario = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let server = Server::start(&[]);
    let address = format!("enet://{}", server.enet);
    let scenario = scenario.unwrap().replace("enet://127.0.0.1:7777", &address);
    // The times of the guide are those of a machine without other work.
    let scenario = scenario.replace("\"500ms\"", "\"60s\"").replace("\"100ms\"", "\"60s\"");
    let (output, _) = bots(&scenario, &[]);
    assert_passes(&output);
    let replies = text(&output.stdout);
    assert!(replies.contains("replies in time"), "{replies}");
}
