//! The actors of peers.

use std::time::Duration;

use mp_actor::prelude::*;
use mp_actor::{CallError, PeerStats};

use crate::common::*;

#[test]
fn peer_actor_exists_while_the_peer_is_connected() {
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let mut signals = server.signals().await.unwrap();
        assert!(server.peer(peer(2)).is_none());
        let client = join(empty_branch("/root"), &address, 2).await;
        wait_for(&mut signals, |signal| *signal == Signal::PeerConnected(peer(2))).await;
        let actor = server.peer(peer(2)).unwrap();
        assert_eq!(actor.id(), peer(2));

        client.close().await;
        wait_for(&mut signals, |signal| *signal == Signal::PeerDisconnected(peer(2))).await;

        assert!(server.peer(peer(2)).is_none());
        assert_eq!(actor.stats().await.err(), Some(CallError::Ended));
    });
}

#[test]
fn disconnecting_a_peer_ends_its_session() {
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let client = join(empty_branch("/root"), &address, 2).await;
        until(|| server.peer(peer(2)).is_some()).await;

        server.peer(peer(2)).unwrap().disconnect().await.unwrap();

        assert!(matches!(client.closed().await, EndReason::Disconnected(_)));
        assert!(server.peer(peer(2)).is_none());
        assert_eq!(server.peers().await, Ok(vec![]));
        assert_eq!(server.ended(), None);
    });
}

#[test]
fn peer_disconnected_through_the_scene_has_no_actor() {
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let _client = join(empty_branch("/root"), &address, 2).await;
        until(|| server.peer(peer(2)).is_some()).await;

        server.with(|scene| scene.multiplayer_mut().disconnect_peer(peer(2))).await.unwrap();

        until(|| server.peer(peer(2)).is_none()).await;
    });
}

#[test]
fn stats_cover_direct_and_relayed_peers() {
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let a = join(empty_branch("/root"), &address, 2).await;
        let _b = join(empty_branch("/root"), &address, 3).await;
        until(|| a.peer(peer(3)).is_some()).await;
        send_numbers(&a, PeerId::SERVER, 0..10).await;
        tokio::time::sleep(Duration::from_secs(60)).await;

        let direct = server.peer(peer(2)).unwrap().stats().await.unwrap();
        assert_eq!(direct.id, peer(2));
        assert_eq!(direct.connected_for.as_secs(), 60);
        assert!(direct.endpoint.is_some());
        assert_eq!(direct.connection.unwrap().packets_received, 10);

        let relayed = a.peer(peer(3)).unwrap().stats().await.unwrap();
        assert_eq!((relayed.endpoint, relayed.connection), (None, None));
    });
}

#[test]
fn stats_of_many_peers_are_requested_together_and_omit_unknown_ones() {
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let clients = [2, 3, 5].map(|id| join(empty_branch("/root"), &address, id));
        let mut joined = Vec::new();
        for client in clients {
            joined.push(client.await);
        }
        until(|| server.peer(peer(5)).is_some()).await;
        send_numbers(&joined[1], PeerId::SERVER, 0..7).await;
        tokio::time::sleep(Duration::from_secs(60)).await;

        let ids: Vec<_> = (2..300).map(peer).collect();
        let stats = server.peer_stats(&ids).await.unwrap();

        let received = |stats: &PeerStats| stats.connection.map(|it| it.packets_received);
        let found: Vec<_> = stats.iter().map(|stats| (stats.id, received(stats))).collect();
        assert_eq!(found, [(peer(2), Some(0)), (peer(3), Some(7)), (peer(5), Some(0))]);
        assert!(stats.iter().all(|it| it.connected_for.as_secs() == 60 && it.endpoint.is_some()));
        let one = server.peer(peer(3)).unwrap().stats().await.unwrap();
        assert_eq!(one, stats[1]);
    });
}
