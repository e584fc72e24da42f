//! Settings of the HTTP port for matchmaking.

use super::proxies::{PROXY_NETWORKS, TRUSTED_PROXIES};
use crate::config::key::{Key, Kind, Preset};
use crate::config::rules::{LISTEN_MATCH, ORIGIN, PUBLIC_HOST};

pub(super) const MATCH: &[Key] = &[
    Key::new(
        "address",
        Kind::Text(&LISTEN_MATCH),
        Preset::Text("off"),
        "Address of the HTTP port for matchmaking: an IP address and a TCP port, or off

It has POST /v1/match/VERB/TEMPLATE, GET /v1/lobby/TEMPLATE and /v1/queue/TEMPLATE for the templates \
whose setting matchmaking is on. The port has no TLS: over the internet, use a reverse proxy.",
    )
    .flag("match"),
    Key::new(
        "public_host",
        Kind::Text(&PUBLIC_HOST),
        Preset::Unset("the host of the request"),
        "Name or IP address of this server in the addresses that players receive

Also in the lines that the start prints, and as a rule of server queries. For a server behind a NAT, \
in a container or behind a proxy.",
    )
    .example(r#""game.example.com""#)
    .flag("public-address")
    .formerly(&["public_address"]),
    Key::new(
        "allowed_origins",
        Kind::Texts(&ORIGIN),
        Preset::EmptyList,
        "Origins of the web pages whose scripts may use matchmaking, such as games in browsers; * \
stands for all",
    )
    .example(r#"["https://game.example.com"]"#),
    Key::new(
        "requests_per_second",
        Kind::Number { min: 0, max: 1_000 },
        Preset::Number(5),
        "Maximum rate of requests from one IP address; 0: no limit

Ten seconds of requests may be sent at once. All addresses of an IPv6 network of 64 bits count as one. \
Behind a reverse proxy, all players have its address unless trusted_proxies is set.",
    ),
    TRUSTED_PROXIES,
    PROXY_NETWORKS,
];
