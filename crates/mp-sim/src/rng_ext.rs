//! Draws of typical values from a generator.

use std::time::Duration;

use mp_core::Rng;

/// Draws that the simulator needs.
pub trait RngExt {
    /// Returns true in `permille` of 1,000 cases.
    fn chance(&mut self, permille: u32) -> bool;

    /// Returns a number from `low` to `high`, both included.
    fn between(&mut self, low: u64, high: u64) -> u64;

    /// Returns a duration from `low` to `high`, in whole microseconds.
    fn duration(&mut self, low: Duration, high: Duration) -> Duration;

    /// Returns an approximately exponentially distributed time with the given mean: the interval
    /// between events of a Poisson process.
    fn until(&mut self, mean: Duration) -> Duration;

    /// Returns a random element; `None` if `from` is empty.
    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T>;
}

impl RngExt for Rng {
    fn chance(&mut self, permille: u32) -> bool {
        permille > 0 && self.below(1_000) < u64::from(permille)
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    fn duration(&mut self, low: Duration, high: Duration) -> Duration {
        let (low, high) = (micros(low), micros(high));
        Duration::from_micros(self.between(low, high))
    }

    fn until(&mut self, mean: Duration) -> Duration {
        // Builds the exponential distribution from bits: whole halvings, then uniform within one.
        // Floating-point logarithms may differ between machines.
        let halvings = u64::from(self.next_u32().leading_zeros());
        let half_life = micros(mean) * 7 / 10;
        Duration::from_micros(half_life * halvings + self.below(half_life.max(1)))
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len() as u64) as usize)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_about_the_requested_mean() {
        let mut rng = Rng::seed_from_u64(1);
        let mean = Duration::from_millis(100);
        let total: Duration = (0..10_000).map(|_| rng.until(mean)).sum();
        let seen = total / 10_000;
        assert!(seen > mean * 9 / 10 && seen < mean * 12 / 10, "{seen:?}");
    }

    #[test]
    fn ranges_include_both_ends() {
        let mut rng = Rng::seed_from_u64(2);
        let drawn: std::collections::BTreeSet<u64> = (0..100).map(|_| rng.between(3, 5)).collect();
        assert_eq!(drawn, [3, 4, 5].into());
        assert!(!rng.chance(0) && rng.chance(1_000));
        assert_eq!(rng.pick::<u8>(&[]), None);
    }
}
