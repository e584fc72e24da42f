//! Settings of the transports and of TLS.

use super::proxies::PROXY_NETWORKS;
use crate::config::key::{Key, Kind, Preset};
use crate::config::rules::{ADVERTISED, FILE, ICE_SERVER, ORIGIN, SECRET};

pub(super) const TLS: &[Key] = &[
    Key::new(
        "cert",
        Kind::Text(&FILE),
        Preset::Unset("no TLS"),
        "Certificate chain (PEM) for WebSocket over TLS: wss:// instead of ws://

Requires the key. When the files are replaced, new players receive the new certificate within \
seconds; connected players stay. `mp-server cert` creates a pair for development.",
    )
    .example(r#""server.crt""#)
    .flag("tls-cert")
    .formerly(&["certificate", "cert_file"]),
    Key::new(
        "key",
        Kind::Text(&FILE),
        Preset::Unset("no TLS"),
        "Private key (PEM) of the certificate",
    )
    .example(r#""server.key""#)
    .flag("tls-key")
    .formerly(&["private_key", "key_file"]),
];

pub(super) const ENET: &[Key] = &[
    Key::new(
        "dtls",
        Kind::Switch,
        Preset::Switch(false),
        "Encrypt ENet as well (DTLS) with the same certificate, which must have an ECDSA key and no chain

Requires a certificate and its key. All ENet players must then call dtls_client_setup after \
create_client: peer.host.dtls_client_setup(\"HOST\", TLSOptions.client(load(\"res://server.crt\"))).",
    )
    .flag("dtls"),
    Key::new(
        "shards",
        Kind::Number { min: 1, max: 64 },
        Preset::Number(1),
        "Number of threads for ENet, 1 to 64

Players are distributed among them. The room runs on another thread, except with 1. More than one \
thread requires Linux, and helps rooms that overload one core.",
    )
    .flag("shards")
    .formerly(&["threads"]),
    Key::new(
        "flush_interval",
        Kind::Number { min: 0, max: 16 },
        Preset::Number(1),
        "Milliseconds for which packets of a busy ENet listener are collected, 0 to 16

More packets then share datagrams and system calls, and a packet waits for half of the interval on \
average. With 0 everything is sent at once. A listener with fewer than eight players does not wait.",
    )
    .flag("flush-interval"),
];

pub(super) const WEBSOCKET: &[Key] = &[
    Key::new(
        "allowed_origins",
        Kind::Texts(&ORIGIN),
        Preset::EmptyList,
        "Origins of the web pages whose scripts may join; all if the list is empty

For example https://game.example. Scripts of other pages are rejected. Programs other than browsers \
send no origin and may always join.",
    )
    .example(r#"["https://game.example"]"#)
    .flag("allow-origin")
    .now()
    .formerly(&["allow_origin", "allow_origins"]),
    Key::new(
        "trusted_proxies",
        Kind::Number { min: 0, max: 16 },
        Preset::Number(0),
        "Number of reverse proxies in front of the WebSocket port, whose X-Forwarded-For is trusted

For example 1 for one nginx. Each proxy must append the address of its client. With 0 the header is \
ignored, since players can forge it.",
    )
    .flag("trusted-proxies"),
    PROXY_NETWORKS,
    Key::new(
        "ping",
        Kind::Seconds { min: 0, max: 3_600 },
        Preset::Unset("25 with trusted proxies, else 0"),
        "Seconds between pings to a WebSocket player, up to 3600; 0 for none

Proxies close idle connections: nginx and many load balancers after 60 s. A player who does not \
answer a ping is disconnected.",
    )
    .example("25")
    .flag("ws-ping")
    .formerly(&["heartbeat_interval", "ping_interval", "ws_ping"]),
];

pub(super) const WEBRTC: &[Key] = &[
    Key::new(
        "advertise",
        Kind::Texts(&ADVERTISED),
        Preset::EmptyList,
        "Addresses announced to WebRTC players; those of this machine if the list is empty

For a room behind a NAT or in a container: the public IP address, with a port if it differs from \
the listener's (203.0.113.7 or 203.0.113.7:7779).",
    )
    .example(r#"["203.0.113.7"]"#)
    .flag("webrtc-advertise")
    .formerly(&["node_ip", "public_address"]),
    Key::new(
        "ice_servers",
        Kind::Texts(&ICE_SERVER),
        Preset::EmptyList,
        "URLs of STUN and TURN servers for WebRTC players

For players whose network blocks UDP to this machine: turns:turn.example:443?transport=tcp. TURN \
servers need the TURN secret. Only clients with the script of `mp-server gdscript` or with mp.js of \
examples/web use them.",
    )
    .example(r#"["turns:turn.example:443?transport=tcp"]"#)
    .flag("ice-servers")
    .now(),
    Key::new(
        "turn_secret",
        Kind::Text(&SECRET),
        Preset::Unset("none"),
        "Secret that the TURN servers share with this program, better set as MP_TURN_SECRET

As coturn's use-auth-secret and static-auth-secret. Each player receives a user name that is valid \
for 12 hours.",
    )
    .example(r#""SECRET""#)
    .flag("turn-secret")
    .now(),
    Key::new(
        "channels",
        Kind::Words(&["reliable", "unreliable", "unreliable_ordered"]),
        Preset::EmptyList,
        "Modes of the transfer channels 1, 2, … of WebRTC players (reliable, unreliable or \
unreliable_ordered)

The game must pass the same channels_config; packets on a channel that the remote peer lacks are \
lost. By default players use only channel 0, and receive packets of all channels on it.",
    )
    .example(r#"["reliable", "unreliable_ordered"]"#)
    .flag("webrtc-channels"),
    Key::new(
        "silence_timeout",
        Kind::Seconds { min: 0, max: 3_600 },
        Preset::Number(30),
        "Time without a packet after which a WebRTC player is disconnected, in seconds; 0: no limit

A browser answers for a page whose game has stopped. Players that only listen stay: the room probes \
a silent player, and the game answers. Browsers stop games in hidden tabs.",
    )
    .flag("webrtc-silence"),
];
