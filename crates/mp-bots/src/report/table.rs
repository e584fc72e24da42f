//! Results as text.

use std::fmt::Write;
use std::time::Duration;

use super::{BUSY, QUANTILES, RunReport};
use crate::scenario::shown_time;
use crate::stats::{Counter, Timing};

/// Returns a time for people.
pub(super) fn time(time: Duration) -> String {
    shown_time(time)
}

/// Returns a number with separators.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

pub(super) fn progress(report: &RunReport) -> String {
    let Some(last) = report.seconds.last() else { return String::new() };
    let stats = &last.stats;
    let of = |counter| number(stats.get(counter));
    let mut line = format!(
        "{:>4} s  {} players  {} joins  sent {}/s  received {}/s",
        report.elapsed.as_secs(),
        number(last.players),
        of(Counter::Joined),
        number(last.rate(Counter::PacketsSent) as u64),
        number(last.rate(Counter::PacketsReceived) as u64),
    );
    for timing in [Timing::Join, Timing::RoundTrip] {
        if let Some(p99) = stats.quantile(&timing, 0.99) {
            let _ = write!(line, "  {} p99 {}", timing.name(), time(p99));
        }
    }
    for (counter, name) in [
        (Counter::FailedJoins, "failed joins"),
        (Counter::Disconnects, "disconnects"),
        (Counter::LostReliable, "lost"),
    ] {
        if stats.get(counter) > 0 {
            let _ = write!(line, "  {} {name}", of(counter));
        }
    }
    let _ = write!(line, "  CPU {:.0} %", last.cpu * 100.0);
    line
}

pub(super) fn table(report: &RunReport) -> String {
    let (stats, mut out) = (&report.stats, String::new());
    let of = |counter| number(stats.get(counter));
    let seconds = report.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    let per_second = |counter| number((stats.get(counter) as f64 / seconds) as u64);
    let servers = report.scenario.servers.iter().map(|it| it.url.as_str()).collect::<Vec<_>>();
    let _ = writeln!(out, "servers   {}", servers.join(", "));
    let _ = writeln!(
        out,
        "players   {} started, {} joined, {} failed, {} left, {} disconnected, in {:.1} s",
        of(Counter::Started),
        of(Counter::Joined),
        of(Counter::FailedJoins),
        of(Counter::Left),
        of(Counter::Disconnects),
        report.elapsed.as_secs_f64(),
    );
    for (label, packets, bytes) in [
        ("sent", Counter::PacketsSent, Counter::BytesSent),
        ("received", Counter::PacketsReceived, Counter::BytesReceived),
    ] {
        let _ = writeln!(
            out,
            "{label:<9} {} packets ({}/s), {} bytes",
            of(packets),
            per_second(packets),
            of(bytes)
        );
    }
    let contents: Vec<_> = CONTENTS
        .iter()
        .filter(|(counter, _)| stats.get(*counter) > 0)
        .map(|(counter, name)| format!("{} {name}", of(*counter)))
        .collect();
    if !contents.is_empty() {
        let _ = writeln!(out, "contents  {}", contents.join(", "));
    }
    out.push('\n');
    let _ = write!(out, "{:<10}{:>10}", "", "count");
    for (_, name) in QUANTILES {
        let _ = write!(out, "{name:>10}");
    }
    for timing in &Timing::ALL {
        if stats.measured(timing) == 0 {
            continue;
        }
        let _ = write!(out, "\n{:<10}{:>10}", timing.name(), number(stats.measured(timing)));
        for (share, _) in QUANTILES {
            let shown = stats.quantile(timing, share).map(time).unwrap_or_default();
            let _ = write!(out, "{shown:>10}");
        }
    }
    out.push('\n');
    if stats.reasons().next().is_some() {
        out.push_str("\nfailed joins and disconnects by reason\n");
        for (reason, count) in stats.reasons() {
            let _ = writeln!(out, "{:>10}  {reason}", number(count));
        }
    }
    let checks = report.checks();
    if !checks.is_empty() {
        out.push_str("\nthresholds\n");
        for check in &checks {
            let verdict = if check.is_met { "ok" } else { "EXCEEDED" };
            let _ = writeln!(
                out,
                "{:>10}  {} = {}, limit {}",
                verdict, check.name, check.result, check.limit
            );
        }
    }
    let _ = writeln!(
        out,
        "\nCPU of the busiest of {} threads: up to {:.0} % of a core",
        report.threads,
        report.busiest_cpu() * 100.0
    );
    for warning in warnings(report) {
        let _ = writeln!(out, "warning: {warning}");
    }
    out
}

/// Returns what makes the results doubtful.
pub(super) fn warnings(report: &RunReport) -> Vec<String> {
    let mut warnings = Vec::new();
    let busy = report.busy_seconds();
    if busy > 0 {
        warnings.push(format!(
            "a thread with bots used more than {:.0} % of a core in {busy} seconds, so times include the delay of the bots themselves; use more --threads, fewer players, or another machine",
            BUSY * 100.0
        ));
    }
    let stats = &report.stats;
    let late = stats.quantile(&Timing::Lateness, 0.99).filter(|&late| late > LATE);
    if let Some(late) = late {
        warnings.push(format!(
            "1 % of the packets were sent {} or more after their scheduled time, so times include the delay of the bots themselves; use a machine without other work",
            time(late)
        ));
    }
    if stats.get(Counter::MethodsDiffer) > 0 {
        warnings.push(format!(
            "the RPC methods of {} nodes differ from the server's; use --project with the game's own project",
            number(stats.get(Counter::MethodsDiffer))
        ));
    }
    if stats.get(Counter::RejectedPackets) > 0 {
        warnings.push(format!(
            "{} packets were not accepted by the transport: too large, or after the end of a connection",
            number(stats.get(Counter::RejectedPackets))
        ));
    }
    if stats.get(Counter::Malformed) > 0 {
        warnings.push(format!(
            "{} received packets are malformed, or exceed a limit of the bots",
            number(stats.get(Counter::Malformed))
        ));
    }
    warnings
}

/// Lateness above which results are doubtful.
const LATE: Duration = Duration::from_millis(10);

/// Counters of the contents of packets, with their names.
const CONTENTS: &[(Counter, &str)] = &[
    (Counter::CallsSent, "RPCs sent"),
    (Counter::CallsReceived, "RPCs received"),
    (Counter::RawSent, "raw packets sent"),
    (Counter::RawReceived, "raw packets received"),
    (Counter::Spawns, "spawns"),
    (Counter::Despawns, "despawns"),
    (Counter::Syncs, "syncs"),
    (Counter::Replies, "replies in time"),
    (Counter::LostReliable, "reliable calls without reply"),
    (Counter::LostUnreliable, "unreliable calls without reply"),
    (Counter::MetExpectations, "expectations met"),
    (Counter::UnmetExpectations, "expectations not met"),
    (Counter::Skipped, "calls not sent for lack of other players"),
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::report::Second;
    use crate::stats::Stats;

    #[test]
    fn rates_are_those_of_the_actual_duration_and_late_packets_cause_a_warning() {
        let mut stats = Stats::default();
        stats.add(Counter::PacketsSent, 300);
        stats.record(Timing::Lateness, Duration::from_millis(9));
        let mut report = RunReport::new(Arc::default(), 1);
        report.add(Second::new(stats, Duration::from_secs(3), 0.1));
        assert!(report.progress().starts_with("   3 s"), "{}", report.progress());
        assert!(report.progress().contains("sent 100/s"), "{}", report.progress());
        assert_eq!(warnings(&report), [""; 0]);
        let mut late = Stats::default();
        late.record(Timing::Lateness, Duration::from_millis(50));
        report.add(Second::new(late, Duration::from_secs(1), 0.1));
        assert!(
            warnings(&report)[0].contains("sent 50.0 ms or more after"),
            "{:?}",
            warnings(&report)
        );
    }

    #[test]
    fn rest_of_a_run_belongs_to_its_last_second() {
        let of = |packets, millis| {
            let mut stats = Stats::default();
            stats.add(Counter::PacketsSent, packets);
            Second::new(stats, Duration::from_millis(millis), 0.1)
        };
        let mut report = RunReport::new(Arc::default(), 1);
        report.add(of(1_000, 1_000));
        report.add(of(250, 250));
        assert_eq!((report.seconds.len(), report.stats.get(Counter::PacketsSent)), (1, 1_250));
        assert!(report.progress().contains("sent 1,000/s"), "{}", report.progress());
    }

    #[test]
    fn numbers_are_grouped() {
        let shown = [0, 999, 1_000, 1_234_567].map(number);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
