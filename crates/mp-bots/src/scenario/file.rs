//! The file: its tables other than steps.

use std::time::Duration;

use mp_core::link_shaper::LinkConditions;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ScenarioErrors;
use super::reader::{Mistakes, Table, described};
use super::steps::{self, STEP};
use super::{
    AnswerRule, BotTransport, MethodSource, NodeMethods, Phase, Scenario, ServerAddress, Step,
    Thresholds, TlsSettings,
};

/// Names at the top of a file.
const TOP: &[&str] = &[
    "server",
    "project",
    "first_peer_id",
    "seed",
    "tls",
    "link",
    "phase",
    "node",
    "do",
    "answer",
    "thresholds",
];
const TLS: &[&str] = &["ca", "name", "insecure"];
const LINK: &[&str] = &["latency", "jitter", "loss", "duplicates", "bytes_per_second"];
const PHASE: &[&str] = &["joins_per_second", "players", "for"];
const NODE: &[&str] = &["path", "script", "methods"];
const ANSWER: &[&str] = &["rpc", "with"];
const THRESHOLDS: &[&str] =
    &["join_p99", "rtt_p99", "lost_reliable", "failed_joins", "disconnects", "unmet_expectations"];

/// Maximum number of players of a scenario.
const PLAYERS_MAX: i64 = 100_000;
/// Maximum length of a file in bytes.
const FILE_BYTES_MAX: usize = 1 << 20;

pub(super) fn parse(file: &str, text: &str) -> Result<Scenario, ScenarioErrors> {
    let mistakes = Mistakes::default();
    if text.len() > FILE_BYTES_MAX {
        mistakes.add(0..0, format!("the file is longer than {FILE_BYTES_MAX} bytes"), None);
        return Err(ScenarioErrors::new(file, "", mistakes.into_inner()));
    }
    let mut scenario = Scenario::default();
    match DeTable::parse(text) {
        Ok(table) => {
            let end = text.len()..text.len();
            read(&mut scenario, &Table::new(&mistakes, table.get_ref(), end, TOP));
        }
        Err(error) => {
            let span = error.span().unwrap_or(text.len()..text.len());
            mistakes.add(span, error.message(), None);
        }
    }
    let mistakes = mistakes.into_inner();
    match mistakes.is_empty() {
        true => Ok(scenario),
        false => Err(ScenarioErrors::new(file, text, mistakes)),
    }
}

fn read(scenario: &mut Scenario, top: &Table<'_, '_>) {
    scenario.servers = servers(top);
    scenario.project = top.string("project");
    let first = top.integer("first_peer_id", 2, i64::from(i32::MAX) - PLAYERS_MAX);
    scenario.first_peer_id = first.and_then(|first| i32::try_from(first).ok());
    scenario.seed = top.integer("seed", 0, i64::MAX).unwrap_or_default().unsigned_abs();
    if let Some(table) = top.table("tls", TLS) {
        scenario.tls = TlsSettings {
            ca: table.string("ca"),
            name: table.string("name"),
            insecure: table.switch("insecure").unwrap_or_default(),
        };
    }
    if let Some(table) = top.table("link", LINK) {
        scenario.link = link(&table);
        if let Some(server) =
            scenario.servers.iter().find(|it| it.transport == BotTransport::WebSocket)
        {
            let message = format!("link conditions do not apply to WebSocket ({})", server.url);
            table.add(
                table.span(),
                message,
                "use an enet:// or webrtc:// server, or remove [link]",
            );
        }
    }
    scenario.phases = phases(top);
    scenario.nodes = top.tables("node", NODE).iter().filter_map(node).collect();
    scenario.steps = steps(top);
    scenario.answers = top.tables("answer", ANSWER).iter().filter_map(answer).collect();
    if let Some(table) = top.table("thresholds", THRESHOLDS) {
        scenario.thresholds = thresholds(&table, &scenario.steps);
    }
}

fn servers(top: &Table<'_, '_>) -> Vec<ServerAddress> {
    let Some(value) = top.get("server") else { return Vec::new() };
    let items: Vec<&Spanned<DeValue<'_>>> = match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![value],
    };
    let mut servers = Vec::new();
    for item in items {
        let parsed = match item.get_ref() {
            DeValue::String(text) => text.parse(),
            other => Err(format!("must be an address, not {}", described(other))),
        };
        match parsed {
            Ok(server) => servers.push(server),
            Err(message) => top.add(item.span(), message, ADDRESS_HELP),
        }
    }
    servers
}

/// Help for wrong addresses.
const ADDRESS_HELP: &str = "for example \"enet://127.0.0.1:7777\", \"enets://game.example.org:7777\" (DTLS), \"ws://127.0.0.1:7778/room\" or \"webrtc://127.0.0.1:7778/webrtc\"; wss:// and webrtcs:// for TLS";

impl std::str::FromStr for ServerAddress {
    type Err = String;

    /// Parses `enet://HOST:PORT`, `enets://HOST:PORT` (DTLS), `ws://HOST[:PORT][/PATH]` or
    /// `webrtc://HOST[:PORT][/PATH][#LOBBY]`, the address of signaling, whose path is `/webrtc` by
    /// default. With TLS the schemes are `wss` and `webrtcs`.
    fn from_str(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| format!("the address {url:?} does not name its transport"))?;
        let (transport, default_port) = match scheme {
            "enet" => (BotTransport::Enet, None),
            "enets" => (BotTransport::EnetDtls, None),
            "ws" => (BotTransport::WebSocket, Some(80)),
            "wss" => (BotTransport::WebSocket, Some(443)),
            "webrtc" => (BotTransport::WebRtc, Some(80)),
            "webrtcs" => (BotTransport::WebRtc, Some(443)),
            _ => return Err(format!("the transport {scheme:?} is unknown")),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if default_port.is_none() && authority.len() != rest.len() {
            return Err(format!("{url:?} has a path, which ENet does not"));
        }
        let after_host = authority.rfind(']').map_or(0, |end| end + 1);
        let (host, port) = match authority[after_host..].rfind(':') {
            Some(colon) => {
                let (host, port) = authority.split_at(after_host + colon);
                (host, port[1..].parse().ok().filter(|&port| port > 0))
            }
            None => (authority, default_port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        match port {
            Some(port) if !host.is_empty() => {
                Ok(Self { url: url.to_owned(), transport, host, port })
            }
            _ => Err(format!("{url:?} has no valid host and port")),
        }
    }
}

fn link(table: &Table<'_, '_>) -> LinkConditions {
    LinkConditions {
        delay: table.duration("latency").unwrap_or_default(),
        jitter: table.duration("jitter").unwrap_or_default(),
        loss_permille: table.permille("loss").unwrap_or_default(),
        duplication_permille: table.permille("duplicates").unwrap_or_default(),
        bytes_per_second: table
            .integer("bytes_per_second", 1_000, i64::MAX)
            .unwrap_or_default()
            .unsigned_abs(),
        ..LinkConditions::default()
    }
}

fn phases(top: &Table<'_, '_>) -> Vec<Phase> {
    let tables = top.tables("phase", PHASE);
    if tables.is_empty() && top.get("phase").is_none() {
        let help = "write [[phase]] with joins_per_second = 10, players = 100 and for = \"30s\"";
        top.missing("phase", help);
    }
    let mut phases: Vec<Phase> = Vec::new();
    for table in &tables {
        let players =
            table.integer("players", 0, PLAYERS_MAX).and_then(|it| u32::try_from(it).ok());
        let rate = table.positive("joins_per_second", 100_000.0);
        let duration = table.duration("for");
        for (name, example) in [("players", "players = 100"), ("for", "for = \"30s\"")] {
            if table.get(name).is_none() {
                table.missing(name, &format!("for example {example}"));
            }
        }
        if table.get("joins_per_second").is_none() && players != Some(0) {
            table.missing("joins_per_second", "for example joins_per_second = 10");
        }
        let (Some(players), Some(duration)) = (players, duration) else { continue };
        let phase = Phase { joins_per_second: rate.unwrap_or(1.0), players, duration };
        let seconds = f64::from(players) / phase.joins_per_second;
        if seconds > duration.as_secs_f64() {
            let message = format!("{players} players take {seconds:.1} s to join");
            table.add(table.place("for"), message, "increase `for` or `joins_per_second`");
        }
        let sum = phases.iter().map(|phase| i64::from(phase.players)).sum::<i64>();
        if sum + i64::from(players) > PLAYERS_MAX {
            let message = format!("all phases have more than {PLAYERS_MAX} players");
            table.add(table.place("players"), message, "split the run over several processes");
        }
        phases.push(phase);
    }
    phases
}

fn node(table: &Table<'_, '_>) -> Option<NodeMethods> {
    let path = table.string("path");
    if table.get("path").is_none() {
        table.missing("path", "for example path = \"Main/Players/*\"");
    }
    let (script, methods) = (table.string("script"), table.strings("methods"));
    let has = |name| table.get(name).is_some();
    if has("script") == has("methods") {
        let help = "write script = \"res://player.gd\", or methods = [\"…\"] with the names of all methods that have @rpc";
        table.add(table.span(), "a node needs either `script` or `methods`", help);
    }
    let source = script.map(MethodSource::Script).or_else(|| methods.map(MethodSource::Names))?;
    Some(NodeMethods { path: path?, source })
}

fn answer(table: &Table<'_, '_>) -> Option<AnswerRule> {
    for name in ANSWER {
        if table.get(name).is_none() {
            table.missing(name, "for example rpc = \"ping\" and with = \"pong\"");
        }
    }
    Some(AnswerRule { method: table.string("rpc")?, with: table.string("with")? })
}

fn steps(top: &Table<'_, '_>) -> Vec<Step> {
    let tables = top.tables("do", STEP);
    let mut steps: Vec<Step> = Vec::new();
    for table in &tables {
        let step = steps::step(table);
        if matches!(steps.last(), Some(Step::Leave { .. } | Step::Churn { .. })) {
            table.add(table.span(), "no step follows `leave` or `churn`", "remove one of them");
        }
        let is_authentication = matches!(step, Some(Step::Authenticate { .. }));
        let may_authenticate = match steps.last() {
            None | Some(Step::Connect { .. } | Step::Authenticate { .. }) => true,
            Some(_) => false,
        };
        if is_authentication && !may_authenticate {
            let message = "`room` and `authenticate` must follow `connect`";
            table.add(table.span(), message, "a client authenticates before its server admits it");
        }
        if matches!(step, Some(Step::Connect { .. })) && !steps.is_empty() {
            let help = "use `churn` to leave and join again";
            table.add(table.span(), "`connect` must be the first step", help);
        }
        if steps.is_empty() && !matches!(step, Some(Step::Connect { .. })) {
            steps.push(Step::Connect { within: steps::JOIN_TIMEOUT });
        }
        steps.extend(step);
    }
    if steps.is_empty() {
        steps.push(Step::Connect { within: steps::JOIN_TIMEOUT });
    }
    steps
}

fn thresholds(table: &Table<'_, '_>, steps: &[Step]) -> Thresholds {
    let count = |name| table.integer(name, 0, i64::MAX).map(i64::unsigned_abs);
    let has_reply = |step: &Step| matches!(step, Step::Call(call) if call.reply.is_some());
    for name in ["rtt_p99", "lost_reliable"] {
        if table.get(name).is_some() && !steps.iter().any(has_reply) {
            let help = "add reply = \"METHOD\" to a step with `rpc`";
            table.add(table.place(name), "no step waits for replies", help);
        }
    }
    let nonzero = |duration: &Duration| !duration.is_zero();
    Thresholds {
        join_p99: table.duration("join_p99").filter(nonzero),
        rtt_p99: table.duration("rtt_p99").filter(nonzero),
        lost_reliable: count("lost_reliable"),
        failed_joins: count("failed_joins"),
        disconnects: count("disconnects"),
        unmet_expectations: count("unmet_expectations"),
    }
}
