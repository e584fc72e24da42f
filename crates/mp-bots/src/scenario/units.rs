//! Durations as text: `250ms`, `1.5s`, `2m`.

use std::time::Duration;

/// Units and their milliseconds. The longer suffix comes first.
const UNITS: [(&str, f64); 4] = [("ms", 1.0), ("s", 1e3), ("m", 60e3), ("h", 3_600e3)];

/// Longest duration.
pub(super) const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Returns the duration that `text` stands for, at most [`DURATION_MAX`].
pub(super) fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, millis) =
        UNITS.iter().find_map(|(unit, millis)| Some((text.strip_suffix(unit)?, millis)))?;
    let number: f64 = number.trim_end().parse().ok()?;
    let duration = Duration::try_from_secs_f64(number * millis / 1e3).ok()?;
    (duration <= DURATION_MAX).then_some(duration)
}

/// Returns a duration for people, with three digits.
pub(crate) fn shown(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    let (number, unit) = match micros {
        ..1e3 => (micros, "µs"),
        ..1e6 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    match number {
        ..10.0 if unit != "µs" => format!("{number:.2} {unit}"),
        ..100.0 if unit != "µs" => format!("{number:.1} {unit}"),
        _ => format!("{number:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        let table = [
            ("250ms", Some(Duration::from_millis(250))),
            ("1.5s", Some(Duration::from_millis(1_500))),
            (" 2 m ", Some(Duration::from_secs(120))),
            ("1h", Some(Duration::from_secs(3_600))),
            ("10", None),
            ("-1s", None),
            ("1e9h", None),
            ("NaNs", None),
            ("s", None),
        ];
        for (text, expected) in table {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn shown_durations_have_three_digits() {
        let shown = [50, 1_234, 99_900, 250_000, 12_345_678]
            .map(|micros| shown(Duration::from_micros(micros)));
        assert_eq!(shown, ["50 µs", "1.23 ms", "99.9 ms", "250 ms", "12.3 s"]);
    }
}
