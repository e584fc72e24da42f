//! Conversion of values to the typed configuration, and the rules between several settings.

mod acme;
mod cluster;
mod host;
mod identity;
mod link;
mod listeners;
mod matchmaking;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use mp_core::TransferMode;
use mp_rooms::RoomHost;
use mp_toml::did_you_mean;

use crate::config::env;
use crate::config::error::{Problem, Problems};
use crate::config::rules;
use crate::config::section::{Section, Shape, section};
use crate::config::types::{
    AdminConfig, AgonesConfig, EnetConfig, LimitsConfig, ListenConfig, LogConfig, LogFormat,
    ProxyConfig, QueryConfig, RateConfig, RoomConfig, Secret, ShutdownConfig, SnapshotsConfig,
    TemplateConfig, TlsConfig, Transport, WebRtcConfig, WebSocketConfig,
};
use crate::config::values::{DEFAULT, Origin, Table, Values};
use crate::config::{Config, Sources};

/// Converts values, of which each is valid by itself, and checks them together.
pub(in crate::config) fn build(
    values: Values,
    sources: Sources,
    problems: &mut Problems,
) -> Config {
    let mut builder = Builder { values: &values, problems };
    let listen = builder.listeners();
    Config {
        tls: builder.tls(),
        acme: builder.acme(),
        enet: enet(&values),
        websocket: builder.websocket(&listen),
        webrtc: builder.webrtc(&listen),
        identity: builder.identity(),
        limits: builder.limits(),
        templates: builder.templates(),
        rooms: builder.rooms(),
        snapshots: snapshots(&values),
        matchmaking: builder.matchmaking(),
        admin: admin(&values),
        query: query(&values),
        agones: AgonesConfig {
            enabled: values.single("agones").switch("enabled").unwrap_or_default(),
        },
        cluster: builder.cluster(),
        dev: values.single("").switch("dev").unwrap_or_default(),
        link: builder.link(),
        log: log(&values),
        shutdown: ShutdownConfig {
            drain_timeout: seconds(values.single("shutdown"), "drain_timeout"),
        },
        listen,
        values,
        sources,
    }
}

struct Builder<'v> {
    values: &'v Values,
    problems: &'v mut Problems,
}

impl Builder<'_> {
    /// Reports an error at a setting. `message` follows its name.
    fn report(&mut self, table: &Table, key: &str, message: impl AsRef<str>, help: Option<String>) {
        let name = named(table, key, &Origin::Default);
        let message = format!("{name} {}", message.as_ref());
        self.problems.push(Problem::new(table.origin_of(key), message).help(help));
    }

    /// Reports a name of a template that does not exist.
    fn check_name(&mut self, table: &Table, key: &str, section: &'static Section) {
        let Some(name) = table.text(key).filter(|_| table.entry(key).is_some()) else { return };
        let values = self.values;
        if values.find(section, &name).is_some() {
            return;
        }
        let names: Vec<_> = values.of(section).map(|it| it.name.as_str()).take(NAMES_MAX).collect();
        let near = did_you_mean(&name, names.iter().copied());
        let help = match near {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("templates: {}", names.join(", ")),
        };
        self.report(table, key, format!("{name:?} does not exist"), Some(help));
    }

    fn tls(&mut self) -> Option<TlsConfig> {
        let tls = self.values.single("tls");
        match (tls.text("cert"), tls.text("key")) {
            (Some(cert), Some(key)) => Some(TlsConfig { cert: cert.into(), key: key.into() }),
            (None, None) => None,
            (cert, _) => {
                let (has, lacks) = if cert.is_some() { ("cert", "key") } else { ("key", "cert") };
                let message = format!("needs {}", named(tls, lacks, tls.origin_of(has)));
                self.report(tls, has, message, None);
                None
            }
        }
    }

    fn websocket(&mut self, listeners: &[ListenConfig]) -> WebSocketConfig {
        let table = self.values.single("websocket");
        let is_behind_proxy = listeners.iter().any(|listener| listener.trusted_proxies > 0);
        let default = if is_behind_proxy { PING_BEHIND_PROXIES } else { 0 };
        let ping = Duration::from_secs(table.number("ping").unwrap_or(default));
        WebSocketConfig {
            allowed_origins: table.list("allowed_origins"),
            proxy_networks: proxies(table).networks,
            ping,
        }
    }

    fn webrtc(&mut self, listeners: &[ListenConfig]) -> WebRtcConfig {
        let table = self.values.single("webrtc");
        let advertise = table.list("advertise");
        let has_webrtc = listeners.iter().any(|it| it.transport == Transport::WebRtc);
        if !advertise.is_empty() && !has_webrtc {
            let message = format!("{} has no effect without WebRTC", advertise.join(","));
            let help = "omit it or give WebRTC an address".to_owned();
            self.report(table, "advertise", message, Some(help));
        }
        let ice_servers = table.list("ice_servers");
        let turn_secret = table.text("turn_secret").map(Secret::new);
        if let Some(url) = ice_servers.iter().find(|url| rules::is_turn(url))
            && turn_secret.is_none()
        {
            let secret = named(table, "turn_secret", table.origin_of("ice_servers"));
            let message = format!(
                "{url} needs {secret}: the secret that the TURN server shares with this program"
            );
            self.report(table, "ice_servers", message, None);
        }
        let mode = |word: &String| match word.as_str() {
            "reliable" => TransferMode::Reliable,
            "unreliable" => TransferMode::Unreliable,
            _ => TransferMode::UnreliableOrdered,
        };
        WebRtcConfig {
            advertise: advertise.iter().filter_map(|text| rules::advertised(text)).collect(),
            ice_servers,
            turn_secret,
            channels: table.list("channels").iter().map(mode).collect(),
            silence_timeout: seconds(table, "silence_timeout"),
        }
    }

    fn limits(&mut self) -> LimitsConfig {
        let table = self.values.single("limits");
        let packet = table.number("max_packet_size").unwrap_or(32 << 20);
        let queue = table.number("max_reliable_queue").unwrap_or(64 << 20);
        if packet > queue {
            const WHY: &str = "a player that is sent such a packet would be disconnected";
            let help = "lower the packet size or raise the queue".to_owned();
            let (key, other, message) = match table.entry("max_packet_size") {
                Some(_) => ("max_packet_size", "max_reliable_queue", "exceeds"),
                None => ("max_reliable_queue", "max_packet_size", "is less than"),
            };
            let number = |key| table.number::<i64>(key).unwrap_or_default();
            let (this, that) = (number(key), number(other));
            let other = named(table, other, table.origin_of(key));
            let message = format!("{this} {message} {other} {that}: {WHY}");
            self.report(table, key, message, Some(help));
        }
        LimitsConfig {
            max_clients: table.number("max_clients").unwrap_or(256),
            max_clients_per_address: table.number("max_clients_per_address"),
            handshakes_per_second: not_zero(table, "handshakes_per_second"),
            rates: rates(table),
            max_rate_excess: some_seconds(table, "max_rate_excess"),
            max_packet_size: packet,
            max_reliable_queue: queue,
            max_rooms: table.number("max_rooms").unwrap_or(10_000),
            max_rooms_per_owner: not_zero(table, "max_rooms_per_owner"),
            max_memory: not_zero(table, "max_memory"),
            max_lateness: not_zero(table, "max_lateness").map(Duration::from_millis),
            ban_file: table.text("ban_file").map(Into::into),
        }
    }

    fn templates(&mut self) -> BTreeMap<String, TemplateConfig> {
        let mut templates = BTreeMap::new();
        for table in self.values.named("template") {
            let code = table.text("code").map(Secret::new);
            let private = table.switch("private").unwrap_or_default();
            if code.is_some() && !private {
                self.report(
                    table,
                    "code",
                    "has no effect: the rooms are not private",
                    Some("add private = true".to_owned()),
                );
            }
            if private && code.is_none() {
                let help = "add a code, or set private = false".to_owned();
                self.report(table, "private", NEEDS_CODE, Some(help));
            }
            let auto_create = table.switch("auto_create").unwrap_or(true);
            let host = self.host(table);
            let is_matched = auto_create && host != RoomHost::Tunnel;
            let migration = self.migration(table, host);
            let template = TemplateConfig {
                room_type: table.text("type").unwrap_or_else(|| "relay".to_owned()),
                max_players: table.number("max_players").unwrap_or(256),
                auto_create,
                empty_timeout: some_seconds(table, "empty_timeout"),
                departure_timeout: some_seconds(table, "departure_timeout"),
                relay: table.switch("relay").unwrap_or(true),
                host,
                host_key: self.host_key(table, host),
                host_grace: seconds(table, "host_grace"),
                keep: self.keep(table, migration.as_ref()),
                migration,
                private,
                code,
                locked: table.switch("locked").unwrap_or_default(),
                own_thread: table.switch("own_thread").unwrap_or_default(),
                moves: self.moves(table, host),
                resume: self.resume(table),
                notify: table.switch("notify").unwrap_or_default(),
                record: self.record(table, host),
                metadata: table.texts("metadata").unwrap_or_default(),
                rates: rates(table),
                matchmaking: table.switch("matchmaking").unwrap_or(is_matched),
                seat_timeout: seconds(table, "seat_timeout"),
                player_metadata: table.list("player_metadata"),
                queue: self.queue(table),
            };
            templates.insert(table.name.clone(), template);
        }
        templates
    }

    fn rooms(&mut self) -> Vec<RoomConfig> {
        let mut rooms = Vec::new();
        let mut names: HashMap<String, String> = HashMap::new();
        for table in self.values.list("room") {
            let Some(name) = table.text("name") else { continue };
            if let Some(other) = names.insert(name.clone(), table.name.clone()) {
                let message = format!("{name:?} is the name of room number {other} already");
                self.report(table, "name", message, None);
            }
            self.check_name(table, "template", section("template", Shape::Named));
            let of_template = section("template", Shape::Named);
            let template = table.text("template").unwrap_or_else(|| DEFAULT.to_owned());
            let template = self.values.find(of_template, &template);
            let has_code = table.entry("code").is_some()
                || template.is_some_and(|template| template.entry("code").is_some());
            if table.switch("private") == Some(true) && !has_code {
                let help = "add a code, or set private = false".to_owned();
                self.report(table, "private", NEEDS_CODE, Some(help));
            }
            rooms.push(RoomConfig {
                name,
                template: table.text("template").unwrap_or_else(|| DEFAULT.to_owned()),
                max_players: table.number("max_players"),
                private: table.switch("private"),
                code: table.text("code").map(Secret::new),
                locked: table.switch("locked"),
                metadata: table.texts("metadata"),
            });
        }
        rooms
    }
}

fn enet(values: &Values) -> EnetConfig {
    let table = values.single("enet");
    EnetConfig {
        shards: table.number("shards").unwrap_or(1),
        flush_interval: Duration::from_millis(table.number("flush_interval").unwrap_or(1)),
    }
}

fn admin(values: &Values) -> AdminConfig {
    let table = values.single("admin");
    let tokens = table.list("tokens").into_iter().map(Secret::new);
    AdminConfig {
        address: table.text("address").and_then(|text| text.parse().ok()),
        is_default_address: table.entry("address").is_none(),
        tokens: tokens.collect(),
        token_file: table.text("token_file").map(Into::into),
        allowed_hosts: table.list("allowed_hosts"),
        allowed_origins: table.list("allowed_origins"),
        proxies: proxies(table),
    }
}

/// Returns the proxies in front of the HTTP port of a section.
fn proxies(table: &Table) -> ProxyConfig {
    // Texts that are no networks have been reported.
    let networks = table.list("proxy_networks");
    let networks = networks.iter().filter_map(|text| text.parse().ok()).collect();
    ProxyConfig { count: table.number("trusted_proxies").unwrap_or_default(), networks }
}

fn snapshots(values: &Values) -> SnapshotsConfig {
    let table = values.single("snapshots");
    SnapshotsConfig {
        folder: table.text("folder").map(Into::into),
        max_bytes: table.number("max_bytes").unwrap_or(256 << 20),
        max_age: seconds(table, "max_age"),
    }
}

fn query(values: &Values) -> QueryConfig {
    let table = values.single("query");
    let text = |key| table.text(key).unwrap_or_default();
    QueryConfig {
        enabled: table.switch("enabled").unwrap_or_default(),
        name: text("name"),
        game: text("game"),
        map: text("map"),
        player_names: table.switch("player_names").unwrap_or_default(),
    }
}

fn log(values: &Values) -> LogConfig {
    let table = values.single("log");
    let format = match table.text("format").as_deref() {
        Some("json") => LogFormat::Json,
        _ => LogFormat::Text,
    };
    LogConfig { filter: table.text("filter").unwrap_or_else(|| "info".to_owned()), format }
}

fn rates(table: &Table) -> RateConfig {
    RateConfig {
        packets_per_second: not_zero(table, "packets_per_second"),
        packets_burst: not_zero(table, "packets_burst"),
        bytes_per_second: not_zero(table, "bytes_per_second"),
        bytes_burst: not_zero(table, "bytes_burst"),
    }
}

/// Returns a number; `None` if it is 0 or not set.
fn not_zero<N: TryFrom<i64> + Default + PartialEq>(table: &Table, key: &str) -> Option<N> {
    table.number(key).filter(|number| *number != N::default())
}

fn seconds(table: &Table, key: &str) -> Duration {
    Duration::from_secs(table.number(key).unwrap_or_default())
}

fn some_seconds(table: &Table, key: &str) -> Option<Duration> {
    not_zero(table, key).map(Duration::from_secs)
}

/// Returns the name of a setting for the reader of a message about a value from `reader`: a flag, a
/// variable, or a path in the file. A setting with a value has the name that its source uses.
fn named(table: &Table, key: &str, reader: &Origin) -> String {
    let origin = table.entry(key).map_or(reader, |entry| &entry.origin);
    let flag = table.section.key(key).and_then(|key| key.flag);
    match (origin, flag) {
        (Origin::Environment(name), _) if table.entry(key).is_some() => name.clone(),
        (Origin::Environment(_), Some(flag)) => env::of_flag(flag),
        (Origin::Flag(_), Some(flag)) => format!("--{flag}"),
        _ => table.path(key),
    }
}

/// Seconds between pings behind a proxy: nginx closes a connection after 60 s, and one ping may be
/// lost.
const PING_BEHIND_PROXIES: u64 = 25;
const NEEDS_CODE: &str = "needs a code, without which any player could join";
/// Maximum number of names in a message.
const NAMES_MAX: usize = 20;
