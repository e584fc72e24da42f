//! Time limits of the steps of `cargo xtask ci`.

use std::time::Duration;

/// Seconds of each step on two idle cores with an empty target folder. A step fails after [`SLACK`]
/// times as long. Adapt the row when a step does more work.
///
/// Compile times are CPU times; two cores provide 1.7 s of CPU time per second.
const SECONDS: &[(&str, u64)] = &[
    ("formatting", 3),
    ("lints", 85),
    ("documentation", 25),
    ("features", 115),
    ("package", 2),
    ("dependencies", 60),
    ("Godot", 5),
    ("NATS", 5),
    ("cargo test", 285),
    ("interop, server", 40),
    ("interop, client", 15),
    ("interop, mixed", 5),
    ("interop, both", 10),
    ("interop, ws, server", 15),
    ("interop, ws, client", 12),
    ("interop, wss, server", 3),
    ("interop, wss, client", 3),
    ("interop, webrtc, server", 60),
    ("interop, webrtc, client", 35),
    ("interop, web, ws", 50),
    ("mp.js", 2),
    ("web page", 45),
    ("live page, scripts", 2),
    ("live page", 45),
    ("one room", 8),
    ("rooms", 40),
    ("hosted room", 32),
    ("tunnel", 52),
    ("simulated links", 15),
    ("bots", 103),
    ("silent players", 45),
    ("Godot's projects", 20),
    ("requests", 5),
    ("moves between rooms", 10),
    ("cluster", 75),
    ("Godot's DTLS", 6),
    ("reverse proxies", 10),
    ("first server", 10),
    ("certificates", 15),
    ("admin API", 30),
    ("planted fault, server", 2),
    ("planted fault, client", 2),
    ("C ENet", 30),
    ("README", 2),
    ("quick start", 40),
    ("example arena", 5),
    ("arena's window", 20),
    ("additional suite, enet, server", 28),
    ("additional suite, enet, client", 22),
    ("additional suite, ws, server", 20),
    ("additional suite, ws, client", 19),
    ("additional suite, webrtc, server", 60),
    ("simulated worlds", 100),
    ("soak", 160),
    ("instructions", 75),
    ("benchmarks run", 137),
];

/// Seconds reserved for planned work. Work that uses them moves them to [`SECONDS`].
#[cfg(test)]
const RESERVED: &[(&str, u64)] = &[
    ("WebRTC", 53),
    ("API", 3 * 60 - 25),
    ("server", 6 * 60 - 20 - 20 - 160 - 5),
    ("operations", 5 * 60 - 2 - 30 - 10 - 15 - 30 - 5 - 15 - 5 - 8 - 15),
    ("relay", 6 * 60 - 20 - 12 - 10 - 40 - 10 - 12 - 5 - 12),
    ("cluster", 4 * 60 - 5 - 5 - 25 - 75),
];

/// Maximum ratio of a step's time to its row in [`SECONDS`].
const SLACK: u32 = 4;

/// Minimum limit of a step: its first run may download a Debian package.
const LIMIT_MIN: Duration = Duration::from_secs(120);

/// Time limit of all steps together: CI has an hour.
pub(crate) const TOTAL: Duration = Duration::from_secs(55 * 60);

/// Returns the time limit of the step `name`, or `None` if it has no row.
pub(crate) fn limit(name: &str) -> Option<Duration> {
    let (_, seconds) = SECONDS.iter().find(|(step, _)| *step == name)?;
    Some((Duration::from_secs(*seconds) * SLACK).max(LIMIT_MIN))
}

/// Checks the duration of the step `name`.
///
/// # Errors
///
/// Returns an error if it exceeds the limit, or the step has no row.
pub(crate) fn check(name: &str, took: Duration) -> Result<(), String> {
    let Some(limit) = limit(name) else {
        return Err(format!("xtask/src/budget.rs has no row for the step {name:?}"));
    };
    if took <= limit {
        return Ok(());
    }
    Err(format!(
        "took {:.0} s, {:.0} s more than its limit of {:.0} s (xtask/src/budget.rs)",
        took.as_secs_f64(),
        (took - limit).as_secs_f64(),
        limit.as_secs_f64(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_and_reserved_times_fit_the_total() {
        let sum: u64 = SECONDS.iter().chain(RESERVED).map(|(_, seconds)| seconds).sum();
        assert!(Duration::from_secs(sum) <= TOTAL, "{sum} s exceed {TOTAL:?}");
    }

    #[test]
    fn a_step_above_its_limit_fails_and_the_error_contains_the_excess() {
        assert_eq!(check("lints", Duration::from_secs(340)), Ok(()));
        let error = check("lints", Duration::from_secs(347)).unwrap_err();
        assert!(error.starts_with("took 347 s, 7 s more than its limit of 340 s"), "{error}");
        assert_eq!(check("formatting", LIMIT_MIN), Ok(()));
        assert!(check("formatting", LIMIT_MIN + Duration::from_secs(1)).is_err());
    }

    #[test]
    fn a_step_without_a_row_fails() {
        let error = check("new step", Duration::ZERO).unwrap_err();
        assert!(error.contains("no row for the step \"new step\""), "{error}");
    }

    #[test]
    fn every_step_with_a_fixed_name_has_a_row_and_every_row_a_step() {
        let source = include_str!("steps.rs");
        let names = ["steps.run(\"", "steps.with_godot(\""].into_iter().flat_map(|call| {
            source.split(call).skip(1).map(|rest| rest.split('"').next().unwrap_or_default())
        });
        let fixed: Vec<&str> = names.collect();
        assert!(fixed.len() > 10, "{fixed:?}");
        assert_eq!(fixed.iter().find(|name| limit(name).is_none()), None);
        let formatted = ["interop, ", "planted fault, ", "additional suite, "];
        let is_formatted = |name: &str| formatted.iter().any(|start| name.starts_with(start));
        let unused = SECONDS.iter().find(|(name, _)| !fixed.contains(name) && !is_formatted(name));
        assert_eq!(unused, None);
    }
}
