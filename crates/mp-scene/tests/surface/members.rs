//! Every member of Godot's two classes has a row: what it is called here, or why it is not here.

use std::collections::BTreeSet;

use mp_scene::api;
use mp_scene::prelude::*;
use mp_scene::{SceneMultiplayer, Tree};

/// Where a member of Godot's is.
#[derive(Clone, Copy)]
enum Here {
    /// Under this path.
    Is(&'static str),
    /// Has no meaning here.
    Never(&'static str),
}
use Here::Never;

/// The path of something that exists, or this would not compile. Functions that take `impl Trait` have no path as a value: they
/// are called, with arguments of which only the types matter.
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

/// A value of which only the type matters.
fn some<T>() -> T {
    unreachable!("it is never called")
}

/// The rows: class, kind, name, where.
#[rustfmt::skip]
fn table() -> Vec<(&'static str, &'static str, &'static str, Here)> {
    let (base, scene) = ("MultiplayerAPI", "SceneMultiplayer");
    vec![
        // A transport is lent to the branch turn by turn, or runs beside it as an endpoint.
        (base, "property", "multiplayer_peer", is!(Branch::poll)),
        (base, "method", "set_multiplayer_peer", is!(Branch::replace_peer)),
        (base, "method", "has_multiplayer_peer", is!(SceneMultiplayer::has_multiplayer_peer)),
        (base, "method", "get_multiplayer_peer", Never("a transport belongs to whoever polls it; SceneMultiplayer::endpoints says what it is")),
        (base, "method", "get_unique_id", is!(SceneMultiplayer::unique_id)),
        (base, "method", "is_server", is!(SceneMultiplayer::is_server)),
        (base, "method", "get_remote_sender_id", is!(Scene::remote_sender_id)),
        (base, "method", "poll", is!(Branch::poll)),
        (base, "method", "rpc", is!(Scene::rpc_id(some::<Target>(), some::<NodeId>(), "", ()))),
        (base, "method", "object_configuration_add", is!(Scene::object_configuration_add)),
        (base, "method", "object_configuration_remove", is!(Scene::object_configuration_remove)),
        (base, "method", "get_peers", is!(SceneMultiplayer::peers)),
        (base, "method", "set_default_interface", is!(api::set_default_interface)),
        (base, "method", "get_default_interface", is!(api::default_interface)),
        (base, "method", "create_default_interface", is!(api::create_default_interface)),
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
        // What the callback is given is a signal.
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
    ]
}

/// Class, kind and name of every member that Godot reports.
fn reported() -> Vec<(String, String, String)> {
    let api = super::api();
    let mut members = Vec::new();
    for class in ["MultiplayerAPI", "SceneMultiplayer"] {
        let lists = [("properties", "property"), ("methods", "method"), ("signals", "signal")];
        for (list, kind) in lists {
            for member in api["classes"][class][list].as_array().unwrap() {
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
fn every_member_that_godot_reports_has_one_row_and_no_row_is_made_up() {
    let own = |text: &str| text.to_owned();
    let rows: Vec<_> = table().iter().map(|row| (own(row.0), own(row.1), own(row.2))).collect();
    let (rows_once, reported) = (BTreeSet::from_iter(&rows), reported());
    let reported_once = BTreeSet::from_iter(&reported);
    assert_eq!(rows_once.len(), rows.len(), "a row stands there twice");
    let missing: Vec<_> = reported_once.difference(&rows_once).collect();
    let made_up: Vec<_> = rows_once.difference(&reported_once).collect();
    assert!(missing.is_empty() && made_up.is_empty(), "{missing:#?} {made_up:#?}");
}

#[test]
fn what_is_not_here_says_why() {
    let (mut here, mut never) = (0, 0);
    for (_, _, name, place) in table() {
        let (count, text) = match place {
            Here::Is(path) => (&mut here, path),
            Never(why) => (&mut never, why),
        };
        assert!(!text.is_empty(), "{name}");
        *count += 1;
    }
    assert_eq!((here, never), (55, 1));
}

/// Who looks for Godot's name in the documentation finds ours.
#[test]
fn getters_are_found_under_the_names_that_godot_gives_them() {
    let sources = [
        include_str!("../../src/api.rs"),
        include_str!("../../src/branch.rs"),
        include_str!("../../src/builder.rs"),
        include_str!("../../src/scene.rs"),
        include_str!("../../src/scene_multiplayer/auth.rs"),
        include_str!("../../src/scene_multiplayer/mod.rs"),
        include_str!("../../src/tree/arena.rs"),
    ]
    .concat();
    let mut unknown = Vec::new();
    for (_, kind, name, place) in table() {
        let Here::Is(path) = place else { continue };
        let ours = path.rsplit("::").next().unwrap_or_default();
        let getter = kind == "method" && (name.starts_with("get_") || name.starts_with("is_"));
        if getter && ours != name && !sources.contains(&format!("doc(alias = \"{name}\")")) {
            unknown.push(name);
        }
    }
    assert_eq!(unknown, [] as [&str; 0]);
}

#[test]
fn constants_have_godots_numbers() {
    let api = super::api();
    let ours = [
        ("RPC_MODE_DISABLED", RpcMode::Disabled),
        ("RPC_MODE_ANY_PEER", RpcMode::AnyPeer),
        ("RPC_MODE_AUTHORITY", RpcMode::Authority),
    ];
    let godots = api["classes"]["MultiplayerAPI"]["constants"].as_object().unwrap();
    assert_eq!(godots.len(), ours.len());
    for (name, mode) in ours {
        assert_eq!(godots[name], mode as i32, "{name}");
    }
}
