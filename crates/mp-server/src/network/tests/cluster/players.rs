//! Players of one room whose sockets are on several nodes.

use super::*;

/// Joins a room over ENet at the first node, and then at the others.
async fn three_players(world: &World) -> [BranchRef; 3] {
    let players = [
        world.enet(0, "arena/a").await.unwrap(),
        world.ws(1, "arena/a").await.unwrap(),
        world.enet(2, "arena/a").await.unwrap(),
    ];
    until_all_know(&players).await;
    players
}

/// Waits until each player knows the server and all others.
async fn until_all_know(players: &[BranchRef]) {
    let mut ids = vec![PeerId::SERVER];
    for player in players {
        ids.push(id(player).await);
    }
    for player in players {
        let own = id(player).await;
        until_peers(player, ids.iter().copied().filter(|it| *it != own).collect()).await;
    }
}

/// Sends a packet from one player to another, and waits until it is received.
pub(super) async fn send_and_receive(from: &BranchRef, to: &BranchRef, data: &'static [u8]) {
    let mut signals = to.signals().await.unwrap();
    let (sender, receiver) = (id(from).await, id(to).await);
    let sent = from
        .with(move |scene| scene.send_bytes(data, receiver, TransferMode::Reliable, Channel(0)));
    sent.await.unwrap().unwrap();
    let received = async {
        while let Some(signal) = signals.next().await {
            if let Signal::PeerPacket { from, data } = signal {
                return (from, data);
            }
        }
        panic!("the player has ended");
    };
    let (of, received) = tokio::time::timeout(PATIENCE, received).await.expect("the packet");
    assert_eq!((of, &received[..]), (sender, data));
}

#[test]
fn players_on_three_nodes_exchange_calls_and_packets_in_one_room() {
    actix::System::new().block_on(async {
        let world = World::start().await;
        let players = three_players(&world).await;
        assert_eq!(world.owners("a").await, [0]);
        let room = world.room(0, "a").await.unwrap();
        assert_eq!(room.players, 3);
        // Statistics of the node that has no room count no player, those of the other all.
        let stats = world.nodes[1].network.rooms().stats().await.unwrap();
        assert_eq!((stats.open, stats.players), (0, 0));

        // Calls of the server, and relayed ones.
        let mut expected = Vec::new();
        let ids = [id(&players[0]).await, id(&players[1]).await, id(&players[2]).await];
        for (from, player) in players.iter().enumerate() {
            for to in ids.iter().copied().chain([PeerId::SERVER]).filter(|it| *it != ids[from]) {
                let number = from as i64;
                let called = player.with(move |scene| {
                    let log = scene.find("Log").expect("a player has a log");
                    scene.rpc_id(to, log, "note", (number,))
                });
                called.await.unwrap().unwrap();
                expected.push((to, ids[from], number));
            }
        }
        expected.sort();
        let calls = || {
            let mut calls = world.calls.0.lock().unwrap().clone();
            calls.sort();
            calls
        };
        until(|| format!("{:?} of {expected:?}", calls()), || calls().len() >= expected.len())
            .await;
        assert_eq!(calls(), expected);

        // Raw packets are relayed from the second node to the third, and from there to the first:
        // a long one crosses the bus in parts.
        send_and_receive(&players[1], &players[2], b"short").await;
        send_and_receive(&players[2], &players[0], &[7; 200_000]).await;

        // A player who leaves has left for all.
        let [first, second, third] = players;
        third.close().await;
        until_peers(&first, vec![PeerId::SERVER, ids[1]]).await;
        until_peers(&second, vec![PeerId::SERVER, ids[0]]).await;
        world.until(0, |stats| stats.guests == 1).await;
        assert_eq!(world.room(0, "a").await.unwrap().players, 2);
        assert!(world.nodes[0].network.rooms().close(room.id).await.unwrap());
        for player in [first, second] {
            assert!(matches!(player.closed().await, EndReason::Disconnected(_)));
        }
        world.until_empty().await;
        // The name is free, and nothing of the former room is left.
        let again =
            [world.ws(1, "arena/a").await.unwrap(), world.enet(0, "arena/a").await.unwrap()];
        until_peers(&again[0], vec![PeerId::SERVER, id(&again[1]).await]).await;
        assert_eq!(world.owners("a").await, [1]);
    });
}

#[test]
fn name_exists_once_when_players_and_programs_create_it_on_all_nodes_at_once() {
    actix::System::new().block_on(async {
        let world = World::start().await;
        let (first, second, third) = tokio::join!(
            world.enet(0, "arena/a"),
            world.ws(1, "arena/a"),
            world.enet(2, "arena/a"),
        );
        let players = [first.unwrap(), second.unwrap(), third.unwrap()];
        assert_eq!(world.owners("a").await.len(), 1);
        until_all_know(&players).await;

        let create = |node: usize| {
            let rooms = world.nodes[node].network.rooms().clone();
            async move { rooms.create(name("b"), &name("arena")).await }
        };
        let created = tokio::join!(create(0), create(1), create(2));
        let created = [created.0, created.1, created.2];
        let taken = Err(CreateRoomError::Refused(CreateRefusal::NameTaken));
        assert_eq!(created.iter().filter(|it| **it == taken).count(), 2, "{created:?}");
        assert_eq!(world.owners("b").await.len(), 1);
    });
}

#[test]
fn player_of_another_node_is_kicked_and_joins_again() {
    actix::System::new().block_on(async {
        let world = World::start().await;
        let players = three_players(&world).await;
        let room = world.room(0, "a").await.unwrap().id;
        let rooms = world.nodes[0].network.rooms();
        let kicked = id(&players[1]).await;
        assert!(rooms.kick(room, kicked).await.unwrap());
        assert!(matches!(players[1].closed().await, EndReason::Disconnected(_)));
        until_peers(&players[2], vec![PeerId::SERVER, id(&players[0]).await]).await;
        assert_eq!(rooms.get(room).await.unwrap().unwrap().players, 2);
        let again = world.ws(1, "arena/a").await.unwrap();
        until_peers(&players[2], vec![PeerId::SERVER, id(&players[0]).await, id(&again).await])
            .await;
    });
}

#[test]
fn room_of_another_node_is_found_and_differs_from_one_that_does_not_exist() {
    actix::System::new().block_on(async {
        let world = World::start().await;
        world.nodes[0].network.rooms().create(name("a"), &name("arena")).await.unwrap();
        for (node, room, is_elsewhere) in [(0, "a", false), (1, "a", true), (1, "b", false)] {
            let rooms = world.nodes[node].network.rooms();
            assert_eq!(
                rooms.is_elsewhere(&name(room)).await,
                is_elsewhere,
                "{room} at node {node}"
            );
        }
    });
}
