//! [`DurationHistogram`]: a distribution of durations, in fixed buckets.

use std::time::Duration;

/// Numbers of durations in fixed buckets, and their sum. Recording is a comparison per bucket and
/// two additions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DurationHistogram {
    /// Durations of each bucket; the last one is for those above all bounds.
    counts: [u64; BUCKETS],
    sum_micros: u64,
}

const BUCKETS: usize = DurationHistogram::BOUNDS.len() + 1;

impl DurationHistogram {
    /// Upper bounds of the buckets, inclusive. They suit turns of a thread (from 100 µs) and round
    /// trips (up to seconds).
    pub const BOUNDS: [Duration; 14] = [
        Duration::from_micros(100),
        Duration::from_micros(250),
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_micros(2_500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_millis(2_500),
    ];

    /// Counts a duration.
    #[inline]
    pub fn record(&mut self, duration: Duration) {
        let bucket = Self::BOUNDS.iter().position(|&bound| duration <= bound);
        self.counts[bucket.unwrap_or(BUCKETS - 1)] += 1;
        self.sum_micros =
            self.sum_micros.saturating_add(duration.as_micros().try_into().unwrap_or(u64::MAX));
    }

    /// Adds the counts of `other`.
    pub fn add_all(&mut self, other: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(other.counts) {
            *sum += count;
        }
        self.sum_micros = self.sum_micros.saturating_add(other.sum_micros);
    }

    /// Returns the number of durations of each bucket, without those of lower ones. The last bucket
    /// has no upper bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = Self::BOUNDS.into_iter().map(Some).chain([None]);
        bounds.zip(self.counts)
    }

    /// Returns the number of durations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the sum of the durations, in whole microseconds each.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_in_the_first_bucket_that_contains_them() {
        let mut histogram = DurationHistogram::default();
        for micros in [0, 100, 101, 2_500_000, 2_500_001] {
            histogram.record(Duration::from_micros(micros));
        }
        let buckets: Vec<_> = histogram.buckets().filter(|&(_, count)| count > 0).collect();
        let bound = |micros| Some(Duration::from_micros(micros));
        assert_eq!(buckets, [(bound(100), 2), (bound(250), 1), (bound(2_500_000), 1), (None, 1)]);
        assert_eq!((histogram.count(), histogram.sum()), (5, Duration::from_micros(5_000_202)));
    }

    #[test]
    fn sums_add_up_and_saturate() {
        let mut sum = DurationHistogram::default();
        sum.record(Duration::from_millis(1));
        let mut other = sum;
        other.record(Duration::MAX);
        sum.add_all(&other);
        assert_eq!((sum.count(), sum.sum()), (3, Duration::from_micros(u64::MAX)));
    }
}
