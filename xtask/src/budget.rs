//! The time that each step of `cargo xtask ci` may take.

use std::time::Duration;

/// Each step, and the seconds that it takes on two idle cores with an empty target folder. A step
/// fails when it takes [`SLACK`] times as long. A new step, or one that does more, changes its row.
///
/// Compiling is measured in CPU time, of which two cores do 1.7 s in a second.
const SECONDS: &[(&str, u64)] = &[
    ("formatting", 3),
    ("lints", 85),
    ("documentation", 25),
    ("features", 75),
    ("dependencies", 60),
    ("Godot", 5),
    ("cargo test", 220),
    ("interop, server", 25),
    ("interop, client", 15),
    ("interop, mixed", 5),
    ("interop, both", 10),
    ("interop, ws, server", 15),
    ("interop, ws, client", 12),
    ("interop, wss, server", 3),
    ("interop, wss, client", 3),
    ("one room", 2),
    ("nginx in front", 5),
    ("planted fault, server", 2),
    ("planted fault, client", 2),
    ("C ENet", 30),
    ("README", 2),
    ("example arena", 5),
    ("additional suite, enet, server", 28),
    ("additional suite, enet, client", 22),
    ("additional suite, ws, server", 20),
    ("additional suite, ws, client", 19),
    ("simulated worlds", 100),
    ("benchmarks run", 85),
];

/// Seconds that planned work may add. Whoever adds it moves its share to rows of [`SECONDS`].
#[cfg(test)]
const RESERVED: &[(&str, u64)] = &[
    ("WebRTC", 6 * 60),
    ("API", 5 * 60),
    ("server", 6 * 60),
    ("operations", 5 * 60),
    ("bots", 3 * 60),
    ("relay", 6 * 60),
    ("cluster", 4 * 60),
];

/// Factor by which a machine may be slower than measured.
const SLACK: u32 = 4;

/// The least ceiling of a step: its first run may fetch a Debian package.
const CEILING_MIN: Duration = Duration::from_secs(120);

/// The most that all steps together may take.
pub(crate) const TOTAL: Duration = Duration::from_secs(50 * 60);

/// Returns the most that the step `name` may take; `None` when it has no row in the table.
pub(crate) fn ceiling(name: &str) -> Option<Duration> {
    let (_, seconds) = SECONDS.iter().find(|(step, _)| *step == name)?;
    Some((Duration::from_secs(*seconds) * SLACK).max(CEILING_MIN))
}

/// Checks that the step `name` took no longer than it may.
///
/// # Errors
///
/// When it took longer, or has no row in the table.
pub(crate) fn check(name: &str, took: Duration) -> Result<(), String> {
    let Some(ceiling) = ceiling(name) else {
        return Err(format!("xtask/src/budget.rs has no row for the step {name:?}"));
    };
    if took <= ceiling {
        return Ok(());
    }
    Err(format!(
        "took {:.0} s, {:.0} s more than its ceiling of {:.0} s (xtask/src/budget.rs)",
        took.as_secs_f64(),
        (took - ceiling).as_secs_f64(),
        ceiling.as_secs_f64(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_and_reserved_times_fit_the_total() {
        let sum: u64 = SECONDS.iter().chain(RESERVED).map(|(_, seconds)| seconds).sum();
        assert!(Duration::from_secs(sum) <= TOTAL, "{sum} s are more than {TOTAL:?}");
    }

    #[test]
    fn a_step_above_its_ceiling_fails_and_the_error_says_by_how_much() {
        assert_eq!(check("lints", Duration::from_secs(340)), Ok(()));
        let error = check("lints", Duration::from_secs(347)).unwrap_err();
        assert!(error.starts_with("took 347 s, 7 s more than its ceiling of 340 s"), "{error}");
        assert_eq!(check("formatting", CEILING_MIN), Ok(()));
        assert!(check("formatting", CEILING_MIN + Duration::from_secs(1)).is_err());
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
        assert_eq!(fixed.iter().find(|name| ceiling(name).is_none()), None);
        let formatted = ["interop, ", "planted fault, ", "additional suite, "];
        let is_formatted = |name: &str| formatted.iter().any(|start| name.starts_with(start));
        let unused = SECONDS.iter().find(|(name, _)| !fixed.contains(name) && !is_formatted(name));
        assert_eq!(unused, None);
    }
}
