//! Servers that `mp::serve` starts, over real sockets.
#![allow(missing_docs, reason = "a test")]

#[cfg(feature = "webrtc")]
use std::net::TcpStream;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use mp::actor::block_on;
use mp::core::ErrorChain;
use mp::prelude::*;
use mp::{ServeError, Server};

fn game() -> Result<Branch, BuildError> {
    Branch::builder("/root").build()
}

/// Returns a loopback address whose port the operating system chooses.
fn any_port() -> (Ipv4Addr, u16) {
    (Ipv4Addr::LOCALHOST, 0)
}

#[test]
fn clients_of_all_transports_share_the_branch() {
    block_on(async {
        let server: Server = mp::serve(game).enet(any_port()).websocket(any_port()).await.unwrap();
        let mut signals = server.signals().await.unwrap();
        let enet = server.enet_addr().unwrap();
        let over_enet = mp::actor::branch(game)
            .connect(move || EnetMultiplayerPeer::create_async_client(enet, Default::default()))
            .await
            .unwrap();
        let url = format!("ws://{}", server.websocket_addr().unwrap());
        let over_websocket = mp::actor::branch(game)
            .connect(move || {
                WebSocketMultiplayerPeer::create_async_client(&url, Default::default())
            })
            .await
            .unwrap();

        for _ in 0..2 {
            assert!(matches!(signals.next().await, Some(Signal::PeerConnected(_))));
        }
        assert_eq!(server.peers().await.unwrap().len(), 2);
        over_enet.close().await;
        over_websocket.close().await;
        assert_eq!(server.close().await, EndReason::Closed);
    });
}

#[test]
fn transport_that_cannot_listen_is_named_and_the_others_are_closed() {
    block_on(async {
        let listener = TcpListener::bind(any_port()).unwrap();
        let used = listener.local_addr().unwrap();
        let udp = UdpSocket::bind(any_port()).unwrap().local_addr().unwrap();
        let error = mp::serve(game).enet(udp).websocket(used).await.unwrap_err();

        let ServeError::Transport { transport, source } = &error else { panic!("{error:?}") };
        assert_eq!(*transport, "WebSocket");
        assert!(source.to_string().starts_with(&format!("cannot bind TCP {used}")), "{source}");
        let shown = ErrorChain::new(&error).to_string();
        assert!(shown.starts_with("cannot serve WebSocket: cannot bind TCP"), "{shown}");
        UdpSocket::bind(udp).unwrap();
    });
}

#[test]
fn server_without_a_transport_does_not_start() {
    block_on(async {
        let error = mp::serve(game).await.unwrap_err();
        assert!(matches!(error, ServeError::NoTransport), "{error}");
    });
}

#[test]
fn error_of_the_branch_is_the_source() {
    block_on(async {
        let broken = || Branch::builder("").build();
        let error = mp::serve(broken).enet(any_port()).await.unwrap_err();
        let shown = ErrorChain::new(&error).to_string();
        assert!(shown.starts_with("cannot start the branch: "), "{shown}");
        assert!(matches!(error, ServeError::Branch(StartError::Build(_))), "{error:?}");
    });
}

#[cfg(feature = "webrtc")]
#[test]
fn webrtc_needs_websocket() {
    block_on(async {
        let error = mp::serve(game).enet(any_port()).webrtc(any_port()).await.unwrap_err();
        assert!(matches!(error, ServeError::NoSignaling), "{error}");
    });
}

#[cfg(feature = "webrtc")]
#[test]
fn websocket_carries_the_signaling_of_webrtc() {
    block_on(async {
        let server = mp::serve(game).websocket(any_port()).webrtc(any_port()).await.unwrap();
        assert!(server.webrtc_addr().is_some());
        let address = server.websocket_addr().unwrap();
        // The branch has a thread of its own, so this one may block.
        let stream = TcpStream::connect(address).unwrap();
        let (mut session, _) =
            tungstenite::client(format!("ws://{address}/webrtc"), stream).unwrap();
        // JOIN of Godot's signaling demo, to the default lobby.
        session.send(tungstenite::Message::text(r#"{"type":0,"id":1,"data":""}"#)).unwrap();
        let first = session.read().unwrap().into_text().unwrap();
        assert!(first.contains(r#""type":1"#), "{first}");
        server.close().await;
    });
}
