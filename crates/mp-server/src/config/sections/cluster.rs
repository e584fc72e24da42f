//! Settings of the section `cluster`.

use crate::config::key::{Key, Kind, Preset};
use crate::config::rules::{CLUSTER_NAME, FILE, NATS_SERVERS, NODE_NAME, SECRET, WORDS};

pub(super) const CLUSTER: &[Key] = &[
    Key::new(
        "servers",
        Kind::Texts(&NATS_SERVERS),
        Preset::EmptyList,
        "URLs of the NATS servers that connect the servers of the cluster

nats://HOST:4222, or tls://HOST:4222 with TLS. NATS must be version 2.11 or later, with JetStream. \
mp-server needs its feature cluster.",
    )
    .example(r#"["nats://10.0.0.5:4222"]"#)
    .flag("cluster"),
    Key::new(
        "name",
        Kind::Text(&CLUSTER_NAME),
        Preset::Text("mp"),
        "Name of the cluster: servers with the same name have their rooms in common",
    ),
    Key::new(
        "node",
        Kind::Text(&NODE_NAME),
        Preset::Unset("none, only a random id"),
        "Name of this server in the cluster, for operators",
    )
    .example(r#""game-1""#),
    Key::new(
        "advertise",
        Kind::Table,
        Preset::Unset("those of the listeners, with the host of match.public_host"),
        "Addresses at which players reach this server, which they receive from the other servers

By kind: enet = \"HOST:PORT\", or dtls://HOST:PORT; websocket and webrtc (of the signaling): URLs such \
as wss://HOST/; match: a URL such as https://HOST/, of the port for matchmaking. Without this setting \
and match.public_host, listeners with an address of their own have that one, and those on all \
addresses none.",
    )
    .example(r#"{ enet = "game-1.example.com:7777", websocket = "wss://game-1.example.com/" }"#),
    Key::new("user", Kind::Text(&WORDS), Preset::Unset("none"), "User of NATS, with its password")
        .example(r#""mp""#),
    Key::new(
        "password",
        Kind::Text(&SECRET),
        Preset::Unset("none"),
        "Password of the user, better set as MP_CLUSTER__PASSWORD",
    )
    .example(r#""PASSWORD""#),
    Key::new(
        "credentials_file",
        Kind::Text(&FILE),
        Preset::Unset("none"),
        "File with the credentials of a user of NATS (.creds), instead of a password",
    )
    .example(r#""/etc/mp-server/nats.creds""#),
    Key::new(
        "ca_file",
        Kind::Text(&FILE),
        Preset::Unset("those of the system"),
        "File (PEM) with the authorities of the certificates of NATS",
    )
    .example(r#""/etc/mp-server/nats-ca.pem""#),
    Key::new(
        "replicas",
        Kind::Number { min: 1, max: 5 },
        Preset::Number(1),
        "Number of NATS servers that store the directory, if this server creates it; with 3, one may \
         fail",
    ),
    Key::new(
        "snapshot_interval",
        Kind::Seconds { min: 1, max: 3_600 },
        Preset::Number(5),
        "Seconds between two snapshots of a room, from which another server goes on if this one fails

They are stored only if the state has changed. After players have joined or left, there is one within \
half a second.",
    ),
    Key::new(
        "snapshot_max_bytes",
        Kind::Bytes { min: 1_024, max: 64 << 20 },
        Preset::Number(16 << 20),
        "Maximum size of a snapshot in bytes; a larger one is counted and not stored",
    ),
    Key::new(
        "without_snapshot",
        Kind::Word(&["empty", "end"]),
        Preset::Text("empty"),
        "The fate of a room without a snapshot whose server fails: empty (created anew), end",
    ),
];
