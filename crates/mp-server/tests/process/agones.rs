//! The server beside a stub of the Agones sidecar, which follows its documented REST API.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use serde_json::Value;

use crate::players::RawPlayer;
use crate::server::{FREE_PORTS, PATIENCE, Server, command};

/// A sidecar that refuses the first `POST /ready`, as if it had not started, and has no counter
/// `rooms`.
struct Sidecar {
    address: SocketAddr,
    requests: Receiver<(String, Value)>,
}

impl Sidecar {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = sync_channel(1_024);
        thread::spawn(move || {
            let mut is_ready = false;
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut first, mut length) = (String::new(), 0);
                reader.read_line(&mut first).unwrap();
                let request = first.rsplit_once(' ').unwrap().0.to_owned();
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                        length = value.trim().parse().unwrap();
                    }
                    if line == "\r\n" {
                        break;
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let status = match &request[..] {
                    "POST /ready" if !std::mem::replace(&mut is_ready, true) => "503 Unavailable",
                    "PATCH /v1beta1/counters/rooms" => "404 Not Found",
                    _ => "200 OK",
                };
                let body = if body.is_empty() {
                    Value::Null
                } else {
                    serde_json::from_slice(&body).unwrap()
                };
                if sender.send((request, body)).is_err() {
                    return;
                }
                let response = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}");
                let _ = stream.write_all(response.as_bytes());
            }
        });
        Self { address, requests }
    }

    /// Waits for a request, and returns its body. Others before it are counted.
    fn request(&self, wanted: &str) -> (Value, usize) {
        for others in 0.. {
            let (request, body) = self.requests.recv_timeout(PATIENCE).expect(wanted);
            if request == wanted {
                return (body, others);
            }
        }
        unreachable!()
    }

    fn server(&self, settings: &[(&str, &str)]) -> Server {
        let mut command = command();
        command.args(FREE_PORTS).stderr(Stdio::null()).envs(settings.iter().copied());
        Server::of(command.env("AGONES_SDK_HTTP_PORT", self.address.port().to_string()))
    }
}

#[test]
fn sidecar_learns_of_readiness_health_counters_and_the_end() {
    let sidecar = Sidecar::start();
    let mut server = sidecar.server(&[("MP_AGONES__ENABLED", "true")]);
    assert_eq!(sidecar.request("POST /ready").1, 0, "the first request");
    assert_eq!(sidecar.request("POST /ready").1, 0, "it is repeated until it is accepted");
    sidecar.request("POST /health");
    sidecar.request("PATCH /v1beta1/counters/rooms");
    let players = |count: &str| serde_json::json!({ "count": count, "capacity": "256" });
    assert_eq!(sidecar.request("PATCH /v1beta1/counters/players").0, players("0"));
    let _player = RawPlayer::join(server.ws);
    let (body, others) = sidecar.request("PATCH /v1beta1/counters/players");
    assert_eq!(body, players("1"));
    assert!(others > 0, "the health is reported in between");
    assert_eq!(server.terminate(), Some(0));
    sidecar.request("POST /shutdown");
}

#[test]
fn sidecar_is_not_used_without_the_setting() {
    let sidecar = Sidecar::start();
    let mut server = sidecar.server(&[]);
    assert_eq!(server.terminate(), Some(0));
    assert!(sidecar.requests.try_recv().is_err());
}
