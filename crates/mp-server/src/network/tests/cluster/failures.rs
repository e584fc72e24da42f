//! Nodes that die, and nodes that are cut off.

use super::*;

/// Creates a room on a node.
async fn create(world: &World, node: usize, room: &str) {
    world.nodes[node].network.rooms().create(name(room), &name("arena")).await.unwrap();
}

#[test]
fn rooms_of_a_node_that_dies_are_adopted_and_players_in_other_rooms_stay() {
    actix::System::new().block_on(async {
        let world = World::start().await;
        create(&world, 0, "a").await;
        create(&world, 1, "b").await;
        let lost = world.enet(1, "a").await.unwrap();
        let stays = [world.enet(2, "b").await.unwrap(), world.ws(1, "b").await.unwrap()];
        world.until(0, |stats| stats.guests == 1).await;
        let clock = SystemClock::new();
        let killed = clock.now();
        world.nodes[0].node.kill();
        // The room's node says nothing any more, so its players end.
        let end = tokio::time::timeout(PATIENCE, lost.closed()).await.expect("the player ends");
        assert!(matches!(end, EndReason::Disconnected(_)));
        let others = &world.nodes[1..];
        let adopted = || {
            let stats = others.iter().filter_map(|node| node.node.stats.get());
            stats.map(|stats| stats.claims.adopted).sum::<u64>() == 1
        };
        until(|| "the room is not adopted".to_owned(), adopted).await;
        let is_created = async {
            while world.room(1, "a").await.is_none() && world.room(2, "a").await.is_none() {}
        };
        tokio::time::timeout(PATIENCE, is_created).await.expect("the room is created anew");
        let time = clock.now() - killed;
        assert!(time < Duration::from_secs(20), "adopted after {time:?}");
        println!("adopted after {time:?}");
        let again = [world.ws(1, "a").await.unwrap(), world.enet(2, "a").await.unwrap()];
        until_peers(&again[0], vec![PeerId::SERVER, id(&again[1]).await]).await;
        until_peers(&stays[0], vec![PeerId::SERVER, id(&stays[1]).await]).await;
        assert!(stays.iter().all(|player| player.ended().is_none()));
        drop(again);
    });
}

#[test]
fn node_that_is_cut_off_keeps_its_own_players_and_loses_its_rooms_when_it_returns() {
    actix::System::new().block_on(async {
        let world = World::start().await;
        create(&world, 0, "a").await;
        let (own, guest) = (world.enet(0, "a").await.unwrap(), world.ws(1, "a").await.unwrap());
        until_peers(&own, vec![PeerId::SERVER, id(&guest).await]).await;
        let node = world.nodes[0].id;
        world.cluster.set_bus_connected(node, false);
        world.cluster.set_directory_reachable(node, false);
        // The room goes on for the players of its node.
        let end = tokio::time::timeout(PATIENCE, guest.closed()).await.expect("the guest ends");
        assert!(matches!(end, EndReason::Disconnected(_)));
        world.until(0, |stats| !stats.has_lease && stats.lost_leases == 1).await;
        until_peers(&own, vec![PeerId::SERVER]).await;
        let late = world.ws(0, "a").await.unwrap();
        until_peers(&own, vec![PeerId::SERVER, id(&late).await]).await;
        // Another node has adopted it for the others.
        let other = async {
            loop {
                if let Ok(player) = world.ws(1, "a").await {
                    return player;
                }
            }
        };
        let other = tokio::time::timeout(PATIENCE, other).await.unwrap();
        assert!(other.ended().is_none());

        world.cluster.set_directory_reachable(node, true);
        world.cluster.set_bus_connected(node, true);
        for player in [own, late] {
            let end = tokio::time::timeout(PATIENCE, player.closed()).await.expect("its room ends");
            assert!(matches!(end, EndReason::Disconnected(_)));
        }
        world.until(0, |stats| stats.has_lease && stats.claims.lost == 1 && stats.rooms == 0).await;
        let returned = world.enet(0, "a").await.unwrap();
        until_peers(&returned, vec![PeerId::SERVER, id(&other).await]).await;
    });
}

#[test]
fn player_joins_by_a_new_link_after_the_one_to_the_same_owner_was_lost() {
    actix::System::new().block_on(async {
        let world = World::start().await;
        create(&world, 0, "a").await;
        let stays = world.enet(0, "a").await.unwrap();
        let players = [world.ws(1, "a").await.unwrap(), world.enet(1, "a").await.unwrap()];
        world.until(0, |stats| stats.guests == 2).await;
        // The leases are renewed, so the owner and its epoch stay.
        let owner = world.nodes[0].id;
        world.cluster.set_bus_connected(owner, false);
        for player in players {
            let end = tokio::time::timeout(PATIENCE, player.closed()).await.expect("its link ends");
            assert!(matches!(end, EndReason::Disconnected(_)));
        }
        let has_no_link = |stats: &ClusterStats| stats.gateways.near + stats.gateways.far == 0;
        world.until(0, has_no_link).await;
        world.until(1, has_no_link).await;
        world.cluster.set_bus_connected(owner, true);
        let again = [world.ws(1, "a").await.unwrap(), world.enet(1, "a").await.unwrap()];
        until_peers(&stays, vec![PeerId::SERVER, id(&again[0]).await, id(&again[1]).await]).await;
        world.until(0, |stats| stats.lost_leases == 0 && stats.guests == 2).await;
    });
}
