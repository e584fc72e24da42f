//! [`AddressLimiter`]: a rate of requests per client address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mp_core::{AddressPrefix, Instant, Rate, TokenBucket};

/// Limits the rate of each IPv4 address and of each IPv6 network of 64 bits.
///
/// It knows at most [`ADDRESSES_MAX`] of them at a time; further ones share one rate.
#[derive(Debug)]
pub(crate) struct AddressLimiter {
    rate: Rate,
    cost: u64,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    of: HashMap<AddressPrefix, TokenBucket>,
    others: TokenBucket,
}

impl AddressLimiter {
    /// Returns a limiter that allows `burst` requests at once, and then one per `interval`.
    /// `interval` is in whole seconds, at least one.
    pub(crate) fn new(burst: u64, interval: Duration) -> Self {
        let cost = interval.as_secs().max(1);
        let rate = Rate::per_second(1).with_burst(burst * cost);
        Self { rate, cost, buckets: Mutex::default() }
    }

    /// Returns a limiter that allows `rate` requests per second, and those of ten seconds at once.
    pub(crate) fn per_second(rate: u64) -> Self {
        let rate = Rate::per_second(rate).with_burst(rate.saturating_mul(10));
        Self { rate, cost: 1, buckets: Mutex::default() }
    }

    /// Counts a request. The error is the time after which the next one is allowed.
    pub(crate) fn take(&self, now: Instant, address: IpAddr) -> Result<(), Duration> {
        self.check(now, address)?;
        self.charge(now, address);
        Ok(())
    }

    /// Returns whether a request is allowed, without counting it. The error is the time to wait.
    pub(crate) fn check(&self, now: Instant, address: IpAddr) -> Result<(), Duration> {
        self.with(now, address, |bucket, rate, cost| {
            if bucket.allows(now, rate, cost) { Ok(()) } else { Err(Duration::from_secs(cost)) }
        })
    }

    /// Counts a request, whether it is allowed or not.
    pub(crate) fn charge(&self, now: Instant, address: IpAddr) {
        self.with(now, address, |bucket, rate, cost| bucket.charge(now, rate, cost));
    }

    fn with<R>(
        &self,
        now: Instant,
        address: IpAddr,
        call: impl FnOnce(&mut TokenBucket, Rate, u64) -> R,
    ) -> R {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { of, others } = &mut *buckets;
        let client = client(address);
        if of.len() >= ADDRESSES_MAX && !of.contains_key(&client) {
            of.retain(|_, bucket| !bucket.allows(now, self.rate, self.rate.burst()));
        }
        let bucket = match of.len() >= ADDRESSES_MAX && !of.contains_key(&client) {
            true => others,
            false => of.entry(client).or_default(),
        };
        call(bucket, self.rate, self.cost)
    }
}

/// Returns what counts as one client.
fn client(address: IpAddr) -> AddressPrefix {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::from(address).into(),
        IpAddr::V6(address) => AddressPrefix::new(address.into(), 64),
    }
}

/// Maximum number of clients with a rate of their own: about 200 kB.
const ADDRESSES_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn address(number: u32) -> IpAddr {
        number.to_be_bytes().into()
    }

    #[test]
    fn each_client_has_a_burst_and_then_one_request_per_interval() {
        let limiter = AddressLimiter::new(3, Duration::from_secs(6));
        let taken = |seconds, address| limiter.take(at(seconds), address).is_ok();
        assert_eq!([0; 4].map(|seconds| taken(seconds, address(1))), [true, true, true, false]);
        assert!(taken(0, address(2)));
        assert_eq!([5, 6, 7].map(|seconds| taken(seconds, address(1))), [false, true, false]);
        assert_eq!(limiter.take(at(7), address(1)), Err(Duration::from_secs(6)));
    }

    #[test]
    fn ipv6_network_is_one_client_and_mapped_addresses_are_those_of_ipv4() {
        let limiter = AddressLimiter::new(1, Duration::from_secs(1));
        let taken = |text: &str| limiter.take(at(0), text.parse().unwrap()).is_ok();
        assert!(taken("2001:db8::1") && !taken("2001:db8::2") && taken("2001:db8:0:1::1"));
        assert!(taken("192.0.2.1") && !taken("::ffff:192.0.2.1"));
    }

    #[test]
    fn number_of_clients_is_bounded_and_the_others_share_a_rate() {
        let limiter = AddressLimiter::new(1, Duration::from_secs(1));
        let most = ADDRESSES_MAX as u32;
        for number in 0..most {
            assert!(limiter.take(at(0), address(number)).is_ok());
        }
        assert!(limiter.take(at(0), address(most)).is_ok());
        assert!(limiter.take(at(0), address(most + 1)).is_err());
        assert_eq!(limiter.buckets.lock().unwrap().of.len(), ADDRESSES_MAX);
        // Clients that have waited are forgotten.
        assert!(limiter.take(at(1), address(most)).is_ok());
        assert_eq!(limiter.buckets.lock().unwrap().of.len(), 1);
    }
}
