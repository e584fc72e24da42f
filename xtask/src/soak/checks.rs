//! Checks of the lines that mp-soak prints.

use serde_json::Value;

/// Checks a soak of `minutes`: the reports of the players, the last one from when all have left,
/// and the statistics of the server, one per second. Returns a summary.
///
/// # Errors
///
/// Returns the first violation, with the reasons for which players have left the server, and
/// whether the machine was too busy for the result to mean anything.
pub(super) fn soak(reports: &[Value], stats: &[Value], minutes: u64) -> Result<String, String> {
    violation(reports, stats, minutes).map_err(|violation| {
        let late = |lines: &[Value]| lines.iter().filter_map(|line| line["late_ms"].as_u64()).max();
        let late = [reports, stats].map(|lines| late(lines).unwrap_or(0));
        let last = stats.last().unwrap_or(&Value::Null);
        let [players, server] = late;
        let text = format!(
            "{violation}\nplayers left the server for these reasons: {}; the players were up to \
            {players} ms late, the server {server} ms",
            last["reasons"]
        );
        match players.max(server) > LATE_MAX {
            true => format!(
                "the machine is too busy: repeat the soak when it is not, or with fewer \
                --players: {text}"
            ),
            false => text,
        }
    })
}

fn violation(reports: &[Value], stats: &[Value], minutes: u64) -> Result<String, String> {
    let sum = |name: &str| reports.iter().filter_map(|report| report[name].as_u64()).sum::<u64>();
    let last = stats.last().ok_or("the server has printed no statistics")?;
    let of_server = |name: &str| last[name].as_u64().unwrap_or(u64::MAX);
    let fault = reports.iter().find_map(|report| report["first_fault"].as_str());
    let expect = |is_met: bool, text: String| if is_met { Ok(()) } else { Err(text) };

    for name in ["faults", "lost"] {
        expect(sum(name) == 0, format!("{name}: {}; {}", sum(name), fault.unwrap_or_default()))?;
    }
    let (joined, left, failed) = (sum("joined"), sum("left"), sum("refused"));
    let why = reports.iter().find_map(|report| report["first_refusal"].as_str());
    let attempts = format!("{failed} attempts to join failed: {}", why.unwrap_or("none"));
    expect(failed * JOINS_PER_FAILURE_MIN <= joined, attempts.clone())?;
    expect(joined > 0 && sum("received") > 0, "no player has played".to_owned())?;
    expect(joined == left, format!("{joined} players joined, but {left} left"))?;
    for (name, expected) in [("joined", joined), ("players", 0), ("refused", 0), ("bugs", 0)] {
        let seen = of_server(name);
        expect(seen == expected, format!("{name} of the server: {seen}, expected {expected}"))?;
    }
    let (created, ended) = (of_server("created"), of_server("ended") + of_server("failed"));
    let rooms = of_server("rooms");
    expect(
        created == ended + rooms,
        format!("{created} rooms were created, but {ended} ended and {rooms} are left"),
    )?;
    let memory = memory(stats, minutes)?;
    Ok(format!(
        "{joined} players joined and left, {created} rooms, {} messages received; {attempts}; {memory}",
        sum("received")
    ))
}

/// Checks the resident memory of the server: its maximum, and, if the soak is long enough, its
/// growth after the first quarter.
fn memory(stats: &[Value], minutes: u64) -> Result<String, String> {
    let resident = |stats: &[Value]| -> Vec<f64> {
        stats.iter().filter_map(|line| line["resident"].as_f64()).collect()
    };
    let max = resident(stats).into_iter().fold(0.0, f64::max);
    let mib = max / 1_048_576.0;
    if max == 0.0 || max > MEMORY_MAX {
        return Err(format!(
            "at most {mib:.0} MiB of memory, limit {:.0}",
            MEMORY_MAX / 1_048_576.0
        ));
    }
    if minutes < GROWTH_MINUTES_MIN {
        return Ok(format!("at most {mib:.0} MiB of memory"));
    }
    // Without the last quarter minute, in which the players leave.
    let played = &stats[..stats.len().min((60 * minutes) as usize).saturating_sub(15)];
    let warm = resident(&played[played.len() / 4..]);
    let (first, last) = (mean(&warm[..warm.len() / 4]), mean(&warm[warm.len() * 3 / 4..]));
    // Between the middles of both quarters.
    let ten_minutes = warm.len() as f64 * 0.75 / 600.0;
    let growth = (last / first - 1.0) / ten_minutes * 100.0;
    if !growth.is_finite() || growth > GROWTH_MAX {
        return Err(format!("memory grows by {growth:.2} % per 10 minutes, limit {GROWTH_MAX} %"));
    }
    Ok(format!("at most {mib:.0} MiB of memory, growth {growth:.2} % per 10 minutes"))
}

/// Checks an overload: the second report of the players is that of the full server alone, the
/// fourth that of the overloaded one. Returns a table.
pub(super) fn overload(
    players: &[Value],
    others: &[Value],
    admitted: u64,
) -> Result<String, String> {
    let [_, alone, .., overloaded] = players else {
        return Err("there are too few reports of the players".to_owned());
    };
    let mut table = format!("{:<12}{:>9}{:>9}{:>10}{:>10}", "", "players", "lost", "p50", "p99");
    for (name, report) in [("alone", alone), ("overloaded", overloaded)] {
        let millis = |name: &str| report[name].as_f64().unwrap_or(f64::NAN) / 1_000.0;
        table += &format!(
            "\n{name:<12}{:>9}{:>9}{:>7.2} ms{:>7.2} ms",
            report["present"].to_string(),
            report["lost"].to_string(),
            millis("p50_us"),
            millis("p99_us")
        );
    }
    let sum = |of: &[Value], name: &str| of.iter().filter_map(|it| it[name].as_u64()).sum::<u64>();
    let (attempts, intruders) = (sum(others, "refused"), sum(others, "joined"));
    table += &format!("\n{attempts} attempts of others to join were refused");
    let p99 = |report: &Value| report["p99_us"].as_f64().unwrap_or(f64::NAN);
    let ratio = p99(overloaded) / p99(alone);
    let mut violations = Vec::new();
    if [alone, overloaded].iter().any(|report| report["present"].as_u64() != Some(admitted)) {
        violations.push(format!("not all {admitted} players are in rooms"));
    }
    if sum(players, "lost") + sum(players, "faults") > 0 {
        let fault = players.iter().find_map(|report| report["first_fault"].as_str());
        violations.push(format!("a player was disconnected: {}", fault.unwrap_or_default()));
    }
    if intruders > 0 || attempts == 0 {
        violations.push(format!("{intruders} others joined, and {attempts} attempts were refused"));
    }
    if !ratio.is_finite() || ratio > P99_RATIO_MAX {
        violations.push(format!("p99 is {ratio:.2} times as large, limit {P99_RATIO_MAX}"));
    }
    match violations.is_empty() {
        true => Ok(format!("{table}\np99 is {ratio:.2} times as large, limit {P99_RATIO_MAX}")),
        false => Err(format!("{}\n{table}", violations.join("; "))),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Players who join per attempt that may fail. A room is selected within 3 s, the time that Godot
/// gives authentication, too; of 10,000 attempts over ENet with 5 % loss, one or two lose an
/// authentication packet three times in that time.
const JOINS_PER_FAILURE_MIN: u64 = 1_000;
/// Maximum resident memory of the server with 500 players: three times that of a release build.
const MEMORY_MAX: f64 = 128.0 * 1_048_576.0;
/// Maximum growth of the memory per 10 minutes, in percent.
const GROWTH_MAX: f64 = 1.0;
/// Minutes of a soak from which on the growth is checked: less is noise.
const GROWTH_MINUTES_MIN: u64 = 20;
/// Milliseconds by which a process may be late. ENet disconnects a peer that does not acknowledge a
/// packet for 5 s; with 5 % loss it has to respond several times in that time.
const LATE_MAX: u64 = 1_000;
/// Maximum ratio of the latencies.
const P99_RATIO_MAX: f64 = 2.0;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns the lines of a clean soak of 40 minutes, in which the memory grows by `growth` per
    /// second.
    fn clean(growth: u64) -> (Vec<Value>, Vec<Value>) {
        let report = json!({
            "present": 0, "joined": 4, "left": 4, "refused": 0, "lost": 0, "received": 9,
            "faults": 0, "first_fault": null, "late_ms": 20,
        });
        let stats = (0..2_400).map(|second: u64| {
            json!({
                "rooms": 0, "players": 0, "joined": 8, "refused": 0, "created": 3, "failed": 1,
                "ended": 2, "bugs": 0, "resident": 10_000_000 + growth * second,
                "late_ms": 2, "reasons": { "enet remote": 8 },
            })
        });
        (vec![report.clone(), report], stats.collect())
    }

    #[test]
    fn clean_soak_passes_and_each_deviation_fails() {
        let (reports, stats) = clean(0);
        let summary = soak(&reports, &stats, 40).unwrap();
        assert!(
            summary.starts_with("8 players joined and left, 3 rooms, 18 messages"),
            "{summary}"
        );
        for (name, value) in
            [("faults", 1), ("lost", 1), ("refused", 1), ("left", 3), ("joined", 5), ("joined", 0)]
        {
            let (mut reports, stats) = clean(0);
            reports[1][name] = value.into();
            assert!(soak(&reports, &stats, 40).is_err(), "{name} = {value}");
        }
        for (name, value) in [
            ("joined", 7),
            ("players", 1),
            ("refused", 1),
            ("bugs", 1),
            ("created", 4),
            ("rooms", 1),
        ] {
            let (reports, mut stats) = clean(0);
            stats[2_399][name] = value.into();
            assert!(soak(&reports, &stats, 40).is_err(), "{name} = {value}");
        }
        assert!(soak(&reports, &[], 40).is_err());
    }

    #[test]
    fn one_failed_attempt_of_a_thousand_is_accepted_and_reported() {
        let (mut reports, mut stats) = clean(0);
        for name in ["joined", "left"] {
            reports[1][name] = 996.into();
        }
        stats.last_mut().unwrap()["joined"] = 1_000.into();
        reports[1]["first_refusal"] = "disconnected: timeout".into();
        reports[1]["refused"] = 1.into();
        let summary = soak(&reports, &stats, 40).unwrap();
        assert!(summary.contains("1 attempts to join failed: disconnected: timeout"), "{summary}");
        reports[1]["refused"] = 2.into();
        assert!(soak(&reports, &stats, 40).is_err());
    }

    #[test]
    fn failed_soak_shows_why_players_have_left_and_whether_the_machine_was_too_busy() {
        let failed = |late: u64| {
            let (mut reports, stats) = clean(0);
            reports[0]["late_ms"] = late.into();
            reports[1]["lost"] = 1.into();
            soak(&reports, &stats, 40).unwrap_err()
        };
        let error = failed(LATE_MAX);
        assert!(error.starts_with("lost: 1"), "{error}");
        assert!(error.contains(r#"{"enet remote":8}"#), "{error}");
        let error = failed(LATE_MAX + 1);
        assert!(error.starts_with("the machine is too busy"), "{error}");
        assert!(error.contains("lost: 1") && error.contains("1001 ms late"), "{error}");
    }

    #[test]
    fn growth_of_the_memory_is_limited_in_long_soaks_and_its_maximum_in_all() {
        // 10 minutes × 60 s × 160 bytes are 0.96 % of 10 MB.
        let (reports, stats) = clean(160);
        assert_eq!(soak(&reports, &stats, 40).map(drop), Ok(()));
        let (reports, mut stats) = clean(180);
        let error = soak(&reports, &stats, 40).unwrap_err();
        assert!(error.starts_with("memory grows by 1.0"), "{error}");
        assert_eq!(soak(&reports, &stats, 2).map(drop), Ok(()));
        stats[50]["resident"] = (MEMORY_MAX + 1.0).into();
        assert!(soak(&reports, &stats, 2).unwrap_err().contains("at most 128 MiB"));
    }

    #[test]
    fn overload_fails_if_players_are_slow_or_lost_or_others_join() {
        let report = |p99: u64| json!({ "present": 5, "lost": 0, "faults": 0, "p50_us": 900, "p99_us": p99 });
        let players = |p99| [report(9), report(1_000), report(9_000), report(p99)];
        let others = |joined, refused| [json!({ "joined": joined, "refused": refused })];
        let table = overload(&players(2_000), &others(0, 7), 5).unwrap();
        assert!(table.contains("p99 is 2.00 times as large"), "{table}");
        assert!(overload(&players(2_001), &others(0, 7), 5).unwrap_err().starts_with("p99"));
        assert!(overload(&players(2_000), &others(1, 7), 5).is_err());
        assert!(overload(&players(2_000), &others(0, 0), 5).is_err());
        assert!(overload(&players(2_000), &others(0, 7), 6).is_err());
        let mut lost = players(2_000);
        lost[2]["lost"] = 1.into();
        assert!(overload(&lost, &others(0, 7), 5).unwrap_err().starts_with("a player was"));
    }
}
