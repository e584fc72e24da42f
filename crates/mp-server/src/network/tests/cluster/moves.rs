//! Rooms of a node that is drained.

use mp_actor::Signals;
use mp_cluster::StoredRoom;
use mp_core::Rng;
use mp_identity::Credentials;
use mp_record::RecordingEnd;
use mp_rooms::{MatchRequest, MatchVerb, RecordSettings, Ticket};

use super::adoption::{has_players, relays, until_stored};
use super::players::send_and_receive;
use super::*;
use crate::record::{Replayed, replay_recording};

/// Sends numbered packets to a player until the room has moved, and then the last one.
async fn send_until(from: &BranchRef, to: PeerId, is_moved: impl Fn() -> bool) -> u32 {
    let mut number = 0_u32;
    while !is_moved() || !number.is_multiple_of(50) {
        send(from, to, number.to_le_bytes().to_vec()).await;
        number += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    send(from, to, b"last".to_vec()).await;
    number
}

async fn send(from: &BranchRef, to: PeerId, data: Vec<u8>) {
    let send = move |scene: &mut Scene| {
        scene.send_bytes(&data[..], to, TransferMode::Reliable, Channel(0))
    };
    from.with(send).await.unwrap().unwrap();
}

/// Receives numbered packets until the last one, in order and nothing else. Returns their number.
async fn receive(signals: &mut Signals) -> u32 {
    let mut number = 0_u32;
    loop {
        let signal = tokio::time::timeout(PATIENCE, signals.next()).await.expect("a packet");
        match signal.expect("the player stays") {
            Signal::PeerPacket { data, .. } if &data[..] == b"last" => return number,
            Signal::PeerPacket { data, .. } => assert_eq!(data[..], number.to_le_bytes()),
            other => panic!("{other:?}"),
        }
        number += 1;
    }
}

#[test]
fn drained_node_moves_its_rooms_and_no_player_is_disconnected_or_misses_a_packet() {
    actix::System::new().block_on(async {
        let world = relays(Template::new(name("arena"))).await;
        world.nodes[0].network.rooms().create(name("a"), &name("arena")).await.unwrap();
        let players = [
            world.enet(0, "a").await.unwrap(),
            world.ws(0, "a").await.unwrap(),
            world.enet(1, "a").await.unwrap(),
            world.ws(2, "a").await.unwrap(),
        ];
        until_stored(&world, "a", |state| has_players(state, 4)).await;
        let mut ids = Vec::new();
        for player in &players {
            ids.push(id(player).await);
        }
        let others = |own: usize| {
            let others = ids.iter().copied().enumerate().filter(move |(it, _)| *it != own);
            others.map(|(_, id)| id).chain([PeerId::SERVER]).collect::<Vec<_>>()
        };
        for (own, player) in players.iter().enumerate() {
            until_peers(player, others(own)).await;
        }
        let mut signals = Vec::new();
        for player in &players {
            signals.push(player.signals().await.unwrap());
        }
        let metadata: mp_rooms::Metadata = [("mode".to_owned(), "duel".to_owned())].into();
        let (room, of) = (world.room(0, "a").await.unwrap().id, metadata.clone());
        assert!(world.nodes[0].network.rooms().set_metadata(room, of).await.unwrap());
        let rooms = world.nodes[0].network.rooms().clone();
        let drained = actix::spawn(async move { rooms.drain(Duration::from_secs(600)).await });
        let moved = || {
            let stats = world.nodes[1..].iter().filter_map(|node| node.node.stats.get());
            let restored = stats.map(|stats| stats.snapshots.restored).sum::<u64>();
            let near = world.nodes.iter().filter_map(|node| node.node.stats.get());
            restored == 1 && near.map(|it| it.gateways.gateways.reopened).sum::<u64>() == 4
        };
        // Each player sends to the next one, meanwhile and after.
        let [first, second, third, fourth] = &mut signals[..] else { unreachable!() };
        let passed = tokio::join!(
            send_until(&players[0], ids[1], moved),
            send_until(&players[1], ids[2], moved),
            send_until(&players[2], ids[3], moved),
            send_until(&players[3], ids[0], moved),
            receive(second),
            receive(third),
            receive(fourth),
            receive(first),
        );
        assert_eq!(
            (passed.0, passed.1, passed.2, passed.3),
            (passed.4, passed.5, passed.6, passed.7)
        );
        let owners = world.owners("a").await;
        assert!(matches!(owners[..], [1 | 2]), "{owners:?}");
        assert_eq!(world.room(owners[0], "a").await.unwrap().metadata, metadata);
        for (own, player) in players.iter().enumerate() {
            until_peers(player, others(own)).await;
        }
        // The drain ends when the last player of the node has left.
        assert!(!drained.is_finished());
        let [first, second, third, fourth] = players;
        first.close().await;
        second.close().await;
        tokio::time::timeout(PATIENCE, drained).await.expect("the drain ends").unwrap();
        until_peers(&third, vec![PeerId::SERVER, ids[3]]).await;
        assert!(fourth.ended().is_none());
    });
}

#[test]
fn players_who_join_before_and_after_a_move_stay_in_the_room_when_it_moves_again() {
    actix::System::new().block_on(async {
        let world = relays(Template::new(name("arena"))).await;
        world.nodes[0].network.rooms().create(name("a"), &name("arena")).await.unwrap();
        let before = [world.enet(1, "a").await.unwrap(), world.enet(2, "a").await.unwrap()];
        until_stored(&world, "a", |state| has_players(state, 2)).await;
        let drain = |node: usize| {
            let rooms = world.nodes[node].network.rooms().clone();
            actix::spawn(async move { rooms.drain(Duration::from_secs(600)).await })
        };
        let _first = drain(0);
        let has_moved = |stats: &ClusterStats| stats.snapshots.restored == 1;
        let second = tokio::select! {
            () = world.until(1, has_moved) => 1,
            () = world.until(2, has_moved) => 2,
        };
        let last = 3 - second;
        world.until(last, |stats| stats.gateways.gateways.reopened == 1).await;
        let after = world.enet(last, "a").await.unwrap();
        let [one, two] = &before;
        until_peers(&after, vec![PeerId::SERVER, id(one).await, id(two).await]).await;
        // It does not move the room back.
        let has_drained = |stats: &ClusterStats| {
            stats.members.values().filter(|node| node.accepts_rooms).count() == 2
        };
        world.until(second, has_drained).await;
        let _second = drain(second);
        world.until(last, has_moved).await;
        send_and_receive(&before[last - 1], &after, b"to the later one").await;
        send_and_receive(&after, &before[last - 1], b"to the earlier one").await;
        send_and_receive(&before[second - 1], &after, b"from the drained node").await;
    });
}

#[test]
fn players_stay_when_all_nodes_are_drained_at_once() {
    actix::System::new().block_on(async {
        let world = relays(Template::new(name("arena"))).await;
        world.nodes[0].network.rooms().create(name("a"), &name("arena")).await.unwrap();
        let [one, two] = [world.enet(1, "a").await.unwrap(), world.ws(2, "a").await.unwrap()];
        until_stored(&world, "a", |state| has_players(state, 2)).await;
        // The first node does not know yet that the others end.
        for node in &world.nodes {
            let rooms = node.network.rooms().clone();
            actix::spawn(async move { rooms.drain(Duration::from_secs(600)).await });
        }
        let has_moved = |stats: &ClusterStats| stats.snapshots.restored == 1;
        tokio::select! {
            () = world.until(1, has_moved) => {}
            () = world.until(2, has_moved) => {}
        }
        send_and_receive(&one, &two, b"moved").await;
        send_and_receive(&two, &one, b"and back").await;
    });
}

/// Returns the node to which the first one has moved its room.
async fn moved_to(world: &World) -> Option<usize> {
    match (world.room(1, "a").await, world.room(2, "a").await) {
        (Some(_), None) => Some(1),
        (None, Some(_)) => Some(2),
        (None, None) => None,
        both => panic!("{both:?}"),
    }
}

/// Lets players join a room by a node, one after the other, until it has moved.
async fn join_until(world: &World, node: usize, is_moved: impl Fn() -> bool) -> Vec<BranchRef> {
    let mut players = Vec::new();
    loop {
        let (is_last, began) = (is_moved(), world.clock.now());
        match world.enet(node, "a").await {
            Ok(player) => players.push(player),
            // On a slow machine the move may take longer than a join waits.
            Err(error) => {
                let took = world.clock.now() - began;
                assert!(took > Duration::from_secs(2), "{error:?} after {took:?}");
            }
        }
        if is_last {
            return players;
        }
    }
}

#[test]
fn players_who_join_while_a_room_moves_enter_it() {
    actix::System::new().block_on(async {
        let world = relays(Template::new(name("arena"))).await;
        world.nodes[0].network.rooms().create(name("a"), &name("arena")).await.unwrap();
        let first = world.ws(1, "a").await.unwrap();
        until_stored(&world, "a", |state| has_players(state, 1)).await;
        let rooms = world.nodes[0].network.rooms().clone();
        let drained = actix::spawn(async move { rooms.drain(Duration::from_secs(600)).await });
        let moved = || world.nodes[0].node.stats.get().is_some_and(|stats| stats.rooms == 0);
        let (one, two) = tokio::join!(join_until(&world, 1, moved), join_until(&world, 2, moved));
        let players: Vec<_> = [first].into_iter().chain(one).chain(two).collect();
        let mut ids = Vec::new();
        for player in &players {
            ids.push(id(player).await);
        }
        for (own, player) in players.iter().enumerate() {
            let others = ids.iter().copied().enumerate().filter(|(it, _)| *it != own);
            let others = others.map(|(_, id)| id).chain([PeerId::SERVER]).collect();
            until_peers(player, others).await;
            assert!(player.ended().is_none());
        }
        assert!(moved_to(&world).await.is_some());
        tokio::time::timeout(PATIENCE, drained).await.expect("the drain ends").unwrap();
    });
}

#[test]
fn drained_node_moves_a_room_whose_players_are_kept() {
    actix::System::new().block_on(async {
        let mut template = Template::new(name("arena"));
        template.resume = Some(Duration::from_secs(600));
        let world = relays(template).await;
        world.nodes[0].network.rooms().create(name("a"), &name("arena")).await.unwrap();
        let _lost = world.enet(2, "a").await.unwrap();
        until_stored(&world, "a", |state| has_players(state, 1)).await;
        world.nodes[2].node.kill();
        let is_kept = |state: &StoredRoom| state.players.iter().any(|it| it.kept_for.is_some());
        until_stored(&world, "a", is_kept).await;
        let is_alone = |stats: &ClusterStats| {
            stats.gateways.near + stats.gateways.far == 0 && stats.members.len() == 2
        };
        world.until(0, is_alone).await;
        // No player is left that would look for the room's next node.
        world.nodes[0].network.rooms().drain(Duration::from_secs(600)).await;
        world.until(1, |stats| stats.snapshots.restored == 1).await;
        let is_open = async { while world.room(1, "a").await.is_none_or(|it| it.players != 1) {} };
        tokio::time::timeout(PATIENCE, is_open).await.expect("the room opens");
    });
}

#[test]
fn seat_of_a_room_that_moves_is_taken_at_its_next_node() {
    actix::System::new().block_on(async {
        let world = relays(Template::new(name("arena"))).await;
        world.nodes[0].network.rooms().create(name("a"), &name("arena")).await.unwrap();
        let ticket = Ticket::random(&mut Rng::seed_from_u64(1));
        let (rooms, request) = (world.nodes[0].network.rooms(), MatchRequest::new(name("arena")));
        let player = Credentials::default();
        let seat = rooms.request_seat(player, MatchVerb::Join, request, ticket);
        let ticket = seat.await.unwrap().unwrap().unwrap().ticket;
        // The room has no players.
        rooms.drain(Duration::from_secs(600)).await;
        let moved = async { while moved_to(&world).await.is_none() {} };
        tokio::time::timeout(PATIENCE, moved).await.expect("the room moves");
        let next = moved_to(&world).await.unwrap();
        assert_eq!(world.room(next, "a").await.unwrap().seats, 1);
        let path = format!("?token={}", ticket.reveal());
        let _player = world.ws(3 - next, &path).await.unwrap();
        world.until_players(next, "a", 1).await;
        assert_eq!(world.room(next, "a").await.unwrap().seats, 0);
    });
}

#[test]
fn recording_of_a_room_ends_when_it_moves_and_replays_the_same_bytes() {
    actix::System::new().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let mut template = Template::new(name("arena"));
        template.record = Some(RecordSettings::new(folder.path().to_owned()));
        let world = relays(template).await;
        world.nodes[0].network.rooms().create(name("a"), &name("arena")).await.unwrap();
        let [one, two] = [world.enet(1, "a").await.unwrap(), world.ws(2, "a").await.unwrap()];
        until_stored(&world, "a", |state| has_players(state, 2)).await;
        send_and_receive(&one, &two, b"recorded").await;
        world.nodes[0].network.rooms().drain(Duration::from_secs(600)).await;
        send_and_receive(&two, &one, b"not recorded").await;
        let mut files = std::fs::read_dir(folder.path()).unwrap();
        let (file, others) = (files.next().unwrap().unwrap().path(), files.count());
        assert_eq!(others, 0, "the next node does not record it");
        let replayed = || replay_recording(std::fs::File::open(&file).unwrap());
        let is_ended = || replayed().is_ok_and(|replayed| replayed.end.is_some());
        until(|| format!("{:?}", replayed()), is_ended).await;
        let Replayed { difference, end, .. } = replayed().unwrap();
        assert_eq!((difference, end), (None, Some(RecordingEnd::BranchEnded)));
    });
}
