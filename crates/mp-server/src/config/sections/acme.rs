//! Settings of certificates from an authority.

use crate::config::key::{Key, Kind, Preset};
use crate::config::rules::{AUTHORITY, DOMAIN, FILE, LISTEN, MAIL};

pub(super) const ACME: &[Key] = &[
    Key::new(
        "domains",
        Kind::Texts(&DOMAIN),
        Preset::EmptyList,
        "Names of this server, for which it requests a certificate and renews it

Used by WebSocket and signaling (wss://), instead of the files of [tls]. Each name must resolve to \
this machine. Setting it accepts the terms of the authority.",
    )
    .example(r#"["game.example.com"]"#)
    .flag("domain")
    .formerly(&["domain", "names"]),
    Key::new(
        "directory",
        Kind::Text(&AUTHORITY),
        Preset::Text("letsencrypt"),
        "Authority: letsencrypt, letsencrypt-staging for tests, or the URL of another directory

Certificates of letsencrypt-staging are not trusted by browsers and games; its limits are higher.",
    )
    .flag("acme-directory"),
    Key::new(
        "address",
        Kind::Text(&LISTEN),
        Preset::Text("*:80"),
        "Address of the HTTP port for the authority: an IP address and a TCP port

The authority connects to port 80 of each name (challenge HTTP-01). With another port, a proxy must \
pass on the requests for /.well-known/acme-challenge/.",
    )
    .flag("acme-address"),
    Key::new(
        "contact",
        Kind::Texts(&MAIL),
        Preset::EmptyList,
        "Mail addresses that a new account has, to which some authorities write",
    )
    .example(r#"["ops@example.com"]"#),
    Key::new(
        "folder",
        Kind::Text(&FILE),
        Preset::Text("acme"),
        "Folder for the account, keys and certificates, which only the server can read

Keep it: authorities limit the number of new certificates.",
    ),
    Key::new(
        "ca",
        Kind::Text(&FILE),
        Preset::Unset("those of the system"),
        "Certificates (PEM) that the directory's own must be issued by, for a private authority",
    )
    .example(r#""root.crt""#),
];
