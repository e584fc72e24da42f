//! Peers that move between branches of a shared endpoint.

use actix::Arbiter;
use mp_actor::prelude::*;
use mp_actor::{BranchRef, BranchStarter, CallError, MovePeerError, SharedEndpoint};
use mp_core::{MemoryAddress, MemoryMultiplayerPeer};
use mp_scene::{IdBlocks, MoveError};

use crate::common::*;

/// Returns a room with one [`Log`], between which and others peers move.
fn room(notes: &Notes<(PeerId, i64)>) -> BranchStarter<Build> {
    let notes = notes.clone();
    here(move || {
        let builder = Branch::builder("/root").moves(&IdBlocks::of_process());
        builder.setup(|scene| scene.add("Log", Log(notes))).build()
    })
}

/// Starts an endpoint whose connections join `lobby`.
async fn endpoint(lobby: &BranchRef) -> (SharedEndpoint, MemoryAddress) {
    let transport = MemoryMultiplayerPeer::server();
    let (address, router) = (transport.address(), lobby.id());
    let make = move || made((transport, router));
    let endpoint = mp_actor::shared_endpoint(make).on(Arbiter::current()).start().await.unwrap();
    endpoint.serve(lobby).await.unwrap();
    (endpoint, address)
}

#[test]
fn peer_moves_to_a_room_that_the_endpoint_did_not_serve_and_back() {
    run(async {
        let (of_lobby, of_arena) = (Notes::new(), Notes::new());
        let lobby = room(&of_lobby).start().await.unwrap();
        let arena = room(&of_arena).start().await.unwrap();
        let (endpoint, address) = endpoint(&lobby).await;
        let client = join(log_branch("/root", &Notes::new()), &address, 2).await;
        let player = peer(2);
        for number in 0..10 {
            lobby.move_peer(player, &arena).await.unwrap();
            assert_eq!(
                (lobby.peers().await.unwrap(), lobby.peer(player).is_some()),
                (vec![], false)
            );
            assert_eq!(arena.peers().await.unwrap(), [player]);
            assert!(arena.peer(player).is_some());
            note(&arena, player, number).await;
            note(&client, PeerId::SERVER, number).await;
            until(|| of_arena.read().len() > number as usize).await;
            arena.move_peer(player, &lobby).await.unwrap();
            note(&client, PeerId::SERVER, number).await;
            until(|| of_lobby.read().len() > number as usize).await;
        }
        assert_eq!(client.ended(), None);
        let stats = endpoint.stats().await.unwrap();
        assert_eq!((stats.connections, stats.rejected_moves, stats.foreign_sends), (1, 0, 0));
    });
}

#[test]
fn peer_stays_when_the_target_refuses_it_or_has_ended() {
    run(async {
        let notes = Notes::new();
        let lobby = room(&notes).start().await.unwrap();
        let (_endpoint, address) = endpoint(&lobby).await;
        let client = join(log_branch("/root", &Notes::new()), &address, 2).await;

        let plain = log_branch("/root", &Notes::new()).start().await.unwrap();
        let refused = lobby.move_peer(peer(2), &plain).await;
        assert_eq!(refused, Err(MovePeerError::Move(MoveError::NotEnabled)));

        let panics = here(|| {
            let hook = |_: &mut Scene, _| panic!("a bug");
            Branch::builder("/root").moves(&IdBlocks::of_process()).on_peer_expected(hook).build()
        });
        let panics = panics.start().await.unwrap();
        let ended = Err(MovePeerError::Call(CallError::Ended));
        assert_eq!(lobby.move_peer(peer(2), &panics).await, ended);
        assert_eq!(lobby.move_peer(peer(2), &panics).await, ended);

        let open = room(&Notes::new()).start().await.unwrap();
        let unknown = lobby.move_peer(peer(3), &open).await;
        assert_eq!(unknown, Err(MovePeerError::Move(MoveError::UnknownPeer(peer(3)))));
        let expects = open.with(|scene| scene.multiplayer().is_expected(peer(3))).await.unwrap();
        assert!(!expects, "the id is not reserved any more");

        note(&client, PeerId::SERVER, 5).await;
        until(|| notes.read().len() == 1).await;
        assert_eq!(lobby.peers().await.unwrap(), [peer(2)]);
    });
}

#[test]
fn peer_returns_when_the_target_ends_before_it_arrives() {
    run(async {
        let notes = Notes::new();
        let lobby = room(&notes).start().await.unwrap();
        let arena = room(&Notes::new()).start().await.unwrap();
        let (endpoint, address) = endpoint(&lobby).await;
        let client = join(log_branch("/root", &Notes::new()), &address, 2).await;
        // The arena accepts the peer, and closes before the endpoint moves it.
        arena.with(|_| ()).await.unwrap();
        let moving = lobby.move_peer(peer(2), &arena);
        let closing = async {
            let expected = arena.until(|scene| scene.multiplayer().is_expected(peer(2)));
            expected.await.unwrap();
            arena.with(|_| panic!("a bug")).await.unwrap_err();
        };
        let (moved, ()) = tokio::join!(moving, closing);
        assert!(moved.is_err(), "{moved:?}");
        lobby.until(|scene| scene.peers() == [peer(2)]).await.unwrap();
        note(&client, PeerId::SERVER, 5).await;
        until(|| notes.read().len() == 1).await;
        assert_eq!(endpoint.stats().await.unwrap().connections, 1);
    });
}
