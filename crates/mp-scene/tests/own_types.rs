//! Node types that contain a synchronizer or spawner, or add methods to one.

use mp_core::variant::Vector2;
use mp_scene::prelude::*;
use mp_scene::testing::Lan;

/// A script that `extends MultiplayerSynchronizer`.
struct Input {
    sync: MultiplayerSynchronizer,
    direction: Vector2,
    calls: u32,
}

impl Default for Input {
    fn default() -> Self {
        let config = ReplicationConfig::new().always(".:direction");
        let sync = MultiplayerSynchronizer::new(config).with_root_path(".");
        Self { sync, direction: Vector2::default(), calls: 0 }
    }
}

impl Node for Input {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method("answer", RpcConfig::authority(), |input: &mut Self, _cx, (): ()| {
                input.calls += 1;
            })
            .method("ask", RpcConfig::any_peer(), |_input: &mut Self, cx, (): ()| {
                cx.rpc_self("answer", ()).unwrap();
            })
            .method("hide", RpcConfig::any_peer(), |input: &mut Self, cx, (): ()| {
                input.sync.set_public_visibility(false);
                let _ = cx.rpc_self("answer", ()); // fails if no peer is left that sees the node
            })
            .method("take_over", RpcConfig::any_peer(), |_input: &mut Self, cx, (): ()| {
                let (node, peer) = (cx.node_id(), cx.remote_sender());
                cx.tree_mut().set_multiplayer_authority(node, peer, false).unwrap();
                let _ = cx.rpc_self("answer", ()); // is refused, by now
            })
            .method("pass_on", RpcConfig::any_peer(), |_input: &mut Self, cx, (): ()| {
                let (node, peer) = (cx.node_id(), cx.remote_sender());
                cx.tree_mut().set_multiplayer_authority(node, peer, false).unwrap();
                for _ in 0..64 {
                    cx.flush_changes();
                }
            })
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("direction", |input: &mut Self| &mut input.direction)
    }

    fn as_synchronizer(&mut self) -> Option<&mut MultiplayerSynchronizer> {
        Some(&mut self.sync)
    }
}

/// Returns a server and a client with an `Input` each; the server has authority.
fn inputs() -> (Lan, PeerId) {
    let branch = || {
        Branch::builder("/root").setup(|scene| {
            scene.add("Input", Input::default())?;
            Ok(())
        })
    };
    let mut lan = Lan::new(branch()).unwrap();
    let client = lan.join(branch()).unwrap();
    lan.settle();
    (lan, client)
}

fn input(lan: &mut Lan, side: PeerId) -> &mut Input {
    let node = lan.scene(side).node("Input").unwrap();
    lan.scene(side).get_mut(node).unwrap()
}

/// Sets the direction at `from` to (x, 0) and settles. Returns the x of the direction at `to`.
fn point(lan: &mut Lan, from: PeerId, x: f32, to: PeerId) -> f32 {
    input(lan, from).direction = Vector2::new(x, 0.0);
    lan.settle();
    input(lan, to).direction.x
}

#[test]
fn a_type_that_contains_a_synchronizer_sends_its_own_properties() {
    let (mut lan, client) = inputs();
    assert_eq!(point(&mut lan, PeerId::SERVER, 3.0, client), 3.0);
}

#[test]
fn a_method_of_a_synchronizer_calls_its_own_node() {
    let (mut lan, client) = inputs();
    let node = lan.scene(client).find("Input").unwrap();
    lan.scene(client).rpc_id(PeerId::SERVER, node, "ask", ()).unwrap();
    lan.settle();
    assert_eq!(input(&mut lan, client).calls, 1);
}

#[test]
fn a_synchronizer_hidden_by_its_own_method_stays_hidden() {
    let (mut lan, client) = inputs();
    let node = lan.scene(client).find("Input").unwrap();
    lan.scene(client).rpc_id(PeerId::SERVER, node, "hide", ()).unwrap();
    lan.settle();
    assert_eq!(point(&mut lan, PeerId::SERVER, 3.0, client), 0.0);
    input(&mut lan, PeerId::SERVER).sync.set_visibility_for(client, true);
    lan.settle();
    assert_eq!(input(&mut lan, client).direction.x, 3.0);
}

#[test]
fn a_method_of_a_synchronizer_gives_it_another_authority() {
    let (mut lan, client) = inputs();
    let node = lan.scene(client).find("Input").unwrap();
    lan.scene(client).rpc_id(PeerId::SERVER, node, "take_over", ()).unwrap();
    lan.scene(client).tree_mut().set_multiplayer_authority(node, client, false).unwrap();
    lan.settle();
    assert_eq!(point(&mut lan, client, 5.0, PeerId::SERVER), 5.0);
}

#[test]
fn a_synchronizer_whose_method_passes_on_its_authority_and_makes_many_changes_is_updated() {
    let (mut lan, client) = inputs();
    let node = lan.scene(client).find("Input").unwrap();
    lan.scene(client).rpc_id(PeerId::SERVER, node, "pass_on", ()).unwrap();
    lan.scene(client).tree_mut().set_multiplayer_authority(node, client, false).unwrap();
    lan.settle();
    assert_eq!(point(&mut lan, client, 5.0, PeerId::SERVER), 5.0);
}

#[test]
fn nodes_added_by_a_method_of_a_spawner_are_announced() {
    let unit = PackedScene::new("res://unit.tscn", || Instance::new("Unit", Group));
    let branch = move || {
        let unit = unit.clone();
        Branch::builder("/root").setup(move |scene| {
            scene.add("Units", Group)?;
            let spawner = MultiplayerSpawner::new("../Units").with_scene(&unit);
            let table = RpcTable::new().stub("notified").method(
                "reinforce",
                RpcConfig::any_peer(),
                move |_spawner: &mut MultiplayerSpawner, cx, (): ()| {
                    cx.add_instance("Units", unit.instantiate()).unwrap();
                    let node = cx.node_id();
                    let denied = cx.spawn(node, 1).unwrap_err();
                    assert!(denied.to_string().contains("running"), "{denied}");
                },
            );
            let root = scene.tree().root();
            scene.tree_mut().add_with_table(root, "Spawner", spawner, table)?;
            Ok(())
        })
    };
    let mut lan = Lan::new(branch()).unwrap();
    let client = lan.join(branch()).unwrap();
    lan.settle();
    let spawner = lan.scene(client).find("Spawner").unwrap();
    lan.scene(client).rpc_id(PeerId::SERVER, spawner, "reinforce", ()).unwrap();
    lan.settle();
    assert!(lan.scene(client).find("Units/Unit").is_ok());
}

#[test]
fn a_node_is_found_by_path_and_type() {
    let (mut lan, _) = inputs();
    let scene = lan.scene(PeerId::SERVER);
    assert!(scene.node::<Input>("Input").is_ok());
    let wrong = scene.node::<Group>("Input").unwrap_err();
    assert!(wrong.to_string().contains("Group"), "{wrong}");
    assert!(scene.node::<Input>("Nowhere").is_err());
}
