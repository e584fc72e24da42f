//! Peers over real sockets: a tokio socket, which wakes its task, and one that is polled.
#![cfg(feature = "tokio")]

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::{
    Channel, ConnectionId, MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId, Prefix, TransferMode,
};
use mp_transport_webrtc::io::{DatagramSocket, TokioUdpSocket};
use mp_transport_webrtc::{Signal, SignalingError, WebRtcMultiplayerPeer, WebRtcOptions};
use tokio::sync::mpsc;

type Server = WebRtcMultiplayerPeer<TokioUdpSocket>;

/// Echoes packets until all clients have disconnected. Polls only when the socket wakes the task or
/// a timer is due.
async fn echo(mut server: Server, clock: SystemClock) {
    let mut clients = 0;
    loop {
        server.poll(clock.now());
        while let Some(event) = server.next_event() {
            match event {
                PeerEvent::Connected { .. } => clients += 1,
                PeerEvent::Disconnected { .. } => clients -= 1,
                PeerEvent::Packet(packet) => send(&mut server, packet.from, packet.payload),
                _ => {}
            }
            if clients == 0 {
                return;
            }
        }
        server.flush(clock.now());
        let due = server.poll_timeout().map(|due| due.saturating_since(clock.now()));
        let woken = poll_fn(|cx| server.poll_ready(cx));
        let _ = tokio::time::timeout(due.unwrap_or(Duration::MAX), woken).await;
    }
}

fn send<S: DatagramSocket>(
    peer: &mut WebRtcMultiplayerPeer<S>,
    to: ConnectionId,
    payload: bytes::Bytes,
) {
    let (to, mode, channel, prefix) =
        (to.into(), TransferMode::Reliable, Channel(0), Prefix::EMPTY);
    peer.send(OutgoingPacket { to, mode, channel, prefix, payload }).unwrap();
}

/// Sends a large packet from a client and waits until it is received back.
async fn ask(mut client: WebRtcMultiplayerPeer, clock: SystemClock) {
    let payload = bytes::Bytes::from(vec![7; 200_000]);
    loop {
        client.poll(clock.now());
        while let Some(event) = client.next_event() {
            match event {
                PeerEvent::Connected { connection, .. } => {
                    send(&mut client, connection, payload.clone());
                }
                PeerEvent::Packet(packet) => {
                    assert_eq!(packet.payload, payload);
                    client.remove_peer(PeerId::SERVER);
                    for _ in 0..20 {
                        client.flush(clock.now());
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        client.poll(clock.now());
                    }
                    return;
                }
                _ => {}
            }
        }
        client.flush(clock.now());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Passes signals between a server and its client until both are dropped.
async fn signal(server: &mut Server, client: &mut WebRtcMultiplayerPeer, id: PeerId) {
    let (to_server, to_client) = (server.signaling(), client.signaling());
    to_server.add_peer(id, 1).unwrap();
    to_client.add_peer(PeerId::SERVER, 1).unwrap();
    to_client.create_offer(PeerId::SERVER).unwrap();
    let (from, to) = (to_client.clone(), to_server.clone());
    for (from, to, as_peer) in [(from, to, id), (to_server, to_client, PeerId::SERVER)] {
        tokio::spawn(async move {
            loop {
                let result = match poll_fn(|cx| from.poll_signal(cx)).await {
                    Signal::SessionDescriptionCreated { kind, sdp, .. } => {
                        to.set_remote_description(as_peer, kind, sdp)
                    }
                    Signal::IceCandidateCreated { candidate, .. } => {
                        to.add_ice_candidate(as_peer, candidate)
                    }
                    Signal::Failed { error: SignalingError::Candidate(_), .. } => Ok(()),
                    Signal::Failed { error, .. } => panic!("{error}"),
                    _ => Ok(()),
                };
                result.unwrap();
            }
        });
    }
}

fn run(bind: SocketAddr, options: WebRtcOptions) {
    let (done, mut is_done) = mpsc::channel(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let clock = SystemClock::new();
    runtime.block_on(async {
        let mut server = Server::create_async_server(bind, options).unwrap();
        let id = PeerId::new(2).unwrap();
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        let mut client =
            WebRtcMultiplayerPeer::create_client(any, id, WebRtcOptions::default()).unwrap();
        signal(&mut server, &mut client, id).await;
        tokio::spawn(async move {
            tokio::join!(echo(server, clock), ask(client, clock));
            done.send(()).await.unwrap();
        });
        let end = tokio::time::timeout(Duration::from_secs(120), is_done.recv()).await;
        assert_eq!(end.expect("not done within 120 s"), Some(()));
    });
}

#[test]
fn received_datagrams_wake_a_server() {
    run((Ipv4Addr::LOCALHOST, 0).into(), WebRtcOptions::default().ice_lite(true));
}

#[test]
fn a_command_wakes_an_idle_server() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let mut server = Server::create_async_server(address, WebRtcOptions::default()).unwrap();
        let (signaling, clock) = (server.signaling(), SystemClock::new());
        server.poll(clock.now());
        tokio::spawn(async move { signaling.add_peer(PeerId::new(2).unwrap(), 1).unwrap() });
        let woken = poll_fn(|cx| server.poll_ready(cx));
        tokio::time::timeout(Duration::from_secs(30), woken).await.expect("it is woken");
        server.poll(clock.now());
        assert!(server.has_peer(PeerId::new(2).unwrap()));
    });
}

#[test]
fn a_server_bound_to_all_addresses_is_reached_at_an_advertised_one() {
    // An unused port.
    let port = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let options =
        WebRtcOptions::default().ice_lite(true).advertised([([127, 0, 0, 1], port).into()]);
    run(([0_u16; 8], port).into(), options);
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_bound_to_all_addresses_announces_those_of_its_host() {
    let server = WebRtcMultiplayerPeer::create_server(([0; 4], 0).into(), WebRtcOptions::default());
    let server = server.unwrap();
    let port = server.local_addr().unwrap().port();
    let candidates = server.local_candidates();
    assert!(!candidates.is_empty());
    let is_usable =
        |it: &SocketAddr| it.is_ipv4() && it.port() == port && !it.ip().is_unspecified();
    assert!(candidates.iter().all(is_usable), "{candidates:?}");
}
