//! ENet's packet throttle. It drops unreliable packets before they are sent, and shrinks the
//! reliable window, when the bandwidth limits require it and when round-trip times grow.
//!
//! The second reason is off unless a setting enables it: a Godot server drops 12 % of its
//! unreliable packets to 32 clients on loopback, because frames quantize its round-trip times. The
//! parameters that the remote peer sends are stored in any case.

use crate::proto::command::ThrottleParameters;

/// The fraction of unreliable packets that is sent, in 32nds.
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    enabled: bool,
    value: u32,
    /// Upper limit from the bandwidth limits.
    limit: u32,
    counter: u32,
    parameters: ThrottleParameters,
}

impl Throttle {
    /// Returns a throttle that drops nothing. `parameters` are received values, which are clamped.
    pub(crate) fn new(parameters: ThrottleParameters, enabled: bool) -> Self {
        let mut throttle = Self { enabled, value: SCALE, limit: SCALE, counter: 0, parameters };
        throttle.configure(parameters);
        throttle
    }

    /// Stores received parameters: the interval is clamped to 1 to 60 s, the steps to at most 32.
    pub(crate) fn configure(&mut self, parameters: ThrottleParameters) {
        self.parameters = ThrottleParameters {
            interval: parameters.interval.clamp(INTERVAL_MIN, INTERVAL_MAX),
            acceleration: parameters.acceleration.min(SCALE),
            deceleration: parameters.deceleration.min(SCALE),
        };
    }

    /// Returns the fraction of unreliable packets sent, in 32nds.
    pub(crate) const fn value(&self) -> u32 {
        self.value
    }

    /// Returns the upper limit from the bandwidth limits, in 32nds.
    pub(crate) const fn limit(&self) -> u32 {
        self.limit
    }

    /// Returns the counter that selects the packets to drop, 0 to 31.
    pub(crate) const fn counter(&self) -> u32 {
        self.counter
    }

    /// Returns the interval in milliseconds over which the lowest round-trip time is tracked.
    pub(crate) const fn interval(&self) -> u32 {
        self.parameters.interval
    }

    /// Returns the clamped parameters.
    pub(crate) const fn parameters(&self) -> ThrottleParameters {
        self.parameters
    }

    /// Sets the upper limit from the bandwidth limits, in 32nds.
    pub(crate) fn set_limit(&mut self, limit: u32) {
        self.limit = limit.min(SCALE);
        self.value = if self.enabled { self.value.min(self.limit) } else { self.limit };
    }

    /// Adjusts the fraction to a round-trip time, given the lowest one of the last interval.
    pub(crate) fn adjust(&mut self, sample: u32, last: u32, last_variance: u32) {
        if !self.enabled {
            return;
        }
        if last <= last_variance {
            self.value = self.limit;
        } else if sample <= last {
            self.value = (self.value + self.parameters.acceleration).min(self.limit);
        } else if sample > last.saturating_add(last_variance.saturating_mul(2)) {
            self.value = self.value.saturating_sub(self.parameters.deceleration);
        }
    }

    /// Returns whether to send the next unreliable packet.
    pub(crate) fn admits(&mut self) -> bool {
        self.counter = (self.counter + STEP) % SCALE;
        self.counter <= self.value
    }

    /// Returns the part of a window of `bytes` that may be used.
    pub(crate) const fn scale(&self, bytes: u32) -> u32 {
        (self.value as u64 * bytes as u64 / SCALE as u64) as u32
    }
}

/// The fraction at which all packets are sent.
pub(crate) const SCALE: u32 = 32;
const STEP: u32 = 7;
const INTERVAL_MIN: u32 = 1_000;
const INTERVAL_MAX: u32 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(enabled: bool) -> Throttle {
        Throttle::new(ThrottleParameters::default(), enabled)
    }

    #[test]
    fn throttle_follows_round_trip_times() {
        let mut throttle = throttle(true);
        throttle.adjust(100, 50, 10);
        assert_eq!(throttle.value, 30);
        throttle.adjust(60, 50, 10);
        assert_eq!(throttle.value, 30, "neither good nor bad: no change");
        throttle.adjust(50, 50, 10);
        throttle.adjust(50, 50, 10);
        assert_eq!(throttle.value, 32);
        throttle.value = 3;
        throttle.adjust(10, 5, 5);
        assert_eq!(throttle.value, 32, "a round trip within its variance is no reason to drop");
    }

    #[test]
    fn throttle_drops_in_proportion() {
        let mut throttle = throttle(true);
        assert!((0..320).all(|_| throttle.admits()), "nothing is dropped at 32");
        throttle.value = 15;
        let sent = (0..320).filter(|_| throttle.admits()).count();
        assert_eq!(sent, 160);
        assert_eq!(throttle.scale(65_536), 30_720);
        throttle.value = 0;
        assert_eq!((0..32).filter(|_| throttle.admits()).count(), 1);
    }

    #[test]
    fn bandwidth_limits_apply_even_if_the_throttle_is_disabled() {
        for enabled in [false, true] {
            let mut throttle = throttle(enabled);
            throttle.set_limit(8);
            assert_eq!((0..320).filter(|_| throttle.admits()).count(), 90);
            assert_eq!(throttle.scale(65_536), 16_384);
            throttle.adjust(50, 50, 10);
            assert_eq!(throttle.value, 8, "a good round trip must not exceed the limit");
            throttle.set_limit(SCALE);
            throttle.adjust(50, 50, 10);
            assert_eq!(throttle.value, if enabled { 10 } else { 32 });
        }
    }

    #[test]
    fn a_disabled_throttle_never_drops() {
        let mut throttle = throttle(false);
        throttle.adjust(1_000, 5, 1);
        assert!((0..32).all(|_| throttle.admits()));
        assert_eq!(throttle.scale(65_536), 65_536);
    }

    #[test]
    fn received_throttle_parameters_are_clamped() {
        let wild =
            ThrottleParameters { interval: 0, acceleration: u32::MAX, deceleration: u32::MAX };
        let mut throttle = Throttle::new(wild, true);
        assert_eq!(throttle.interval(), 1_000);
        throttle.adjust(u32::MAX, 50, u32::MAX / 2);
        throttle.adjust(u32::MAX, 50, 10);
        assert_eq!(throttle.value, 0);
        throttle.adjust(1, 50, 10);
        assert_eq!(throttle.value, 32);
    }
}
