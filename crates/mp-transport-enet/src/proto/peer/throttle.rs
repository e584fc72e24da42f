//! The packet throttle: ENet drops unreliable packets on their way out, and narrows the reliable window, when more is to
//! be sent than the bandwidth allows, and when round trips grow. The second is off unless a setting turns it on; the
//! parameters of the other side are stored and echoed all the same.
//! (A Godot server loses 12 % of its unreliable packets to 32 clients on loopback to it, because its round trips are
//! quantised by its frames.)

use crate::proto::command::ThrottleParameters;

/// How much of what is unreliable is sent, in 32nds.
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    enabled: bool,
    value: u32,
    /// What the bandwidth allows.
    limit: u32,
    counter: u32,
    parameters: ThrottleParameters,
}

impl Throttle {
    /// Everything is sent; `parameters` come from the other side and are clamped.
    pub(crate) fn new(parameters: ThrottleParameters, enabled: bool) -> Self {
        let mut throttle = Self { enabled, value: SCALE, limit: SCALE, counter: 0, parameters };
        throttle.configure(parameters);
        throttle
    }

    /// Stores what the other side asks for, within reason: an interval of a second to a minute, steps of at most all.
    pub(crate) fn configure(&mut self, parameters: ThrottleParameters) {
        self.parameters = ThrottleParameters {
            interval: parameters.interval.clamp(INTERVAL_MIN, INTERVAL_MAX),
            acceleration: parameters.acceleration.min(SCALE),
            deceleration: parameters.deceleration.min(SCALE),
        };
    }

    /// How many 32nds of unreliable packets are sent.
    pub(crate) const fn value(&self) -> u32 {
        self.value
    }

    /// How many 32nds the bandwidth allows.
    pub(crate) const fn limit(&self) -> u32 {
        self.limit
    }

    /// Where it stands within the 32.
    pub(crate) const fn counter(&self) -> u32 {
        self.counter
    }

    /// Milliseconds over which the lowest round trip is remembered.
    pub(crate) const fn interval(&self) -> u32 {
        self.parameters.interval
    }

    /// What was asked for, within reason.
    pub(crate) const fn parameters(&self) -> ThrottleParameters {
        self.parameters
    }

    /// Follows the bandwidth: at most `limit` 32nds are sent.
    pub(crate) fn set_limit(&mut self, limit: u32) {
        self.limit = limit.min(SCALE);
        self.value = if self.enabled { self.value.min(self.limit) } else { self.limit };
    }

    /// Follows one round trip, given the best of the last interval.
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

    /// Whether the next unreliable packet is sent.
    pub(crate) fn admits(&mut self) -> bool {
        self.counter = (self.counter + STEP) % SCALE;
        self.counter <= self.value
    }

    /// The part of a window of `bytes` that may be used.
    pub(crate) const fn scale(&self, bytes: u32) -> u32 {
        (self.value as u64 * bytes as u64 / SCALE as u64) as u32
    }
}

/// Everything is sent.
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
    fn it_falls_when_round_trips_grow_and_rises_when_they_are_good() {
        let mut throttle = throttle(true);
        throttle.adjust(100, 50, 10);
        assert_eq!(throttle.value, 30);
        throttle.adjust(60, 50, 10);
        assert_eq!(throttle.value, 30, "neither good nor bad");
        throttle.adjust(50, 50, 10);
        throttle.adjust(50, 50, 10);
        assert_eq!(throttle.value, 32);
        throttle.value = 3;
        throttle.adjust(10, 5, 5);
        assert_eq!(throttle.value, 32, "a round trip within its variance says nothing");
    }

    #[test]
    fn it_drops_in_proportion() {
        let mut throttle = throttle(true);
        assert!((0..320).all(|_| throttle.admits()), "nothing at 32");
        throttle.value = 15;
        let sent = (0..320).filter(|_| throttle.admits()).count();
        assert_eq!(sent, 160);
        assert_eq!(throttle.scale(65_536), 30_720);
        throttle.value = 0;
        assert_eq!((0..32).filter(|_| throttle.admits()).count(), 1);
    }

    #[test]
    fn the_bandwidth_limits_it_switched_off_or_not() {
        for enabled in [false, true] {
            let mut throttle = throttle(enabled);
            throttle.set_limit(8);
            assert_eq!((0..320).filter(|_| throttle.admits()).count(), 90);
            assert_eq!(throttle.scale(65_536), 16_384);
            throttle.adjust(50, 50, 10);
            assert_eq!(throttle.value, 8, "a good round trip does not lift it beyond");
            throttle.set_limit(SCALE);
            throttle.adjust(50, 50, 10);
            assert_eq!(throttle.value, if enabled { 10 } else { 32 });
        }
    }

    #[test]
    fn switched_off_it_never_drops() {
        let mut throttle = throttle(false);
        throttle.adjust(1_000, 5, 1);
        assert!((0..32).all(|_| throttle.admits()));
        assert_eq!(throttle.scale(65_536), 65_536);
    }

    #[test]
    fn parameters_of_a_stranger_are_clamped() {
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
