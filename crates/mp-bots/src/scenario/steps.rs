//! The tables `[[do]]`. Each has one name that says what the step does, and options.

use std::time::Duration;

use mp_core::{Channel, TransferMode};
use toml::de::DeValue;

use super::arguments;
use super::reader::{Table, integer};
use super::{CallStep, ExpectedKind, RawContent, Receivers, Schedule, Step, Text};

/// All names of a step.
pub(super) const STEP: &[&str] = &[
    "connect",
    "room",
    "authenticate",
    "rpc",
    "raw",
    "wait",
    "think",
    "expect",
    "leave",
    "churn",
    "code",
    "path",
    "args",
    "to",
    "mode",
    "channel",
    "every",
    "per_second",
    "for",
    "reply",
    "within",
    "name",
];

/// The names that say what a step does, each with its options.
const ACTIONS: &[(&str, &[&str])] = &[
    ("connect", &[]),
    ("room", &["code"]),
    ("authenticate", &[]),
    (
        "rpc",
        &["path", "args", "to", "mode", "channel", "every", "per_second", "for", "reply", "within"],
    ),
    ("raw", &["to", "mode", "channel", "every", "per_second", "for"]),
    ("wait", &[]),
    ("think", &[]),
    ("expect", &["name", "within"]),
    ("leave", &[]),
    ("churn", &[]),
];

const MODES: &[&str] = &["unreliable", "unreliable_ordered", "reliable"];
const RECEIVERS: &[&str] = &["server", "all", "random_player"];
const EXPECTED: &[&str] = &["spawn", "sync", "rpc", "raw", "signal"];
const SIGNALS: &[&str] = &["peer_connected", "peer_disconnected"];

/// Default time limit of `connect`.
pub(super) const JOIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Default time limit of replies and expectations.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);
/// Shortest interval of a step that sends.
const INTERVAL_MIN: Duration = Duration::from_millis(1);
/// Maximum length of a raw packet in bytes.
const RAW_BYTES_MAX: i64 = 64 << 10;

/// Reads a step. Mistakes are reported.
pub(super) fn step(table: &Table<'_, '_>) -> Option<Step> {
    let actions: Vec<_> =
        ACTIONS.iter().filter(|(action, _)| table.get(action).is_some()).collect();
    let [(action, options)] = actions[..] else {
        let names = ACTIONS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let (message, help) = match actions[..] {
            [] => ("the step does nothing".to_owned(), format!("add one of {names}")),
            [(first, _), (second, _), ..] => (
                format!("the step has both `{first}` and `{second}`"),
                format!("write two steps; each has one of {names}"),
            ),
            [_] => unreachable!("one action is handled above"),
        };
        table.add(table.span(), message, &help);
        return None;
    };
    let is_option = |name: &&&str| ACTIONS.iter().all(|(action, _)| action != *name);
    for name in STEP.iter().filter(is_option) {
        if table.get(name).is_some() && !options.contains(name) {
            let help = match options.is_empty() {
                true => format!("`{action}` has no options"),
                false => format!("options of `{action}`: {}", options.join(", ")),
            };
            table.add(table.place(name), format!("`{action}` has no option `{name}`"), &help);
        }
    }
    match *action {
        "connect" => Some(Step::Connect { within: table.duration("connect")? }),
        "room" => room(table),
        "authenticate" => Some(Step::Authenticate { packet: packet(table, "authenticate")? }),
        "rpc" => call(table).map(Step::Call),
        "raw" => raw(table),
        "wait" => {
            let duration = table.duration("wait")?;
            Some(Step::Wait { from: duration, to: duration })
        }
        "think" => table.durations("think").map(|(from, to)| Step::Wait { from, to }),
        "expect" => expect(table),
        "leave" => {
            Some(Step::Leave { vanish: table.word("leave", &["disconnect", "vanish"])? == 1 })
        }
        _ => table.durations("churn").map(|(from, to)| Step::Churn { from, to }),
    }
}

/// Returns a non-empty text of a packet.
fn packet(table: &Table<'_, '_>, name: &str) -> Option<Text> {
    let text = table.string(name)?;
    if text.is_empty() {
        let help = "an empty authentication packet completes the authentication";
        table.add(table.place(name), format!("`{name}` must not be empty"), help);
        return None;
    }
    Some(Text(text))
}

/// A room of mp-server, which is selected by the first authentication packet.
fn room(table: &Table<'_, '_>) -> Option<Step> {
    let Text(mut text) = packet(table, "room")?;
    if let Some(code) = table.string("code") {
        text = format!("room={text}&code={code}");
    }
    Some(Step::Authenticate { packet: Text(text) })
}

fn call(table: &Table<'_, '_>) -> Option<CallStep> {
    let (method, path) = (table.string("rpc"), table.string("path"));
    if table.get("path").is_none() {
        let help = "the path of the node relative to the multiplayer root, for example path = \"Main/Arena\"";
        table.missing("path", help);
    }
    let args = arguments::read(table, "args");
    let has_reply = table.get("reply").is_some();
    if table.get("within").is_some() && !has_reply {
        let help = "`within` is the time limit of `reply`";
        table.add(table.place("within"), "`within` has no effect without `reply`", help);
    }
    let schedule = schedule(table);
    let reply = table.string("reply");
    Some(CallStep {
        path: Text(path?),
        method: method?,
        args: args?,
        to: receivers(table),
        mode: mode(table),
        channel: channel(table),
        schedule: schedule?,
        reply,
        within: table.duration("within").unwrap_or(REPLY_TIMEOUT),
    })
}

fn raw(table: &Table<'_, '_>) -> Option<Step> {
    let value = table.get("raw")?;
    let content = match value.get_ref() {
        DeValue::String(text) if !text.is_empty() => RawContent::Text(Text(text.to_string())),
        other => match integer(other) {
            Some(len @ 1..=RAW_BYTES_MAX) => RawContent::Random(usize::try_from(len).ok()?),
            _ => {
                let message = format!(
                    "`raw` must be a text, or a number of random bytes from 1 to {RAW_BYTES_MAX}"
                );
                table.add(value.span(), message, "for example raw = 32");
                return None;
            }
        },
    };
    Some(Step::Raw {
        content,
        to: receivers(table),
        mode: mode(table).unwrap_or_default(),
        channel: channel(table).unwrap_or_default(),
        schedule: schedule(table)?,
    })
}

fn receivers(table: &Table<'_, '_>) -> Receivers {
    match table.word("to", RECEIVERS) {
        Some(1) => Receivers::All,
        Some(2) => Receivers::RandomPlayer,
        _ => Receivers::Server,
    }
}

fn mode(table: &Table<'_, '_>) -> Option<TransferMode> {
    let index = table.word("mode", MODES)?;
    TransferMode::from_raw(u8::try_from(index).ok()?)
}

fn channel(table: &Table<'_, '_>) -> Option<Channel> {
    u8::try_from(table.integer("channel", 0, 253)?).ok().map(Channel)
}

fn schedule(table: &Table<'_, '_>) -> Option<Schedule> {
    let rate = table.positive("per_second", 1_000.0);
    let every = match (table.get("every"), table.get("per_second")) {
        (Some(_), Some(rate)) => {
            let help = "every = \"200ms\" is per_second = 5";
            table.add(rate.span(), "the step has both `every` and `per_second`", help);
            return None;
        }
        (Some(every), None) => match table.duration("every")? {
            duration if duration < INTERVAL_MIN => {
                table.add(every.span(), "`every` must be at least 1 ms", "use more players");
                return None;
            }
            duration => Some(duration),
        },
        (None, Some(_)) => Some(Duration::from_secs_f64(1.0 / rate?)),
        (None, None) => None,
    };
    if every.is_none() && table.get("for").is_some() {
        let help = "add `every` or `per_second`";
        table.add(table.place("for"), "`for` has no effect on a step that sends once", help);
    }
    Some(Schedule { every, duration: table.duration("for") })
}

fn expect(table: &Table<'_, '_>) -> Option<Step> {
    let kind = match table.word("expect", EXPECTED)? {
        0 => ExpectedKind::Spawn,
        1 => ExpectedKind::Sync,
        2 => ExpectedKind::Call,
        3 => ExpectedKind::Raw,
        _ => ExpectedKind::Signal,
    };
    let has_name = table.get("name").is_some();
    let name = match kind {
        ExpectedKind::Signal if has_name => SIGNALS.get(table.word("name", SIGNALS)?),
        ExpectedKind::Signal => {
            table.missing("name", "the signal: \"peer_connected\" or \"peer_disconnected\"");
            None
        }
        ExpectedKind::Sync | ExpectedKind::Raw if has_name => {
            let help = "remove `name`";
            table.add(table.place("name"), "neither a sync nor raw bytes have a name", help);
            None
        }
        _ => None,
    };
    let name = name.map(|name| (*name).to_owned()).or_else(|| table.string("name"));
    let within = table.duration("within").unwrap_or(REPLY_TIMEOUT);
    Some(Step::Expect { kind, name, within })
}
