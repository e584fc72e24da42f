//! Branches that share an endpoint.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use actix::Arbiter;
use mp_actor::prelude::*;
use mp_actor::{CallError, SharedEndpoint};
use mp_core::{
    BranchId, ConnectionId, ConnectionRouter, DisconnectReason, MemoryAddress,
    MemoryMultiplayerPeer, NewConnection, OutgoingPacket, Rate, ReceiveLimits, Route,
};

use crate::common::*;

/// A router that assigns peers by a map, which tests change. Others are undecided and recorded.
#[derive(Clone, Default)]
struct ByMap {
    rooms: Arc<Mutex<BTreeMap<PeerId, BranchId>>>,
    undecided: Arc<Mutex<Vec<ConnectionId>>>,
}

impl ConnectionRouter for ByMap {
    fn route(&mut self, new: &NewConnection<'_>, _: &mut Vec<OutgoingPacket>) -> Route {
        let rooms = self.rooms.lock().unwrap();
        match new.claimed_id.and_then(|id| rooms.get(&id)) {
            Some(&room) => Route::Branch(room),
            None => {
                self.undecided.lock().unwrap().push(new.connection);
                Route::Undecided
            }
        }
    }
}

impl ByMap {
    fn assign(&self, id: i32, room: &BranchRef) {
        self.rooms.lock().unwrap().insert(peer(id), room.id());
    }
}

/// Starts a shared endpoint on the test's thread.
async fn endpoint(router: &ByMap) -> (SharedEndpoint, MemoryAddress) {
    let (transport, router) = (MemoryMultiplayerPeer::server(), router.clone());
    let address = transport.address();
    let make = move || made((transport, router));
    let endpoint = mp_actor::shared_endpoint(make).on(Arbiter::current()).start().await;
    (endpoint.expect("the endpoint starts"), address)
}

/// Starts a room on the endpoint.
async fn room(endpoint: &SharedEndpoint, notes: &Notes<(PeerId, i64)>) -> BranchRef {
    let room = log_branch("/root", notes).start().await.expect("the room starts");
    endpoint.serve(&room).await.expect("the endpoint runs");
    room
}

#[test]
fn rooms_of_one_endpoint_receive_only_their_own_peers_calls() {
    run(async {
        let (router, first, second) = (ByMap::default(), Notes::new(), Notes::new());
        let (endpoint, address) = endpoint(&router).await;
        let rooms = [room(&endpoint, &first).await, room(&endpoint, &second).await];
        router.assign(2, &rooms[0]);
        router.assign(3, &rooms[1]);
        let none = Notes::new();
        let clients = [
            join(log_branch("/root", &none), &address, 2).await,
            join(log_branch("/root", &none), &address, 3).await,
        ];
        assert_eq!(rooms[0].peers().await.unwrap(), [peer(2)]);
        assert_eq!(
            clients[0].peers().await.unwrap(),
            [PeerId::SERVER],
            "no peer of the other room"
        );
        note(&clients[0], PeerId::SERVER, 20).await;
        note(&clients[1], PeerId::SERVER, 30).await;
        until(|| first.read().len() + second.read().len() == 2).await;
        assert_eq!(
            (&first.read()[..], &second.read()[..]),
            (&[(peer(2), 20)][..], &[(peer(3), 30)][..])
        );
    });
}

#[test]
fn closed_room_disconnects_its_peers_and_leaves_the_others() {
    run(async {
        let (router, notes) = (ByMap::default(), Notes::new());
        let (endpoint, address) = endpoint(&router).await;
        let (closing, open) = (room(&endpoint, &notes).await, room(&endpoint, &notes).await);
        router.assign(2, &closing);
        router.assign(3, &open);
        let leaver = join(log_branch("/root", &notes), &address, 2).await;
        let stayer = join(log_branch("/root", &notes), &address, 3).await;

        assert_eq!(closing.close().await, EndReason::Closed);
        assert!(matches!(leaver.closed().await, EndReason::Disconnected(_)));
        note(&stayer, PeerId::SERVER, 5).await;
        until(|| !notes.read().is_empty()).await;

        // A room may be opened at any time.
        let later = room(&endpoint, &notes).await;
        router.assign(4, &later);
        let client = join(log_branch("/root", &notes), &address, 4).await;
        assert_eq!(client.peers().await.unwrap(), [PeerId::SERVER]);
        assert_eq!(endpoint.stats().await.unwrap().connections, 2);
    });
}

#[test]
fn panicked_room_delivers_its_packets_and_leaves_the_others() {
    run(async {
        let (router, notes, numbers) = (ByMap::default(), Notes::new(), Notes::new());
        let (endpoint, address) = endpoint(&router).await;
        let (bad, good) = (room(&endpoint, &notes).await, room(&endpoint, &notes).await);
        router.assign(2, &bad);
        router.assign(3, &good);
        let _victim = join(counting_branch(&numbers), &address, 2).await;
        let guest = join(log_branch("/root", &notes), &address, 3).await;
        send_numbers(&bad, peer(2), 0..3_000).await;
        assert_eq!(bad.with(|_| panic!("a bug")).await, Err::<(), _>(CallError::Ended));
        assert_eq!(bad.closed().await, EndReason::Panicked("a bug".to_owned()));
        until(|| numbers.read().len() == 3_000).await;
        note(&guest, PeerId::SERVER, 5).await;
        until(|| !notes.read().is_empty()).await;
        assert_eq!(good.ended(), None);
    });
}

#[test]
fn undecided_connection_joins_the_room_that_the_program_opens_for_it() {
    run(async {
        let (router, notes) = (ByMap::default(), Notes::new());
        let (endpoint, address) = endpoint(&router).await;
        let client = join(log_branch("/root", &notes), &address, 2);
        let open = async {
            until(|| !router.undecided.lock().unwrap().is_empty()).await;
            let room = room(&endpoint, &notes).await;
            let connection = router.undecided.lock().unwrap()[0];
            endpoint.decide(connection, Route::Branch(room.id()));
            endpoint.decide(connection, Route::Reject(DisconnectReason::Refused));
            room
        };
        let (client, room) = tokio::join!(client, open);
        until(|| room.peer(peer(2)).is_some()).await;
        assert_eq!(client.ended(), None);
    });
}

#[test]
fn closed_endpoint_ends_the_rooms_that_no_other_endpoint_serves() {
    run(async {
        let (router, notes) = (ByMap::default(), Notes::new());
        let (endpoint, address) = endpoint(&router).await;
        let room = room(&endpoint, &notes).await;
        router.assign(2, &room);
        let client = join(log_branch("/root", &notes), &address, 2).await;
        endpoint.close().await;
        assert!(matches!(room.closed().await, EndReason::Disconnected(_)));
        assert!(matches!(client.closed().await, EndReason::Disconnected(_)));
        assert_eq!(endpoint.serve(&room).await, Err(CallError::Ended));
        assert!(endpoint.stats().await.is_err());
    });
}

#[test]
fn assigned_connection_reaches_a_branch_that_the_endpoint_did_not_serve() {
    run(async {
        let (router, notes) = (ByMap::default(), Notes::new());
        let (endpoint, address) = endpoint(&router).await;
        let room = log_branch("/root", &notes).start().await.unwrap();
        let seat = address.connect(peer(2));
        let joining = log_branch("/root", &notes).connect(move || made(seat));
        let assigning = async {
            until(|| !router.undecided.lock().unwrap().is_empty()).await;
            let connection = router.undecided.lock().unwrap()[0];
            endpoint.assign(connection, &room);
        };
        let (client, ()) = tokio::join!(joining, assigning);
        assert_eq!(client.unwrap().peers().await.unwrap(), [PeerId::SERVER]);
        assert_eq!(room.peers().await.unwrap(), [peer(2)]);
    });
}

#[test]
fn endpoint_that_ends_with_its_branches_closes_when_the_only_one_has_left() {
    run(async {
        let (router, notes) = (ByMap::default(), Notes::new());
        let transport = MemoryMultiplayerPeer::server();
        let (address, made_of) = (transport.address(), router.clone());
        let make = move || made((transport, made_of));
        let endpoint =
            mp_actor::shared_endpoint(make).on(Arbiter::current()).until_left().start().await;
        let endpoint = endpoint.unwrap();
        let room = room(&endpoint, &notes).await;
        router.assign(2, &room);
        let client = join(log_branch("/root", &notes), &address, 2).await;
        room.close().await;
        endpoint.ended().await;
        assert!(matches!(client.closed().await, EndReason::Disconnected(_)));
    });
}

#[test]
fn endpoint_refuses_connections_on_request() {
    run(async {
        let (router, notes) = (ByMap::default(), Notes::new());
        let (endpoint, address) = endpoint(&router).await;
        let room = room(&endpoint, &notes).await;
        router.assign(2, &room);
        endpoint.set_refuse_new_connections(true);
        endpoint.stats().await.unwrap();
        let seat = address.connect(peer(2));
        let refused = log_branch("/root", &notes).connect(move || made(seat)).await;
        assert!(matches!(refused, Err(StartError::ConnectionFailed(_))), "{refused:?}");
        endpoint.set_refuse_new_connections(false);
        endpoint.stats().await.unwrap();
        join(log_branch("/root", &notes), &address, 2).await;
        assert_eq!(endpoint.stats().await.unwrap().rejected_connections, 0);
    });
}

fn slow() -> ReceiveLimits {
    let mut limits = ReceiveLimits::default();
    limits.packets = Some(Rate::per_second(1_000).with_burst(5));
    limits
}

/// Sends 20 calls from a client of `room`, and waits until they are received and a pause of its
/// connection is counted.
async fn flood(endpoint: &SharedEndpoint, client: &BranchRef, notes: &Notes<(PeerId, i64)>) {
    for number in 0..20 {
        note(client, PeerId::SERVER, number).await;
    }
    until(|| notes.read().len() == 20).await;
    assert!(endpoint.stats().await.unwrap().rate_pauses > 0);
}

#[test]
fn endpoint_limits_the_rate_of_its_connections() {
    run(async {
        let (router, notes) = (ByMap::default(), Notes::new());
        let (endpoint, address) = endpoint(&router).await;
        endpoint.set_receive_limits(slow());
        let room = room(&endpoint, &notes).await;
        router.assign(2, &room);
        let client = join(log_branch("/root", &Notes::new()), &address, 2).await;
        flood(&endpoint, &client, &notes).await;
    });
}

#[test]
fn room_limits_the_rate_of_all_its_connections() {
    run(async {
        let (router, notes) = (ByMap::default(), Notes::new());
        let (endpoint, address) = endpoint(&router).await;
        let room = log_branch("/root", &notes).receive_limits(slow()).start().await.unwrap();
        endpoint.serve(&room).await.unwrap();
        router.assign(2, &room);
        let client = join(log_branch("/root", &Notes::new()), &address, 2).await;
        flood(&endpoint, &client, &notes).await;
    });
}
