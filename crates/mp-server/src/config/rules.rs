//! Rules for the content of texts: addresses, names, origins, URLs.

use std::net::{IpAddr, SocketAddr};

use mp_cluster::ClusterName;
use mp_cluster::directory::ClusterNodeName;
use mp_core::AddressPrefix;
use mp_identity::{HttpUrl, Token as IdentityToken};
use mp_rooms::{Code, RoomName};

use crate::admin::Token;
use crate::link;

use super::address::BindAddress;
use super::key::TextRule;

/// Address to listen on.
pub(crate) static LISTEN: TextRule =
    rule("ADDRESS:PORT", "an IP address and a port, such as 0.0.0.0:7777 or *:7777", |text| {
        text.parse::<BindAddress>().is_ok()
    });

/// Address to listen on, or off, of each transport.
pub(crate) static LISTEN_ENET: TextRule = rule(
    "ADDRESS:PORT",
    "an IP address and a port, such as 0.0.0.0:7777 or *:7777, or off",
    is_listen_or_off,
);
pub(crate) static LISTEN_WEBSOCKET: TextRule = rule(
    "ADDRESS:PORT",
    "an IP address and a port, such as 0.0.0.0:7778 or *:7778, or off",
    is_listen_or_off,
);
pub(crate) static LISTEN_SIGNALING: TextRule = rule(
    "ADDRESS:PORT",
    "an IP address and a port, such as 0.0.0.0:9080 or *:9080, or off",
    is_listen_or_off,
);
pub(crate) static LISTEN_WEBRTC: TextRule = rule(
    "ADDRESS:PORT",
    "an IP address and a port, such as 0.0.0.0:7779 or *:7779, or off",
    is_listen_or_off,
);

pub(crate) static LISTEN_ADMIN: TextRule = rule(
    "ADDRESS:PORT",
    "an IP address and a port, such as 127.0.0.1:7780 or 0.0.0.0:7780, or off",
    is_listen_or_off,
);

pub(crate) static LISTEN_MATCH: TextRule = rule(
    "ADDRESS:PORT",
    "an IP address and a port, such as 0.0.0.0:7781 or *:7781, or off",
    is_listen_or_off,
);

/// Address that players can reach, with or without a port.
pub(crate) static ADVERTISED: TextRule = rule(
    "ADDRESS,…",
    "an IP address that players can reach, with a port if it differs from the listener's, such as 203.0.113.7 or 203.0.113.7:7779",
    |text| {
        advertised(text)
            .is_some_and(|address| !address.ip().is_unspecified() && !address.ip().is_multicast())
    },
);

/// Address or network.
pub(crate) static NETWORK: TextRule = rule(
    "NETWORK,…",
    "an IP address or a network, such as 203.0.113.7 or 203.0.113.0/24",
    |text| text.parse::<AddressPrefix>().is_ok(),
);

/// URL of a STUN or TURN server.
pub(crate) static ICE_SERVER: TextRule = rule(
    "URL,…",
    "a URL of STUN or TURN, such as stun:HOST:PORT, turn:HOST:PORT or turns:HOST:PORT?transport=tcp",
    |text| is_turn(text) || text.starts_with("stun:") || text.starts_with("stuns:"),
);

/// Origin of web pages.
pub(crate) static ORIGIN: TextRule = rule(
    "ORIGIN,…",
    "an origin: a scheme, a host and an optional port, such as https://game.example or http://localhost:8000",
    |text| {
        let (scheme, host) = text.split_once("://").unwrap_or_default();
        let is_known = ["http", "https"].contains(&scheme);
        is_known && !host.is_empty() && !host.contains(['/', '?', '#', '@', ' '])
    },
);

/// Name of a server in URLs.
pub(crate) static HOST_NAME: TextRule = rule(
    "HOST,…",
    "a name of this server without scheme and port, such as mp.example.com",
    |text| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        !text.is_empty() && text.chars().all(is_part)
    },
);

/// Name or address of a server in URLs.
pub(crate) static PUBLIC_HOST: TextRule = rule(
    "HOST",
    "a name without scheme and port, such as game.example.com, or an IP address",
    |text| text.parse::<IpAddr>().is_ok() || (HOST_NAME.is_valid)(text),
);

/// Name of a server in a certificate.
pub(crate) static DOMAIN: TextRule = rule(
    "NAME,…",
    "a name in the DNS such as game.example.com, without scheme, port and asterisk",
    |text| {
        let is_label = |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-');
        text.len() <= 253
            && text.parse::<IpAddr>().is_err()
            && (HOST_NAME.is_valid)(text)
            && text.split('.').all(is_label)
    },
);

/// Authority of certificates.
pub(crate) static AUTHORITY: TextRule = rule(
    "AUTHORITY",
    "letsencrypt, letsencrypt-staging, or the URL of an ACME directory such as https://HOST/PATH",
    |text| {
        let is_url = text.starts_with("https://") && HttpUrl::new(text).is_ok();
        is_url || ["letsencrypt", "letsencrypt-staging"].contains(&text)
    },
);

/// Mail address.
pub(crate) static MAIL: TextRule =
    rule("ADDRESS,…", "a mail address such as ops@example.com, without mailto:", |text| {
        let is_clean = |c: char| c.is_ascii_graphic() && !",;:<>?".contains(c);
        let parts = text.split_once('@');
        parts.is_some_and(|(user, host)| !user.is_empty() && (HOST_NAME.is_valid)(host))
            && text.chars().all(is_clean)
    });

/// Text of a server list.
pub(crate) static SHORT_TEXT: TextRule = rule("TEXT", "a text of 1 to 64 bytes", |text| {
    (1..=64).contains(&text.len()) && !text.chars().any(char::is_control)
});

/// Content of a packet of the program.
pub(crate) static PACKET: TextRule =
    rule("TEXT", "a text of 1 to 1024 bytes", |text| (1..=1_024).contains(&text.len()));

/// Key of the metadata of rooms.
pub(crate) static METADATA_KEY: TextRule =
    rule("KEY,…", "a key of at most 256 bytes", |text| (1..=256).contains(&text.len()));

/// Token of the admin API.
pub(crate) static ADMIN_TOKEN: TextRule = TextRule {
    noun: "TOKEN,…",
    takes: "NAME:SCOPES:SECRET, where the scopes are of read, rooms, peers and server, joined by +, and the secret is at least 16 characters long or sha256: with 64 hexadecimal digits",
    is_valid: |text| text.parse::<Token>().is_ok(),
    is_secret: true,
};

/// URL of a NATS server. A user is in the credentials file: URLs are shown in messages.
pub(crate) static NATS_SERVERS: TextRule =
    rule("URL,…", "URLs such as nats://HOST:4222 or tls://HOST:4222, without a user", |text| {
        let address = text.strip_prefix("nats://").or_else(|| text.strip_prefix("tls://"));
        address.is_some_and(|address| !address.is_empty() && !address.contains('@'))
    });

/// Name of a cluster.
pub(crate) static CLUSTER_NAME: TextRule =
    rule("NAME", "1 to 32 ASCII letters, digits, hyphens and underscores", |text| {
        text.parse::<ClusterName>().is_ok()
    });

/// Name of a node of a cluster.
pub(crate) static NODE_NAME: TextRule =
    rule("NAME", "1 to 64 ASCII letters, digits, hyphens, underscores and dots", |text| {
        text.parse::<ClusterNodeName>().is_ok()
    });

/// Name of a room, a template or a room type.
pub(crate) static NAME: TextRule =
    rule("NAME", "1 to 64 ASCII letters, digits, hyphens, underscores and dots", is_name);

/// Code of a private room.
pub(crate) static CODE: TextRule = TextRule {
    noun: "CODE",
    takes: "1 to 64 bytes long",
    is_valid: |text| Code::new(text).is_ok(),
    is_secret: true,
};

/// Key of the hosts of tunnels.
pub(crate) static HOST_KEY: TextRule = TextRule {
    noun: "KEY",
    takes: "16 to 4096 bytes long",
    is_valid: |text| text.len() >= HOST_KEY_BYTES_MIN && IdentityToken::new(text).is_ok(),
    is_secret: true,
};

/// Bytes of a key of hosts: more than can be guessed, if they are random.
const HOST_KEY_BYTES_MIN: usize = 16;

/// Path of a file.
pub(crate) static FILE: TextRule =
    rule("FILE", "the path of a file", |text| !text.trim().is_empty());

/// Path of a directory.
pub(crate) static DIRECTORY: TextRule =
    rule("DIRECTORY", "the path of a directory", |text| !text.trim().is_empty());

/// Delay of a simulated link.
pub(crate) static LINK_DELAY: TextRule =
    rule("TIME", link::DELAY_TAKES, |text| link::delay(text).is_some());

/// Part of the datagrams of a simulated link.
pub(crate) static LINK_PERCENTAGE: TextRule =
    rule("PERCENTAGE", link::PERCENTAGE_TAKES, |text| link::percentage(text).is_some());

/// Filter of log events.
pub(crate) static LOG_FILTER: TextRule =
    rule("FILTER", "a filter of log events, such as info or info,mp_scene=debug", |text| {
        !text.trim().is_empty() && tracing_subscriber::EnvFilter::try_new(text).is_ok()
    });

/// URL of a service.
pub(crate) static HTTP_URL: TextRule =
    rule("URL", "a URL such as https://HOST/PATH, without user name and fragment", |text| {
        HttpUrl::new(text).is_ok()
    });

/// File or URL of a JWK set.
pub(crate) static JWKS: TextRule = rule(
    "FILE or URL",
    "the path of a file, or a URL such as https://HOST/PATH",
    |text| match text.contains("://") {
        true => HttpUrl::new(text).is_ok(),
        false => !text.trim().is_empty(),
    },
);

/// Name of a program or a service.
pub(crate) static WORDS: TextRule =
    rule("NAME", "a text that is not empty", |text| !text.trim().is_empty());

/// Secret that is shared with other programs or with players.
pub(crate) static SECRET: TextRule = TextRule {
    noun: "SECRET",
    takes: "a text that is not empty",
    is_valid: |text| !text.is_empty(),
    is_secret: true,
};

const fn rule(noun: &'static str, takes: &'static str, is_valid: fn(&str) -> bool) -> TextRule {
    TextRule { noun, takes, is_valid, is_secret: false }
}

/// Parses an address to announce; port 0 if none is given.
pub(crate) fn advertised(text: &str) -> Option<SocketAddr> {
    let with_port = |ip: IpAddr| SocketAddr::new(ip, 0);
    text.parse().ok().or_else(|| text.parse().ok().map(with_port))
}

/// Returns whether a URL is that of a TURN server.
pub(crate) fn is_turn(url: &str) -> bool {
    url.starts_with("turn:") || url.starts_with("turns:")
}

pub(crate) fn is_name(text: &str) -> bool {
    RoomName::new(text).is_ok()
}

fn is_listen_or_off(text: &str) -> bool {
    text == OFF || text.parse::<BindAddress>().is_ok()
}

/// Value of an address that disables its transport.
pub(crate) const OFF: &str = "off";
