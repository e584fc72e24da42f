//! Players: `godot/player.tscn`.

use std::time::Duration;

use mp::prelude::*;

use crate::arena::HALF_SIZE;

/// Maximum speed of a player in pixels per second.
pub(crate) const SPEED_MAX: f32 = 120.0;
/// Radius of a player in pixels, as in `godot/player.gd`.
const RADIUS: f32 = 14.0;

/// A player. Its synchronizer `Sync` sends the server's state to the clients.
#[derive(Default, Node)]
#[node(
    tscn = "arena/godot/player.tscn",
    synchronizer = "Sync",
    enter_tree = Player::enter_tree,
    process = Player::process
)]
pub(crate) struct Player {
    #[replicate(spawn)]
    pub(crate) title: String,
    #[replicate(spawn, always)]
    pub(crate) position: Vector2,
    #[replicate(spawn, on_change)]
    pub(crate) score: Replicated<i64>,
}

impl Player {
    pub(crate) fn scene() -> PackedScene {
        PackedScene::new("res://player.tscn", || {
            let sync = MultiplayerSynchronizer::new(Self::replication_config());
            Instance::new("Player", Self::default())
                .child(Instance::new("Sync", sync))
                .child(Instance::new("Input", Input::default()))
        })
    }

    /// Gives the input to the player's peer, on the server and on clients.
    fn enter_tree(&mut self, tree: &mut Tree, node: NodeId) {
        let peer = tree.name(node).and_then(|name| name.parse().ok());
        let input = tree.children(node).find(|&child| tree.name(child) == Some("Input"));
        if let (Some(peer), Some(input)) = (peer, input) {
            tree.set_multiplayer_authority(input, peer, false).ok();
        }
    }

    /// On the server: moves in the direction of the input, with limited speed, within the arena.
    fn process(&mut self, cx: &mut NodeContext<'_>, delta: Duration) {
        if !cx.multiplayer().is_server() {
            return;
        }
        let input = cx.child::<Input>(cx.node_id(), "Input").and_then(|input| cx.get(input));
        if let Ok(input) = input {
            let direction = input.direction.limit_length(1.0);
            let moved = self.position + direction * SPEED_MAX * delta.as_secs_f32();
            let corner = HALF_SIZE - Vector2::ONE * RADIUS;
            self.position = moved.clamp(-corner, corner);
        }
    }
}

/// `godot/input.gd`: a synchronizer that sends its own `direction`. The player's peer has authority
/// over it, and sends it to the server alone.
#[derive(Node)]
#[node(tscn = "arena/godot/player.tscn", synchronizer = "Input")]
pub(crate) struct Input {
    #[node(synchronizer)]
    sync: MultiplayerSynchronizer,
    #[replicate(no_spawn, always)]
    pub(crate) direction: Vector2,
}

impl Default for Input {
    fn default() -> Self {
        let sync = MultiplayerSynchronizer::new(Self::replication_config());
        let mut sync = sync.with_root_path(".").with_public_visibility(false);
        sync.set_visibility_for(PeerId::SERVER, true);
        Self { sync, direction: Vector2::ZERO }
    }
}
