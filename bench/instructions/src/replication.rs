//! Replication of a server to four clients in memory.

use mp::core::variant::Vector3;
use mp::prelude::*;
use mp::scene::BuildError;
use mp::scene::testing::Lan;

use crate::{Counts, counted};

#[derive(Default)]
struct Mover {
    position: Replicated<Vector3>,
}

impl Node for Mover {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("position", |mover: &mut Self| &mut mover.position)
    }
}

fn mover(config: ReplicationConfig) -> PackedScene {
    PackedScene::new("res://mover.tscn", move || {
        let sync = MultiplayerSynchronizer::new(config.clone());
        Instance::new("Mover", Mover::default()).child(Instance::new("Sync", sync))
    })
}

/// Returns a game with `movers` nodes, and a spawner of more.
fn game(movers: usize, config: ReplicationConfig) -> BranchBuilder {
    Branch::builder("/root").tick_rate(1_000).setup(move |scene| {
        let packed = mover(config);
        scene.add("Spawned", Group)?;
        scene.add("Spawner", MultiplayerSpawner::new("../Spawned").with_scene(&packed))?;
        for number in 0..movers {
            scene.add_instance(".", packed.instantiate().named(&format!("N{number}")))?;
        }
        Ok(())
    })
}

/// Returns a server with its clients connected, and the `movers`.
fn connected(
    movers: usize,
    config: &ReplicationConfig,
) -> Result<(Lan, Vec<NodeRef<Mover>>), BuildError> {
    let mut lan = Lan::new(game(movers, config.clone()))?;
    for _ in 0..CLIENTS {
        lan.join(game(movers, config.clone()))?;
    }
    lan.settle();
    let server = lan.scene(PeerId::SERVER);
    let node = |number| server.node::<Mover>(&format!("N{number}")).expect("the game has it");
    let nodes = (0..movers).map(node).collect();
    Ok((lan, nodes))
}

/// Changes 100 `always` properties per tick: each is received by four clients. If `is_viewed`,
/// the server counts them for an operator.
pub(crate) fn sync(operations: u32, is_viewed: bool) -> Result<Counts, BuildError> {
    let (mut lan, nodes) = connected(100, &ReplicationConfig::new().always(".:position"))?;
    let multiplayer = lan.scene(PeerId::SERVER).multiplayer_mut();
    let _viewer = is_viewed.then(|| multiplayer.view_traffic());
    let ticks = operations.div_ceil((nodes.len() * CLIENTS) as u32);
    let counts = counted(ticks, |tick| {
        for &node in &nodes {
            let mover = lan.scene(PeerId::SERVER).get_mut(node).expect("the node stays");
            mover.position.y = tick as f32;
        }
        lan.step();
        0
    });
    assert_received(&mut lan, "N99", ticks - 1);
    Ok(counts)
}

/// Changes one of 100 `on_change` properties per tick: it is received by four clients.
pub(crate) fn delta(operations: u32) -> Result<Counts, BuildError> {
    let (mut lan, nodes) = connected(100, &ReplicationConfig::new().on_change(".:position"))?;
    let ticks = operations.div_ceil(CLIENTS as u32);
    let counts = counted(ticks, |tick| {
        let node = nodes[tick as usize % nodes.len()];
        let mover = lan.scene(PeerId::SERVER).get_mut(node).expect("the node stays");
        mover.position.y = tick as f32 + 1.0;
        lan.step();
        0
    });
    assert_received(&mut lan, &format!("N{}", (ticks as usize - 1) % nodes.len()), ticks);
    Ok(counts)
}

/// Asserts that every client has received the last value of a node.
fn assert_received(lan: &mut Lan, name: &str, value: u32) {
    lan.settle();
    for client in lan.scene(PeerId::SERVER).peers() {
        let scene = lan.scene(client);
        let node = scene.node::<Mover>(name).expect("the game has it");
        let received = scene.get(node).expect("the node stays").position.y;
        assert_eq!(received, value as f32, "{name} at {client}");
    }
}

/// Spawns and despawns a node: it exists at four clients for a while.
pub(crate) fn spawn(operations: u32) -> Result<Counts, BuildError> {
    let config = ReplicationConfig::new().always(".:position");
    let (mut lan, _) = connected(0, &config)?;
    let packed = mover(config);
    Ok(counted(operations.div_ceil(CLIENTS as u32), |number| {
        let name = format!("M{number}");
        let server = lan.scene(PeerId::SERVER);
        let added = server.add_instance("Spawned", packed.instantiate().named(&name));
        added.expect("the name is new");
        lan.step();
        lan.step();
        let client = lan.scene(PeerId::new(2).expect("the first client"));
        assert!(client.node::<Mover>(&format!("Spawned/{name}")).is_ok(), "{name} is spawned");
        let server = lan.scene(PeerId::SERVER);
        let node = server.node::<Mover>(&format!("Spawned/{name}")).expect("it was added");
        server.queue_free(node).expect("it was added");
        lan.step();
        lan.step();
        0
    }))
}

const CLIENTS: usize = 4;
