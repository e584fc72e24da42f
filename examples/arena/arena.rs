//! The game of the example `arena`: what the server decides.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use mp_core::variant::Vector2;
use mp_scene::prelude::*;

/// Pixels per second that a player can make.
pub(crate) const SPEED_MAX: f32 = 120.0;

/// The node `Main/Arena`, whose Godot side is `godot/arena.gd`.
#[derive(Default)]
pub(crate) struct Arena {
    players: BTreeMap<PeerId, Player>,
}

#[derive(Default)]
struct Player {
    name: String,
    position: Vector2,
    direction: Vector2,
}

impl Node for Arena {
    fn rpc_table() -> RpcTable<Self> {
        let steering = RpcConfig::any_peer().unreliable_ordered().channel(1);
        let moving = RpcConfig::authority().unreliable_ordered().channel(1);
        RpcTable::new()
            .method("enter", RpcConfig::any_peer(), Self::enter)
            .method("steer", steering, Self::steer)
            .remote("welcome", RpcConfig::authority())
            .remote("refuse", RpcConfig::authority())
            .remote("moved", moving)
    }
}

impl Arena {
    /// A player gives its name.
    fn enter(&mut self, cx: &mut RpcContext<'_>, (name,): (String,)) {
        let (peer, arena) = (cx.remote_sender(), cx.node());
        let letters = name.chars().count();
        let answer = match self.players.entry(peer) {
            _ if !(1..=16).contains(&letters) => {
                cx.rpc_id(peer, arena, "refuse", ("a name has 1 to 16 characters",))
            }
            Entry::Occupied(_) => cx.rpc_id(peer, arena, "refuse", ("you have a name",)),
            Entry::Vacant(place) => {
                println!("{name} enters");
                let text = format!("welcome, {name}");
                place.insert(Player { name, ..Player::default() });
                cx.rpc_id(peer, arena, "welcome", (text,))
            }
        };
        // A peer that has left meanwhile needs no answer.
        answer.ok();
    }

    /// A player says where it wants to go. Whatever it says, it goes no faster than others.
    fn steer(&mut self, cx: &mut RpcContext<'_>, (direction,): (Vector2,)) {
        if let Some(player) = self.players.get_mut(&cx.remote_sender()) {
            player.direction = direction.limit_length(1.0);
        }
    }

    fn leave(&mut self, peer: PeerId) {
        if let Some(player) = self.players.remove(&peer) {
            println!("{} leaves", player.name);
        }
    }

    /// Moves everybody; returns who is where.
    fn step(&mut self, delta: Duration) -> Vec<(PeerId, Vector2)> {
        let mut moved = Vec::new();
        for (&peer, player) in &mut self.players {
            if player.direction != Vector2::ZERO {
                player.position += player.direction * SPEED_MAX * delta.as_secs_f32();
                moved.push((peer, player.position));
            }
        }
        moved
    }
}

/// The branch of the server: the same nodes as in `godot/main.tscn`.
pub(crate) fn branch() -> BranchBuilder {
    let arena = |scene: &Scene| Some(NodeRef::<Arena>::new(scene.find("Main/Arena").ok()?));
    Branch::builder("/root")
        .setup(|scene| {
            scene.add("Main", Group)?;
            scene.add("Main/Arena", Arena::default())?;
            Ok(())
        })
        .on_peer_disconnected(move |scene, peer| {
            if let Some(arena) = arena(scene)
                && let Ok(arena) = scene.get_mut(arena)
            {
                arena.leave(peer);
            }
        })
        .tick_rate(20)
        .on_process(move |scene, delta| {
            let Some(node) = arena(scene) else { return };
            let moved = scene.get_mut(node).map(|arena| arena.step(delta)).unwrap_or_default();
            for (peer, position) in moved {
                scene.rpc(node, "moved", (i64::from(peer.get()), position)).ok();
            }
        })
}
