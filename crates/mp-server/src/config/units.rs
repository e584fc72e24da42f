//! Texts of numbers, and numbers with units, which messages convert into plain numbers.

/// Returns a number with underscores between groups of three digits.
pub(crate) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    if number < 0 { format!("-{grouped}") } else { grouped }
}

/// Parses a duration with a unit, such as `5m`.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    with_unit(text, |unit| {
        Some(match unit {
            "" | "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            _ => return None,
        })
    })
}

/// Parses a size with a unit, such as `32 MiB`.
pub(crate) fn bytes(text: &str) -> Option<i64> {
    with_unit(text, |unit| {
        Some(match unit {
            "" | "b" | "byte" | "bytes" => 1,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            _ => return None,
        })
    })
}

fn with_unit(text: &str, factor: impl Fn(&str) -> Option<i64>) -> Option<i64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = factor(&unit.trim().to_ascii_lowercase())?;
    number.parse::<i64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_become_plain_numbers() {
        assert_eq!(
            (seconds("5m"), seconds("2 hours"), seconds("30")),
            (Some(300), Some(7_200), Some(30))
        );
        assert_eq!((bytes("32 MiB"), bytes("1kB")), (Some(32 << 20), Some(1_000)));
        for wrong in ["", "m", "5x", "99999999999999999999s", "9223372036854775807h"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn digits_are_grouped() {
        let table = [(0, "0"), (999, "999"), (1_000, "1_000"), (-33_554_432, "-33_554_432")];
        for (number, text) in table {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(grouped(i64::MIN), "-9_223_372_036_854_775_808");
    }
}
