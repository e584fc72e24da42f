//! Settings of the HTTP port for operators.

use super::proxies::{PROXY_NETWORKS, TRUSTED_PROXIES};
use crate::config::key::{Key, Kind, Preset};
use crate::config::rules::{ADMIN_TOKEN, FILE, HOST_NAME, LISTEN_ADMIN, ORIGIN};

pub(super) const ADMIN: &[Key] = &[
    Key::new(
        "address",
        Kind::Text(&LISTEN_ADMIN),
        Preset::Text("127.0.0.1:7780"),
        "Address of the HTTP port for operators: an IP address and a TCP port, or off

It has the admin API at /v1, and GET /livez and /readyz for load balancers. If another program uses \
the default port, the server starts without the admin API. An address that other machines can reach \
needs a token. The port has no TLS: reach it through SSH or a reverse proxy.",
    )
    .flag("admin"),
    Key::new(
        "tokens",
        Kind::Texts(&ADMIN_TOKEN),
        Preset::EmptyList,
        "Tokens of the admin API: NAME:SCOPES:SECRET

The scopes read, rooms, peers and server are joined by +. The secret is sha256: and the SHA-256 of \
a token in hexadecimal digits, or the token itself. `mp-server ctl new-token` makes tokens. Without \
tokens, the server prints a link at its start with which the first one can be made within ten \
minutes.",
    )
    .example(
        r#"["grafana:read:sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]"#,
    )
    .now(),
    Key::new(
        "token_file",
        Kind::Text(&FILE),
        Preset::Unset("tokens made with the link end with the process"),
        "File with further tokens, one per line

The server adds the token that is made with the link, as its SHA-256. A reload reads the file again.",
    )
    .example(r#""admin-tokens""#),
    Key::new(
        "allowed_hosts",
        Kind::Texts(&HOST_NAME),
        Preset::EmptyList,
        "Names of this server in the URLs of the admin API, besides localhost and IP addresses

Requests with other names are refused: the page of a foreign name that resolves to this machine \
could otherwise use the port.",
    )
    .example(r#"["mp.example.com"]"#),
    Key::new(
        "allowed_origins",
        Kind::Texts(&ORIGIN),
        Preset::EmptyList,
        "Origins of the web pages of other servers that may use the admin API",
    )
    .example(r#"["https://ops.example.com"]"#),
    TRUSTED_PROXIES,
    PROXY_NETWORKS,
];
