//! The counters of bots and the metrics of mp-server, which must be equal.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::report;
use crate::metrics::Metrics;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{program, root, target};

/// Names in addresses, and in the metrics.
const TRANSPORTS: [(&str, &str); 3] = [("enet", "enet"), ("ws", "websocket"), ("webrtc", "webrtc")];

/// A value that both sides count.
struct Pair {
    /// Counter of the bots.
    counter: &'static str,
    /// Samples of the server.
    metric: &'static str,
    /// True if the samples have a label of the transport.
    by_transport: bool,
    /// Bytes of an announcement in this unit: 1 of packets. `None` if the bots send.
    announcement: Option<f64>,
}

/// Pairs that must be equal.
const PAIRS: [Pair; 7] = [
    Pair::from_bots("joined", "mp_peers_joined_total", true),
    Pair::from_bots("packets_sent", "mp_packets_received_total", true),
    Pair::from_bots("packets_sent", "mp_messages_received_total", false),
    Pair::from_bots("bytes_sent", "mp_message_received_bytes_total", false),
    Pair::to_bots("packets_received", "mp_packets_sent_total", true, 1.0),
    Pair::to_bots("packets_received", "mp_messages_sent_total", false, 1.0),
    Pair::to_bots("bytes_received", "mp_message_sent_bytes_total", false, DEPARTURE_BYTES),
];

/// Runs `interop/bots/counted.toml` over each transport, at the same time, on a server of its own.
///
/// # Errors
///
/// Returns the first counters that differ.
pub(super) fn compare() -> Result<String, String> {
    let program = program("mp-server", "MP_SERVER_BIN")?;
    let counted = thread::scope(|scope| {
        let runs = TRANSPORTS.map(|(transport, label)| {
            let run = CountedRun { program: &program, transport, label };
            scope.spawn(move || run.compare())
        });
        runs.map(|run| run.join().map_err(|_| "a run panics".to_owned())?)
    });
    let mut packets = 0;
    for count in counted {
        packets += count?;
    }
    Ok(format!("counters of {packets} packets equal the server's"))
}

/// A run over one transport.
struct CountedRun<'p> {
    program: &'p Path,
    transport: &'static str,
    label: &'static str,
}

impl CountedRun<'_> {
    /// Returns the number of packets, if all counts are equal.
    fn compare(&self) -> Result<u64, String> {
        let [enet, ws, admin] = [free_port()?, free_port()?, free_port()?];
        let log = |who: &str| {
            target().join("interop/bots").join(format!("counted-{}.{who}.log", self.transport))
        };
        let mut command = Command::new(self.program);
        command.args(["--enet", &format!("127.0.0.1:{enet}"), "--ws", &format!("127.0.0.1:{ws}")]);
        command.args(["--webrtc", "127.0.0.1:0", "--admin", &format!("127.0.0.1:{admin}")]);
        let mut server = Process::start("server", &mut command, &log("server"))?;
        let listens = |server: &Process| server.output().contains("--help");
        if !server.wait_until(now() + PROCESS_TIMEOUT, listens) {
            return Err(format!("mp-server does not listen: {}", server.errors()));
        }
        let port = if self.transport == "enet" { enet } else { ws };
        let json = log("report").with_extension("json");
        let mut command = Command::new(self.program);
        command.arg("bots").arg(root().join("interop/bots/counted.toml")).arg("--quiet");
        command.args(["--server", &format!("{}://127.0.0.1:{port}", self.transport)]);
        command.arg("--json").arg(&json);
        let mut bots = Process::start("bots", &mut command, &log("bots"))?;
        bots.wait_until(now() + PROCESS_TIMEOUT, |_| false);
        if !bots.ended().is_some_and(|status| status.success()) {
            return Err(format!("{}: {}{}", self.transport, bots.output(), bots.errors()));
        }
        let report = report(&json)?;
        let limit = now() + LIMIT;
        loop {
            let metrics = Metrics::read(admin)?;
            let difference = self.difference(&report["counters"], &metrics);
            match difference {
                None => return Ok(count(&report["counters"], "packets_received")),
                // The server takes a snapshot once per second.
                Some(_) if now() < limit => thread::sleep(INTERVAL),
                Some(difference) => return Err(format!("{}: {difference}", self.transport)),
            }
        }
    }

    /// Returns the first difference of the counters.
    fn difference(&self, bots: &Value, server: &Metrics) -> Option<String> {
        // Of the room, since signaling of WebRTC counts as packets of WebSocket.
        let sent = server.sum("mp_messages_sent_total", "");
        let missed = sent - count(bots, "packets_received") as f64;
        PAIRS.iter().find_map(|pair| {
            let label = match pair.by_transport {
                true => format!("transport=\"{}\"", self.label),
                false => String::new(),
            };
            let (own, others) = (count(bots, pair.counter), server.sum(pair.metric, &label));
            let expected = own as f64 + pair.announcement.map_or(0.0, |size| size * missed);
            let is_equal = own > 0 && others == expected && (0.0..=MISSED_MAX).contains(&missed);
            (!is_equal).then(|| {
                format!(
                    "the bots count {} = {own}, the server {} = {others}, with {missed} departures announced to players who left",
                    pair.counter, pair.metric
                )
            })
        })
    }
}

impl Pair {
    const fn from_bots(counter: &'static str, metric: &'static str, by_transport: bool) -> Self {
        Self { counter, metric, by_transport, announcement: None }
    }

    const fn to_bots(
        counter: &'static str,
        metric: &'static str,
        by_transport: bool,
        announcement: f64,
    ) -> Self {
        Self { counter, metric, by_transport, announcement: Some(announcement) }
    }
}

fn count(counters: &Value, name: &str) -> u64 {
    counters[name].as_u64().unwrap_or_default()
}

/// Announcements of departures that the server may send to players who leave at the same time, of
/// the three of the scenario. They are the only packets that may be lost.
const MISSED_MAX: f64 = 3.0;
/// Bytes of such an announcement (DEL_PEER).
const DEPARTURE_BYTES: f64 = 6.0;
/// Time within which the metrics contain the whole run.
const LIMIT: Duration = Duration::from_secs(30);
/// Interval of scrapes.
const INTERVAL: Duration = Duration::from_millis(100);
