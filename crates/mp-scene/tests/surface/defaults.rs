//! Default values of the public surface.

use mp_core::ConnectionStatus;
use mp_scene::prelude::*;
use mp_scene::{GodotQuirks, SceneMultiplayer, SceneStats};
use serde_json::Value;

/// The default of a property as Godot prints it, or the reason why mp has none.
type Ours = Result<fn(&SceneMultiplayer) -> String, &'static str>;

const ROWS: [(&str, Ours); 9] = [
    (
        "multiplayer_peer",
        Err("SceneMultiplayer starts with an OfflineMultiplayerPeer, see the test below"),
    ),
    ("root_path", Err("a branch cannot be built without one")),
    (
        "auth_callback",
        Ok(|it| String::from(if it.authentication() { "set" } else { "Callable()" })),
    ),
    ("auth_timeout", Ok(|it| format!("{:?}", it.auth_timeout().as_secs_f64()))),
    ("allow_object_decoding", Ok(|it| it.is_object_decoding_allowed().to_string())),
    ("refuse_new_connections", Ok(|it| it.is_refusing_new_connections().to_string())),
    ("server_relay", Ok(|it| it.server_relay().to_string())),
    ("max_sync_packet_size", Ok(|it| it.max_sync_packet_size().to_string())),
    ("max_delta_packet_size", Ok(|it| it.max_delta_packet_size().to_string())),
];

#[test]
fn every_property_starts_as_in_godot() {
    let api = super::api();
    let properties: Vec<&Value> = ["MultiplayerAPI", "SceneMultiplayer"]
        .iter()
        .flat_map(|class| api["classes"][class]["properties"].as_array().unwrap())
        .collect();
    let names: Vec<_> = properties.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ROWS.map(|(name, _)| name), "one row for each property, in order");

    let mut branch = Branch::builder("/root").build().unwrap();
    let multiplayer = branch.scene().multiplayer();
    for (property, (name, ours)) in properties.iter().zip(ROWS) {
        match ours {
            Ok(ours) => assert_eq!(property["default"], ours(multiplayer), "{name}"),
            Err(why) => assert!(!why.is_empty()),
        }
    }
}

#[test]
fn a_spawner_and_a_synchronizer_start_as_in_godot() {
    let (spawner, sync) = (MultiplayerSpawner::default(), MultiplayerSynchronizer::default());
    let ours: Vec<(&str, &str, String)> = vec![
        ("MultiplayerSpawner", "_spawnable_scenes", {
            let scenes: Vec<_> = spawner.spawnable_scenes().iter().map(PackedScene::path).collect();
            format!("PackedStringArray({})", scenes.join(", "))
        }),
        ("MultiplayerSpawner", "spawn_path", format!("NodePath({:?})", spawner.spawn_path())),
        ("MultiplayerSpawner", "spawn_limit", spawner.spawn_limit().to_string()),
        (
            "MultiplayerSpawner",
            "spawn_function",
            String::from(if spawner.has_spawn_function() { "set" } else { "null" }),
        ),
        ("MultiplayerSynchronizer", "root_path", format!("NodePath({:?})", sync.root_path())),
        (
            "MultiplayerSynchronizer",
            "replication_interval",
            format!("{:?}", sync.replication_interval().as_secs_f64()),
        ),
        (
            "MultiplayerSynchronizer",
            "delta_interval",
            format!("{:?}", sync.delta_interval().as_secs_f64()),
        ),
        // A missing config and an empty one are the same in mp.
        (
            "MultiplayerSynchronizer",
            "replication_config",
            String::from(if sync.replication_config().properties().len() == 0 {
                "null"
            } else {
                "set"
            }),
        ),
        (
            "MultiplayerSynchronizer",
            "visibility_update_mode",
            (sync.visibility_update_mode() as i32).to_string(),
        ),
        ("MultiplayerSynchronizer", "public_visibility", sync.is_visibility_public().to_string()),
    ];
    let api = super::api();
    let mut godots = Vec::new();
    for class in ["MultiplayerSpawner", "MultiplayerSynchronizer"] {
        for property in api["classes"][class]["properties"].as_array().unwrap() {
            let text = |key: &str| property[key].as_str().unwrap().to_owned();
            godots.push((class, text("name"), text("default")));
        }
    }
    let ours: Vec<_> =
        ours.into_iter().map(|(c, name, value)| (c, name.to_owned(), value)).collect();
    assert_eq!(ours, godots);
}

#[test]
fn without_a_transport_a_branch_is_a_connected_server_without_peers() {
    let mut branch = Branch::builder("/root").build().unwrap();
    let multiplayer = branch.scene().multiplayer();
    assert_eq!(multiplayer.unique_id(), PeerId::SERVER);
    assert!(multiplayer.is_server());
    assert_eq!(multiplayer.connection_status(), ConnectionStatus::Connected);
    assert_eq!(multiplayer.peers().len(), 0);
    assert_eq!(multiplayer.authenticating_peers().len(), 0);
    assert_eq!(multiplayer.endpoints().len(), 0);
    assert!(!multiplayer.has_peer(PeerId::SERVER));
    assert_eq!(multiplayer.connection(PeerId::SERVER), None);
    assert_eq!(multiplayer.stats(), SceneStats::default());
    assert_eq!(branch.scene().remote_sender_id(), None);
    assert_eq!(branch.next_signal(), None);
}

#[test]
fn arguments_that_are_left_out_in_godot_are_the_defaults_of_our_types() {
    let api = super::api();
    let methods = api["classes"]["SceneMultiplayer"]["methods"].as_array().unwrap();
    let send_bytes = methods.iter().find(|it| it["name"] == "send_bytes").unwrap();
    let args = send_bytes["args"].as_array().unwrap().iter();
    let godots: Vec<_> = args.filter_map(|arg| arg["default"].as_str()).collect();
    let ours = [
        Target::All.to_raw().to_string(),
        TransferMode::default().to_raw().to_string(),
        Channel::default().0.to_string(),
    ];
    assert_eq!(godots, ours);
}

/// `@rpc` without arguments.
#[test]
fn a_bare_rpc_is_for_the_authority_reliable_on_channel_0_and_not_local() {
    let RpcConfig { mode, call_local, transfer_mode, channel, rate, max_bytes } =
        RpcConfig::default();
    assert_eq!((rate, max_bytes), (None, None));
    assert_eq!((mode, call_local), (RpcMode::Authority, false));
    assert_eq!((transfer_mode, channel), (TransferMode::Reliable, Channel(0)));
}

#[test]
fn quirks_are_disabled_by_default() {
    let GodotQuirks {
        absent_nodes,
        incomplete_calls,
        mismatched_methods,
        one_sided_authentication,
        overtaken_completions,
        paths_outside_root,
        renamed_nodes,
        unannounced_senders,
    } = GodotQuirks::default();
    let on = [
        absent_nodes,
        incomplete_calls,
        mismatched_methods,
        one_sided_authentication,
        overtaken_completions,
        paths_outside_root,
        renamed_nodes,
        unannounced_senders,
    ];
    assert_eq!(on, [false; 8]);
    assert_eq!(Codec::default(), Codec::Godot4(GodotVersion::V4_3));
}
