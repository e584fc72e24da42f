//! The API covers Godot's classes: each member has a function, a row in the table of names, and its
//! default.

use std::fs;
use std::path::{Path, PathBuf};

use mp_core::{
    Channel, ConnectionStatus, MemoryMultiplayerPeer, PacketPeer, Target, TransferMode, godot3,
};
use serde_json::Value;

/// Members of Godot 4.6.3's `PacketPeer`, which the dump of the multiplayer classes does not
/// contain.
const PACKET_PEER: &[&str] = &[
    "encode_buffer_max_size",
    "get_available_packet_count",
    "get_encode_buffer_max_size",
    "get_packet",
    "get_packet_error",
    "get_var",
    "put_packet",
    "put_var",
    "set_encode_buffer_max_size",
];

/// Additional members of Godot 3.2.
const GODOT_3: &[&str] = &[
    "close_connection",
    "connection_failed",
    "connection_succeeded",
    "disconnect_peer",
    "peer_connected",
    "peer_disconnected",
    "poll",
    "refuse_new_connections",
    "server_disconnected",
    "transfer_mode",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path:?}: {error}"))
}

fn multiplayer_peer() -> Value {
    let mut api: Value = serde_json::from_str(&read("testdata/godot4/api.json")).unwrap();
    api["classes"]["MultiplayerPeer"].take()
}

fn names(members: &Value) -> Vec<String> {
    let members = members.as_array().expect("members are a list");
    members
        .iter()
        .map(|member| member["name"].as_str().expect("members have names").to_owned())
        .collect()
}

/// Returns whether a public function has this name or this doc alias.
fn is_implemented(source: &str, name: &str) -> bool {
    source.contains(&format!("pub fn {name}(")) || source.contains(&format!("alias = \"{name}\""))
}

#[test]
fn every_method_and_property_of_multiplayer_peer_exists() {
    let source = read("crates/mp-core/src/packet_peer.rs");
    let class = multiplayer_peer();
    let members = [names(&class["methods"]), names(&class["properties"])].concat();
    assert!(members.len() >= 20, "{members:?}");
    let missing: Vec<_> = members.iter().filter(|name| !is_implemented(&source, name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_method_and_property_of_packet_peer_exists() {
    let values = read("crates/mp-scene/src/packet_var.rs").replace("    fn ", "    pub fn ");
    let source = read("crates/mp-core/src/packet_peer.rs") + &values;
    let missing: Vec<_> =
        PACKET_PEER.iter().filter(|name| !is_implemented(&source, name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_signal_of_multiplayer_peer_exists() {
    let source = read("crates/mp-core/src/packet_peer.rs");
    for signal in names(&multiplayer_peer()["signals"]) {
        let pascal: String =
            signal.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        assert!(source.contains(&format!("    {pascal}(PeerId),")), "{pascal}");
    }
}

#[test]
fn constants_have_godots_numbers() {
    let constants = multiplayer_peer()["constants"].take();
    let constants = constants.as_object().expect("constants are an object");
    let ours = [
        ("CONNECTION_DISCONNECTED", godot3::CONNECTION_DISCONNECTED as i64),
        ("CONNECTION_CONNECTING", godot3::CONNECTION_CONNECTING as i64),
        ("CONNECTION_CONNECTED", godot3::CONNECTION_CONNECTED as i64),
        ("TARGET_PEER_BROADCAST", godot3::TARGET_PEER_BROADCAST.to_raw().into()),
        ("TARGET_PEER_SERVER", godot3::TARGET_PEER_SERVER.to_raw().into()),
        ("TRANSFER_MODE_UNRELIABLE", godot3::TRANSFER_MODE_UNRELIABLE.to_raw().into()),
        (
            "TRANSFER_MODE_UNRELIABLE_ORDERED",
            godot3::TRANSFER_MODE_UNRELIABLE_ORDERED.to_raw().into(),
        ),
        ("TRANSFER_MODE_RELIABLE", godot3::TRANSFER_MODE_RELIABLE.to_raw().into()),
    ];
    for (name, number) in ours {
        assert_eq!(constants[name].as_i64(), Some(number), "{name}");
    }
    assert_eq!(constants.len(), ours.len());
}

#[test]
fn defaults_match_godot() {
    let peer = PacketPeer::new(MemoryMultiplayerPeer::server());
    assert_eq!(peer.target_peer(), Target::All);
    assert_eq!(peer.transfer_mode(), TransferMode::Reliable);
    assert_eq!(peer.transfer_channel(), Channel(0));
    assert!(!peer.is_refusing_new_connections());
    assert_eq!(peer.encode_buffer_max_size(), 8_388_608);
    assert_eq!(peer.connection_status(), ConnectionStatus::Connected);
    assert!(peer.is_server_relay_supported());
    assert_eq!(peer.max_packet_size(), 16_777_216);
    assert_eq!(peer.available_packet_count(), 0);
}

#[test]
fn encode_buffer_size_is_a_power_of_two_within_limits() {
    let mut peer = PacketPeer::new(MemoryMultiplayerPeer::server());
    peer.set_encode_buffer_max_size(1_025).unwrap();
    assert_eq!(peer.encode_buffer_max_size(), 2_048);
    for rejected in [0, 1_023, (256 << 20) + 1] {
        assert_eq!(peer.set_encode_buffer_max_size(rejected).unwrap_err().godot_code(), 31);
        assert_eq!(peer.encode_buffer_max_size(), 2_048, "the setting stays");
    }
    peer.set_encode_buffer_max_size(256 << 20).unwrap();
    assert_eq!(peer.encode_buffer_max_size(), 256 << 20);
}

#[test]
fn every_member_has_a_row_in_the_table_of_names() {
    let table = read("crates/mp/guide/coming-from-godot.md");
    let class = multiplayer_peer();
    let mut members: Vec<String> = ["methods", "properties", "signals"]
        .iter()
        .flat_map(|kind| names(&class[kind]))
        .chain(class["constants"].as_object().expect("constants are an object").keys().cloned())
        .collect();
    members.extend(PACKET_PEER.iter().chain(GODOT_3).map(|&name| name.to_owned()));
    let missing: Vec<_> =
        members.iter().filter(|name| !table.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
