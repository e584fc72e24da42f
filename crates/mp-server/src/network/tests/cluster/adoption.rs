//! Rooms that go on from a snapshot when their node dies.

use mp_cluster::{Epoch, Snapshots as _, StoredContent, StoredRoom};
use mp_scene::Handover;

use super::players::send_and_receive;
use super::*;
use crate::relay::relay;

/// Starts servers with relay rooms.
pub(super) async fn relays(template: Template) -> World {
    let room_type: RoomType = Arc::new(|context: &RoomContext| relay(context));
    World::start_type(template, room_type, Calls::default(), WithoutSnapshot::Empty).await
}

/// Waits until the stored state of a room satisfies a condition.
pub(super) async fn until_stored(
    world: &World,
    room: &str,
    condition: impl Fn(&StoredRoom) -> bool,
) {
    let (snapshots, clock) = (world.cluster.snapshots(), SystemClock::new());
    let limit = clock.now() + PATIENCE;
    loop {
        let stored = snapshots.load(&name(room)).await.unwrap();
        let state =
            stored.map(|it| StoredRoom::decode(ClusterId::named("test"), &it.bytes).unwrap());
        if state.as_ref().is_some_and(&condition) {
            return;
        }
        assert!(clock.now() < limit, "the condition does not hold: {state:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Returns whether a stored state has this number of players, who are connected.
pub(super) fn has_players(state: &StoredRoom, players: usize) -> bool {
    let StoredContent::Peers(peers) = &state.content else { return false };
    let connected = Handover::decode(peers).unwrap().connections().count();
    (state.players.len(), connected) == (players, players)
}

/// Creates a room on the first node, with a player on each node.
async fn room_with_players(world: &World) -> [BranchRef; 3] {
    world.nodes[0].network.rooms().create(name("a"), &name("arena")).await.unwrap();
    let players = [
        world.enet(0, "a").await.unwrap(),
        world.enet(1, "a").await.unwrap(),
        world.ws(2, "a").await.unwrap(),
    ];
    until_stored(world, "a", |state| has_players(state, 3)).await;
    let ids = [id(&players[0]).await, id(&players[1]).await, id(&players[2]).await];
    until_peers(&players[1], vec![PeerId::SERVER, ids[0], ids[2]]).await;
    until_peers(&players[2], vec![PeerId::SERVER, ids[0], ids[1]]).await;
    players
}

/// Waits until one of the nodes that are left has restored a room.
pub(super) async fn until_restored(world: &World) {
    let restored = || {
        let stats = world.nodes[1..].iter().filter_map(|node| node.node.stats.get());
        stats.map(|stats| stats.snapshots.restored).sum::<u64>() == 1
    };
    until(|| "no room is restored".to_owned(), restored).await;
}

#[test]
fn players_on_other_nodes_stay_in_a_relay_room_whose_node_dies() {
    actix::System::new().block_on(async {
        let world = relays(Template::new(name("arena"))).await;
        let [lost, one, two] = room_with_players(&world).await;
        let mut signals = one.signals().await.unwrap();
        let lost = id(&lost).await;
        world.nodes[0].node.kill();
        world.until(1, |stats| stats.gateways.gateways.holds == 1).await;
        // It waits for the next node.
        send_and_receive(&one, &two, b"held").await;
        until_restored(&world).await;
        let ids = [id(&one).await, id(&two).await];
        until_peers(&one, vec![PeerId::SERVER, ids[1]]).await;
        until_peers(&two, vec![PeerId::SERVER, ids[0]]).await;
        send_and_receive(&one, &two, b"after").await;
        send_and_receive(&two, &one, &[7; 40_000]).await;
        for node in 1..3 {
            world.until(node, |stats| stats.gateways.gateways.reopened == 1).await;
        }
        // It has noticed nothing but the end of the player whose socket was on the node.
        let mut noticed = Vec::new();
        while let Ok(Some(signal)) = tokio::time::timeout(Duration::ZERO, signals.next()).await {
            match signal {
                Signal::PeerPacket { .. } => {}
                signal => noticed.push(signal),
            }
        }
        assert_eq!(noticed, [Signal::PeerDisconnected(lost)]);
        assert!(one.ended().is_none() && two.ended().is_none());
        // Others join, and leave.
        let late = world.ws(1, "a").await.unwrap();
        until_peers(&one, vec![PeerId::SERVER, ids[1], id(&late).await]).await;
        late.close().await;
        two.close().await;
        until_peers(&one, vec![PeerId::SERVER]).await;
    });
}

#[test]
fn player_whose_socket_was_on_the_dead_node_is_kept() {
    actix::System::new().block_on(async {
        let mut template = Template::new(name("arena"));
        template.resume = Some(Duration::from_secs(600));
        let world = relays(template).await;
        let [lost, one, two] = room_with_players(&world).await;
        world.nodes[0].node.kill();
        until_restored(&world).await;
        send_and_receive(&one, &two, b"after").await;
        send_and_receive(&two, &one, b"after").await;
        let (ids, lost) = ([id(&one).await, id(&two).await], id(&lost).await);
        until_peers(&one, vec![PeerId::SERVER, lost, ids[1]]).await;
        let mut players = 0;
        for node in 1..3 {
            players += world.room(node, "a").await.map_or(0, |room| room.players);
        }
        assert_eq!(players, 3);
    });
}

/// A node with a number that is kept.
struct Score(u32);

impl Node for Score {}

fn score(scene: &mut Scene) -> &mut Score {
    let node = scene.find("Score").expect("the game has a score");
    scene.get_mut(NodeRef::new(node)).expect("it is a score")
}

#[test]
fn state_of_a_program_goes_on_from_its_last_snapshot() {
    actix::System::new().block_on(async {
        let room_type: RoomType = Arc::new(|_: &RoomContext| {
            Branch::builder("/root")
                .setup(|scene| scene.add("Score", Score(1)))
                .on_snapshot(1, |scene| score(scene).0.to_le_bytes().to_vec())
                .on_restore(|scene, _, state| {
                    score(scene).0 = u32::from_le_bytes(state[..].try_into()?);
                    Ok(())
                })
                .build()
        });
        let template = Template::new(name("arena"));
        let world =
            World::start_type(template, room_type, Calls::default(), WithoutSnapshot::End).await;
        let rooms = world.nodes[0].network.rooms();
        let room = rooms.create(name("a"), &name("arena")).await.unwrap();
        let branch = rooms.branch(room).await.unwrap().unwrap();
        branch.with(|scene| score(scene).0 = 300).await.unwrap();
        let is_stored = |state: &StoredRoom| match &state.content {
            StoredContent::Program(bytes) => {
                let snapshot = mp_scene::Snapshot::decode(bytes).unwrap();
                snapshot.state()[..] == 300_u32.to_le_bytes()
            }
            _ => false,
        };
        until_stored(&world, "a", is_stored).await;
        world.nodes[0].node.kill();
        until_restored(&world).await;
        let restored = async {
            loop {
                for node in 1..3 {
                    let rooms = world.nodes[node].network.rooms();
                    let Some(room) = rooms.find(&name("a")).await.unwrap() else { continue };
                    if let Some(branch) = rooms.branch(room.id).await.unwrap() {
                        return branch.with(|scene| score(scene).0).await.unwrap();
                    }
                }
            }
        };
        assert_eq!(tokio::time::timeout(PATIENCE, restored).await.unwrap(), 300);
    });
}

#[test]
fn room_without_a_snapshot_ends_with_its_node_if_that_is_set() {
    actix::System::new().block_on(async {
        let room_type: RoomType = Arc::new(|context: &RoomContext| relay(context));
        let template = Template::new(name("arena"));
        let world =
            World::start_type(template, room_type, Calls::default(), WithoutSnapshot::End).await;
        let [_lost, one, two] = room_with_players(&world).await;
        let last = Epoch::new(u64::MAX);
        world.cluster.snapshots().remove(&name("a"), last).await.unwrap();
        world.nodes[0].node.kill();
        for player in [one, two] {
            let end = tokio::time::timeout(PATIENCE, player.closed()).await.expect("it ends");
            assert!(matches!(end, EndReason::Disconnected(_)));
        }
        let missing = || {
            let stats = world.nodes[1..].iter().filter_map(|node| node.node.stats.get());
            stats.map(|stats| stats.snapshots.missing).sum::<u64>() == 1
        };
        until(|| "the room is not adopted".to_owned(), missing).await;
        assert!(world.room(1, "a").await.is_none() && world.room(2, "a").await.is_none());
    });
}

#[test]
fn own_players_of_a_node_stay_in_an_adopted_room_while_it_has_no_lease() {
    actix::System::new().block_on(async {
        let world = relays(Template::new(name("arena"))).await;
        let [_lost, one, two] = room_with_players(&world).await;
        world.nodes[0].node.kill();
        until_restored(&world).await;
        send_and_receive(&one, &two, b"adopted").await;
        let owner = world.owners("a").await.into_iter().find(|&node| node != 0).unwrap();
        let (own, _other) = if owner == 1 { (one, two) } else { (two, one) };
        // NATS is away.
        for node in &world.nodes[1..] {
            world.cluster.set_bus_connected(node.id, false);
            world.cluster.set_directory_reachable(node.id, false);
        }
        world.until(owner, |stats| stats.lost_leases == 1).await;
        until_peers(&own, vec![PeerId::SERVER]).await;
        for node in &world.nodes[1..] {
            world.cluster.set_directory_reachable(node.id, true);
            world.cluster.set_bus_connected(node.id, true);
        }
        world.until(owner, |stats| stats.has_lease && stats.claims.regained == 1).await;
        let late = world.ws(owner, "a").await.unwrap();
        until_peers(&late, vec![PeerId::SERVER, id(&own).await]).await;
        send_and_receive(&late, &own, b"after").await;
        assert!(own.ended().is_none());
    });
}
