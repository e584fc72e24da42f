//! The conformance suite of transports, over virtual networks.

mod common;

use std::time::Duration;

use common::{Network, Relay};
use mp_core::conformance::{Capabilities, Rig, suite};
use mp_core::link_shaper::LinkConditions;
use mp_core::{Instant, MultiplayerPeer, PeerId, TransferMode};
use mp_transport_webrtc::{WebRtcMultiplayerPeer, WebRtcOptions};

struct Virtual {
    network: Network,
    relay: Relay,
    clients: i32,
    options: WebRtcOptions,
    /// `true` if the server creates the offers.
    server_offers: bool,
}

impl Virtual {
    fn new(seed: u64, conditions: LinkConditions) -> Self {
        let options = WebRtcOptions::default()
            .channels_config([TransferMode::Reliable, TransferMode::Unreliable]);
        let network = Network::new(seed, conditions);
        Self { network, relay: Relay::new(), clients: 0, options, server_offers: false }
    }
}

impl Rig for Virtual {
    fn server(&mut self) -> Box<dyn MultiplayerPeer> {
        let socket = self.network.socket();
        let mut server = WebRtcMultiplayerPeer::server(socket, self.options.clone()).unwrap();
        self.relay.insert(PeerId::SERVER, server.signaling());
        Box::new(server)
    }

    fn join(&mut self) -> Box<dyn MultiplayerPeer> {
        self.clients += 1;
        let id = PeerId::new(1 + self.clients).unwrap();
        let socket = self.network.socket();
        let options = self.options.clone().ice_lite(false);
        let mut client = WebRtcMultiplayerPeer::client(socket, id, options).unwrap();
        self.relay.insert(id, client.signaling());
        match self.server_offers {
            true => self.relay.connect(PeerId::SERVER, id),
            false => self.relay.connect(id, PeerId::SERVER),
        }
        Box::new(client)
    }

    fn step(&mut self) -> Instant {
        self.relay.run();
        self.network.advance(Duration::from_millis(5))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            channels: 1,
            empty_packets: false,
            statistics: true,
            // SCTP is slow at 5 % loss.
            patience: Duration::from_secs(600),
            ..Capabilities::default()
        }
    }
}

#[test]
fn over_a_perfect_network() {
    suite(|| Virtual::new(1, LinkConditions::default()));
}

#[test]
fn over_a_slow_network() {
    let delay = Duration::from_millis(40);
    suite(|| Virtual::new(2, LinkConditions { delay, ..LinkConditions::default() }));
}

#[test]
fn over_a_network_that_loses_and_reorders() {
    let conditions = LinkConditions {
        delay: Duration::from_millis(10),
        jitter: Duration::from_millis(15),
        loss_permille: 50,
        reordering_permille: 100,
        ..LinkConditions::default()
    };
    suite(|| Virtual::new(3, conditions));
}

#[test]
fn with_a_server_that_is_ice_lite() {
    suite(|| {
        let rig = Virtual::new(4, LinkConditions::default());
        Virtual { options: rig.options.clone().ice_lite(true), ..rig }
    });
}

#[test]
fn with_a_server_that_offers() {
    suite(|| Virtual { server_offers: true, ..Virtual::new(5, LinkConditions::default()) });
}

#[test]
fn without_candidates_of_clients() {
    suite(|| {
        let mut rig = Virtual::new(6, LinkConditions::default());
        rig.relay.passes_candidates = false;
        rig
    });
}
