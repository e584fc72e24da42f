//! Settings of listeners.

use crate::config::key::{Key, Kind, Preset};
use crate::config::rules::{
    LISTEN, LISTEN_ENET, LISTEN_SIGNALING, LISTEN_WEBRTC, LISTEN_WEBSOCKET, NAME,
};

pub(super) const LISTEN_SHORT: &[Key] = &[
    Key::new(
        "enet",
        Kind::Text(&LISTEN_ENET),
        Preset::Text("*:7777"),
        "Address for ENet players: an IP address and a UDP port, or off

* stands for all addresses of this machine: IPv6 and IPv4, or IPv4 alone if there is no IPv6. \
0.0.0.0 stands for all IPv4 addresses, [::] for all IPv6 and IPv4 addresses. With port 0 the system \
chooses a free port; the port is printed.",
    )
    .flag("enet"),
    Key::new(
        "websocket",
        Kind::Text(&LISTEN_WEBSOCKET),
        Preset::Text("*:7778"),
        "Address for WebSocket players, such as games in browsers: an IP address and a TCP port, or off

They share the room with the ENet players. GET /healthz on this port responds with 200 while the \
room is open.",
    )
    .flag("ws")
    .formerly(&["ws"]),
    Key::new(
        "webrtc",
        Kind::Text(&LISTEN_WEBRTC),
        Preset::Unset("*:7779; off without signaling"),
        "Address for WebRTC players: an IP address and a UDP port, or off

With WebRTC a game in a browser has unreliable packets, as over ENet. Signaling is at the path \
/webrtc of the WebSocket port, in the protocol of Godot's WebRTC signaling demo (a JOIN without a \
lobby name). These players share the room with the others. `mp-server gdscript` prints the script \
that joins. Players need no STUN or TURN server; the room responds to their connectivity checks and \
sends none itself (ICE-lite).",
    )
    .example(r#""*:7779""#)
    .flag("webrtc"),
    Key::new(
        "signaling",
        Kind::Text(&LISTEN_SIGNALING),
        Preset::Text("off"),
        "Address for the signaling of WebRTC players alone: an IP address and a TCP port, or off

Without it, signaling is only at the path /webrtc of the WebSocket port; WebRTC without WebSocket \
requires it. The port responds to signaling on the paths / and /webrtc, and to GET /healthz.",
    )
    .flag("webrtc-signaling"),
];

pub(super) const LISTENERS: &[Key] = &[
    Key::new(
        "transport",
        Kind::Word(&["enet", "websocket", "webrtc", "signaling"]),
        Preset::Required,
        "Transport: enet, websocket, webrtc, or signaling for that of WebRTC players alone",
    )
    .example(r#""enet""#),
    Key::new(
        "address",
        Kind::Text(&LISTEN),
        Preset::Required,
        "IP address and port; * stands for all addresses of this machine",
    )
    .example(r#""*:7777""#),
    Key::new(
        "room",
        Kind::Text(&NAME),
        Preset::Unset("the room `default`"),
        "Room of players who select none",
    )
    .example(r#""lobby""#),
    Key::new(
        "template",
        Kind::Text(&NAME),
        Preset::Text("default"),
        "Template of the rooms that players may select on this listener",
    ),
    Key::new(
        "select",
        Kind::Word(&["fixed", "path", "query", "auth"]),
        Preset::Text("fixed"),
        "How a player selects a room: fixed, path, query or auth

fixed: all players of the listener join its room. path and query: by the URL, for example /arena or \
?room=arena (not over ENet); a WebRTC player sends arena as the name of the lobby. auth: by the \
first authentication packet.",
    ),
    Key::new(
        "tls",
        Kind::Switch,
        Preset::Unset("true for WebSocket with a certificate; enet.dtls for ENet"),
        "Encrypt with the certificate of [tls]",
    )
    .example("true"),
    Key::new(
        "trusted_proxies",
        Kind::Number { min: 0, max: 16 },
        Preset::Unset("websocket.trusted_proxies"),
        "Number of reverse proxies in front of this WebSocket listener",
    )
    .example("1"),
];
