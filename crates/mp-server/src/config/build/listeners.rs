//! Listeners: from `[listen]`, from `[[listen]]`, and those that flags and variables replace.

use std::collections::HashMap;

use super::{Builder, named};
use crate::config::address::BindAddress;
use crate::config::section::{Shape, section};
use crate::config::types::{ListenConfig, RoomSelection, Transport};
use crate::config::values::{DEFAULT, Origin, Table};

impl Builder<'_> {
    /// Returns the listeners. Flags and variables replace the listeners of their transports.
    pub(super) fn listeners(&mut self) -> Vec<ListenConfig> {
        let values = self.values;
        let short = values.single("listen");
        let in_full: Vec<&Table> = values.list("listen").collect();
        let mut listeners: Vec<(ListenConfig, &Table, &str)> = Vec::new();
        for (transport, name) in TRANSPORTS {
            let is_given = short.entry(name).is_some_and(|it| !it.origin.is_file_or_default());
            if in_full.is_empty() || is_given {
                let address = short.text(name);
                let address = address.or_else(|| self.default_webrtc(&listeners));
                if let Some(address) = address.and_then(|text| text.parse().ok()) {
                    listeners.push((self.listener(None, transport, address), short, name));
                }
                continue;
            }
            for table in in_full.iter().filter(|it| it.text("transport").as_deref() == Some(name)) {
                if let Some(address) = table.text("address").and_then(|text| text.parse().ok()) {
                    let listener = self.listener(Some(table), transport, address);
                    listeners.push((listener, table, "address"));
                }
            }
        }
        self.check_listeners(&listeners);
        listeners.into_iter().map(|(listener, ..)| listener).collect()
    }

    /// Returns the default address of WebRTC if there is a listener for its signaling.
    fn default_webrtc(&self, listeners: &[(ListenConfig, &Table, &str)]) -> Option<String> {
        let has_signaling = listeners.iter().any(|(it, ..)| SIGNALING.contains(&it.transport));
        let in_full = self.values.list("listen").next().is_some();
        (has_signaling && !in_full).then(|| WEBRTC_DEFAULT.to_owned())
    }

    fn listener(
        &self,
        table: Option<&Table>,
        transport: Transport,
        address: BindAddress,
    ) -> ListenConfig {
        let values = self.values;
        let has_certificate = values.single("tls").entry("cert").is_some() || self.has_acme();
        let tls = match transport {
            Transport::Enet => values.single("enet").switch("dtls").unwrap_or_default(),
            Transport::WebSocket | Transport::Signaling => has_certificate,
            Transport::WebRtc => false,
        };
        let proxies = values.single("websocket").number("trusted_proxies").unwrap_or(0);
        let select = table.and_then(|table| table.text("select"));
        ListenConfig {
            transport,
            address,
            room: table.and_then(|table| table.text("room")),
            template: table
                .and_then(|table| table.text("template"))
                .unwrap_or_else(|| DEFAULT.to_owned()),
            select: match select.as_deref() {
                Some("path") => RoomSelection::Path,
                Some("query") => RoomSelection::Query,
                Some("auth") => RoomSelection::Auth,
                _ => RoomSelection::Fixed,
            },
            tls: table.and_then(|table| table.switch("tls")).unwrap_or(tls),
            trusted_proxies: table
                .and_then(|table| table.number("trusted_proxies"))
                .unwrap_or(proxies),
        }
    }

    /// Returns whether an authority issues the certificate.
    fn has_acme(&self) -> bool {
        !self.values.single("acme").list("domains").is_empty()
    }

    fn check_listeners(&mut self, listeners: &[(ListenConfig, &Table, &str)]) {
        let values = self.values;
        let has = |transport| listeners.iter().any(|(it, ..)| it.transport == transport);
        let (short, tls) = (values.single("listen"), values.single("tls"));
        let has_players = [Transport::Enet, Transport::WebSocket, Transport::WebRtc].map(has);
        if !has_players.contains(&true) {
            let key = if short.entry("websocket").is_some() { "websocket" } else { "enet" };
            let by = short.origin_of(key);
            let (enet, ws) = (named(short, "enet", by), named(short, "websocket", by));
            let message = format!(
                "leaves no transport: {enet} and {ws} are off; give one of them an address"
            );
            self.report(short, key, message, None);
        }
        let mut bound: HashMap<(bool, BindAddress), String> = HashMap::new();
        for (listener, table, key) in listeners {
            let (transport, address) = (listener.transport, listener.address);
            let is_tcp = SIGNALING.contains(&transport);
            if transport == Transport::WebRtc && !SIGNALING.map(has).contains(&true) {
                let by = table.origin_of(key);
                let (ws, own) = (named(short, "websocket", by), named(short, "signaling", by));
                let message = format!(
                    "{address} needs {ws} or {own}: WebRTC players find the room through the WebSocket port or a port \
                     for signaling"
                );
                let help = "give one of them an address or leave WebRTC out".to_owned();
                self.report(table, key, message, Some(help));
            }
            if transport == Transport::Signaling && !has(Transport::WebRtc) {
                let message = format!("{address} has no effect without WebRTC");
                let help = "omit it or give WebRTC an address".to_owned();
                self.report(table, key, message, Some(help));
            }
            let is_url = transport != Transport::Enet;
            if matches!(listener.select, RoomSelection::Path | RoomSelection::Query) && !is_url {
                self.report(
                    table,
                    "select",
                    "needs a URL, which ENet does not have",
                    Some("use fixed or auth".to_owned()),
                );
            }
            if listener.tls && transport == Transport::Enet && self.has_acme() {
                let (enet, acme) = (values.single("enet"), values.single("acme"));
                let table = if table.entry("tls").is_some() { table } else { enet };
                let key = if table.entry("tls").is_some() { "tls" } else { "dtls" };
                let domains = named(acme, "domains", table.origin_of(key));
                let message = format!("excludes {domains}: {NO_CHAIN}");
                self.report(table, key, message, Some(OWN_CERTIFICATE.to_owned()));
            } else if listener.tls && tls.entry("cert").is_none() && !self.has_acme() {
                let key = if table.entry("tls").is_some() { "tls" } else { "dtls" };
                let table = if key == "tls" { table } else { values.single("enet") };
                let by = table.origin_of(key);
                let (cert, file) = (named(tls, "cert", by), named(tls, "key", by));
                let message = format!("needs {cert} and {file}");
                self.report(table, key, message, None);
            }
            if transport == Transport::WebRtc && table.entry("tls").is_some() {
                self.report(table, "tls", "has no effect: WebRTC is always encrypted", None);
            }
            if !is_tcp && table.entry("trusted_proxies").is_some() {
                self.report(table, "trusted_proxies", "applies to WebSocket only", None);
            }
            self.check_name(table, "template", section("template", Shape::Named));
            if address.port == 0 {
                continue;
            }
            if let Some(other) =
                bound.insert((is_tcp, address), named(table, key, &Origin::Default))
            {
                let message = format!("{address} is the address of {other} already");
                self.report(table, key, message, None);
            }
        }
    }
}

/// Transports and their names; WebRTC after those that have its signaling.
const TRANSPORTS: [(Transport, &str); 4] = [
    (Transport::Enet, "enet"),
    (Transport::WebSocket, "websocket"),
    (Transport::Signaling, "signaling"),
    (Transport::WebRtc, "webrtc"),
];
/// Transports with signaling of WebRTC, both over TCP.
const SIGNALING: [Transport; 2] = [Transport::WebSocket, Transport::Signaling];
/// Default address of WebRTC.
const WEBRTC_DEFAULT: &str = "*:7779";
const NO_CHAIN: &str = "ENet's DTLS supports no chain, which certificates of authorities have";
const OWN_CERTIFICATE: &str =
    "let a proxy serve WebSocket, and set tls.cert and tls.key to files of mp-server cert";
