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

/// Transport of the server, the proxy and the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Enet,
    WebSocket,
}

impl Transport {
    const ALL: [Self; 2] = [Self::Enet, Self::WebSocket];

    /// Creates a server, with a certificate if the connection is encrypted. Returns its port, too.
    fn server(self, certificate: Option<CertificateStore>) -> (Peer, u16) {
        match self {
            Self::Enet => {
                let options = mp_transport_enet::ServerOptions::default();
                let options = match certificate {
                    Some(certificate) => options.dtls(certificate),
                    None => options,
                };
                let server = EnetMultiplayerPeer::create_server(LOCALHOST, options).unwrap();
                let port = server.local_addr().unwrap().port();
                (Box::new(server), port)
            }
            Self::WebSocket => {
                let options = mp_transport_ws::ServerOptions::default();
                let options = match certificate {
                    Some(certificate) => options.tls(certificate),
                    None => options,
                };
                let server = WebSocketMultiplayerPeer::create_server(LOCALHOST, options).unwrap();
                let port = server.local_addr().unwrap().port();
                (Box::new(server), port)
            }
        }
    }

    /// Creates a client, whose connection is encrypted if it has `trust`. `page` is the path and
    /// query of its URL.
    fn client(self, address: SocketAddr, page: &str, trust: Option<ClientTlsOptions>) -> Peer {
        match self {
            Self::Enet => {
                let options = mp_transport_enet::ClientOptions::default();
                let options = match trust {
                    Some(tls) => {
                        options.dtls(DtlsClientOptions { hostname: "localhost".to_owned(), tls })
                    }
                    None => options,
                };
                Box::new(EnetMultiplayerPeer::create_client(address, options).unwrap())
            }
            Self::WebSocket => {
                let scheme = if trust.is_some() { "wss" } else { "ws" };
                let url = format!("{scheme}://localhost:{}{page}", address.port());
                let options =
                    mp_transport_ws::ClientOptions::default().tls(trust.unwrap_or_default());
                Box::new(WebSocketMultiplayerPeer::create_client(&url, options).unwrap())
            }
        }
    }

    /// Returns the options of a proxy for the server at a port of this machine.
    fn options(self, host: &str, port: u16, is_secure: bool) -> ProxyOptions {
        let target = match self {
            Self::Enet => ProxyTarget::enet(host, port, is_secure),
            Self::WebSocket => ProxyTarget::web_socket(host, port, is_secure),
        };
        ProxyOptions::new(LOCALHOST, target)
    }

    /// Connects a client with a server through a proxy, without encryption. Returns the server's
    /// port, too.
    async fn world(self, page: &str) -> (World, u16) {
        let (server, port) = self.server(None);
        let options = self.options("127.0.0.1", port, false);
        let mut world =
            World::new(server, options, |address| self.client(address, page, None)).await;
        world.exchange().await;
        (world, port)
    }

    /// Returns the reason with which a peer is closed whose remote peer disconnects.
    const fn closed(self) -> DisconnectReason {
        DisconnectReason::Remote(match self {
            Self::Enet => 0,
            Self::WebSocket => 1000,
        })
    }
}

#[test]
fn client_has_the_id_of_its_server_and_closes_through_the_proxy() {
    for transport in Transport::ALL {
        run(async {
            let (mut world, _) = transport.world("").await;
            assert_eq!(world.server.id, Some(world.client.peer.unique_id()));
            let connection = world.client.connection.unwrap();
            world.client.peer.disconnect(connection, DisconnectReason::Closed, CloseMode::Graceful);
            world.until("the end", |it| it.server.ended.is_some()).await;
            world.until("the report", |it| it.closed().is_some()).await;
            assert_eq!(world.closed(), Some(WireCloseReason::Client(transport.closed())));
        });
    }
}

#[test]
fn client_is_disconnected_when_the_server_disconnects_it_or_the_proxy_stops() {
    for (transport, is_kicked) in Transport::ALL.map(|it| [(it, true), (it, false)]).concat() {
        run(async {
            let (mut world, _) = transport.world("").await;
            let expected = if is_kicked {
                let connection = world.server.connection.unwrap();
                let (reason, mode) = (DisconnectReason::Kicked, CloseMode::Graceful);
                world.server.peer.disconnect(connection, reason, mode);
                WireCloseReason::Server(transport.closed())
            } else {
                world.stop.take().unwrap().send(()).unwrap();
                WireCloseReason::Stopped
            };
            world.until("the end", |it| it.client.ended.is_some()).await;
            if is_kicked {
                assert_eq!(world.client.ended, Some(transport.closed()));
            }
            world.until("the report", |it| it.closed().is_some()).await;
            assert_eq!(world.closed(), Some(expected));
        });
    }
}

#[test]
fn encrypted_client_needs_the_certificate_of_the_proxy() {
    for transport in Transport::ALL {
        run(async {
            let made = [(); 2].map(|()| DevelopmentCertificate::new(&["localhost"]).unwrap());
            let [of_server, of_proxy] =
                made.each_ref().map(|made| CertificateStore::new(made.identity().unwrap()));
            let trust = |index: usize| {
                ClientTlsOptions::new().trusted_chain(made[index].certificate_pem()).unwrap()
            };
            let (server, port) = transport.server(Some(of_server));
            let options = transport.options("localhost", port, true);
            let options = options.certificate(of_proxy).trust(trust(0));
            let mut world = World::new(server, options, |address| {
                transport.client(address, "", Some(trust(1)))
            })
            .await;
            world.exchange().await;
            assert_eq!(world.server.id, Some(world.client.peer.unique_id()));
        });
    }
}

#[test]
fn enet_packets_keep_their_modes_and_channels() {
    run(async {
        let (world, _) = Transport::Enet.world("").await;
        let packet = world.client.received(b"to the client").unwrap();
        assert_eq!((packet.mode, packet.channel.0), (TransferMode::UnreliableOrdered, 2));
    });
}

#[test]
fn web_socket_client_keeps_its_url_and_only_the_first_message_is_its_id() {
    run(async {
        let (mut world, port) = Transport::WebSocket.world("/room?token=secret").await;
        let url = world.server.origin.as_ref().unwrap().url().unwrap().to_owned();
        assert_eq!(url, format!("ws://127.0.0.1:{port}/room?token=secret"));
        let id = world.client.peer.unique_id();
        let events = format!("{:?}", world.events.borrow());
        assert!(events.contains("PeerId { client: ClientNumber(1), at: "), "{events}");
        assert!(events.contains(&format!("id: {id:?}")), "{events}");
        assert!(!events.contains("secret"), "{events}");

        world.server.send(TransferMode::Reliable, 0, &[3, 0, 0, 0]);
        world.until("four bytes", |it| it.client.received(&[3, 0, 0, 0]).is_some()).await;
        let is_id = |event: &&WireEvent| matches!(event, WireEvent::PeerId { .. });
        assert_eq!(world.events.borrow().iter().filter(is_id).count(), 1);
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
        let options = Transport::WebSocket.options("127.0.0.1", port, false);
        let mut world = World::new(Box::new(server), options, |address| {
            Transport::WebSocket.client(address, "", None)
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
