//! A row for each member of Godot's classes: its name in mp, or the reason why mp lacks it.

use std::collections::BTreeSet;

use mp_core::NodePath;
use mp_scene::SceneMultiplayer;
use mp_scene::prelude::*;

/// The place of a Godot member in mp.
#[derive(Clone, Copy)]
enum Here {
    /// The item at this path.
    Is(&'static str),
    /// The member has no meaning in mp, for this reason.
    Never(&'static str),
}
use Here::Never;

/// Names an item that must exist for this to compile. Functions that take `impl Trait` have no path
/// as a value: they are called, with arguments of which only the types matter.
macro_rules! is {
    ($owner:ident :: $function:ident ( $($arg:expr),* )) => {{
        let _ = |it: &mut $owner| {
            let _ = it.$function($($arg),*);
        };
        Here::Is(concat!(stringify!($owner), "::", stringify!($function)))
    }};
    ($owner:ident :: $variant:ident { $($field:ident),* }) => {{
        let _ = |it: &$owner| matches!(it, $owner::$variant { $($field: _),* });
        Here::Is(concat!(stringify!($owner), "::", stringify!($variant)))
    }};
    ($owner:ident :: $name:ident) => {{
        let _ = $owner::$name;
        Here::Is(concat!(stringify!($owner), "::", stringify!($name)))
    }};
}

/// Returns a value of which only the type matters.
fn some<T>() -> T {
    unreachable!("it is never called")
}

/// Godot's classes that have rows.
const CLASSES: [&str; 5] = [
    "MultiplayerAPI",
    "SceneMultiplayer",
    "MultiplayerSpawner",
    "MultiplayerSynchronizer",
    "SceneReplicationConfig",
];

/// Returns the rows: class, kind, name and place.
#[rustfmt::skip]
fn table() -> Vec<(&'static str, &'static str, &'static str, Here)> {
    let [base, scene, spawner, sync, config] = CLASSES;
    vec![
        // A transport is lent to the branch for a turn, or runs beside it as an endpoint.
        (base, "property", "multiplayer_peer", is!(Branch::poll)),
        (base, "method", "set_multiplayer_peer", is!(Branch::replace_peer)),
        (base, "method", "has_multiplayer_peer", is!(SceneMultiplayer::has_multiplayer_peer)),
        (base, "method", "get_multiplayer_peer", Never("a transport belongs to the code that polls it; SceneMultiplayer::endpoints describes it")),
        (base, "method", "get_unique_id", is!(SceneMultiplayer::unique_id)),
        (base, "method", "is_server", is!(SceneMultiplayer::is_server)),
        (base, "method", "get_remote_sender_id", is!(Scene::remote_sender_id)),
        (base, "method", "poll", is!(Branch::poll)),
        (base, "method", "rpc", is!(Scene::rpc_id(some::<Target>(), some::<NodeId>(), "", ()))),
        (base, "method", "object_configuration_add", is!(Scene::object_configuration_add)),
        (base, "method", "object_configuration_remove", is!(Scene::object_configuration_remove)),
        (base, "method", "get_peers", is!(SceneMultiplayer::peers)),
        (base, "method", "set_default_interface", Never("the protocol is chosen when a branch is built: BranchBuilder::protocol")),
        (base, "method", "get_default_interface", Never("a branch runs SceneMultiplayer unless it is built with another protocol")),
        (base, "method", "create_default_interface", Never("BranchBuilder::build creates the protocol with the branch")),
        (base, "signal", "peer_connected", is!(Signal::PeerConnected)),
        (base, "signal", "peer_disconnected", is!(Signal::PeerDisconnected)),
        (base, "signal", "connected_to_server", is!(Signal::ConnectedToServer)),
        (base, "signal", "connection_failed", is!(Signal::ConnectionFailed)),
        (base, "signal", "server_disconnected", is!(Signal::ServerDisconnected)),
        (base, "constant", "RPC_MODE_DISABLED", is!(RpcMode::Disabled)),
        (base, "constant", "RPC_MODE_ANY_PEER", is!(RpcMode::AnyPeer)),
        (base, "constant", "RPC_MODE_AUTHORITY", is!(RpcMode::Authority)),

        (scene, "property", "root_path", is!(Branch::builder)),
        (scene, "method", "set_root_path", is!(Tree::set_root_path)),
        (scene, "method", "get_root_path", is!(Tree::root_path)),
        (scene, "method", "clear", is!(SceneMultiplayer::clear)),
        (scene, "method", "disconnect_peer", is!(SceneMultiplayer::disconnect_peer)),
        (scene, "method", "get_authenticating_peers", is!(SceneMultiplayer::authenticating_peers)),
        (scene, "method", "send_auth", is!(SceneMultiplayer::send_auth)),
        (scene, "method", "complete_auth", is!(SceneMultiplayer::complete_auth)),
        // A signal contains the arguments of the callback.
        (scene, "property", "auth_callback", is!(Signal::PeerAuth { from, data })),
        (scene, "method", "set_auth_callback", is!(SceneMultiplayer::set_authentication)),
        (scene, "method", "get_auth_callback", is!(SceneMultiplayer::authentication)),
        (scene, "property", "auth_timeout", is!(SceneMultiplayer::auth_timeout)),
        (scene, "method", "set_auth_timeout", is!(SceneMultiplayer::set_auth_timeout)),
        (scene, "method", "get_auth_timeout", is!(SceneMultiplayer::auth_timeout)),
        (scene, "property", "refuse_new_connections", is!(SceneMultiplayer::is_refusing_new_connections)),
        (scene, "method", "set_refuse_new_connections", is!(SceneMultiplayer::set_refuse_new_connections)),
        (scene, "method", "is_refusing_new_connections", is!(SceneMultiplayer::is_refusing_new_connections)),
        (scene, "property", "allow_object_decoding", is!(SceneMultiplayer::is_object_decoding_allowed)),
        (scene, "method", "set_allow_object_decoding", is!(SceneMultiplayer::set_allow_object_decoding)),
        (scene, "method", "is_object_decoding_allowed", is!(SceneMultiplayer::is_object_decoding_allowed)),
        (scene, "property", "server_relay", is!(SceneMultiplayer::server_relay)),
        (scene, "method", "set_server_relay_enabled", is!(SceneMultiplayer::set_server_relay)),
        (scene, "method", "is_server_relay_enabled", is!(SceneMultiplayer::server_relay)),
        (scene, "method", "send_bytes", is!(SceneMultiplayer::send_bytes(&[], some::<Target>(), some::<TransferMode>(), some::<Channel>()))),
        (scene, "property", "max_sync_packet_size", is!(SceneMultiplayer::max_sync_packet_size)),
        (scene, "method", "get_max_sync_packet_size", is!(SceneMultiplayer::max_sync_packet_size)),
        (scene, "method", "set_max_sync_packet_size", is!(SceneMultiplayer::set_max_sync_packet_size)),
        (scene, "property", "max_delta_packet_size", is!(SceneMultiplayer::max_delta_packet_size)),
        (scene, "method", "get_max_delta_packet_size", is!(SceneMultiplayer::max_delta_packet_size)),
        (scene, "method", "set_max_delta_packet_size", is!(SceneMultiplayer::set_max_delta_packet_size)),
        (scene, "signal", "peer_authenticating", is!(Signal::PeerAuthenticating)),
        (scene, "signal", "peer_authentication_failed", is!(Signal::PeerAuthenticationFailed)),
        (scene, "signal", "peer_packet", is!(Signal::PeerPacket { from, data })),

        (spawner, "property", "_spawnable_scenes", Never("the editor writes it into scene files; the list is MultiplayerSpawner::spawnable_scenes")),
        (spawner, "method", "_get_spawnable_scenes", Never("used by the editor")),
        (spawner, "method", "_set_spawnable_scenes", Never("used by the editor")),
        (spawner, "property", "spawn_path", is!(MultiplayerSpawner::spawn_path)),
        (spawner, "property", "spawn_limit", is!(MultiplayerSpawner::spawn_limit)),
        (spawner, "property", "spawn_function", is!(MultiplayerSpawner::set_spawn_function(|_| None))),
        (spawner, "method", "add_spawnable_scene", is!(MultiplayerSpawner::add_spawnable_scene)),
        (spawner, "method", "get_spawnable_scene_count", is!(MultiplayerSpawner::spawnable_scenes)),
        (spawner, "method", "get_spawnable_scene", is!(MultiplayerSpawner::spawnable_scenes)),
        (spawner, "method", "clear_spawnable_scenes", is!(MultiplayerSpawner::clear_spawnable_scenes)),
        // Adding the node needs the tree, which a spawner does not have.
        (spawner, "method", "spawn", is!(Scene::spawn(some::<NodeId>(), some::<Variant>()))),
        (spawner, "method", "get_spawn_path", is!(MultiplayerSpawner::spawn_path)),
        (spawner, "method", "set_spawn_path", is!(MultiplayerSpawner::set_spawn_path)),
        (spawner, "method", "get_spawn_limit", is!(MultiplayerSpawner::spawn_limit)),
        (spawner, "method", "set_spawn_limit", is!(MultiplayerSpawner::set_spawn_limit)),
        (spawner, "method", "get_spawn_function", is!(MultiplayerSpawner::has_spawn_function)),
        (spawner, "method", "set_spawn_function", is!(MultiplayerSpawner::set_spawn_function(|_| None))),
        (spawner, "signal", "spawned", is!(Signal::Spawned { spawner, node })),
        (spawner, "signal", "despawned", is!(Signal::Despawned { spawner, node, name })),

        (sync, "property", "root_path", is!(MultiplayerSynchronizer::root_path)),
        (sync, "property", "replication_interval", is!(MultiplayerSynchronizer::replication_interval)),
        (sync, "property", "delta_interval", is!(MultiplayerSynchronizer::delta_interval)),
        (sync, "property", "replication_config", is!(MultiplayerSynchronizer::replication_config)),
        (sync, "property", "visibility_update_mode", is!(MultiplayerSynchronizer::visibility_update_mode)),
        (sync, "property", "public_visibility", is!(MultiplayerSynchronizer::is_visibility_public)),
        (sync, "method", "set_root_path", is!(MultiplayerSynchronizer::set_root_path)),
        (sync, "method", "get_root_path", is!(MultiplayerSynchronizer::root_path)),
        (sync, "method", "set_replication_interval", is!(MultiplayerSynchronizer::set_replication_interval)),
        (sync, "method", "get_replication_interval", is!(MultiplayerSynchronizer::replication_interval)),
        (sync, "method", "set_delta_interval", is!(MultiplayerSynchronizer::set_delta_interval)),
        (sync, "method", "get_delta_interval", is!(MultiplayerSynchronizer::delta_interval)),
        (sync, "method", "set_replication_config", is!(MultiplayerSynchronizer::set_replication_config)),
        (sync, "method", "get_replication_config", is!(MultiplayerSynchronizer::replication_config)),
        (sync, "method", "set_visibility_update_mode", is!(MultiplayerSynchronizer::set_visibility_update_mode)),
        (sync, "method", "get_visibility_update_mode", is!(MultiplayerSynchronizer::visibility_update_mode)),
        (sync, "method", "update_visibility", is!(MultiplayerSynchronizer::update_visibility)),
        (sync, "method", "set_visibility_public", is!(MultiplayerSynchronizer::set_public_visibility)),
        (sync, "method", "is_visibility_public", is!(MultiplayerSynchronizer::is_visibility_public)),
        (sync, "method", "add_visibility_filter", is!(MultiplayerSynchronizer::add_visibility_filter(|_, _| true))),
        (sync, "method", "remove_visibility_filter", is!(MultiplayerSynchronizer::remove_visibility_filter)),
        (sync, "method", "set_visibility_for", is!(MultiplayerSynchronizer::set_visibility_for)),
        (sync, "method", "get_visibility_for", is!(MultiplayerSynchronizer::visibility_for)),
        (sync, "signal", "synchronized", is!(Signal::Synchronized)),
        (sync, "signal", "delta_synchronized", is!(Signal::DeltaSynchronized)),
        (sync, "signal", "visibility_changed", is!(Signal::VisibilityChanged { synchronizer, peer })),
        (sync, "constant", "VISIBILITY_PROCESS_IDLE", is!(VisibilityUpdateMode::Idle)),
        (sync, "constant", "VISIBILITY_PROCESS_PHYSICS", is!(VisibilityUpdateMode::Physics)),
        (sync, "constant", "VISIBILITY_PROCESS_NONE", is!(VisibilityUpdateMode::None)),

        (config, "method", "get_properties", is!(ReplicationConfig::properties())),
        (config, "method", "add_property", is!(ReplicationConfig::add_property(some::<NodePath>(), None))),
        (config, "method", "has_property", is!(ReplicationConfig::has_property)),
        (config, "method", "remove_property", is!(ReplicationConfig::remove_property)),
        (config, "method", "property_get_index", is!(ReplicationConfig::property_index)),
        (config, "method", "property_get_spawn", is!(ReplicationConfig::property_spawn)),
        (config, "method", "property_set_spawn", is!(ReplicationConfig::property_set_spawn)),
        (config, "method", "property_get_replication_mode", is!(ReplicationConfig::property_replication_mode)),
        (config, "method", "property_set_replication_mode", is!(ReplicationConfig::property_set_replication_mode)),
        (config, "method", "property_get_sync", is!(ReplicationConfig::property_sync)),
        (config, "method", "property_set_sync", is!(ReplicationConfig::property_set_sync)),
        (config, "method", "property_get_watch", is!(ReplicationConfig::property_watch)),
        (config, "method", "property_set_watch", is!(ReplicationConfig::property_set_watch)),
        (config, "constant", "REPLICATION_MODE_NEVER", is!(ReplicationMode::Never)),
        (config, "constant", "REPLICATION_MODE_ALWAYS", is!(ReplicationMode::Always)),
        (config, "constant", "REPLICATION_MODE_ON_CHANGE", is!(ReplicationMode::OnChange)),
    ]
}

/// Returns class, kind and name of all members that Godot reports.
fn reported() -> Vec<(String, String, String)> {
    let api = super::api();
    let mut members = Vec::new();
    for class in CLASSES {
        let lists = [("properties", "property"), ("methods", "method"), ("signals", "signal")];
        for (list, kind) in lists {
            for member in api["classes"][class][list].as_array().into_iter().flatten() {
                let name = member["name"].as_str().unwrap().to_owned();
                members.push((class.to_owned(), kind.to_owned(), name));
            }
        }
        for name in api["classes"][class]["constants"].as_object().unwrap().keys() {
            members.push((class.to_owned(), "constant".to_owned(), name.clone()));
        }
    }
    members
}

#[test]
fn every_member_that_godot_reports_has_exactly_one_row() {
    let own = |text: &str| text.to_owned();
    let rows: Vec<_> = table().iter().map(|row| (own(row.0), own(row.1), own(row.2))).collect();
    let (rows_once, reported) = (BTreeSet::from_iter(&rows), reported());
    let reported_once = BTreeSet::from_iter(&reported);
    assert_eq!(rows_once.len(), rows.len(), "a row is duplicated");
    let missing: Vec<_> = reported_once.difference(&rows_once).collect();
    let made_up: Vec<_> = rows_once.difference(&reported_once).collect();
    assert!(missing.is_empty() && made_up.is_empty(), "{missing:#?} {made_up:#?}");
}

/// The page "Coming from Godot" of the guide has the rows, in a section for each class.
#[test]
fn every_member_has_a_row_in_the_guide() {
    let page = include_str!("../../../mp/guide/coming-from-godot.md");
    let mut missing = Vec::new();
    for (class, _, name, place) in table() {
        let (_, section) = page.split_once(&format!("## {class}\n")).expect(class);
        let section = section.split("\n## ").next().unwrap_or_default();
        let place = match place {
            Here::Is(path) => format!("| `{path}` |"),
            Never(why) => why.to_owned(),
        };
        let is_row = |row: &str| row.contains(&format!("`{name}`")) && row.contains(&place);
        if !section.lines().any(is_row) {
            missing.push(format!("{class}.{name}: {place}"));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn missing_members_have_a_reason() {
    let (mut here, mut never) = (0, 0);
    for (_, _, name, place) in table() {
        let (count, text) = match place {
            Here::Is(path) => (&mut here, path),
            Never(why) => (&mut never, why),
        };
        assert!(!text.is_empty(), "{name}");
        *count += 1;
    }
    assert_eq!((here, never), (113, 7));
}

/// Searching the documentation for Godot's name must find the getter.
#[test]
fn getters_have_doc_aliases_of_godots_names() {
    let sources = [
        include_str!("../../src/api.rs"),
        include_str!("../../src/branch.rs"),
        include_str!("../../src/builder.rs"),
        include_str!("../../src/replication/config.rs"),
        include_str!("../../src/replication/spawner.rs"),
        include_str!("../../src/replication/synchronizer.rs"),
        include_str!("../../src/scene.rs"),
        include_str!("../../src/scene_multiplayer/authentication.rs"),
        include_str!("../../src/scene_multiplayer/mod.rs"),
        include_str!("../../src/scene_multiplayer/settings.rs"),
        include_str!("../../src/tree/arena.rs"),
    ]
    .concat();
    let mut unknown = Vec::new();
    for (_, kind, name, place) in table() {
        let Here::Is(path) = place else { continue };
        let ours = path.rsplit("::").next().unwrap_or_default();
        let getter = ["get_", "is_", "property_get_"].iter().any(|prefix| name.starts_with(prefix));
        let quoted = format!("\"{name}\"");
        let mut aliases = sources.lines().filter(|line| line.contains("doc(alias"));
        if kind == "method" && getter && ours != name && !aliases.any(|line| line.contains(&quoted))
        {
            unknown.push(name);
        }
    }
    assert_eq!(unknown, [] as [&str; 0]);
}

#[test]
fn constants_have_godots_numbers() {
    let api = super::api();
    let ours = [
        ("MultiplayerAPI", "RPC_MODE_DISABLED", RpcMode::Disabled as i32),
        ("MultiplayerAPI", "RPC_MODE_ANY_PEER", RpcMode::AnyPeer as i32),
        ("MultiplayerAPI", "RPC_MODE_AUTHORITY", RpcMode::Authority as i32),
        ("MultiplayerSynchronizer", "VISIBILITY_PROCESS_IDLE", VisibilityUpdateMode::Idle as i32),
        (
            "MultiplayerSynchronizer",
            "VISIBILITY_PROCESS_PHYSICS",
            VisibilityUpdateMode::Physics as i32,
        ),
        ("MultiplayerSynchronizer", "VISIBILITY_PROCESS_NONE", VisibilityUpdateMode::None as i32),
        ("SceneReplicationConfig", "REPLICATION_MODE_NEVER", ReplicationMode::Never as i32),
        ("SceneReplicationConfig", "REPLICATION_MODE_ALWAYS", ReplicationMode::Always as i32),
        ("SceneReplicationConfig", "REPLICATION_MODE_ON_CHANGE", ReplicationMode::OnChange as i32),
    ];
    let godots = |class: &str| api["classes"][class]["constants"].as_object().unwrap().len();
    assert_eq!(CLASSES.map(godots).iter().sum::<usize>(), ours.len());
    for (class, name, number) in ours {
        assert_eq!(api["classes"][class]["constants"][name], number, "{name}");
    }
}
