//! The program as a process, and clients that complete a TLS handshake and then misbehave.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_tls::rustls::pki_types::ServerName;
use mp_tls::rustls::version::{TLS12, TLS13};
use mp_tls::rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use mp_tls::{ClientTlsOptions, DevelopmentCertificate};

/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn bytes_after_a_close_notify_do_not_keep_the_server_busy() {
    let folder = tempfile::tempdir().unwrap();
    let made = DevelopmentCertificate::new(&["localhost"]).unwrap();
    for version in [&TLS12, &TLS13] {
        let mut server = Server::start(folder.path(), &made);
        let trusted = config(&made, version);
        let (mut tls, mut tcp) = handshake(&trusted, server.address);
        tls.send_close_notify();
        let mut bytes = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut bytes).unwrap();
        }
        bytes.extend([0x17, 3, 3, 0, 0x10]);
        bytes.extend([b'A'; 30_000]);
        // One write, so that the server reads all of it at once.
        tcp.write_all(&bytes).unwrap();
        // The server closes, so that it has read the bytes.
        let mut rest = Vec::new();
        let _ = tcp.read_to_end(&mut rest);

        let healthz = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let (mut tls, mut tcp) = handshake(&trusted, server.address);
        let clock = SystemClock::new();
        let asked = clock.now();
        let mut stream = mp_tls::rustls::Stream::new(&mut tls, &mut tcp);
        stream.write_all(healthz.as_bytes()).unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).unwrap();
        let elapsed = clock.now() - asked;
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        assert!(elapsed < Duration::from_millis(100), "{elapsed:?}");

        assert_eq!(server.terminate(), Some(0));
    }
}

fn config(
    made: &DevelopmentCertificate,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let provider = ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap();
    let provider = Arc::clone(provider.client_config().unwrap().crypto_provider());
    let mut roots = RootCertStore::empty();
    roots.add(made.identity().unwrap().chain()[0].clone()).unwrap();
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn handshake(config: &Arc<ClientConfig>, to: SocketAddr) -> (ClientConnection, TcpStream) {
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut tcp = TcpStream::connect(to).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp).unwrap();
    }
    (tls, tcp)
}

/// A server whose WebSocket clients use TLS.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(folder: &Path, made: &DevelopmentCertificate) -> Self {
        let (certificate, key) = (folder.join("my.crt"), folder.join("my.key"));
        std::fs::write(&certificate, made.certificate_pem()).unwrap();
        std::fs::write(&key, made.key_pem()).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_mp-server"))
            .env_clear()
            .args(["--enet", "127.0.0.1:0", "--ws", "127.0.0.1:0"])
            .args(["--tls-cert".as_ref(), certificate.as_os_str()])
            .args(["--tls-key".as_ref(), key.as_os_str()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.by_ref().map_while(Result::ok).find(|line| line.contains("TCP "));
        let line = line.expect("the server prints its TCP address");
        let after = line.split("TCP ").nth(1).and_then(|rest| rest.split(',').next());
        let address = after.and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("{line}"));
        // The rest of the banner must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// The exit code after SIGTERM; `None` when the server does not exit.
    fn terminate(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", "TERM", &id]).status().unwrap();
        assert!(sent.success());
        let clock = SystemClock::new();
        let limit = clock.now() + PATIENCE;
        while clock.now() < limit {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
