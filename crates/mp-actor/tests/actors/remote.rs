//! A branch and an endpoint that a gateway connects.

use std::sync::{Arc, Mutex};

use actix::Arbiter;
use mp_actor::prelude::*;
use mp_actor::{RemoteBranch, RemoteEndpoint, RemoteInput, RemoteWake, SharedEndpoint};
use mp_core::{
    ConnectionId, ConnectionRouter, DisconnectReason, EndpointId, MemoryAddress,
    MemoryMultiplayerPeer, NewConnection, OutgoingPacket, Route, ToBranch,
};
use tokio::task::JoinHandle;

use crate::common::*;

/// A router that leaves all decisions to the test.
#[derive(Clone, Default)]
struct Undecided(Arc<Mutex<Vec<ConnectionId>>>);

impl ConnectionRouter for Undecided {
    fn route(&mut self, new: &NewConnection<'_>, _: &mut Vec<OutgoingPacket>) -> Route {
        self.0.lock().unwrap().push(new.connection);
        Route::Undecided
    }
}

async fn endpoint(router: &Undecided) -> (SharedEndpoint, MemoryAddress) {
    let (transport, router) = (MemoryMultiplayerPeer::server(), router.clone());
    let address = transport.address();
    let make = move || made((transport, router));
    let endpoint = mp_actor::shared_endpoint(make).on(Arbiter::current()).start().await;
    (endpoint.expect("the endpoint starts"), address)
}

/// Passes messages between both, until one of them has sent its last message.
async fn pass(mut branch: RemoteBranch, mut endpoint: RemoteEndpoint, wake: Arc<RemoteWake>) {
    loop {
        while let RemoteInput::Message(message) = branch.try_recv() {
            let message = match message {
                ToBranch::Opened(_, info) => ToBranch::Opened(endpoint.id(), info),
                ToBranch::Events(_, events) => ToBranch::Events(endpoint.id(), events),
                ToBranch::Closed(_, reason) => {
                    return assert!(
                        endpoint.try_send(ToBranch::Closed(endpoint.id(), reason)).is_ok()
                    );
                }
                message => panic!("{message:?}"),
            };
            assert_eq!(endpoint.try_send(message), Ok(()));
        }
        loop {
            match endpoint.try_recv() {
                RemoteInput::Message(message) => assert_eq!(branch.try_send(message), Ok(())),
                RemoteInput::Empty => break,
                RemoteInput::Ended => return,
            }
        }
        wake.notified().await;
    }
}

/// Connects a room with the endpoint, and a client, which plays in the room as peer 2.
async fn play(
    notes: &Notes<(PeerId, i64)>,
) -> (SharedEndpoint, BranchRef, BranchRef, JoinHandle<()>) {
    let router = Undecided::default();
    let (endpoint, address) = endpoint(&router).await;
    let room = log_branch("/root", notes).start().await.expect("the room starts");
    let wake = Arc::new(RemoteWake::new());
    let branch = endpoint.serve_remote(Arc::clone(&wake)).await.expect("the endpoint runs");
    let id = branch.id();
    let far = room.attach_remote(EndpointId(1 << 31), Arc::clone(&wake));
    let gateway = actix::spawn(pass(branch, far, wake));
    let client = actix::spawn({
        let notes = Notes::new();
        async move { join(log_branch("/root", &notes), &address, 2).await }
    });
    until(|| router.0.lock().unwrap().len() == 1).await;
    let connection = router.0.lock().unwrap()[0];
    assert!(!room.authenticates());
    endpoint.decide(connection, Route::Admit(id));
    (endpoint, room, client.await.expect("the client joins"), gateway)
}

#[test]
fn client_of_an_endpoint_plays_in_a_branch_behind_a_gateway() {
    run(async {
        let notes = Notes::new();
        let (_endpoint, room, client, _) = play(&notes).await;
        room.until(|scene| scene.peers() == [peer(2)]).await.unwrap();
        note(&client, PeerId::SERVER, 7).await;
        until(|| notes.read().len() == 1).await;
        assert_eq!(*notes.read(), [(peer(2), 7)]);
        assert_eq!(room.peer_stats(&[peer(2)]).await.unwrap().len(), 1);

        client.close().await;
        room.until(|scene| scene.peers().is_empty()).await.unwrap();
    });
}

#[test]
fn end_of_the_branch_or_of_the_endpoint_passes_the_gateway() {
    run(async {
        let notes = Notes::new();
        let (endpoint, room, client, _) = play(&notes).await;
        room.close().await;
        assert!(matches!(client.closed().await, EndReason::Disconnected(_)));
        endpoint.close().await;

        let (endpoint, room, client, _) = play(&notes).await;
        endpoint.close().await;
        assert!(matches!(client.closed().await, EndReason::Disconnected(_)));
        assert!(matches!(
            room.closed().await,
            EndReason::Closed | EndReason::Disconnected(DisconnectReason::Closed)
        ));
    });
}

#[test]
fn dropped_gateway_leaves_the_endpoint_and_closes_it_for_the_branch() {
    run(async {
        let notes = Notes::new();
        let (_endpoint, room, client, gateway) = play(&notes).await;
        gateway.abort();
        assert!(matches!(client.closed().await, EndReason::Disconnected(_)));
        assert!(matches!(room.closed().await, EndReason::Disconnected(_)));
    });
}
