//! Settings of the section `identity`.

use crate::config::key::{Key, Kind, Preset};
use crate::config::rules::{FILE, HTTP_URL, JWKS, SECRET, WORDS};

pub(super) const IDENTITY: &[Key] = &[
    Key::new(
        "method",
        Kind::Word(&["open", "secret", "token", "call-out"]),
        Preset::Text("open"),
        "Way in which players authenticate: open, secret, token or call-out

open: everyone may play. secret: players know a common secret. token: players have tokens (JWT) \
that another service has signed. call-out: another service decides, by an HTTP request for each \
player.",
    ),
    Key::new(
        "secret",
        Kind::Text(&SECRET),
        Preset::Unset("none"),
        "Secret, better set as MP_IDENTITY__SECRET

method secret: the token of all players. token: the key for HS256, at least 32 bytes. call-out: \
sent to the service as Authorization: Bearer SECRET.",
    )
    .example(r#""SECRET""#),
    Key::new(
        "public_key",
        Kind::Text(&FILE),
        Preset::Unset("none"),
        "File with the public key (PEM) that verifies tokens: Ed25519 or ECDSA on P-256",
    )
    .example(r#""token.pub""#),
    Key::new(
        "jwks",
        Kind::Text(&JWKS),
        Preset::Unset("none"),
        "File or URL of a JWK set with the public keys that verify tokens

A set from a URL is fetched at the start, every hour, and at most once a minute for an unknown key.",
    )
    .example(r#""https://login.example/.well-known/jwks.json""#),
    Key::new(
        "audience",
        Kind::Text(&WORDS),
        Preset::Text("mp-server"),
        "Name of this server, which the claim aud of each token must contain",
    ),
    Key::new(
        "issuer",
        Kind::Text(&WORDS),
        Preset::Unset("any issuer"),
        "Issuer that the claim iss of each token must name",
    )
    .example(r#""https://login.example""#),
    Key::new(
        "leeway",
        Kind::Seconds { min: 0, max: 3_600 },
        Preset::Number(30),
        "Tolerated difference of clocks in seconds: tokens are valid so much earlier and longer",
    ),
    Key::new(
        "single_use",
        Kind::Switch,
        Preset::Switch(false),
        "Require an id (jti) in each token, and accept each token once",
    ),
    Key::new(
        "url",
        Kind::Text(&HTTP_URL),
        Preset::Unset("none"),
        "URL of the service that decides about players (call-out)

The request is POST with {\"token\": …, \"address\": …, \"room\": …}. Status 200 with {\"sub\": \
\"kay\"} accepts; 401 or 403 with {\"code\": …, \"text\": …} refuses, and the player receives both.",
    )
    .example(r#""https://game.example/login""#),
    Key::new(
        "timeout",
        Kind::Seconds { min: 1, max: 60 },
        Preset::Number(2),
        "Seconds after which an HTTP request has failed

A Godot client disconnects after 3 s (auth_timeout), and then does not receive the reason.",
    ),
    Key::new(
        "max_requests",
        Kind::Number { min: 1, max: 4_096 },
        Preset::Number(64),
        "Maximum number of requests to the service at once",
    ),
    Key::new(
        "max_queued",
        Kind::Number { min: 0, max: 65_536 },
        Preset::Number(256),
        "Maximum number of players that wait for a request, or for the keys; further ones are refused",
    ),
    Key::new(
        "failures_per_minute",
        Kind::Number { min: 0, max: 1_000_000 },
        Preset::Number(10),
        "Maximum number of failed attempts per minute from one IP address; 0: no limit

All addresses of an IPv6 network of 64 bits count as one.",
    ),
    Key::new(
        "same_player",
        Kind::Word(&["replace", "reject", "allow"]),
        Preset::Text("replace"),
        "Treatment of a player who is connected already, in any room: replace, reject or allow

replace: its earlier connection is disconnected, if the new one may join. reject: the new one is \
refused. allow: both stay.",
    ),
];
