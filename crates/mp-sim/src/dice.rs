//! Draws from a generator, in words.

use std::time::Duration;

use mp_core::Rng;

/// What the simulator asks of a generator.
pub trait Dice {
    /// Whether something happens that does in `permille` of 1,000 cases.
    fn chance(&mut self, permille: u32) -> bool;

    /// A number from `low` to `high`, both included.
    fn between(&mut self, low: u64, high: u64) -> u64;

    /// A time from `low` to `high`, in whole microseconds.
    fn duration(&mut self, low: Duration, high: Duration) -> Duration;

    /// A time that is `mean` on average and mostly shorter: how long until something happens that may happen at any time.
    fn until(&mut self, mean: Duration) -> Duration;

    /// One of `from`; `None` when there is none.
    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T>;
}

impl Dice for Rng {
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
        // The exponential distribution by its bits: whole halvings, then evenly within one. No floating point, whose
        // logarithms may differ between machines.
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
    fn waiting_takes_about_its_mean() {
        let mut rng = Rng::from_number(1);
        let mean = Duration::from_millis(100);
        let total: Duration = (0..10_000).map(|_| rng.until(mean)).sum();
        let seen = total / 10_000;
        assert!(seen > mean * 9 / 10 && seen < mean * 12 / 10, "{seen:?}");
    }

    #[test]
    fn both_ends_are_drawn() {
        let mut rng = Rng::from_number(2);
        let drawn: std::collections::BTreeSet<u64> = (0..100).map(|_| rng.between(3, 5)).collect();
        assert_eq!(drawn, [3, 4, 5].into());
        assert!(!rng.chance(0) && rng.chance(1_000));
        assert_eq!(rng.pick::<u8>(&[]), None);
    }
}
