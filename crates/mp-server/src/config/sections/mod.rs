//! The table of all settings: the only place that lists them.
//!
//! The commented default, the validation of values, the names of environment variables, and the
//! flags of the command line with their help are derived from it.

mod acme;
mod admin;
mod cluster;
mod identity;
mod limits;
mod link;
mod listeners;
mod matchmaking;
mod process;
mod proxies;
mod query;
mod rooms;
mod snapshots;
mod transports;

use super::section::{Section, Shape};
use acme::ACME;
use admin::ADMIN;
use cluster::CLUSTER;
use identity::IDENTITY;
use limits::LIMITS;
use link::LINK;
use listeners::{LISTEN_SHORT, LISTENERS};
use matchmaking::MATCH;
use process::{LOG, SHUTDOWN, TOP};
use query::{AGONES, QUERY};
use rooms::{ROOM, TEMPLATE};
use snapshots::SNAPSHOTS;
use transports::{ENET, TLS, WEBRTC, WEBSOCKET};

pub(crate) static SECTIONS: &[Section] = &[
    Section { name: "", shape: Shape::Single, help: "", keys: TOP },
    Section {
        name: "listen",
        shape: Shape::Single,
        help: "Addresses to listen on, one per transport

For several listeners of a transport, or listeners with settings of their own, write [[listen]] \
tables instead.",
        keys: LISTEN_SHORT,
    },
    Section {
        name: "listen",
        shape: Shape::List,
        help: "Listeners in full, instead of the table [listen]",
        keys: LISTENERS,
    },
    Section {
        name: "tls",
        shape: Shape::Single,
        help: "Certificate for WebSocket over TLS (wss://) and for DTLS",
        keys: TLS,
    },
    Section {
        name: "acme",
        shape: Shape::Single,
        help: "Certificates from an authority such as Let's Encrypt (ACME)",
        keys: ACME,
    },
    Section { name: "enet", shape: Shape::Single, help: "ENet", keys: ENET },
    Section { name: "websocket", shape: Shape::Single, help: "WebSocket", keys: WEBSOCKET },
    Section { name: "webrtc", shape: Shape::Single, help: "WebRTC", keys: WEBRTC },
    Section {
        name: "identity",
        shape: Shape::Single,
        help: "Authentication of players

A player sends its token as token=TOKEN: in the query of the URL, or in the first authentication \
packet. The claims of a token are in the help of `mp-server token`.",
        keys: IDENTITY,
    },
    Section {
        name: "limits",
        shape: Shape::Single,
        help: "Limits of the whole server and of each player",
        keys: LIMITS,
    },
    Section {
        name: "template",
        shape: Shape::Named,
        help: "Templates of rooms

The template `default` always exists. Rooms and listeners that name no template use it. After a \
reload, new rooms have the new settings; of the rooms that were created at the start, max_players, \
locked, private, code and metadata change as well.",
        keys: TEMPLATE,
    },
    Section {
        name: "room",
        shape: Shape::List,
        help: "Rooms that are created at the start",
        keys: ROOM,
    },
    Section {
        name: "snapshots",
        shape: Shape::Single,
        help: "States of hosted games on disk",
        keys: SNAPSHOTS,
    },
    Section {
        name: "match",
        shape: Shape::Single,
        help: "HTTP port for matchmaking: players request seats in rooms",
        keys: MATCH,
    },
    Section {
        name: "admin",
        shape: Shape::Single,
        help: "HTTP port for operators: admin API and health",
        keys: ADMIN,
    },
    Section {
        name: "query",
        shape: Shape::Single,
        help: "Queries of server lists on the ENet port",
        keys: QUERY,
    },
    Section {
        name: "agones",
        shape: Shape::Single,
        help: "Sidecar of Agones, on Kubernetes",
        keys: AGONES,
    },
    Section {
        name: "cluster",
        shape: Shape::Single,
        help: "Rooms in common with other servers, which NATS connects

Each server takes players of the rooms of all. Without servers, this server is alone.",
        keys: CLUSTER,
    },
    Section {
        name: "link",
        shape: Shape::Single,
        help: "Simulated conditions of all connections, for development

They need dev = true, and apply to each direction of a connection once it is established. Of \
WebSocket connections latency and bytes_per_second apply.",
        keys: LINK,
    },
    Section { name: "log", shape: Shape::Single, help: "Log on standard error", keys: LOG },
    Section { name: "shutdown", shape: Shape::Single, help: "End of the server", keys: SHUTDOWN },
];
