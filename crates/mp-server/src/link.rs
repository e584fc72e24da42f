//! Simulated link conditions as texts: of the settings of `[link]` and of `mp-server ctl link`.

use std::time::Duration;

use mp_core::host::os_seed;
use mp_core::{ConnectionConditions, Rng};

use crate::Failure;
use crate::config::Config;

/// Returns the conditions of all connections and the generator of their random numbers; `None` if
/// there are no conditions.
pub(crate) fn initial(config: &Config) -> Result<Option<(ConnectionConditions, Rng)>, Failure> {
    let conditions = ConnectionConditions::both(config.link);
    if conditions == ConnectionConditions::default() {
        return Ok(None);
    }
    let seed = os_seed();
    let seed =
        seed.map_err(|error| Failure::Refused(format!("cannot draw a random seed: {error}")))?;
    Ok(Some((conditions, Rng::from_seed(seed))))
}

/// Returns a duration of at most [`DELAY_MAX`], such as `100ms` or `1.5s`.
pub(crate) fn delay(text: &str) -> Option<Duration> {
    let (number, second) = match text.strip_suffix("ms") {
        Some(number) => (number, 1_000.0),
        None => (text.strip_suffix('s')?, 1.0),
    };
    delay_of_seconds(decimal(number)? / second)
}

/// Returns a duration of at most [`DELAY_MAX`].
pub(crate) fn delay_of_seconds(seconds: f64) -> Option<Duration> {
    let delay = Duration::try_from_secs_f64(seconds).ok()?;
    (delay <= DELAY_MAX).then_some(delay)
}

/// Returns a percentage in steps of 0.1 % as permille, such as `5%` or `0.5%`.
pub(crate) fn percentage(text: &str) -> Option<u32> {
    permille(decimal(text.strip_suffix('%')?)? / 100.0)
}

/// Returns a probability of 0 to 1 as permille, rounded.
pub(crate) fn permille(probability: f64) -> Option<u32> {
    // Compares false if it is not a number.
    (0.0..=1.0).contains(&probability).then(|| (probability * 1_000.0).round() as u32)
}

/// Returns a number of digits with at most one point.
fn decimal(text: &str) -> Option<f64> {
    let text = text.trim_end();
    let is_digit = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    text.bytes().all(is_digit).then(|| text.parse().ok()).flatten()
}

/// Maximum delay of a direction, and maximum jitter.
pub(crate) const DELAY_MAX: Duration = Duration::from_secs(10);
/// Description of valid delays.
pub(crate) const DELAY_TAKES: &str = "a time of at most 10s, such as 100ms";
/// Description of valid percentages.
pub(crate) const PERCENTAGE_TAKES: &str = "a percentage of at most 100%, such as 5% or 0.5%";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_a_unit_and_a_limit() {
        for (text, millis) in [("0ms", 0), ("100ms", 100), ("1.5s", 1_500), ("10 s", 10_000)] {
            assert_eq!(delay(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["", "100", "ms", "-1ms", "1e3ms", "10.1s", "1..2s", "infs", "NaNs"] {
            assert_eq!(delay(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn percentages_become_permille() {
        for (text, expected) in [("0%", 0), ("0.5%", 5), ("5 %", 50), ("100%", 1_000)] {
            assert_eq!(percentage(text), Some(expected), "{text}");
        }
        for wrong in ["", "5", "%", "-1%", "100.1%", "x%"] {
            assert_eq!(percentage(wrong), None, "{wrong}");
        }
    }
}
