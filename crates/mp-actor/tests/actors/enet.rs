//! ENet under the actors, on real sockets and in real time.

use std::net::SocketAddr;
use std::sync::mpsc::sync_channel;

use mp_actor::prelude::*;
use mp_core::limits::LINGER;
use mp_transport_enet::io::TokioUdpSocket;
use mp_transport_enet::{ClientOptions, CreateError, EnetMultiplayerPeer, ServerOptions};

use crate::common::*;

type Enet = EnetMultiplayerPeer<TokioUdpSocket>;

#[test]
fn a_server_and_two_clients_meet_over_enet() {
    actix::System::new().block_on(async {
        let (tell, told) = sync_channel(1);
        let make_server = move || -> Result<Enet, StartError> {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let socket = TokioUdpSocket::bind(any).map_err(|e| StartError::Transport(e.into()))?;
            let server = EnetMultiplayerPeer::server(socket, ServerOptions::default());
            let server = server.map_err(|e| StartError::Transport(e.into()))?;
            tell.send(server.local_addr()).expect("the test listens");
            Ok(server)
        };
        let build = || Branch::builder("/root").build();
        let server = mp_actor::branch(build).serve(make_server).await.unwrap();
        let address = told.recv().unwrap().unwrap();
        let make_client = move || -> Result<Enet, CreateError> {
            let socket = TokioUdpSocket::bind_for(address, 0)?;
            EnetMultiplayerPeer::client(socket, address, ClientOptions::default())
        };

        let notes = Notes::new();
        let noted = notes.clone();
        let a = mp_actor::branch(build).connect(make_client).await.unwrap();
        let b = mp_actor::branch(move || {
            let note = move |_: &mut Scene, _, data: &[u8]| noted.push(number(data));
            Branch::builder("/root").on_peer_packet(note).build()
        });
        let b = b.connect(make_client).await.unwrap();
        let b_id = b.with(|scene| scene.unique_id()).await.unwrap();
        until(|| a.peer(b_id).is_some()).await;
        assert_eq!(server.peers().await.unwrap().len(), 2);

        // More than any window: it is there because the close waits for it.
        send_numbers(&a, b_id, 0..3_000).await;
        assert_eq!(a.close().await, Ended::Closed);
        until(|| notes.read().len() == 3_000).await;
        assert!(notes.read().iter().copied().eq(0..3_000));

        let stats = b.peer(PeerId::SERVER).unwrap().stats().await.unwrap();
        assert!(stats.link.unwrap().packets_received >= 3_000, "{stats:?}");
        let start = tokio::time::Instant::now();
        assert_eq!(server.close().await, Ended::Closed);
        assert!(start.elapsed() < LINGER, "the client has confirmed the goodbye");
        assert!(matches!(b.closed().await, Ended::Disconnected(_)));
    });
}
