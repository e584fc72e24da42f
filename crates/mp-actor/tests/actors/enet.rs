//! ENet in actors, on real sockets and in real time.

use std::net::SocketAddr;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use mp_actor::prelude::*;
use mp_core::limits::DRAIN_TIMEOUT;
use mp_transport_enet::io::TokioUdpSocket;
use mp_transport_enet::{
    ClientOptions, CreateError, EnetMultiplayerPeer, EnetShards, ServerOptions,
};

use crate::common::*;

type Enet = EnetMultiplayerPeer<TokioUdpSocket>;

#[test]
fn server_and_two_clients_connect_over_enet() {
    run_in_real_time(async {
        let (address_sender, address_receiver) = sync_channel(1);
        let make_server = move || -> Result<Enet, StartError> {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let socket = TokioUdpSocket::bind(any).map_err(|e| StartError::Transport(e.into()))?;
            let server = EnetMultiplayerPeer::server(socket, ServerOptions::default());
            let server = server.map_err(|e| StartError::Transport(e.into()))?;
            address_sender.send(server.local_addr()).expect("the test receives");
            Ok(server)
        };
        let build = || Branch::builder("/root").build();
        let server = mp_actor::branch(build).serve(make_server).await.unwrap();
        let address = address_receiver.recv().unwrap().unwrap();
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

        // More packets than any window, so they are received only because the close waits for them.
        send_numbers(&a, b_id, 0..3_000).await;
        assert_eq!(a.close().await, EndReason::Closed);
        until(|| notes.read().len() == 3_000).await;
        assert!(notes.read().iter().copied().eq(0..3_000));

        let stats = b.peer(PeerId::SERVER).unwrap().stats().await.unwrap();
        assert!(stats.connection.unwrap().packets_received >= 3_000, "{stats:?}");
        let start = tokio::time::Instant::now();
        assert_eq!(server.close().await, EndReason::Closed);
        assert!(start.elapsed() < DRAIN_TIMEOUT, "the client acknowledged the disconnect");
        assert!(matches!(b.closed().await, EndReason::Disconnected(_)));
    });
}

/// Only Linux distributes the datagrams of one address over several sockets.
#[test]
#[cfg(target_os = "linux")]
fn clients_of_several_shards_share_one_branch() {
    run_in_real_time(async {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let shards = EnetShards::bind(any, ServerOptions::default(), 4).unwrap();
        let address = shards.local_addr().unwrap();
        let build = || Branch::builder("/root").build();
        let server = mp_actor::branch(build).start().await.unwrap();
        let endpoints = server.add_shards(shards.into_servers()).await.unwrap();
        assert_eq!(endpoints.len(), 4);

        let make_client = move || -> Result<Enet, CreateError> {
            EnetMultiplayerPeer::create_async_client(address, ClientOptions::default())
        };
        let received = Notes::new();
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let noted = received.clone();
            let client = mp_actor::branch(move || {
                let note = move |scene: &mut Scene, from: PeerId, data: &[u8]| {
                    noted.push((from, scene.unique_id(), number(data)));
                };
                Branch::builder("/root").on_peer_packet(note).build()
            });
            let here = client.on(actix::Arbiter::current());
            clients.push(here.connect(make_client).await.unwrap());
        }
        let mut ids = Vec::new();
        for client in &clients {
            ids.push(client.with(|scene| scene.unique_id()).await.unwrap());
        }
        for (client, &id) in clients.iter().zip(&ids) {
            let others = || ids.iter().filter(move |&&other| other != id);
            until(|| others().all(|&other| client.peer(other).is_some())).await;
        }
        let mut used = 0;
        for endpoint in &endpoints {
            used += usize::from(endpoint.stats().await.unwrap().connections > 0);
        }
        // All clients on one of four shards by chance: less than once in a billion runs.
        assert!(used > 1, "all clients are on {used} shard");

        for (client, &to) in clients.iter().zip(ids.iter().cycle().skip(1)) {
            send_numbers(client, to, 0..100).await;
        }
        until(|| received.read().len() == 100 * CLIENTS).await;
        for (&from, &to) in ids.iter().zip(ids.iter().cycle().skip(1)) {
            let received = received.read();
            let of_pair = received.iter().filter(|&&(f, t, _)| (f, t) == (from, to));
            assert!(of_pair.map(|&(.., number)| number).eq(0..100), "from {from} to {to}");
        }

        assert_eq!(server.close().await, EndReason::Closed);
        for client in &clients {
            assert!(matches!(client.closed().await, EndReason::Disconnected(_)));
        }
        // The address is free again: all threads have closed their sockets.
        until(|| std::net::UdpSocket::bind(address).is_ok()).await;
    });
}

const CLIENTS: usize = 16;

/// The id of a client on one shard is claimed by another client on another shard.
#[test]
#[cfg(target_os = "linux")]
fn id_is_unique_across_shards() {
    run_in_real_time(async {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let shards = EnetShards::bind(any, ServerOptions::default(), 4).unwrap();
        let address = shards.local_addr().unwrap();
        let build = || Branch::builder("/root").build();
        let server = mp_actor::branch(build).serve_shards(shards.into_servers()).await.unwrap();
        // The seed decides the id.
        let client = || {
            mp_actor::branch(build).on(actix::Arbiter::current()).connect(
                move || -> Result<Enet, CreateError> {
                    let options = ClientOptions::default().seed([7; 32]);
                    EnetMultiplayerPeer::create_async_client(address, options)
                },
            )
        };
        let first = client().await.unwrap();
        // Reports of different shards are not ordered by time: a second client could be reported
        // before the first.
        while server.peers().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for _ in 0..8 {
            // A client on another shard is connected first and then rejected. A client on the same
            // shard is rejected immediately.
            match client().await {
                Ok(second) => assert!(matches!(second.closed().await, EndReason::Disconnected(_))),
                Err(error) => assert!(matches!(error, StartError::ConnectionFailed(_)), "{error}"),
            }
        }
        assert_eq!(server.peers().await.unwrap().len(), 1);
        assert_eq!(first.ended(), None);
    });
}
