//! Game logic of the example `arena`, decided by the server. The Godot project is in `godot/`; the
//! compiler checks the RPCs and properties here against its scripts and scenes.

use std::time::Duration;

use mp::prelude::*;

/// Maximum speed of a player in pixels per second.
pub(crate) const SPEED_MAX: f32 = 120.0;

/// Node `Main/Arena`.
#[derive(Node)]
struct Arena;

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

    /// Answers that the caller has a player.
    #[rpc]
    fn welcome(text: String);

    /// Answers why the caller has none.
    #[rpc]
    fn refuse(why: String);
}

/// `player.tscn`. Moves in the direction of its input, with limited speed.
#[derive(Default, Node)]
#[node(tscn = "arena/godot/player.tscn", synchronizer = "Sync", process = Player::process)]
struct Player {
    #[replicate(spawn)]
    title: String,
    #[replicate(spawn, always)]
    position: Vector2,
}

impl Player {
    /// `Sync` replicates the server's state, `Input` the client's input.
    fn scene() -> PackedScene {
        PackedScene::new("res://player.tscn", || {
            let sync = MultiplayerSynchronizer::new(Self::replication_config());
            Instance::new("Player", Self::default())
                .child(Instance::new("Sync", sync))
                .child(Instance::new("Input", Input::default()))
        })
    }

    fn process(&mut self, cx: &mut NodeContext<'_>, delta: Duration) {
        let input = cx.child::<Input>(cx.node_id(), "Input").and_then(|input| cx.get(input));
        if let Ok(input) = input {
            let direction = input.direction.limit_length(1.0);
            self.position += direction * SPEED_MAX * delta.as_secs_f32();
        }
    }
}

/// `input.gd`, a synchronizer of its own `direction`, with the client as authority.
#[derive(Node)]
#[node(tscn = "arena/godot/player.tscn", synchronizer = "Input")]
struct Input {
    #[node(synchronizer)]
    sync: MultiplayerSynchronizer,
    #[replicate(no_spawn, always)]
    direction: Vector2,
}

impl Default for Input {
    fn default() -> Self {
        let sync = MultiplayerSynchronizer::new(Self::replication_config()).with_root_path(".");
        Self { sync, direction: Vector2::ZERO }
    }
}

/// Adds the player of `peer`, named after its id. The spawner announces it after the current hook.
fn add_player(scene: &mut Scene, peer: PeerId, name: &str) -> Result<(), TreeError> {
    let player = Player::scene().instantiate_with(|player: &mut Player| {
        name.clone_into(&mut player.title);
    });
    let player = scene.add_instance(PLAYERS, player.named(&peer.to_string()))?;
    let input = scene.find_from(player, "Input")?;
    scene.tree_mut().set_multiplayer_authority(input, peer, false)
}

/// Removes the player of a peer that has left, on all peers.
fn remove_player(scene: &mut Scene, peer: PeerId) -> Result<(), TreeError> {
    let player = scene.node::<Player>(&format!("{PLAYERS}/{peer}"))?;
    println!("{} leaves", scene.get(player)?.title);
    scene.remove(player)?;
    Ok(())
}

/// Builds the server's branch, with the same nodes as `godot/main.tscn`.
pub(crate) fn branch() -> BranchBuilder {
    Branch::builder("/root")
        .setup(|scene| {
            scene.add("Main", Group)?;
            scene.add("Main/Arena", Arena)?;
            scene.add(PLAYERS, Group)?;
            scene.add(
                "Main/Spawner",
                MultiplayerSpawner::new("../Players").with_scene(&Player::scene()),
            )?;
            Ok(())
        })
        .on_peer_disconnected(|scene, peer| {
            // Fails if the peer left before it had a player.
            remove_player(scene, peer).ok();
        })
        .tick_rate(20)
}

const PLAYERS: &str = "Main/Players";
