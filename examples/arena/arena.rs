//! The rules of the game, decided by the server. The Godot project is in `godot/`; the compiler
//! checks the RPCs and properties here against its scripts and scenes.

use std::time::Duration;

use mp::core::Rng;
use mp::prelude::*;

use crate::coin::Coin;
use crate::player::Player;

/// Half the width and height of the arena in pixels; its center is at (0, 0).
pub(crate) const HALF_SIZE: Vector2 = Vector2::new(480.0, 270.0);
/// Number of coins in the arena.
pub(crate) const COINS: usize = 8;
/// Distance in pixels at which a player collects a coin.
const REACH: f32 = 26.0;

/// The parent of all players. A player is named after its peer's id.
pub(crate) const PLAYERS: &str = "Main/Players";
/// The parent of all coins.
const COIN_PARENT: &str = "Main/Coins";

/// Node `Main/Arena`: admits players, and gives coins to them.
#[derive(Node)]
#[node(process = Arena::process)]
struct Arena {
    rng: Rng,
    /// Number of coins that were placed, for their names.
    placed: u64,
}

#[rpc_methods(gd = "arena/godot/arena.gd")]
impl Arena {
    /// Registers the caller's name and adds a player, which is spawned on all peers.
    #[rpc(any_peer)]
    fn enter(&mut self, cx: &mut RpcContext<'_>, name: String) {
        let (peer, arena) = (cx.remote_sender(), cx.this::<Self>().rpcs());
        let letters = name.chars().count();
        let answer = if !(1..=16).contains(&letters) {
            arena.refuse("a name has 1 to 16 characters".to_owned())
        } else if add_player(cx, peer, &name).is_err() {
            arena.refuse("you have a name".to_owned())
        } else {
            println!("{name} enters");
            arena.welcome(format!("welcome, {name}"))
        };
        // Fails if the peer has just left.
        answer.call_id(cx, peer).ok();
    }

    /// Answers with the same value, so that a client measures the round-trip time.
    #[rpc(any_peer, unreliable, rate = "10/s")]
    fn ping(&mut self, cx: &mut RpcContext<'_>, sent: i64) {
        let peer = cx.remote_sender();
        // Fails if the peer has just left.
        cx.this::<Self>().rpcs().pong(sent).call_id(cx, peer).ok();
    }

    /// Answers that the caller has a player.
    #[rpc]
    fn welcome(text: String);

    /// Answers why the caller has none.
    #[rpc]
    fn refuse(why: String);

    /// Answers `ping`.
    #[rpc(unreliable)]
    fn pong(sent: i64);
}

impl Arena {
    /// Gives coins to the players that have reached them, and places at most one new coin.
    fn process(&mut self, cx: &mut NodeContext<'_>, _delta: Duration) {
        let mut left = 0;
        for coin in coins(cx) {
            let Ok(place) = cx.get(coin).map(|coin| coin.position) else { continue };
            let is_near = |player: &Player| player.position.distance_to(place) <= REACH;
            let finder = players(cx).into_iter().find(|&player| cx.get(player).is_ok_and(is_near));
            let Some(finder) = finder else {
                left += 1;
                continue;
            };
            if let Ok(player) = cx.get_mut(finder) {
                *player.score += 1;
            }
            // Fails if the coin has left, which only this function causes.
            cx.queue_free(coin).ok();
        }
        if left < COINS {
            self.place_coin(cx).ok();
        }
    }

    fn place_coin(&mut self, scene: &mut Scene) -> Result<NodeId, TreeError> {
        let position = Vector2::new(self.coordinate(HALF_SIZE.x), self.coordinate(HALF_SIZE.y));
        self.placed += 1;
        let coin = Coin::scene().instantiate_with(|coin: &mut Coin| coin.position = position);
        // Names are not used again: a late packet cannot mean another coin.
        scene.add_instance(COIN_PARENT, coin.named(&format!("Coin{}", self.placed)))
    }

    /// Returns a random coordinate with some distance to the border.
    fn coordinate(&mut self, half: f32) -> f32 {
        const STEPS: u16 = 1_000;
        let random = self.rng.below(STEPS.into()) as f32 / f32::from(STEPS);
        (random * 2.0 - 1.0) * (half - 40.0)
    }
}

/// Builds the server's branch, with the same nodes as `godot/main.tscn`.
pub(crate) fn branch() -> BranchBuilder {
    Branch::builder("/root")
        .setup(|scene| {
            let rng = Rng::seed_from_u64(7780);
            Ok(add_nodes(scene, Arena { rng, placed: 0 })?)
        })
        .on_peer_disconnected(|scene, peer| {
            // Fails if the peer left before it had a player.
            remove_player(scene, peer).ok();
        })
        .tick_rate(TICK_RATE)
}

/// Number of times per second that the server moves players, and bots choose a direction.
pub(crate) const TICK_RATE: u32 = 20;

/// Adds the nodes that the server and clients have. Only `Main/Arena` differs.
pub(crate) fn add_nodes<A: Node>(scene: &mut Scene, arena: A) -> Result<(), TreeError> {
    scene.add("Main", Group)?;
    scene.add("Main/Arena", arena)?;
    scene.add(COIN_PARENT, Group)?;
    scene.add(PLAYERS, Group)?;
    let players = MultiplayerSpawner::new("../Players").with_scene(&Player::scene());
    scene.add("Main/Spawner", players)?;
    let coins = MultiplayerSpawner::new("../Coins").with_scene(&Coin::scene());
    scene.add("Main/CoinSpawner", coins)?;
    Ok(())
}

/// Returns all players.
pub(crate) fn players(scene: &Scene) -> Vec<NodeRef<Player>> {
    children(scene, PLAYERS)
}

/// Returns all coins.
pub(crate) fn coins(scene: &Scene) -> Vec<NodeRef<Coin>> {
    children(scene, COIN_PARENT)
}

fn children<N>(scene: &Scene, path: &str) -> Vec<NodeRef<N>> {
    let parent = scene.find(path).into_iter();
    parent.flat_map(|parent| scene.tree().children(parent)).map(NodeRef::new).collect()
}

/// Adds the player of `peer`, named after its id. The spawner announces it after the current hook.
fn add_player(scene: &mut Scene, peer: PeerId, name: &str) -> Result<(), TreeError> {
    let player = Player::scene().instantiate_with(|player: &mut Player| {
        name.clone_into(&mut player.title);
    });
    scene.add_instance(PLAYERS, player.named(&peer.to_string()))?;
    Ok(())
}

/// Removes the player of a peer that has left, on all peers.
fn remove_player(scene: &mut Scene, peer: PeerId) -> Result<(), TreeError> {
    let player = scene.node::<Player>(&format!("{PLAYERS}/{peer}"))?;
    println!("{} leaves", scene.get(player)?.title);
    scene.remove(player)?;
    Ok(())
}
