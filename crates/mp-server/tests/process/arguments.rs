//! Invalid arguments are errors of one line; help and certificates come with instructions.

use std::net::UdpSocket;
use std::process::Output;

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};

use crate::server::command;

#[test]
fn invalid_address_is_an_error_of_one_line() {
    let output = run(&["--enet", "localhost"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(lines(&output.stderr).len(), 1, "{:?}", lines(&output.stderr));
    assert!(lines(&output.stderr)[0].contains("\"localhost\""));
    assert!(lines(&output.stderr)[0].contains("0.0.0.0:7777"), "the error shows a valid address");
    assert!(output.stdout.is_empty());
}

#[test]
fn port_in_use_is_an_error_of_one_line() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["--enet", &address]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(lines(&output.stderr).len(), 1, "{:?}", lines(&output.stderr));
    assert!(lines(&output.stderr)[0].contains(&address));
    assert!(lines(&output.stderr)[0].contains("os error"), "it has the whole chain");
    assert!(output.stdout.is_empty());
}

#[test]
fn address_of_another_machine_is_an_error() {
    // 192.0.2.0/24 is for documentation: no machine has it.
    let output = run(&["--enet", "192.0.2.1:7777"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(lines(&output.stderr).len(), 1, "{:?}", lines(&output.stderr));
}

#[test]
fn invalid_log_filter_is_an_error_of_one_line() {
    let output = run(&["--log", "mp=loudly"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(lines(&output.stderr).len(), 1, "{:?}", lines(&output.stderr));
}

#[test]
fn numbers_out_of_range_are_errors() {
    for clients in ["0", "4096"] {
        let output = run(&["--max-clients", clients]);
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn contradictory_limits_are_an_error_of_one_line() {
    let output = run(&["--max-packet-size", "1000000", "--max-reliable-queue", "65536"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(lines(&output.stderr).len(), 1, "{:?}", lines(&output.stderr));
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let output = run(&["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for taught in ["relay room", "--max-clients", "Examples:", "create_client(", "Exit codes"] {
        assert!(help.contains(taught), "{taught} is not in {help}");
    }
}

#[test]
fn the_script_that_joins_over_webrtc_is_printed() {
    let output = run(&["gdscript"]);
    assert!(output.status.success());
    let script = String::from_utf8(output.stdout).unwrap();
    assert!(script.contains("class_name MpWebRtcClient") && script.ends_with("queue_free()\n"));
}

#[test]
fn certificate_is_created_once_with_instructions() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (path("my.crt"), path("my.key"));
    let arguments = ["cert", "game.example", "--tls-cert", &certificate, "--tls-key", &key];
    let output = run(&arguments);
    assert!(output.status.success(), "{:?}", lines(&output.stderr));
    mp_tls::Identity::from_files(&certificate, &key).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for taught in [&certificate, "game.example", "keep it secret", "res://my.crt"] {
        assert!(text.contains(taught), "{taught} is not in {text}");
    }

    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(2), "a key is not overwritten");
    assert_eq!(lines(&output.stderr).len(), 1, "{:?}", lines(&output.stderr));
    assert!(lines(&output.stderr)[0].contains("my.crt"));
}

#[test]
fn an_rsa_key_for_dtls_is_an_error_that_names_the_file_and_the_solution() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["my.crt", "my.key"].map(|name| folder.path().join(name));
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&certificate, params.self_signed(&rsa).unwrap().pem()).unwrap();
    std::fs::write(&key, rsa.serialize_pem()).unwrap();
    let [certificate, key] = [certificate, key].map(|path| path.display().to_string());
    let arguments = ["--enet", "127.0.0.1:0", "--ws", "off", "--webrtc", "off", "--dtls"];
    let output = run(&[&arguments[..], &["--tls-cert", &certificate, "--tls-key", &key]].concat());
    assert_eq!(output.status.code(), Some(2));
    let lines = lines(&output.stderr);
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in [&key[..], "RSA", "ENet's DTLS", "mp-server cert", "openssl ecparam"] {
        assert!(lines[0].contains(part), "{part} is not in {}", lines[0]);
    }
}

#[test]
fn invalid_websocket_arguments_are_errors_of_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.crt").display().to_string();
    for (args, told) in [
        (&["--ws", "localhost"][..], "0.0.0.0:7778"),
        (&["--enet", "off", "--ws", "off"], "no transport"),
        (&["--webrtc", "localhost"], "0.0.0.0:7779"),
        (&["--webrtc", "127.0.0.1:0", "--ws", "off"], "needs --ws or --webrtc-signaling"),
        (&["--webrtc-signaling", "localhost"], "0.0.0.0:9080"),
        (&["--webrtc-signaling", "127.0.0.1:0", "--webrtc", "off"], "without WebRTC"),
        (&["--webrtc-advertise", "game.example"], "203.0.113.7:7779"),
        (&["--webrtc-advertise", "0.0.0.0"], "203.0.113.7:7779"),
        (&["--webrtc", "off", "--webrtc-advertise", "203.0.113.7"], "without WebRTC"),
        (&["--ice-servers", "turn.example"], "turn:HOST:PORT"),
        (&["--ice-servers", "turn:turn.example:3478"], "needs --turn-secret"),
        (&["--allow-origin", "game.example"], "https://game.example"),
        (&["--allow-origin", "https://game.example/"], "https://game.example"),
        (&["--tls-cert", &missing, "--tls-key", &missing], "missing.crt"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let lines = lines(&output.stderr);
        assert!(lines.len() == 1 && lines[0].contains(told), "{args:?}: {lines:?}");
    }
    let output = run(&["--tls-cert", "a.crt"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("--tls-key"),
        "the error names the missing option"
    );
}

fn run(args: &[&str]) -> Output {
    command().args(args).output().expect("the program starts")
}

fn lines(output: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(output).lines().map(str::to_owned).collect()
}
