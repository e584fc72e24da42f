//! Peers that attack others: forged addresses, candidates of others, malformed SCTP over their own
//! DTLS. Other peers are not affected, and nothing is amplified.

mod common;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use common::{Network, Pair, VirtualSocket, end, packets};
use mp_core::link_shaper::LinkConditions;
use mp_core::{Instant, MultiplayerPeer, PeerId, Rng, TransferMode};
use mp_transport_webrtc::fuzz::RawPeer;
use mp_transport_webrtc::io::DatagramSocket;
use mp_transport_webrtc::limits::{
    ADDRESSES_MAX, AMPLIFICATION_MAX, REMOTE_CANDIDATES_MAX, STREAMS_MAX,
};
use mp_transport_webrtc::{
    CandidateError, CandidatePolicy, DatagramRefusal, DescriptionError, IceCandidate,
    MessageRefusal, SdpKind, WebRtcMultiplayerPeer, WebRtcOptions,
};

const ATTACKER: i32 = 666;

fn id(number: i32) -> PeerId {
    PeerId::new(number).unwrap()
}

/// A client of a pair's server that does anything.
struct Attacker {
    raw: RawPeer,
    socket: VirtualSocket,
    server: SocketAddr,
}

impl Attacker {
    /// Exchanges session descriptions with the server.
    fn new(pair: &mut Pair, socket: VirtualSocket) -> Self {
        let server = pair.server.local_addr().unwrap();
        let mut raw = RawPeer::new(pair.network.now());
        pair.server.add_peer(id(ATTACKER), 1).unwrap();
        let offer = raw.offer();
        pair.server.set_remote_description(id(ATTACKER), SdpKind::Offer, &offer).unwrap();
        raw.set_answer(&pair.answer(id(ATTACKER)));
        Self { raw, socket, server }
    }

    /// Exchanges datagrams for one turn of the pair.
    fn turn(&mut self, pair: &mut Pair) {
        let mut buffer = [0; 2_048];
        while let Ok((len, _)) = self.socket.try_recv_from(&mut buffer) {
            self.raw.handle_datagram(&buffer[..len]);
        }
        self.send();
        pair.turn();
    }

    /// Sends the queued datagrams.
    fn send(&mut self) {
        while let Some(datagram) = self.raw.next_datagram() {
            self.socket.try_send_to(&datagram, self.server).unwrap();
        }
    }

    /// Connects up to SCTP.
    fn connect(&mut self, pair: &mut Pair) {
        self.raw.check();
        (0..10).for_each(|_| self.turn(pair));
        self.raw.handle_timeout(pair.network.now());
        (0..10).for_each(|_| self.turn(pair));
        assert!(self.raw.is_secured());
        self.raw.associate();
        (0..10).for_each(|_| self.turn(pair));
        assert!(self.raw.is_associated());
    }
}

fn connected_pair(options: WebRtcOptions) -> Pair {
    let mut pair = Pair::with_options(1, LinkConditions::default(), options);
    pair.connect();
    pair
}

/// Checks that packets of the pair still arrive in both directions.
fn assert_unaffected(pair: &mut Pair) {
    pair.send(true, TransferMode::Reliable, vec![1]);
    pair.send(false, TransferMode::Reliable, vec![2]);
    pair.pass(Duration::from_millis(200));
    assert_eq!(packets(&pair.at_client).last(), Some(&&[1][..]));
    assert_eq!(packets(&pair.at_server).last(), Some(&&[2][..]));
    assert_eq!(end(&pair.at_client), None);
    assert!(pair.server.peer(id(2)).is_some_and(|peer| peer.is_connected));
}

/// A server with full ICE, sockets at the addresses of candidates, and the bytes that they receive.
struct Victims {
    network: Network,
    server: WebRtcMultiplayerPeer<VirtualSocket>,
    sockets: BTreeMap<SocketAddr, VirtualSocket>,
    received: BTreeMap<SocketAddr, usize>,
}

impl Victims {
    fn new(count: usize, options: WebRtcOptions) -> Self {
        let network = Network::new(1, LinkConditions::default());
        let mut server = WebRtcMultiplayerPeer::server(network.socket(), options).unwrap();
        server.poll(network.now());
        server.add_peer(id(2), 1).unwrap();
        let sockets = std::iter::repeat_with(|| network.socket()).take(count);
        let sockets = sockets.map(|socket| (socket.local_addr().unwrap(), socket)).collect();
        Self { network, server, sockets, received: BTreeMap::new() }
    }

    fn candidates(&self) -> Vec<String> {
        let candidate = |address: &SocketAddr| {
            let (ip, port) = (address.ip(), address.port());
            format!("candidate:1 1 UDP 2114977791 {ip} {port} typ host")
        };
        self.sockets.keys().map(candidate).collect()
    }

    /// Runs the server until the connection has timed out.
    fn run(&mut self) {
        for _ in 0..7_000 {
            let now = self.network.advance(Duration::from_millis(5));
            self.server.poll(now);
            self.server.flush(now);
            for (&address, socket) in &mut self.sockets {
                let mut buffer = [0; 2_048];
                while let Ok((len, _)) = socket.try_recv_from(&mut buffer) {
                    *self.received.entry(address).or_default() += len;
                }
            }
        }
        assert!(!self.server.has_peer(id(2)));
    }
}

#[test]
fn candidates_of_others_receive_at_most_three_times_the_bytes_of_signaling() {
    let options = WebRtcOptions::default().candidate_policy(CandidatePolicy::Any);
    let mut victims = Victims::new(40, options);
    let offer = RawPeer::new(Instant::ZERO).offer();
    victims.server.set_remote_description(id(2), SdpKind::Offer, &offer).unwrap();
    let mut signaled = offer.len();
    for (index, name) in victims.candidates().into_iter().enumerate() {
        let candidate = IceCandidate { media: "0".to_owned(), index: 0, name };
        let added = victims.server.add_ice_candidate(id(2), &candidate);
        if index < REMOTE_CANDIDATES_MAX {
            assert_eq!(added, Ok(()));
            signaled += candidate.name.len();
        } else {
            assert_eq!(added, Err(CandidateError::TooMany));
        }
    }
    victims.run();
    assert_eq!(victims.received.len(), REMOTE_CANDIDATES_MAX);
    let sum: usize = victims.received.values().sum();
    assert!(sum <= AMPLIFICATION_MAX * signaled, "{sum} bytes sent, {signaled} received");
    assert!(victims.server.stats().amplification_drops > 0);
}

#[test]
fn candidates_within_a_session_description_have_the_same_limits() {
    for (policy, count) in [(None, 0), (Some(CandidatePolicy::Any), REMOTE_CANDIDATES_MAX)] {
        let mut options = WebRtcOptions::default();
        if let Some(policy) = policy {
            options = options.candidate_policy(policy);
        }
        let mut victims = Victims::new(40, options);
        let lines = victims.candidates().into_iter().map(|name| format!("a={name}\r\n"));
        let offer = RawPeer::new(Instant::ZERO).offer() + &lines.collect::<String>();
        victims.server.set_remote_description(id(2), SdpKind::Offer, &offer).unwrap();
        victims.run();
        assert_eq!(victims.received.len(), count, "{policy:?}");
        let sum: usize = victims.received.values().sum();
        assert!(sum <= AMPLIFICATION_MAX * offer.len(), "{sum} bytes sent");
    }
}

#[test]
fn a_server_uses_private_candidates_only_with_the_option() {
    let name = "candidate:1 1 UDP 2114977791 192.168.0.7 53223 typ host".to_owned();
    let candidate = IceCandidate { media: "0".to_owned(), index: 0, name };
    let any = WebRtcOptions::default().candidate_policy(CandidatePolicy::Any);
    for (options, expected) in
        [(WebRtcOptions::default(), Err(CandidateError::Forbidden)), (any, Ok(()))]
    {
        let mut victims = Victims::new(0, options);
        let offer = RawPeer::new(Instant::ZERO).offer();
        victims.server.set_remote_description(id(2), SdpKind::Offer, &offer).unwrap();
        assert_eq!(victims.server.add_ice_candidate(id(2), &candidate), expected);
    }
}

#[test]
fn a_forged_address_receives_at_most_three_times_the_bytes_sent_from_it() {
    for is_lite in [false, true] {
        let mut pair = connected_pair(WebRtcOptions::default().ice_lite(is_lite));
        let socket = pair.network.socket();
        let mut attacker = Attacker::new(&mut pair, socket);
        // The attacker knows its password, and sends everything from the victim's address.
        attacker.raw.check();
        attacker.raw.handle_timeout(pair.network.now());
        let mut sent = attacker.raw.offer().len();
        while let Some(datagram) = attacker.raw.next_datagram() {
            attacker.socket.try_send_to(&datagram, attacker.server).unwrap();
            sent += datagram.len();
        }
        let mut received = 0;
        let mut buffer = [0; 2_048];
        for _ in 0..8_000 {
            pair.turn();
            while let Ok((len, _)) = attacker.socket.try_recv_from(&mut buffer) {
                received += len;
            }
        }
        assert!(received > 0);
        assert!(received <= AMPLIFICATION_MAX * sent, "{received} bytes received, {sent} sent");
        // With full ICE there is no DTLS handshake, which would send more.
        assert_eq!(pair.server.stats().amplification_drops > 0, is_lite);
    }
}

#[test]
fn a_peer_that_forges_the_address_of_another_one_does_not_receive_its_datagrams() {
    let mut pair = connected_pair(WebRtcOptions::default().ice_lite(true));
    let client = pair.network.socket_at("10.0.0.1:1002".parse().unwrap());
    let mut attacker = Attacker::new(&mut pair, client);
    for _ in 0..50 {
        attacker.raw.check();
        attacker.send();
        pair.turn();
        pair.send(true, TransferMode::Reliable, vec![7]);
        pair.send(false, TransferMode::Reliable, vec![7]);
    }
    pair.pass(Duration::from_millis(50));
    assert_eq!((packets(&pair.at_client).len(), packets(&pair.at_server).len()), (50, 50));
    let refused = pair.server.stats().refused_datagrams;
    assert_eq!(refused.get(DatagramRefusal::AddressInUse), 50);
    assert_unaffected(&mut pair);
}

#[test]
fn the_addresses_of_a_connection_are_bounded() {
    let mut pair = connected_pair(WebRtcOptions::default().ice_lite(true));
    let socket = pair.network.socket();
    let mut attacker = Attacker::new(&mut pair, socket);
    for _ in 0..ADDRESSES_MAX + 10 {
        attacker.socket = pair.network.socket();
        attacker.raw.check();
        attacker.send();
        pair.turn();
    }
    let refused = pair.server.stats().refused_datagrams;
    assert_eq!(refused.get(DatagramRefusal::TooManyAddresses), 10);
    assert_unaffected(&mut pair);
}

#[test]
fn an_offer_without_fingerprint_removes_its_peer() {
    let mut pair = connected_pair(WebRtcOptions::default());
    let offer = RawPeer::new(Instant::ZERO).offer();
    let lines = offer.split_inclusive('\n').filter(|line| !line.starts_with("a=fingerprint"));
    let offer: String = lines.collect();
    for _ in 0..3 {
        pair.server.add_peer(id(ATTACKER), 1).unwrap();
        let set = pair.server.set_remote_description(id(ATTACKER), SdpKind::Offer, &offer);
        assert!(matches!(set, Err(DescriptionError::Unusable(_))), "{set:?}");
        assert!(!pair.server.has_peer(id(ATTACKER)));
    }
    assert_unaffected(&mut pair);
}

#[test]
fn malformed_sctp_of_a_connected_peer_affects_no_other_peer() {
    let mut rng = Rng::seed_from_u64(7);
    let mut pair = connected_pair(WebRtcOptions::default().ice_lite(true));
    for round in 0..8 {
        let socket = pair.network.socket();
        let mut attacker = Attacker::new(&mut pair, socket);
        attacker.connect(&mut pair);
        for _ in 0..100 {
            // A kind of chunk that exists, any flags, and a length that fits or not.
            let kinds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 64, 130, 192, 194];
            let len = rng.below(60) as usize;
            let mut chunk: Vec<u8> = (0..len).map(|_| rng.next_u32() as u8).collect();
            let claimed = if rng.below(8) == 0 { rng.next_u32() as u16 } else { 4 + len as u16 };
            let kind = kinds[rng.below(kinds.len() as u64) as usize];
            chunk.splice(0..0, [kind, rng.next_u32() as u8]);
            chunk.splice(2..2, claimed.to_be_bytes());
            chunk.resize(chunk.len().next_multiple_of(4), 0);
            attacker.raw.send_chunks(&chunk);
            attacker.raw.send_raw(&chunk);
            attacker.turn(&mut pair);
        }
        assert_unaffected(&mut pair);
        pair.server.remove_peer(id(ATTACKER));
        pair.pass(Duration::from_secs(1));
        assert!(!pair.server.has_peer(id(ATTACKER)), "round {round}");
    }
}

#[test]
fn a_peer_that_starts_messages_on_more_streams_than_allowed_is_removed() {
    /// Flags of the first fragment of a message.
    const BEGIN: u8 = 2;
    let mut pair = connected_pair(WebRtcOptions::default().ice_lite(true));
    let socket = pair.network.socket();
    let mut attacker = Attacker::new(&mut pair, socket);
    attacker.connect(&mut pair);
    for stream in 0..STREAMS_MAX {
        attacker.raw.send_data(BEGIN, stream, 0, &[1]);
        if stream % 64 == 63 {
            attacker.turn(&mut pair);
        }
    }
    pair.pass(Duration::from_millis(100));
    assert!(pair.server.has_peer(id(ATTACKER)), "streams within the limit are used");
    for _ in 0..3 {
        attacker.raw.send_data(BEGIN, STREAMS_MAX, 0, &[1]);
    }
    attacker.turn(&mut pair);
    pair.pass(Duration::from_secs(1));
    assert!(!pair.server.has_peer(id(ATTACKER)));
    let refused = pair.server.stats().refused_messages;
    assert!(refused.get(MessageRefusal::StreamBeyondLimit) >= 1, "{refused:?}");
    assert_unaffected(&mut pair);
}
