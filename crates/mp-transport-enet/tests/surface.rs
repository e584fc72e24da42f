//! Godot's public ENet interface: for each member of `ENetMultiplayerPeer`, `ENetConnection` and
//! `ENetPacketPeer`, the name here or the reason why it is missing, and the values of all
//! constants.

use std::collections::BTreeSet;

use mp_tls::CertificateStore;
use mp_transport_enet::proto::{
    CompressionMode, HostEvent, HostSettings, HostStatistic, PacketFlags, PeerState, PeerStatistic,
};
use mp_transport_enet::{
    ClientOptions, EnetConnection, EnetMesh, EnetMultiplayerPeer, EnetPacketPeer, ServerOptions,
};
use serde_json::Value;

type Peer = EnetMultiplayerPeer;
type Connection = EnetConnection;
type PacketPeer = EnetPacketPeer<'static>;

/// The counterpart of a member of Godot.
enum Here {
    /// The path of the counterpart.
    Is(&'static str),
    /// The reason why there is no counterpart.
    Never(&'static str),
}
use Here::Never;

/// The path of an item, which must exist to compile. Functions with `impl Trait` arguments are
/// called with arguments of which only the types matter.
macro_rules! is {
    ($owner:ident :: $function:ident ( $($arg:expr),* )) => {{
        let _ = |it: &mut $owner| {
            let _ = it.$function($($arg),*);
        };
        Here::Is(concat!(stringify!($owner), "::", stringify!($function)))
    }};
    ($owner:ident :: $variant:ident { $($field:ident),* }) => {{
        let _ = |it: &$owner| matches!(it, $owner::$variant { $($field: _,)* .. });
        Here::Is(concat!(stringify!($owner), "::", stringify!($variant)))
    }};
    ($owner:ident :: $name:ident) => {{
        let _ = $owner::$name;
        Here::Is(concat!(stringify!($owner), "::", stringify!($name)))
    }};
}

/// A value of which only the type matters.
fn some<T>() -> T {
    unreachable!("never called")
}

/// The rows: class, kind, name, counterpart.
#[rustfmt::skip]
fn table() -> Vec<(&'static str, &'static str, &'static str, Here)> {
    let (multiplayer, connection, peer) = ("ENetMultiplayerPeer", "ENetConnection", "ENetPacketPeer");
    vec![
        (multiplayer, "property", "host", is!(Peer::host)),
        (multiplayer, "method", "get_host", is!(Peer::host)),
        (multiplayer, "method", "create_server", is!(Peer::create_server)),
        (multiplayer, "method", "create_client", is!(Peer::create_client)),
        (multiplayer, "method", "create_mesh", is!(Peer::create_mesh)),
        (multiplayer, "method", "add_mesh_peer", is!(EnetMesh::add_mesh_peer(some(), some::<Connection>()))),
        // The address of a server is an argument of its constructor.
        (multiplayer, "method", "set_bind_ip", is!(ClientOptions::bind_ip)),
        (multiplayer, "method", "get_peer", is!(Peer::peer)),

        (connection, "method", "create_host_bound", is!(Connection::create_host_bound)),
        (connection, "method", "create_host", is!(Connection::create_host)),
        (connection, "method", "destroy", Never("drop the connection; close disconnects first")),
        (connection, "method", "connect_to_host", is!(Connection::connect_to_host)),
        (connection, "method", "service", is!(Connection::service)),
        (connection, "method", "flush", is!(Connection::flush)),
        (connection, "method", "bandwidth_limit", is!(Connection::bandwidth_limit)),
        (connection, "method", "channel_limit", is!(Connection::channel_limit)),
        (connection, "method", "broadcast", is!(Connection::broadcast(0, "", PacketFlags::RELIABLE))),
        (connection, "method", "compress", is!(Connection::compress)),
        (connection, "method", "dtls_server_setup", is!(Connection::dtls_server_setup(some::<CertificateStore>()))),
        (connection, "method", "dtls_client_setup", is!(Connection::dtls_client_setup("", some()))),
        (connection, "method", "refuse_new_connections", is!(Connection::refuse_new_connections)),
        (connection, "method", "pop_statistic", is!(Connection::pop_statistic)),
        (connection, "method", "get_max_channels", is!(Connection::max_channels)),
        (connection, "method", "get_local_port", is!(Connection::local_addr)),
        (connection, "method", "get_peers", is!(Connection::peers())),
        (connection, "method", "socket_send", is!(Connection::socket_send)),

        (peer, "method", "peer_disconnect", is!(PacketPeer::peer_disconnect)),
        (peer, "method", "peer_disconnect_later", is!(PacketPeer::peer_disconnect_later)),
        (peer, "method", "peer_disconnect_now", is!(PacketPeer::peer_disconnect_now)),
        (peer, "method", "ping", is!(PacketPeer::ping)),
        (peer, "method", "ping_interval", is!(PacketPeer::ping_interval)),
        (peer, "method", "reset", is!(PacketPeer::reset)),
        (peer, "method", "send", is!(PacketPeer::send(0, "", PacketFlags::RELIABLE))),
        (peer, "method", "throttle_configure", is!(PacketPeer::throttle_configure)),
        (peer, "method", "set_timeout", is!(PacketPeer::set_timeout)),
        (peer, "method", "get_packet_flags", is!(HostEvent::Packet { flags })),
        (peer, "method", "get_remote_address", is!(PacketPeer::remote_address)),
        (peer, "method", "get_remote_port", is!(PacketPeer::remote_address)),
        (peer, "method", "get_statistic", is!(PacketPeer::statistic)),
        (peer, "method", "get_state", is!(PacketPeer::state)),
        (peer, "method", "get_channels", is!(PacketPeer::channels)),
        (peer, "method", "is_active", is!(PacketPeer::is_active)),
    ]
}

/// Returns the interface that Godot 4.6.3 reports.
fn api() -> Value {
    let text = include_str!("../../../testdata/godot4/enet_api.json");
    serde_json::from_str(text).expect("enet_api.json must be valid JSON")
}

#[test]
fn every_member_has_a_row() {
    let api = api();
    let mut godots = BTreeSet::new();
    for (class, members) in api["classes"].as_object().unwrap() {
        for (kind, list) in
            [("property", "properties"), ("method", "methods"), ("signal", "signals")]
        {
            for member in members[list].as_array().unwrap() {
                godots.insert((class.as_str(), kind, member["name"].as_str().unwrap()));
            }
        }
    }
    let table = table();
    let rows: BTreeSet<_> =
        table.iter().map(|(class, kind, name, _)| (*class, *kind, *name)).collect();
    assert_eq!(rows.len(), table.len(), "duplicate row");
    assert_eq!(rows, godots);
    for (.., name, here) in &table {
        let (Here::Is(text) | Never(text)) = here;
        assert!(!text.is_empty(), "{name}");
    }
}

#[test]
fn every_constant_has_godots_number() {
    let mut ours = vec![
        ("EVENT_NONE", 0, "no event"),
        ("EVENT_CONNECT", 1, "HostEvent::Connected"),
        ("EVENT_DISCONNECT", 2, "HostEvent::Disconnected"),
        ("EVENT_RECEIVE", 3, "HostEvent::Packet"),
        ("EVENT_ERROR", -1, "a socket's errors are counted: SocketStats"),
        ("STATE_CONNECTION_PENDING", 3, "does not occur"),
        ("STATE_CONNECTION_SUCCEEDED", 4, "does not occur"),
        ("STATE_ZOMBIE", 9, "does not occur"),
        ("PACKET_LOSS_SCALE", PeerStatistic::PACKET_LOSS_SCALE.into(), "PeerStatistic"),
        ("PACKET_THROTTLE_SCALE", PeerStatistic::PACKET_THROTTLE_SCALE.into(), "PeerStatistic"),
        ("FLAG_RELIABLE", PacketFlags::RELIABLE.0.into(), "PacketFlags"),
        ("FLAG_UNSEQUENCED", PacketFlags::UNSEQUENCED.0.into(), "PacketFlags"),
        ("FLAG_UNRELIABLE_FRAGMENT", PacketFlags::UNRELIABLE_FRAGMENT.0.into(), "PacketFlags"),
        ("STATE_DISCONNECTED", PeerState::Disconnected as i64, "PeerState"),
        ("STATE_CONNECTING", PeerState::Connecting as i64, "PeerState"),
        ("STATE_ACKNOWLEDGING_CONNECT", PeerState::AcknowledgingConnect as i64, "PeerState"),
        ("STATE_CONNECTED", PeerState::Connected as i64, "PeerState"),
        ("STATE_DISCONNECT_LATER", PeerState::DisconnectLater as i64, "PeerState"),
        ("STATE_DISCONNECTING", PeerState::Disconnecting as i64, "PeerState"),
        ("STATE_ACKNOWLEDGING_DISCONNECT", PeerState::AcknowledgingDisconnect as i64, "PeerState"),
    ];
    let compression = [
        "COMPRESS_NONE",
        "COMPRESS_RANGE_CODER",
        "COMPRESS_FASTLZ",
        "COMPRESS_ZLIB",
        "COMPRESS_ZSTD",
    ];
    let modes = compression.into_iter().zip(CompressionMode::ALL.iter().copied());
    ours.extend(modes.map(|(name, mode)| (name, mode as i64, "CompressionMode")));
    let host = [
        "HOST_TOTAL_SENT_DATA",
        "HOST_TOTAL_SENT_PACKETS",
        "HOST_TOTAL_RECEIVED_DATA",
        "HOST_TOTAL_RECEIVED_PACKETS",
    ];
    let statistics = host.into_iter().zip(HostStatistic::ALL);
    ours.extend(statistics.map(|(name, statistic)| (name, statistic as i64, "HostStatistic")));
    let peer = [
        "PEER_PACKET_LOSS",
        "PEER_PACKET_LOSS_VARIANCE",
        "PEER_PACKET_LOSS_EPOCH",
        "PEER_ROUND_TRIP_TIME",
        "PEER_ROUND_TRIP_TIME_VARIANCE",
        "PEER_LAST_ROUND_TRIP_TIME",
        "PEER_LAST_ROUND_TRIP_TIME_VARIANCE",
        "PEER_PACKET_THROTTLE",
        "PEER_PACKET_THROTTLE_LIMIT",
        "PEER_PACKET_THROTTLE_COUNTER",
        "PEER_PACKET_THROTTLE_EPOCH",
        "PEER_PACKET_THROTTLE_ACCELERATION",
        "PEER_PACKET_THROTTLE_DECELERATION",
        "PEER_PACKET_THROTTLE_INTERVAL",
    ];
    let statistics = peer.into_iter().zip(PeerStatistic::ALL);
    ours.extend(statistics.map(|(name, statistic)| (name, statistic as i64, "PeerStatistic")));

    let api = api();
    let classes = api["classes"].as_object().unwrap().values();
    let godots: BTreeSet<(String, i64)> = classes
        .flat_map(|class| class["constants"].as_object().unwrap())
        .map(|(name, number)| (name.clone(), number.as_f64().unwrap() as i64))
        .collect();
    let ours: BTreeSet<(String, i64)> =
        ours.into_iter().map(|(name, number, _)| (name.to_owned(), number)).collect();
    assert_eq!(ours, godots);
}

#[test]
fn defaults_are_those_of_godots_arguments() {
    let api = api();
    let default = |class: &str, method: &str, argument: &str| -> u64 {
        let methods = api["classes"][class]["methods"].as_array().unwrap();
        let method = methods.iter().find(|it| it["name"] == method).unwrap();
        let argument = method["args"].as_array().unwrap().iter().find(|it| it["name"] == argument);
        argument.unwrap()["default"].as_str().unwrap().parse().unwrap()
    };
    let server = ServerOptions::default().host_settings();
    let peer = "ENetMultiplayerPeer";
    assert_eq!(default(peer, "create_server", "max_clients"), u64::from(server.max_peers));
    assert_eq!(
        default(peer, "create_server", "in_bandwidth"),
        u64::from(server.incoming_bandwidth)
    );
    assert_eq!(
        default(peer, "create_server", "out_bandwidth"),
        u64::from(server.outgoing_bandwidth)
    );
    // Any port, and all channels that there are.
    assert_eq!(default(peer, "create_client", "local_port"), 0);
    assert_eq!(default(peer, "create_client", "channel_count"), 0);
    let host = HostSettings::default();
    assert_eq!(default("ENetConnection", "create_host", "max_peers"), u64::from(host.max_peers));
    assert_eq!(default("ENetConnection", "create_host", "max_channels"), 0);
    assert_eq!(host.channel_limit, 255);
    assert_eq!((host.compression, host.checksum), (CompressionMode::None, false));
}
