//! Random drops and resumptions: every client has what the server has, and the peers of each client
//! are those of the server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mp_core::Rng;
use mp_scene::Keep;
use mp_scene::prelude::*;

use super::world::{SERVER, World, keeping, units_in};

const KEEP: Duration = Duration::from_millis(1_500);
const SEEDS: u64 = 12;

/// The peers that the server should have.
#[derive(Default)]
struct Model {
    connected: BTreeSet<PeerId>,
    /// Kept peers with the times at which they were cut.
    kept: BTreeMap<PeerId, mp_core::Instant>,
    last_id: i32,
    last_unit: i64,
}

impl Model {
    fn new_id(&mut self) -> i32 {
        self.last_id += 1;
        self.last_id + 1
    }
}

#[test]
fn clients_have_the_state_of_the_server_whatever_is_cut_and_resumed() {
    for seed in 0..SEEDS {
        let mut rng = Rng::seed_from_u64(seed);
        let builder =
            keeping(Keep::for_(KEEP).queue_calls(4)).on_peer_resumed(|scene, old, new| {
                if old != new {
                    scene.reseat(old, new);
                }
            });
        let (mut world, mut model) = (World::new(builder), Model::default());
        for step in 0..40 {
            act(&mut world, &mut model, &mut rng);
            check(&mut world, &mut model, &format!("seed {seed}, step {step}"));
        }
        world.run(KEEP * 2);
        check(&mut world, &mut model, &format!("seed {seed}, at the end"));
        assert!(model.kept.is_empty(), "seed {seed}");
        let stats = world.stats();
        assert!(stats.kept_peers >= stats.expired_keeps, "seed {seed}: {stats:?}");
        assert_eq!(stats.malformed_packets, 0, "seed {seed}");
    }
}

fn act(world: &mut World, model: &mut Model, rng: &mut Rng) {
    let pick = |rng: &mut Rng, from: &mut dyn ExactSizeIterator<Item = PeerId>| {
        let len = from.len() as u64;
        (len > 0).then(|| from.nth((rng.next_u64() % len) as usize)).flatten()
    };
    let connected = pick(rng, &mut model.connected.iter().copied());
    let kept = pick(rng, &mut model.kept.keys().copied());
    match (rng.next_u64() % 10, connected, kept) {
        (0 | 1, ..) if model.connected.len() < 5 => {
            let id = model.new_id();
            model.connected.insert(world.join(id));
            // As most games do, each player gets a node of its name.
            world.add_unit(&id.to_string(), 0);
        }
        (2 | 3, Some(peer), _) => {
            model.connected.remove(&peer);
            model.kept.insert(peer, world.now);
            world.cut(peer);
        }
        (4 | 5, _, Some(peer)) => {
            world.resume(peer, peer.get());
            model.kept.remove(&peer);
            model.connected.insert(peer);
        }
        (6, _, Some(peer)) => {
            let id = model.new_id();
            model.connected.insert(world.resume(peer, id));
            model.kept.remove(&peer);
        }
        (7, Some(peer), _) => {
            // The session of a connected peer is resumed, too.
            world.resume(peer, peer.get());
        }
        (8, ..) => {
            model.last_unit += 1;
            let unit = world.add_unit(&format!("unit{}", model.last_unit), model.last_unit);
            world.scene().rpc(unit, "poke", (model.last_unit,)).unwrap();
        }
        _ => {
            for (name, _) in units_in(world.scene(), "Units") {
                let unit = world.scene().find(&format!("Units/{name}")).unwrap();
                let unit = NodeRef::<super::world::Unit>::new(unit);
                world.scene().get_mut(unit).unwrap().hp += 1;
            }
            world.run(KEEP / 4);
        }
    }
}

fn check(world: &mut World, model: &mut Model, at: &str) {
    world.run(Duration::from_millis(150));
    let now = world.now;
    // Peers whose time is about to be over may still be there, or not.
    model
        .kept
        .retain(|peer, since| now < *since + KEEP || world.scene().multiplayer().has_peer(*peer));
    let all: BTreeSet<_> = model.connected.iter().chain(model.kept.keys()).copied().collect();
    let peers: BTreeSet<_> = world.scene().peers().into_iter().collect();
    assert_eq!(peers, all, "{at}");
    let units = units_in(world.scene(), "Units");
    for &client in &model.connected {
        assert_eq!(units_in(world.client(client), "Units"), units, "{at}, client {client}");
        let known: BTreeSet<_> = world.client(client).peers().into_iter().collect();
        let mut expected = all.clone();
        expected.remove(&client);
        expected.insert(SERVER);
        assert_eq!(known, expected, "{at}, client {client}");
    }
}
