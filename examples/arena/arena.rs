//! Game logic of the example `arena`, decided by the server. The Godot project is in `godot/`.

use mp::prelude::*;

/// Maximum speed of a player in pixels per second.
pub(crate) const SPEED_MAX: f32 = 120.0;

/// Node `Main/Arena`: `arena.gd`.
struct Arena;

impl Node for Arena {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method("enter", RpcConfig::any_peer(), Self::enter)
            .remote("welcome", RpcConfig::authority())
            .remote("refuse", RpcConfig::authority())
    }
}

impl Arena {
    /// RPC of a client: registers a name, and adds a player, which is spawned on all peers.
    fn enter(&mut self, cx: &mut RpcContext<'_>, (name,): (String,)) {
        let peer = cx.remote_sender();
        let letters = name.chars().count();
        let answer = if !(1..=16).contains(&letters) {
            cx.reply("refuse", ("a name has 1 to 16 characters",))
        } else if add_player(cx, peer, &name).is_err() {
            cx.reply("refuse", ("you have a name",))
        } else {
            println!("{name} enters");
            cx.reply("welcome", (format!("welcome, {name}"),))
        };
        // Fails if the peer has just left.
        answer.ok();
    }
}

/// `player.gd`. Moves in the direction of its input, with limited speed.
#[derive(Default)]
struct Player {
    title: String,
    position: Vector2,
}

impl Player {
    /// `player.tscn`: `Sync` replicates the server's state, `Input` the client's input.
    fn scene() -> PackedScene {
        PackedScene::new("res://player.tscn", || {
            let sync = ReplicationConfig::new().spawn(".:title").always(".:position");
            Instance::new("Player", Self::default())
                .child(Instance::new("Sync", MultiplayerSynchronizer::new(sync)))
                .child(Instance::new("Input", Input::default()))
        })
    }
}

impl Node for Player {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("title", |player: &mut Self| &mut player.title)
            .property("position", |player: &mut Self| &mut player.position)
    }
}

/// `input.gd`, a synchronizer of its own `direction`, with the client as authority.
struct Input {
    sync: MultiplayerSynchronizer,
    direction: Vector2,
}

impl Default for Input {
    fn default() -> Self {
        let config = ReplicationConfig::new().always_without_spawn(".:direction");
        let sync = MultiplayerSynchronizer::new(config).with_root_path(".");
        Self { sync, direction: Vector2::ZERO }
    }
}

impl Node for Input {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("direction", |input: &mut Self| &mut input.direction)
    }

    fn as_synchronizer(&mut self) -> Option<&mut MultiplayerSynchronizer> {
        Some(&mut self.sync)
    }
}

/// Adds the player of `peer`, named after its id. The spawner announces it after the current hook.
fn add_player(scene: &mut Scene, peer: PeerId, name: &str) -> Result<(), TreeError> {
    let path = format!("{PLAYERS}/{peer}");
    scene.add_instance(PLAYERS, Player::scene().instantiate().named(&peer.to_string()))?;
    let player = scene.node::<Player>(&path)?;
    name.clone_into(&mut scene.get_mut(player)?.title);
    let input = scene.find(&format!("{path}/Input"))?;
    scene.tree_mut().set_multiplayer_authority(input, peer, false)
}

/// Removes the player of a peer that has left, on all peers.
fn remove_player(scene: &mut Scene, peer: PeerId) -> Result<(), TreeError> {
    let player = scene.node::<Player>(&format!("{PLAYERS}/{peer}"))?;
    println!("{} leaves", scene.get(player)?.title);
    scene.remove(player)?;
    Ok(())
}

/// Moves all players.
fn step(scene: &mut Scene, seconds: f32) -> Result<(), TreeError> {
    let players: Vec<_> = scene.tree().children(scene.find(PLAYERS)?).collect();
    for player in players {
        let name = scene.tree().name(player).unwrap_or_default();
        let input = scene.node::<Input>(&format!("{PLAYERS}/{name}/Input"))?;
        let direction = scene.get(input)?.direction.limit_length(1.0);
        let player = scene.get_mut(NodeRef::<Player>::new(player))?;
        player.position += direction * SPEED_MAX * seconds;
    }
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
        .on_process(|scene, delta| {
            step(scene, delta.as_secs_f32())
                .expect("the nodes exist, and none of their methods is running");
        })
}

const PLAYERS: &str = "Main/Players";
