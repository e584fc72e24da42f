//! Round-trip time: mean and variance in whole milliseconds, with ENet's integer arithmetic.

use super::throttle::Throttle;
use crate::proto::Millis;

/// Round-trip time statistics of a peer.
#[derive(Clone, Debug)]
pub(crate) struct RoundTrip {
    mean: u32,
    variance: u32,
    lowest: u32,
    highest_variance: u32,
    last: u32,
    last_variance: u32,
    /// Time at which `last` was set.
    epoch: Option<Millis>,
    measured: bool,
}

impl RoundTrip {
    /// Returns the initial values: 500 ms.
    pub(crate) const fn new() -> Self {
        Self {
            mean: INITIAL,
            variance: 0,
            lowest: INITIAL,
            highest_variance: 0,
            last: INITIAL,
            last_variance: 0,
            epoch: None,
            measured: false,
        }
    }

    /// Adds a sample and adjusts the throttle.
    pub(crate) fn sample(&mut self, now: Millis, sample: u32, throttle: &mut Throttle) {
        let sample = sample.max(1);
        if self.measured {
            throttle.adjust(sample, self.last, self.last_variance);
            self.variance -= self.variance / 4;
            let difference = sample.abs_diff(self.mean);
            self.variance += difference / 4;
            if sample >= self.mean {
                self.mean += difference / 8;
            } else {
                self.mean -= difference / 8;
            }
        } else {
            self.mean = sample;
            self.variance = sample.div_ceil(2);
            self.measured = true;
        }
        self.lowest = self.lowest.min(self.mean);
        self.highest_variance = self.highest_variance.max(self.variance);
        let interval = Millis::from(throttle.interval());
        if self.epoch.is_none_or(|epoch| now.saturating_sub(epoch) >= interval) {
            self.last = self.lowest;
            self.last_variance = self.highest_variance.max(1);
            self.lowest = self.mean;
            self.highest_variance = self.variance;
            self.epoch = Some(now);
        }
    }

    /// Returns the mean in milliseconds; 500 before the first sample.
    pub(crate) const fn mean(&self) -> u32 {
        self.mean
    }

    /// Returns the variance in milliseconds.
    pub(crate) const fn variance(&self) -> u32 {
        self.variance
    }

    /// Returns the lowest mean and the highest variance of the last throttle interval.
    pub(crate) const fn last(&self) -> (u32, u32) {
        (self.last, self.last_variance)
    }

    /// Returns the start of the current throttle interval.
    pub(crate) const fn epoch(&self) -> Option<Millis> {
        self.epoch
    }

    /// Returns the mean in milliseconds; `None` before the first sample.
    pub(crate) const fn measured(&self) -> Option<u32> {
        if self.measured { Some(self.mean) } else { None }
    }

    /// Returns the retransmission timeout of a command in milliseconds: the mean plus four times
    /// the variance.
    pub(crate) const fn timeout(&self) -> u32 {
        self.mean.saturating_add(self.variance.saturating_mul(4))
    }
}

const INITIAL: u32 = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::command::ThrottleParameters;

    fn throttle() -> Throttle {
        Throttle::new(ThrottleParameters::default(), true)
    }

    #[test]
    fn the_initial_timeout_is_half_a_second() {
        let round_trip = RoundTrip::new();
        assert_eq!((round_trip.measured(), round_trip.timeout()), (None, 500));
    }

    #[test]
    fn the_first_sample_replaces_the_initial_value() {
        // As Godot reported on loopback after its first acknowledgement.
        let mut round_trip = RoundTrip::new();
        round_trip.sample(1_000, 8, &mut throttle());
        assert_eq!((round_trip.mean, round_trip.variance), (8, 4));
        assert_eq!((round_trip.last, round_trip.last_variance), (8, 4));
        assert_eq!(round_trip.timeout(), 24);
    }

    #[test]
    fn later_samples_move_the_mean_by_an_eighth() {
        let (mut round_trip, mut throttle) = (RoundTrip::new(), throttle());
        round_trip.sample(1_000, 100, &mut throttle);
        round_trip.sample(1_100, 180, &mut throttle);
        assert_eq!((round_trip.mean, round_trip.variance), (110, 38 + 20));
        round_trip.sample(1_200, 30, &mut throttle);
        assert_eq!((round_trip.mean, round_trip.variance), (100, 44 + 20));
    }

    #[test]
    fn a_sample_is_at_least_one_millisecond() {
        let mut round_trip = RoundTrip::new();
        round_trip.sample(1_000, 0, &mut throttle());
        assert_eq!((round_trip.mean, round_trip.variance), (1, 1));
    }

    #[test]
    fn the_throttle_compares_with_the_lowest_mean_of_the_last_interval() {
        let (mut round_trip, mut throttle) = (RoundTrip::new(), throttle());
        round_trip.sample(1_000, 100, &mut throttle);
        for step in 1..=49 {
            round_trip.sample(1_000 + step * 100, 20, &mut throttle);
        }
        assert_eq!(round_trip.last, 100);
        round_trip.sample(6_000, 20, &mut throttle);
        assert!(round_trip.last < 30, "{}", round_trip.last);
    }
}
