//! The conformance suite of transports, over virtual connections with various properties and over
//! TCP.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{made_certificate, trusting};
use mp_core::conformance::{Capabilities, Rig, suite};
use mp_core::host::SystemClock;
use mp_core::{Instant, MultiplayerPeer, Rng};
use mp_tls::DevelopmentCertificate;
use mp_transport_ws::testing::{StreamConditions, VirtualNetwork};
use mp_transport_ws::{ClientOptions, ServerOptions, WebSocketMultiplayerPeer};

/// All packets are reliable, on one channel.
fn capabilities(quiet: Duration) -> Capabilities {
    Capabilities { channels: 1, modes: false, statistics: true, quiet, ..Capabilities::default() }
}

struct VirtualSource {
    network: VirtualNetwork,
    now: Instant,
    clients: u8,
    certificate: Option<DevelopmentCertificate>,
}

impl VirtualSource {
    fn new(seed: u64, line: StreamConditions) -> Self {
        let network = VirtualNetwork::new(Rng::seed_from_u64(seed), line);
        let now = Instant::from_millis(1_000);
        network.advance(now);
        Self { network, now, clients: 0, certificate: None }
    }
}

impl Rig for VirtualSource {
    fn server(&mut self) -> Box<dyn MultiplayerPeer> {
        let mut options = ServerOptions::default().seed([1; 32]);
        if let Some(made) = &self.certificate {
            options = options.tls(made.identity().unwrap());
        }
        Box::new(WebSocketMultiplayerPeer::server(self.network.listener(), options).unwrap())
    }

    fn join(&mut self) -> Box<dyn MultiplayerPeer> {
        self.clients += 1;
        let mut options = ClientOptions::default().seed([1 + self.clients; 32]);
        let mut url = "ws://localhost/";
        if let Some(made) = &self.certificate {
            options = options.tls(trusting(made));
            url = "wss://localhost/";
        }
        Box::new(WebSocketMultiplayerPeer::client(self.network.dialer(), url, options).unwrap())
    }

    fn step(&mut self) -> Instant {
        self.now += Duration::from_millis(5);
        self.network.advance(self.now);
        self.now
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(Duration::from_millis(500))
    }
}

#[test]
fn over_a_perfect_network() {
    suite(|| VirtualSource::new(1, StreamConditions::default()));
}

#[test]
fn over_a_slow_network() {
    let line =
        StreamConditions { latency: Duration::from_millis(40), ..StreamConditions::default() };
    suite(|| VirtualSource::new(2, line));
}

#[test]
fn over_connections_that_split_frames() {
    let latency = Duration::from_millis(3);
    for (seed, chunk) in [(3, 1_500), (4, 97)] {
        suite(|| {
            VirtualSource::new(
                seed,
                StreamConditions { latency, capacity: 2_000, chunk, ..StreamConditions::default() },
            )
        });
    }
}

#[test]
fn over_tls() {
    let latency = Duration::from_millis(3);
    for (seed, line) in [
        (5, StreamConditions::default()),
        (
            6,
            StreamConditions {
                latency,
                capacity: 20_000,
                chunk: 4_000,
                ..StreamConditions::default()
            },
        ),
    ] {
        suite(|| VirtualSource {
            certificate: Some(made_certificate("localhost")),
            ..VirtualSource::new(seed, line)
        });
    }
}

/// TCP connections in real time.
struct Polled {
    clock: SystemClock,
    address: Option<SocketAddr>,
}

impl Rig for Polled {
    fn server(&mut self) -> Box<dyn MultiplayerPeer> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server =
            WebSocketMultiplayerPeer::create_server(any, ServerOptions::default()).unwrap();
        self.address = Some(server.local_addr().unwrap());
        Box::new(server)
    }

    fn join(&mut self) -> Box<dyn MultiplayerPeer> {
        let url = format!("ws://{}", self.address.unwrap());
        Box::new(WebSocketMultiplayerPeer::create_client(&url, ClientOptions::default()).unwrap())
    }

    fn step(&mut self) -> Instant {
        std::thread::sleep(Duration::from_millis(1));
        self.clock.now()
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(Duration::from_millis(50))
    }
}

#[test]
fn over_connections_of_the_system_in_a_plain_loop() {
    suite(|| Polled { clock: SystemClock::new(), address: None });
}

/// TCP connections in tokio, whose runtime also needs time.
struct InTokio<'r> {
    polled: Polled,
    runtime: &'r tokio::runtime::Runtime,
    certificate: Option<DevelopmentCertificate>,
}

fn suite_in_tokio(certificate: impl Fn() -> Option<DevelopmentCertificate>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    suite(|| {
        let polled = Polled { clock: SystemClock::new(), address: None };
        InTokio { polled, runtime: &runtime, certificate: certificate() }
    });
}

impl Rig for InTokio<'_> {
    fn server(&mut self) -> Box<dyn MultiplayerPeer> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut options = ServerOptions::default();
        if let Some(made) = &self.certificate {
            options = options.tls(made.identity().unwrap());
        }
        let server = WebSocketMultiplayerPeer::create_async_server(any, options).unwrap();
        self.polled.address = Some(server.local_addr().unwrap());
        Box::new(server)
    }

    fn join(&mut self) -> Box<dyn MultiplayerPeer> {
        let mut options = ClientOptions::default();
        let mut scheme = "ws";
        if let Some(made) = &self.certificate {
            options = options.tls(trusting(made));
            scheme = "wss";
        }
        let url = format!("{scheme}://localhost:{}", self.polled.address.unwrap().port());
        let client = WebSocketMultiplayerPeer::create_async_client(&url, options).unwrap();
        Box::new(client)
    }

    fn step(&mut self) -> Instant {
        self.runtime.block_on(tokio::time::sleep(Duration::from_millis(1)));
        self.polled.clock.now()
    }

    fn capabilities(&self) -> Capabilities {
        self.polled.capabilities()
    }
}

#[test]
fn over_connections_of_the_system_in_tokio() {
    suite_in_tokio(|| None);
}

#[test]
fn over_tls_in_tokio() {
    suite_in_tokio(|| Some(made_certificate("localhost")));
}
