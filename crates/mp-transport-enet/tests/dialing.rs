//! Clients of servers with a name or several addresses, over virtual and real sockets.

mod common;
#[path = "common/theirs.rs"]
mod theirs;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use common::{address, at};
use mp_core::{ConnectionStatus, Instant, MultiplayerPeer, PeerEvent, Rng};
use mp_transport_enet::io::{DatagramSocket, SendBatch};
use mp_transport_enet::limits::CONNECT_ATTEMPT_DELAY;
use mp_transport_enet::proto::NetworkPath;
use mp_transport_enet::testing::{Link, Network, Socket};
use mp_transport_enet::{
    ClientOptions, ConnectError, CreateError, EnetMultiplayerPeer, ServerOptions,
};
use rusty_enet::PeerState;
use theirs::Theirs;

const CLIENT: &str = "10.0.0.9:5000";
const FIRST: &str = "10.0.0.1:7777";
const SECOND: &str = "10.0.0.2:7777";
const START: Instant = Instant::from_millis(1_000);

/// A socket of a host with two addresses.
struct TwoAddresses([Socket; 2]);

impl DatagramSocket for TwoAddresses {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.0[0].try_send_to(datagram, to)
    }

    fn try_recv_from(&mut self, _: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn try_send_batch(&mut self, batch: &mut SendBatch) -> io::Result<()> {
        while let Some((path, datagram)) = batch.front() {
            let is_second = path.local == Some(address(SECOND).ip());
            self.0[usize::from(is_second)].try_send_to(datagram, path.remote)?;
            batch.pop_front();
        }
        Ok(())
    }

    fn try_recv_batch(
        &mut self,
        most: usize,
        take: &mut dyn FnMut(NetworkPath, &[u8]),
    ) -> io::Result<bool> {
        for socket in &mut self.0 {
            let local = Some(socket.local_addr()?.ip());
            let mut take = |path: NetworkPath, bytes: &[u8]| {
                take(NetworkPath { remote: path.remote, local }, bytes);
            };
            if !socket.try_recv_batch(most, &mut take)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0[0].local_addr()
    }
}

fn network(latency: u64) -> Network {
    let link = Link { latency: Duration::from_millis(latency), ..Link::default() };
    let network = Network::new(Rng::seed_from_u64(1), link);
    network.advance(START);
    network
}

fn server<S: DatagramSocket>(socket: S) -> EnetMultiplayerPeer<S> {
    let options = ServerOptions::default().seed([1; 32]);
    EnetMultiplayerPeer::server(socket, options).unwrap()
}

fn two_addresses(network: &Network) -> EnetMultiplayerPeer<TwoAddresses> {
    server(TwoAddresses([FIRST, SECOND].map(|at| network.socket(address(at)))))
}

fn client(network: &Network, addresses: &[&str]) -> EnetMultiplayerPeer<Socket> {
    let addresses: Vec<_> = addresses.iter().map(|at| address(at)).collect();
    let options = ClientOptions::default().seed([2; 32]);
    let socket = network.socket(address(CLIENT));
    EnetMultiplayerPeer::client_of_addresses(socket, &addresses, options).unwrap()
}

fn turn<S: DatagramSocket>(peer: &mut EnetMultiplayerPeer<S>, now: Instant) -> Vec<PeerEvent> {
    peer.poll(now);
    let events = std::iter::from_fn(|| peer.next_event()).collect();
    peer.flush(now);
    events
}

/// Runs a turn of both every millisecond until `until`. Returns the events of each.
fn run<S: DatagramSocket>(
    network: &Network,
    until: Instant,
    server: &mut EnetMultiplayerPeer<S>,
    client: &mut EnetMultiplayerPeer<Socket>,
) -> (Vec<PeerEvent>, Vec<PeerEvent>) {
    let (mut at_server, mut at_client) = (Vec::new(), Vec::new());
    while network.now() < until {
        let now = network.now() + Duration::from_millis(1);
        network.advance(now);
        at_server.extend(turn(server, now));
        at_client.extend(turn(client, now));
    }
    (at_server, at_client)
}

fn assert_connected_once(events: &[PeerEvent]) {
    assert!(matches!(events, [PeerEvent::Connected { .. }]), "{events:?}");
}

#[test]
fn a_client_tries_the_next_address_when_one_does_not_answer() {
    let network = network(5);
    let mut server = server(network.socket(address(SECOND)));
    let mut client = client(&network, &[FIRST, SECOND]);
    let end = START + CONNECT_ATTEMPT_DELAY;
    run(&network, end, &mut server, &mut client);
    assert_eq!(client.connection_status(), ConnectionStatus::Connecting);
    let (at_server, at_client) =
        run(&network, end + Duration::from_millis(20), &mut server, &mut client);
    assert_connected_once(&at_server);
    assert_connected_once(&at_client);
    let PeerEvent::Connected { origin, .. } = &at_client[0] else { unreachable!() };
    assert_eq!(origin.address(), Some(address(SECOND)));
    // No further CONNECT is sent to the first address.
    network.take_log();
    run(&network, end + Duration::from_secs(5), &mut server, &mut client);
    assert!(network.take_log().iter().all(|sent| sent.to != address(FIRST)));
}

#[test]
fn a_client_tries_the_next_address_immediately_when_it_is_rejected() {
    let network = network(5);
    let mut refusing = server(network.socket(address(FIRST)));
    refusing.set_refuse_new_connections(true);
    let mut server = server(network.socket(address(SECOND)));
    let mut client = client(&network, &[FIRST, SECOND]);
    for millis in 1..=30 {
        let now = START + Duration::from_millis(millis);
        network.advance(now);
        turn(&mut refusing, now);
        turn(&mut server, now);
        turn(&mut client, now);
    }
    assert_eq!(client.connection_status(), ConnectionStatus::Connected);
}

#[test]
fn a_server_that_replies_from_two_addresses_has_one_peer() {
    // Both replies are in flight when the first one is received.
    let network = network(200);
    let mut server = two_addresses(&network);
    let mut client = client(&network, &[FIRST, SECOND]);
    let (at_server, at_client) =
        run(&network, START + Duration::from_millis(800), &mut server, &mut client);
    assert_connected_once(&at_server);
    assert_connected_once(&at_client);
    assert_eq!(server.host().peers().count(), 2, "the second reply is not received yet");
    assert_eq!(client.host().host().connected_peers(), 1);
    let (at_server, at_client) =
        run(&network, START + Duration::from_millis(900), &mut server, &mut client);
    assert!(at_server.is_empty() && at_client.is_empty(), "{at_server:?} {at_client:?}");
    assert_eq!(server.host().peers().count(), 1);
    // The connection persists.
    let (at_server, at_client) =
        run(&network, START + Duration::from_secs(60), &mut server, &mut client);
    assert!(at_server.is_empty() && at_client.is_empty(), "{at_server:?} {at_client:?}");
    assert_eq!((server.host().peers().count(), client.host().peers().count()), (1, 1));
}

#[test]
fn a_server_that_replies_from_two_addresses_within_one_turn_has_one_peer() {
    let network = network(150);
    let mut server = two_addresses(&network);
    let mut client = client(&network, &[FIRST, SECOND]);
    run(&network, START + Duration::from_millis(260), &mut server, &mut client);
    // The client's program is busy until both replies have been received.
    while network.now() < START + Duration::from_millis(600) {
        let now = network.now() + Duration::from_millis(1);
        network.advance(now);
        assert!(turn(&mut server, now).is_empty());
    }
    let (at_server, at_client) =
        run(&network, START + Duration::from_secs(60), &mut server, &mut client);
    assert_connected_once(&at_server);
    assert_connected_once(&at_client);
    assert_eq!((server.host().peers().count(), client.host().peers().count()), (1, 1));
}

#[test]
fn a_lost_disconnect_of_an_abandoned_attempt_is_repeated() {
    let network = network(200);
    let mut server = two_addresses(&network);
    let mut client = client(&network, &[FIRST, SECOND]);
    run(&network, START + Duration::from_millis(640), &mut server, &mut client);
    let link = Link { latency: Duration::from_millis(200), ..Link::default() };
    network.set_link(Link { loss_permille: 1_000, ..link });
    run(&network, START + Duration::from_millis(700), &mut server, &mut client);
    network.set_link(link);
    run(&network, START + Duration::from_millis(1_000), &mut server, &mut client);
    assert_eq!(server.host().peers().count(), 2);
    run(&network, START + Duration::from_millis(3_000), &mut server, &mut client);
    assert_eq!(server.host().peers().count(), 1);
}

#[test]
fn enets_server_frees_the_slot_of_an_abandoned_attempt() {
    let network = network(200);
    let mut servers = [FIRST, SECOND].map(|at| {
        let clock = network.clone();
        let settings = rusty_enet::HostSettings {
            peer_limit: 4,
            channel_limit: 255,
            time: Box::new(move || Duration::from_micros(clock.now().as_micros())),
            seed: Some(1),
            ..Default::default()
        };
        rusty_enet::Host::new(Theirs(network.socket(address(at))), settings).unwrap()
    });
    let mut client = client(&network, &[FIRST, SECOND]);
    let mut events = [0; 2];
    let mut has_occupied = false;
    for millis in 1..=900 {
        let now = START + Duration::from_millis(millis);
        network.advance(now);
        for (server, events) in servers.iter_mut().zip(&mut events) {
            while server.service().unwrap().is_some() {
                *events += 1;
            }
        }
        turn(&mut client, now);
        let mut slots = servers[1].peers();
        has_occupied |= slots.any(|peer| peer.state() == PeerState::AcknowledgingConnect);
    }
    assert_eq!(client.connection_status(), ConnectionStatus::Connected);
    assert_eq!((events, has_occupied), ([1, 0], true));
    assert!(servers[1].peers().all(|peer| peer.state() == PeerState::Disconnected));
}

#[test]
fn a_client_without_an_answer_from_any_address_fails_when_the_last_times_out() {
    let network = network(5);
    let mut client = client(&network, &[FIRST, SECOND]);
    let mut failed = None;
    for millis in 1..40_000 {
        let now = START + Duration::from_millis(millis);
        network.advance(now);
        assert!(turn(&mut client, now).is_empty());
        if client.connection_status() == ConnectionStatus::Disconnected {
            failed.get_or_insert(millis);
        }
    }
    assert!(failed.is_some_and(|at| (31_500..32_500).contains(&at)), "{failed:?}");
}

#[test]
fn addresses_of_a_family_that_the_socket_cannot_send_to_are_skipped() {
    let network = network(5);
    let mut server = server(network.socket(address(SECOND)));
    let mut client = client(&network, &["[2001:db8::1]:7777", SECOND]);
    run(&network, START + Duration::from_millis(20), &mut server, &mut client);
    assert_eq!(client.connection_status(), ConnectionStatus::Connected);
    let socket = network.socket(address("10.0.0.10:5000"));
    let addresses = [address("[2001:db8::1]:7777")];
    let made =
        EnetMultiplayerPeer::client_of_addresses(socket, &addresses, ClientOptions::default());
    assert!(matches!(made, Err(CreateError::NoServerAddress)));
}

#[test]
fn a_socket_of_both_families_sends_to_ipv4_by_mapped_addresses() {
    let network = network(5);
    let mut server = server(network.socket(address("[::ffff:10.0.0.2]:7777")));
    let socket = network.socket(address("[::]:5000"));
    let addresses = [address("[2001:db8::1]:7777"), address(SECOND)];
    let mut client =
        EnetMultiplayerPeer::client_of_addresses(socket, &addresses, ClientOptions::default())
            .unwrap();
    run(&network, START + CONNECT_ATTEMPT_DELAY * 2, &mut server, &mut client);
    assert_eq!(client.connection_status(), ConnectionStatus::Connected);
}

#[test]
fn a_client_reaches_a_server_by_its_name() {
    let any = (Ipv4Addr::LOCALHOST, 0).into();
    let mut server = EnetMultiplayerPeer::create_server(any, ServerOptions::default()).unwrap();
    let port = server.local_addr().unwrap().port();
    let options = ClientOptions::default();
    let mut client =
        EnetMultiplayerPeer::create_client_by_name("localhost", port, options).unwrap();
    let clock = mp_core::host::SystemClock::new();
    while client.connection_status() != ConnectionStatus::Connected {
        turn(&mut client, clock.now());
        turn(&mut server, clock.now());
        assert!(clock.now() < at(120_000), "no connection: {:?}", client.connect_error());
        std::thread::yield_now();
    }
}

#[test]
fn unresolved_name_is_reported_with_the_reason() {
    let options = ClientOptions::default();
    let mut client = EnetMultiplayerPeer::create_client_by_name("no name", 7_777, options).unwrap();
    let clock = mp_core::host::SystemClock::new();
    while client.connection_status() == ConnectionStatus::Connecting {
        assert!(turn(&mut client, clock.now()).is_empty());
        assert!(client.poll_timeout().is_some() || client.connect_error().is_some());
        assert!(clock.now() < at(120_000), "the lookup did not complete within 120 s");
        std::thread::yield_now();
    }
    let error = client.connect_error().unwrap();
    assert!(matches!(error, ConnectError::Lookup { .. }), "{error:?}");
    assert_eq!(error.to_string(), "cannot resolve no name");
    let source = std::error::Error::source(error).unwrap();
    assert!(source.is::<io::Error>(), "{source:?}");
}
