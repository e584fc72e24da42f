//! [`FailureLimiter`]: limits failed attempts by address.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use mp_core::{AddressPrefix, Instant, Rate, TokenBucket};

use crate::limits::FAILED_ADDRESSES_MAX;

/// Limits the failed attempts of an address (IPv4), or of a network of 64 bits (IPv6). Successful
/// attempts do not count, so that players behind one address do not affect each other, and change
/// nothing for an attacker who has an account.
#[derive(Debug)]
pub(super) struct FailureLimiter {
    /// Tokens of a bucket; a failure uses [`FAILURE_TOKENS`]. `None`: no limit.
    rate: Option<Rate>,
    buckets: BTreeMap<AddressPrefix, TokenBucket>,
    /// The keys of `buckets`, oldest first.
    order: VecDeque<AddressPrefix>,
}

/// Tokens that a failure uses: seconds per minute, since the rate is per second.
const FAILURE_TOKENS: u64 = 60;

impl FailureLimiter {
    /// Returns a limiter that allows `per_minute` failures at once and per minute. 0: no limit.
    pub(super) fn new(per_minute: u32) -> Self {
        let tokens = u64::from(per_minute);
        let rate = Rate::per_second(tokens).with_burst(tokens * FAILURE_TOKENS);
        let rate = (per_minute > 0).then_some(rate);
        Self { rate, buckets: BTreeMap::new(), order: VecDeque::new() }
    }

    /// Returns whether an address may make an attempt.
    pub(super) fn allows(&mut self, now: Instant, address: Option<IpAddr>) -> bool {
        let (Some(rate), Some(address)) = (self.rate, address) else { return true };
        let bucket = self.buckets.get_mut(&AddressPrefix::of_customer(address));
        bucket.is_none_or(|bucket| bucket.allows(now, rate, FAILURE_TOKENS))
    }

    /// Counts a failed attempt of an address.
    pub(super) fn count(&mut self, now: Instant, address: Option<IpAddr>) {
        let (Some(rate), Some(address)) = (self.rate, address) else { return };
        let customer = AddressPrefix::of_customer(address);
        if !self.buckets.contains_key(&customer) {
            self.make_room(now, rate);
            self.order.push_back(customer);
        }
        self.buckets.entry(customer).or_default().charge(now, rate, FAILURE_TOKENS);
    }

    /// Returns the number of addresses.
    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Forgets the oldest addresses whose failures no longer count, and the oldest one if there are
    /// too many.
    fn make_room(&mut self, now: Instant, rate: Rate) {
        while let Some(oldest) = self.order.front() {
            let bucket = self.buckets.get_mut(oldest);
            let is_full = bucket.is_none_or(|bucket| bucket.allows(now, rate, rate.burst()));
            if !is_full && self.buckets.len() < FAILED_ADDRESSES_MAX {
                return;
            }
            self.buckets.remove(oldest);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn failures(limiter: &mut FailureLimiter, now: Instant, address: Option<IpAddr>) -> u32 {
        let mut failures = 0;
        while limiter.allows(now, address) {
            limiter.count(now, address);
            failures += 1;
            assert!(failures < 1_000, "there is a limit");
        }
        failures
    }

    #[test]
    fn failures_of_an_address_are_limited_per_minute() {
        let (mut limiter, mut now) = (FailureLimiter::new(10), Instant::from_millis(5));
        assert_eq!(failures(&mut limiter, now, ip("192.0.2.1")), 10);
        assert_eq!(failures(&mut limiter, now, ip("192.0.2.2")), 10, "another address");
        now += Duration::from_millis(5_999);
        assert_eq!(failures(&mut limiter, now, ip("192.0.2.1")), 0);
        now += Duration::from_millis(1);
        assert_eq!(failures(&mut limiter, now, ip("::ffff:192.0.2.1")), 1, "the same address");
        now += Duration::from_secs(60);
        assert_eq!(failures(&mut limiter, now, ip("192.0.2.1")), 10);
    }

    #[test]
    fn addresses_of_an_ipv6_network_count_together() {
        let (mut limiter, now) = (FailureLimiter::new(3), Instant::ZERO);
        assert_eq!(failures(&mut limiter, now, ip("2001:db8::1")), 3);
        assert_eq!(failures(&mut limiter, now, ip("2001:db8:0:0:ffff::2")), 0);
        assert_eq!(failures(&mut limiter, now, ip("2001:db8:0:1::1")), 3);
    }

    #[test]
    fn attempts_in_parallel_are_a_debt() {
        let (mut limiter, mut now) = (FailureLimiter::new(10), Instant::ZERO);
        for _ in 0..64 {
            limiter.count(now, ip("192.0.2.1"));
        }
        now += Duration::from_secs(6 * 54);
        assert!(!limiter.allows(now, ip("192.0.2.1")));
        now += Duration::from_secs(6);
        assert!(limiter.allows(now, ip("192.0.2.1")));
    }

    #[test]
    fn number_of_addresses_is_bounded_and_old_ones_are_forgotten() {
        let (mut limiter, mut now) = (FailureLimiter::new(1), Instant::ZERO);
        let address = |number: u32| Some(IpAddr::from(number.to_be_bytes()));
        for number in 0..=FAILED_ADDRESSES_MAX as u32 {
            limiter.count(now, address(number));
        }
        assert_eq!((limiter.len(), limiter.order.len()), (FAILED_ADDRESSES_MAX, limiter.len()));
        assert!(limiter.allows(now, address(0)), "the oldest is forgotten");
        assert!(!limiter.allows(now, address(1)));
        now += Duration::from_secs(60);
        limiter.count(now, address(u32::MAX));
        assert_eq!((limiter.len(), limiter.order.len()), (1, 1));
    }

    #[test]
    fn address_is_remembered_until_none_of_its_failures_counts() {
        let (mut limiter, mut now) = (FailureLimiter::new(10), Instant::ZERO);
        assert_eq!(failures(&mut limiter, now, ip("192.0.2.1")), 10);
        now += Duration::from_secs(30);
        limiter.count(now, ip("192.0.2.2"));
        assert_eq!(limiter.len(), 2);
        assert_eq!(failures(&mut limiter, now, ip("192.0.2.1")), 5);
    }

    #[test]
    fn zero_and_unknown_addresses_are_not_limited() {
        let now = Instant::ZERO;
        for (mut limiter, address) in
            [(FailureLimiter::new(0), ip("192.0.2.1")), (FailureLimiter::new(1), None)]
        {
            limiter.count(now, address);
            limiter.count(now, address);
            assert!(limiter.allows(now, address));
            assert_eq!(limiter.len(), 0);
        }
    }
}
