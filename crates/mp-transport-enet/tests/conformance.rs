//! The conformance suite of transports, over networks of different quality.

mod common;

use std::time::Duration;

use common::{SERVER, address};
use mp_core::conformance::{Capabilities, Rig, suite};
use mp_core::{Instant, MultiplayerPeer, Rng};
use mp_transport_enet::testing::{Link, Network};
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer, ServerOptions};

struct Virtual {
    network: Network,
    now: Instant,
    clients: u8,
}

impl Virtual {
    fn new(seed: u64, link: Link) -> Self {
        let network = Network::new(Rng::seed_from_u64(seed), link);
        let now = Instant::from_millis(1_000);
        network.advance(now);
        Self { network, now, clients: 0 }
    }
}

impl Rig for Virtual {
    fn server(&mut self) -> Box<dyn MultiplayerPeer> {
        let options = ServerOptions::default().seed([1; 32]);
        let socket = self.network.socket(address(SERVER));
        Box::new(EnetMultiplayerPeer::server(socket, options).unwrap())
    }

    fn join(&mut self) -> Box<dyn MultiplayerPeer> {
        self.clients += 1;
        let options = ClientOptions::default().seed([1 + self.clients; 32]);
        let socket = self.network.socket(address(&format!("10.0.1.{}:5000", self.clients)));
        Box::new(EnetMultiplayerPeer::client(socket, address(SERVER), options).unwrap())
    }

    fn step(&mut self) -> Instant {
        self.now += Duration::from_millis(5);
        self.network.advance(self.now);
        self.now
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { statistics: true, ..Capabilities::default() }
    }
}

#[test]
fn over_a_perfect_network() {
    suite(|| Virtual::new(1, Link::default()));
}

#[test]
fn over_a_good_network() {
    let link = Link { latency: Duration::from_millis(20), ..Link::default() };
    suite(|| Virtual::new(2, link));
}

#[test]
fn over_a_bad_network() {
    let link = Link {
        latency: Duration::from_millis(20),
        jitter: Duration::from_millis(15),
        loss_permille: 100,
        duplication_permille: 50,
        reordering_permille: 50,
    };
    for seed in 0..5 {
        println!("seed {seed}");
        suite(|| Virtual::new(seed, link));
    }
}
