//! Results as JSON.

use serde_json::{Map, Value, json};

use super::{QUANTILES, RunReport};
use crate::stats::{Counter, Stats, Timing};

pub(super) fn json(report: &RunReport) -> String {
    let checks = report.checks();
    let servers: Vec<_> = report.scenario.servers.iter().map(|it| it.url.as_str()).collect();
    let thresholds: Map<String, Value> = checks
        .iter()
        .map(|it| {
            let value = json!({ "limit": it.limit, "result": it.result, "met": it.is_met });
            (it.name.to_owned(), value)
        })
        .collect();
    let reasons: Map<String, Value> =
        report.stats.reasons().map(|(reason, count)| (reason.to_owned(), count.into())).collect();
    let seconds = report.seconds.iter().map(|second| {
        let stats = &second.stats;
        json!({
            "players": second.players,
            "joined": stats.get(Counter::Joined),
            "packets_sent": stats.get(Counter::PacketsSent),
            "packets_received": stats.get(Counter::PacketsReceived),
            "join_p99": seconds_of(stats, &Timing::Join, 0.99),
            "rtt_p50": seconds_of(stats, &Timing::RoundTrip, 0.5),
            "rtt_p99": seconds_of(stats, &Timing::RoundTrip, 0.99),
            "cpu": second.cpu,
        })
    });
    let value = json!({
        "servers": servers,
        "elapsed": report.elapsed.as_secs_f64(),
        "threads": report.threads,
        "counters": counters(&report.stats),
        "times": times(&report.stats),
        "reasons": reasons,
        "thresholds": thresholds,
        "passed": checks.iter().all(|check| check.is_met),
        "cpu_busiest": report.busiest_cpu(),
        "warnings": super::table::warnings(report),
        "seconds": seconds.collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

fn counters(stats: &Stats) -> Map<String, Value> {
    let counters = Counter::ALL.iter();
    counters.map(|(counter, name)| ((*name).to_owned(), stats.get(*counter).into())).collect()
}

fn times(stats: &Stats) -> Map<String, Value> {
    let measured = Timing::ALL.iter().filter(|timing| stats.measured(timing) > 0);
    let value = |timing: &Timing| {
        let quantiles = QUANTILES.iter();
        let mut of: Map<String, Value> = quantiles
            .map(|(share, name)| ((*name).to_owned(), seconds_of(stats, timing, *share).into()))
            .collect();
        of.insert("count".to_owned(), stats.measured(timing).into());
        (timing.name().to_owned(), Value::Object(of))
    };
    measured.map(value).collect()
}

fn seconds_of(stats: &Stats, timing: &Timing, share: f64) -> Option<f64> {
    stats.quantile(timing, share).map(|time| time.as_secs_f64())
}
