//! Coverage of Godot's classes: each member has a counterpart in this crate, or a reason why not,
//! and Godot's default.

use std::fs;
use std::path::Path;

use mp_transport_ws::ServerOptions;
use serde_json::Value;

/// Members of Godot's classes with their counterparts.
const HERE: &[(&str, &str)] = &[
    ("create_client", "WebSocketMultiplayerPeer::create_client"),
    ("create_server", "WebSocketMultiplayerPeer::create_server"),
    ("get_peer", "WebSocketMultiplayerPeer::peer_info"),
    ("get_peer_address", "WebSocketPeerInfo::address"),
    ("get_peer_port", "WebSocketPeerInfo::address"),
    ("supported_protocols", "ServerOptions::supported_protocols"),
    ("handshake_headers", "ServerOptions::handshake_headers"),
    ("inbound_buffer_size", "ServerOptions::inbound_buffer_size"),
    ("outbound_buffer_size", "ServerOptions::outbound_buffer_size"),
    ("handshake_timeout", "ServerOptions::handshake_timeout"),
    ("max_queued_packets", "ServerOptions::max_queued_packets"),
    (
        "heartbeat_interval",
        "ServerOptions::heartbeat_interval, WebSocketMultiplayerPeer::set_heartbeat_interval",
    ),
    ("close", "WebSocketMultiplayerPeer::close_peer"),
    ("get_close_code", "LastClose::code"),
    ("get_close_reason", "LastClose::reason"),
    ("get_connected_host", "WebSocketPeerInfo::address"),
    ("get_connected_port", "WebSocketPeerInfo::address"),
    ("get_current_outbound_buffered_amount", "WebSocketPeerInfo::current_outbound_buffered_amount"),
    ("get_requested_url", "WebSocketPeerInfo::requested_url"),
    ("get_selected_protocol", "WebSocketPeerInfo::selected_protocol"),
    ("set_no_delay", "WebSocketMultiplayerPeer::set_no_delay"),
    ("poll", "MultiplayerPeer::poll"),
];

/// Members without a counterpart, with the reason.
const NEVER: &[(&str, &str)] = &[
    (
        "accept_stream",
        "a server accepts connections itself; WebSocketMultiplayerPeer::server accepts those of any source",
    ),
    ("connect_to_url", "a client connects when it is created"),
    ("get_ready_state", "a reported connection is open; its end is an event"),
    ("send", "packets are sent through MultiplayerPeer::send, as binary messages"),
    ("send_text", "packets are binary"),
    ("was_string_packet", "a text message is a packet"),
];

fn classes() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/godot4/ws_api.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str::<Value>(&text).unwrap()["classes"].take()
}

#[test]
fn every_member_has_a_place() {
    let mut missing = Vec::new();
    for (class, members) in classes().as_object().unwrap() {
        let names = |kind: &str| members[kind].as_array().unwrap().clone();
        for member in names("properties").into_iter().chain(names("methods")) {
            let name = member["name"].as_str().unwrap();
            // Getters and setters of a property are covered by the property.
            let property = name.strip_prefix("get_").or_else(|| name.strip_prefix("set_"));
            let is_known = |name: &str| HERE.iter().chain(NEVER).any(|(known, _)| *known == name);
            if !is_known(name) && !property.is_some_and(is_known) {
                missing.push(format!("{class}.{name}"));
            }
        }
    }
    assert_eq!(missing, [] as [&str; 0]);
}

#[test]
fn every_place_exists() {
    let files = [
        "options/mod.rs",
        "peer.rs",
        "peer/create.rs",
        "peer/multiplayer_peer.rs",
        "info.rs",
        "proto/session.rs",
    ];
    let source = files.map(|file| {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file)).unwrap()
    });
    let source = source.concat() + "fn poll(";
    for (member, places) in HERE {
        for place in places.split(", ") {
            let (_, name) = place.split_once("::").unwrap();
            let is_there =
                source.contains(&format!("fn {name}(")) || source.contains(&format!("pub {name}:"));
            assert!(is_there, "{member}: {place} does not exist");
        }
    }
}

#[test]
fn defaults_are_godots() {
    let options = ServerOptions::default();
    let settings = options.web_socket_settings();
    let classes = classes();
    for class in ["WebSocketMultiplayerPeer", "WebSocketPeer"] {
        for property in classes[class]["properties"].as_array().unwrap() {
            let ours = match property["name"].as_str().unwrap() {
                "supported_protocols" => {
                    format!("PackedStringArray({})", settings.supported_protocols.join(","))
                }
                "handshake_headers" => {
                    format!("PackedStringArray({})", settings.handshake_headers.join(","))
                }
                "inbound_buffer_size" => settings.inbound_buffer_size.to_string(),
                "outbound_buffer_size" => settings.outbound_buffer_size.to_string(),
                "max_queued_packets" => settings.max_queued_packets.to_string(),
                "handshake_timeout" => format!("{:.1}", settings.handshake_timeout.as_secs_f64()),
                "heartbeat_interval" => format!("{:.1}", settings.heartbeat_interval.as_secs_f64()),
                other => panic!("the default of {other} is not checked"),
            };
            assert_eq!(property["default"], ours, "{class}.{}", property["name"]);
        }
    }
}
