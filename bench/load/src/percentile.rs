//! Percentiles of durations.

/// Sorts durations in nanoseconds, and returns a percentile of them in µs; `None` if there are
/// none. 100 is the longest.
pub(crate) fn percentile_us(nanos: &mut [u64], percent: usize) -> Option<f64> {
    nanos.sort_unstable();
    let last = nanos.len().checked_sub(1)?;
    Some(nanos[last * percent / 100] as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_durations() {
        let mut nanos: Vec<u64> = (0..=100).rev().map(|number| number * 1_000).collect();
        assert_eq!(percentile_us(&mut nanos, 50), Some(50.0));
        assert_eq!(percentile_us(&mut nanos, 100), Some(100.0));
        assert_eq!(percentile_us(&mut [], 50), None);
    }
}
