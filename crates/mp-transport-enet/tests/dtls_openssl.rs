//! DTLS with OpenSSL's `s_client` and `s_server`, over real sockets. Debian's Godot has no DTLS.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_tls::{ClientTlsOptions, Identity};
use mp_transport_enet::DtlsClientOptions;
use mp_transport_enet::dtls::{DtlsRefusal, check_certificate};
use mp_transport_enet::io::{DatagramSocket, DtlsSocket, UdpSocket};
use mp_transport_enet::proto::HostSettings;
use mp_transport_enet::{EnetConnection, EnetMultiplayerPeer, ServerOptions};
use tempfile::TempDir;

const HOST: &str = "game.example";
/// Timeout of a wait, even on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);
const MISSING: &str = "cannot run openssl; on Debian: apt-get install openssl";

fn openssl(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(arguments.split_whitespace());
    command.output().unwrap_or_else(|error| panic!("{MISSING} ({error})"))
}

/// Creates a folder with an issuer (`ca`), a server certificate of that issuer (`server`), and one
/// with an RSA key (`rsa`).
fn certificates() -> TempDir {
    let folder = TempDir::new().unwrap();
    let elliptic = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";
    let of_server = format!(
        "-CA ca.crt -CAkey ca.key -subj /CN={HOST} -addext subjectAltName=DNS:{HOST} -addext basicConstraints=critical,CA:FALSE"
    );
    for rest in [
        format!("{elliptic} -keyout ca.key -out ca.crt -subj /CN=authority"),
        format!("{elliptic} -keyout server.key -out server.crt {of_server}"),
        format!("-newkey rsa:2048 -keyout rsa.key -out rsa.crt {of_server}"),
    ] {
        let made = openssl(folder.path(), &format!("req -x509 -nodes -days 2 {rest}"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    folder
}

fn identity(folder: &TempDir, name: &str) -> Identity {
    let file = |end: &str| folder.path().join(format!("{name}.{end}"));
    Identity::from_files(file("crt"), file("key")).unwrap()
}

fn trusting(folder: &TempDir) -> ClientTlsOptions {
    let pem = std::fs::read_to_string(folder.path().join("ca.crt")).unwrap();
    ClientTlsOptions::new().trusted_chain(&pem).unwrap()
}

/// A running `openssl` process, killed on drop.
struct Running {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Running {
    fn start(folder: &TempDir, arguments: &str) -> Self {
        let mut command = Command::new("openssl");
        command.current_dir(folder.path()).args(arguments.split_whitespace());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{MISSING} ({error})"));
        let (said, lines) = sync_channel(1_024);
        let (output, errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let also_said = said.clone();
        thread::spawn(move || pass_on(BufReader::new(output), &said));
        thread::spawn(move || pass_on(BufReader::new(errors), &also_said));
        Self { input: child.stdin.take().unwrap(), child, lines }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// Appends the output since the last call to `log`. Returns whether `log` contains `wanted`.
    fn has_said(&self, wanted: &str, log: &mut String) -> bool {
        while let Ok(line) = self.lines.try_recv() {
            log.push_str(&line);
            log.push('\n');
        }
        log.contains(wanted)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pass_on(lines: impl BufRead, to: &SyncSender<String>) {
    for line in lines.lines() {
        let Ok(line) = line else { return };
        let _ = to.send(line);
    }
}

/// A socket of this crate, and the payloads that it has received.
struct Ours {
    socket: DtlsSocket<UdpSocket>,
    clock: SystemClock,
    received: Vec<(SocketAddr, Vec<u8>)>,
}

impl Ours {
    fn new() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self { socket: DtlsSocket::new(socket), clock: SystemClock::new(), received: Vec::new() }
    }

    fn turn(&mut self) {
        self.socket.handle_timeout(self.clock.now());
        let mut buf = [0; 2_000];
        loop {
            match self.socket.try_recv_from(&mut buf) {
                Ok((len, from)) => self.received.push((from, buf[..len].to_vec())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The server is not listening yet.
                Err(_) => {}
            }
        }
    }

    fn has_received(&self, wanted: &[u8]) -> bool {
        self.received.iter().any(|(_, bytes)| bytes.starts_with(wanted))
    }
}

/// Runs turns until `is_done`. Panics with the output of OpenSSL on a timeout.
fn until(
    ours: &mut Ours,
    theirs: &Running,
    log: &mut String,
    is_done: impl Fn(&Ours, &str) -> bool,
) {
    let limit = ours.clock.now() + TIMEOUT;
    while ours.clock.now() < limit {
        ours.turn();
        theirs.has_said("", log);
        if is_done(ours, log) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("timed out after {TIMEOUT:?}; output of openssl:\n{log}{:?}", ours.socket.dtls());
}

/// Starts `s_server` at an unused port, with the server's certificate.
fn s_server(folder: &TempDir, arguments: &str) -> (Running, SocketAddr, String) {
    let address =
        std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let arguments = format!("s_server -dtls1_2 -accept {address} {arguments}");
    let (theirs, mut log) = (Running::start(folder, &arguments), String::new());
    let clock = SystemClock::new();
    let limit = clock.now() + TIMEOUT;
    while clock.now() < limit {
        if theirs.has_said("ACCEPT", &mut log) {
            return (theirs, address, log);
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("s_server did not start:\n{log}");
}

#[test]
fn openssl_client_verifies_the_server_and_exchanges_payloads() {
    let folder = certificates();
    let mut ours = Ours::new();
    ours.socket.server_setup(identity(&folder, "server").into(), 32).unwrap();
    let address = ours.socket.local_addr().unwrap();
    let verify = format!("-CAfile ca.crt -verify_return_error -verify_hostname {HOST}");
    let mut theirs =
        Running::start(&folder, &format!("s_client -dtls1_2 -connect {address} {verify}"));
    let mut log = String::new();
    until(&mut ours, &theirs, &mut log, |ours, _| ours.socket.dtls().unwrap().stats().secured == 1);
    theirs.say("from openssl");
    until(&mut ours, &theirs, &mut log, |ours, _| ours.has_received(b"from openssl"));
    let player = ours.received[0].0;
    ours.socket.try_send_to(b"from mp\n", player).unwrap();
    ours.socket.try_send_to(&[b'x'; 1_392], player).unwrap();
    ours.socket.try_send_to(b"\n", player).unwrap();
    until(&mut ours, &theirs, &mut log, |_, log| {
        log.contains("from mp") && log.contains(&"x".repeat(1_392))
    });
    assert!(log.contains("Verify return code: 0 (ok)"), "{log}");
}

#[test]
fn openssl_client_that_expects_another_name_rejects_the_server() {
    let folder = certificates();
    let mut ours = Ours::new();
    ours.socket.server_setup(identity(&folder, "server").into(), 32).unwrap();
    let address = ours.socket.local_addr().unwrap();
    let verify = "-CAfile ca.crt -verify_return_error -verify_hostname elsewhere.example";
    let theirs = Running::start(&folder, &format!("s_client -dtls1_2 -connect {address} {verify}"));
    until(&mut ours, &theirs, &mut String::new(), |_, log| log.to_lowercase().contains("mismatch"));
    assert_eq!(ours.socket.dtls().unwrap().stats().secured, 0);
}

/// Exchanges payloads with an OpenSSL server, which requires a cookie if `listens`.
fn talk(folder: &TempDir, hostname: &str, tls: ClientTlsOptions, listens: bool) {
    let listen = if listens { "-listen" } else { "" };
    let (mut theirs, address, mut log) =
        s_server(folder, &format!("-cert server.crt -key server.key {listen}"));
    let mut ours = Ours::new();
    let options = DtlsClientOptions { hostname: hostname.to_owned(), tls };
    ours.socket.client_setup(options, 1).unwrap();
    ours.turn();
    ours.socket.try_send_to(b"from mp\n", address).unwrap();
    until(&mut ours, &theirs, &mut log, |_, log| log.contains("from mp"));
    theirs.say("from openssl");
    until(&mut ours, &theirs, &mut log, |ours, _| ours.has_received(b"from openssl"));
    ours.socket.try_send_to(&[b'x'; 1_392], address).unwrap();
    ours.socket.try_send_to(b"\n", address).unwrap();
    until(&mut ours, &theirs, &mut log, |_, log| log.contains(&"x".repeat(1_392)));
}

#[test]
fn client_verifies_an_openssl_server_by_its_issuer_and_exchanges_payloads() {
    let folder = certificates();
    talk(&folder, HOST, trusting(&folder), false);
}

#[test]
fn client_returns_the_cookie_of_an_openssl_server() {
    let folder = certificates();
    talk(&folder, HOST, trusting(&folder), true);
}

#[test]
fn an_unsafe_client_accepts_any_openssl_server() {
    let folder = certificates();
    talk(&folder, "elsewhere.example", ClientTlsOptions::new_unsafe(), false);
}

#[test]
fn client_rejects_an_openssl_server_with_another_name_or_issuer() {
    let (folder, other) = (certificates(), certificates());
    for (hostname, tls) in [("elsewhere.example", trusting(&folder)), (HOST, trusting(&other))] {
        let (theirs, address, mut log) = s_server(&folder, "-cert server.crt -key server.key");
        let mut ours = Ours::new();
        ours.socket
            .client_setup(DtlsClientOptions { hostname: hostname.to_owned(), tls }, 1)
            .unwrap();
        ours.turn();
        ours.socket.try_send_to(b"a secret\n", address).unwrap();
        until(&mut ours, &theirs, &mut log, |ours, _| {
            ours.socket.dtls().unwrap().untrusted().is_some()
        });
        assert_eq!(ours.socket.dtls().unwrap().associations(), (0, 0));
        assert!(!theirs.has_said("a secret", &mut log), "{log}");
    }
}

#[test]
fn client_cannot_connect_to_a_server_with_an_rsa_key() {
    let folder = certificates();
    let (theirs, address, mut log) = s_server(&folder, "-cert rsa.crt -key rsa.key");
    let mut ours = Ours::new();
    let options = DtlsClientOptions { hostname: HOST.to_owned(), tls: trusting(&folder) };
    ours.socket.client_setup(options, 1).unwrap();
    ours.turn();
    ours.socket.try_send_to(b"a secret\n", address).unwrap();
    until(&mut ours, &theirs, &mut log, |ours, log| {
        let refusals = ours.socket.dtls().unwrap().stats().refusals;
        log.contains("no shared cipher") && refusals.get(DtlsRefusal::HandshakeFailed) > 0
    });
    assert_eq!(ours.socket.dtls().unwrap().stats().secured, 0);
}

#[test]
fn an_rsa_key_and_a_chain_are_rejected_with_a_solution() {
    let folder = certificates();
    let any = (Ipv4Addr::LOCALHOST, 0).into();
    let mut host = EnetConnection::create_host_bound(any, HostSettings::default()).unwrap();
    let of_host = host.dtls_server_setup(identity(&folder, "rsa")).unwrap_err().to_string();
    let options = ServerOptions::default().dtls(identity(&folder, "rsa"));
    let of_server = EnetMultiplayerPeer::create_server(any, options).unwrap_err().to_string();
    let of_check = check_certificate(&identity(&folder, "rsa")).unwrap_err().to_string();
    for error in [of_host, of_server, of_check] {
        for part in ["rsa.key", "RSA", "mp-server cert", "openssl ecparam"] {
            assert!(error.contains(part), "{error}");
        }
    }

    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let chain = text("server.crt") + &text("ca.crt");
    let chain = Identity::from_pem(&chain, &text("server.key")).unwrap();
    let options = ServerOptions::default().dtls(chain);
    let error = EnetMultiplayerPeer::create_server(any, options).unwrap_err().to_string();
    assert!(error.contains("a chain of 1 issuers") && error.contains("mp-server cert"), "{error}");
}
