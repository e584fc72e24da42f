//! The proxy between a server and a client of mp, over real sockets.
#![allow(missing_docs, reason = "a test")]

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use mp_core::host::SystemClock;
use mp_core::{
    Channel, CloseMode, ConnectionId, ConnectionOrigin, DisconnectReason, Instant, MultiplayerPeer,
    OutgoingPacket, Packet, PeerEvent, PeerId, Prefix, TransferMode,
};
use mp_tls::{CertificateStore, ClientTlsOptions, DevelopmentCertificate};
use mp_transport_enet::{DtlsClientOptions, EnetMultiplayerPeer};
use mp_transport_ws::WebSocketMultiplayerPeer;
use mp_wire::{Direction, Proxy, ProxyOptions, ProxyTarget, WireCloseReason, WireEvent};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

const LOCALHOST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Time limit of a condition, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

type Peer = Box<dyn MultiplayerPeer>;

/// A side of the connection with its events.
struct Side {
    peer: Peer,
    connection: Option<ConnectionId>,
    id: Option<PeerId>,
    origin: Option<ConnectionOrigin>,
    packets: Vec<Packet>,
    ended: Option<DisconnectReason>,
}

impl Side {
    fn new(peer: Peer) -> Self {
        let (packets, connection) = (Vec::new(), None);
        Self { peer, connection, id: None, origin: None, packets, ended: None }
    }

    fn turn(&mut self, now: Instant) {
        self.peer.poll(now);
        while let Some(event) = self.peer.next_event() {
            match event {
                PeerEvent::Connected { connection, claimed_id, origin } => {
                    self.connection = Some(connection);
                    (self.id, self.origin) = (claimed_id, Some(origin));
                }
                PeerEvent::Packet(packet) => self.packets.push(packet),
                PeerEvent::Disconnected { reason, .. } => self.ended = Some(reason),
                _ => {}
            }
        }
        self.peer.flush(now);
    }

    fn send(&mut self, mode: TransferMode, channel: u8, payload: &'static [u8]) {
        let to = self.connection.expect("a connection").into();
        let (channel, payload) = (Channel(channel), Bytes::from_static(payload));
        self.peer
            .send(OutgoingPacket { to, mode, channel, prefix: Prefix::EMPTY, payload })
            .unwrap();
    }

    fn received(&self, payload: &[u8]) -> Option<&Packet> {
        self.packets.iter().find(|packet| packet.payload == payload)
    }
}

/// A server, a proxy, and a client of the proxy.
struct World {
    clock: SystemClock,
    server: Side,
    client: Side,
    events: Rc<RefCell<Vec<WireEvent>>>,
    stop: Option<oneshot::Sender<()>>,
    proxy: tokio::task::JoinHandle<mp_wire::ProxyStats>,
}

impl World {
    async fn new(
        server: Peer,
        options: ProxyOptions,
        dial: impl FnOnce(SocketAddr) -> Peer,
    ) -> Self {
        let proxy = Proxy::bind(options).await.unwrap();
        let client = Side::new(dial(proxy.local_addr().unwrap()));
        let events: Rc<RefCell<Vec<WireEvent>>> = Rc::default();
        let (stop, stopped) = oneshot::channel();
        let observed = Rc::clone(&events);
        let proxy = tokio::task::spawn_local(proxy.run(
            move |event| observed.borrow_mut().push(event),
            async {
                let _ = stopped.await;
            },
        ));
        let server = Side::new(server);
        let clock = SystemClock::new();
        Self { clock, server, client, events, stop: Some(stop), proxy }
    }

    async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let limit = self.clock.now() + LIMIT;
        while !condition(self) {
            let now = self.clock.now();
            assert!(now < limit, "{what}: {:?}", self.events.borrow());
            self.server.turn(now);
            self.client.turn(now);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn closed(&self) -> Option<WireCloseReason> {
        self.events.borrow().iter().find_map(|event| match event {
            WireEvent::Closed { reason, .. } => Some(reason.clone()),
            _ => None,
        })
    }

    /// Connects, and sends packets in both directions.
    async fn exchange(&mut self) {
        self.until("connected", |it| it.server.connection.is_some()).await;
        self.until("connected", |it| it.client.connection.is_some()).await;
        self.client.send(TransferMode::Reliable, 0, b"to the server");
        self.server.send(TransferMode::UnreliableOrdered, 2, b"to the client");
        self.until("packets", |it| {
            it.server.received(b"to the server").is_some()
                && it.client.received(b"to the client").is_some()
        })
        .await;
        let observed: Vec<_> = self
            .events
            .borrow()
            .iter()
            .filter_map(|event| match event {
                WireEvent::Packet(packet) => Some((packet.direction, packet.payload.clone())),
                _ => None,
            })
            .collect();
        assert!(observed.contains(&(Direction::ToServer, Bytes::from("to the server"))));
        assert!(observed.contains(&(Direction::ToClient, Bytes::from("to the client"))));
        assert_eq!(observed.len(), 2, "{observed:?}");
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

fn enet_server() -> (Peer, u16) {
    let server = EnetMultiplayerPeer::create_server(LOCALHOST, Default::default()).unwrap();
    let port = server.local_addr().unwrap().port();
    (Box::new(server), port)
}

#[test]
fn enet_client_keeps_its_id_modes_and_channels_and_closes_through_the_proxy() {
    run(async {
        let (server, port) = enet_server();
        let options = ProxyOptions::new(LOCALHOST, ProxyTarget::enet("127.0.0.1", port, false));
        let mut world = World::new(server, options, |address| {
            Box::new(EnetMultiplayerPeer::create_client(address, Default::default()).unwrap())
        })
        .await;
        world.exchange().await;
        assert_eq!(world.server.id, Some(world.client.peer.unique_id()));
        let packet = world.client.received(b"to the client").unwrap();
        assert_eq!((packet.mode, packet.channel.0), (TransferMode::UnreliableOrdered, 2));

        let connection = world.client.connection.unwrap();
        world.client.peer.disconnect(connection, DisconnectReason::Closed, CloseMode::Graceful);
        world.until("the end", |it| it.server.ended.is_some()).await;
        let expected = WireCloseReason::Client(DisconnectReason::Remote(0));
        assert_eq!(world.closed(), Some(expected));
    });
}

#[test]
fn enet_client_is_disconnected_when_the_server_disconnects_it_or_the_proxy_stops() {
    for is_kicked in [true, false] {
        run(async {
            let (server, port) = enet_server();
            let options = ProxyOptions::new(LOCALHOST, ProxyTarget::enet("127.0.0.1", port, false));
            let mut world = World::new(server, options, |address| {
                Box::new(EnetMultiplayerPeer::create_client(address, Default::default()).unwrap())
            })
            .await;
            world.exchange().await;
            let expected = if is_kicked {
                let connection = world.server.connection.unwrap();
                let (reason, mode) = (DisconnectReason::Kicked, CloseMode::Graceful);
                world.server.peer.disconnect(connection, reason, mode);
                WireCloseReason::Server(DisconnectReason::Remote(0))
            } else {
                world.stop.take().unwrap().send(()).unwrap();
                WireCloseReason::Stopped
            };
            world.until("the end", |it| it.client.ended.is_some()).await;
            world.until("the report", |it| it.closed().is_some()).await;
            assert_eq!(world.closed(), Some(expected));
        });
    }
}

#[test]
fn enet_with_dtls_needs_the_certificate_of_the_proxy() {
    run(async {
        let made = [(); 2].map(|()| DevelopmentCertificate::new(&["localhost"]).unwrap());
        let [of_server, of_proxy] =
            made.each_ref().map(|made| CertificateStore::new(made.identity().unwrap()));
        let trust =
            |index: usize| ClientTlsOptions::new().trusted_chain(made[index].certificate_pem());
        let options = mp_transport_enet::ServerOptions::default().dtls(of_server);
        let server = EnetMultiplayerPeer::create_server(LOCALHOST, options).unwrap();
        let port = server.local_addr().unwrap().port();
        let options = ProxyOptions::new(LOCALHOST, ProxyTarget::enet("localhost", port, true))
            .certificate(of_proxy)
            .trust(trust(0).unwrap());
        let mut world = World::new(Box::new(server), options, |address| {
            let dtls =
                DtlsClientOptions { hostname: "localhost".to_owned(), tls: trust(1).unwrap() };
            let options = mp_transport_enet::ClientOptions::default().dtls(dtls);
            Box::new(EnetMultiplayerPeer::create_client(address, options).unwrap())
        })
        .await;
        world.exchange().await;
    });
}

fn ws_server(options: mp_transport_ws::ServerOptions) -> (Peer, u16) {
    let server = WebSocketMultiplayerPeer::create_server(LOCALHOST, options).unwrap();
    let port = server.local_addr().unwrap().port();
    (Box::new(server), port)
}

fn ws_client(url: &str, tls: ClientTlsOptions) -> Peer {
    let options = mp_transport_ws::ClientOptions::default().tls(tls);
    Box::new(WebSocketMultiplayerPeer::create_client(url, options).unwrap())
}

#[test]
fn web_socket_client_has_the_id_that_the_server_draws_and_keeps_its_url() {
    run(async {
        let (server, port) = ws_server(Default::default());
        let target = ProxyTarget::web_socket("127.0.0.1", port, false);
        let mut world = World::new(server, ProxyOptions::new(LOCALHOST, target), |address| {
            let url = format!("ws://localhost:{}/room?token=secret", address.port());
            ws_client(&url, ClientTlsOptions::new())
        })
        .await;
        world.exchange().await;
        assert_eq!(world.server.id, Some(world.client.peer.unique_id()));
        let url = world.server.origin.as_ref().unwrap().url().unwrap().to_owned();
        assert_eq!(url, format!("ws://127.0.0.1:{port}/room?token=secret"));
        let id = world.client.peer.unique_id();
        let events = format!("{:?}", world.events.borrow());
        assert!(events.contains("PeerId { client: ClientNumber(1), at: "), "{events}");
        assert!(events.contains(&format!("id: {id:?}")), "{events}");
        assert!(!events.contains("secret"), "{events}");

        // Only the first message is an id.
        world.server.send(TransferMode::Reliable, 0, &[3, 0, 0, 0]);
        world.until("four bytes", |it| it.client.received(&[3, 0, 0, 0]).is_some()).await;
        let is_id = |event: &&WireEvent| matches!(event, WireEvent::PeerId { .. });
        assert_eq!(world.events.borrow().iter().filter(is_id).count(), 1);

        let connection = world.client.connection.unwrap();
        world.client.peer.disconnect(connection, DisconnectReason::Closed, CloseMode::Graceful);
        world.until("the end", |it| it.server.ended.is_some()).await;
        world.until("the report", |it| it.closed().is_some()).await;
        let expected = WireCloseReason::Client(DisconnectReason::Remote(1000));
        assert_eq!(world.closed(), Some(expected));
    });
}

#[test]
fn web_socket_close_code_of_the_server_and_the_stop_of_the_proxy_reach_the_client() {
    for is_kicked in [true, false] {
        run(async {
            let (server, port) = ws_server(Default::default());
            let target = ProxyTarget::web_socket("127.0.0.1", port, false);
            let mut world = World::new(server, ProxyOptions::new(LOCALHOST, target), |address| {
                ws_client(&format!("ws://{address}"), ClientTlsOptions::new())
            })
            .await;
            world.exchange().await;
            let expected = if is_kicked {
                let connection = world.server.connection.unwrap();
                let (reason, mode) = (DisconnectReason::Kicked, CloseMode::Graceful);
                world.server.peer.disconnect(connection, reason, mode);
                WireCloseReason::Server(DisconnectReason::Remote(1000))
            } else {
                world.stop.take().unwrap().send(()).unwrap();
                WireCloseReason::Stopped
            };
            world.until("the end", |it| it.client.ended.is_some()).await;
            if is_kicked {
                assert_eq!(world.client.ended, Some(DisconnectReason::Remote(1000)));
            }
            world.until("the report", |it| it.closed().is_some()).await;
            assert_eq!(world.closed(), Some(expected));
        });
    }
}

#[test]
fn web_socket_with_tls_needs_the_certificate_of_the_proxy() {
    run(async {
        let made = [(); 2].map(|()| DevelopmentCertificate::new(&["localhost"]).unwrap());
        let [of_server, of_proxy] =
            made.each_ref().map(|made| CertificateStore::new(made.identity().unwrap()));
        let trust =
            |index: usize| ClientTlsOptions::new().trusted_chain(made[index].certificate_pem());
        let (server, port) = ws_server(mp_transport_ws::ServerOptions::default().tls(of_server));
        let target = ProxyTarget::web_socket("localhost", port, true);
        let options =
            ProxyOptions::new(LOCALHOST, target).certificate(of_proxy).trust(trust(0).unwrap());
        let mut world = World::new(server, options, |address| {
            ws_client(&format!("wss://localhost:{}", address.port()), trust(1).unwrap())
        })
        .await;
        world.exchange().await;
        assert_eq!(world.server.id, Some(world.client.peer.unique_id()));
    });
}

#[test]
fn client_of_an_unreachable_server_is_closed_with_the_reason() {
    run(async {
        // The port of a listener that refuses all: the server has no capacity.
        let full = mp_transport_ws::ServerOptions::default().max_clients(1);
        let mut server = WebSocketMultiplayerPeer::create_server(LOCALHOST, full).unwrap();
        server.set_refuse_new_connections(true);
        let port = server.local_addr().unwrap().port();
        let target = ProxyTarget::web_socket("127.0.0.1", port, false);
        let options = ProxyOptions::new(LOCALHOST, target);
        let mut world = World::new(Box::new(server), options, |address| {
            ws_client(&format!("ws://{address}"), ClientTlsOptions::new())
        })
        .await;
        world.until("the report", |it| it.closed().is_some()).await;
        let expected = WireCloseReason::Unreachable("it answered with status 503".to_owned());
        assert_eq!(world.closed(), Some(expected));
        world.stop.take().unwrap().send(()).unwrap();
        let stats = world.proxy.await.unwrap();
        assert_eq!((stats.clients, stats.failed_handshakes), (1, 0));
    });
}
