//! [`QueryResponder`]: responds to queries, sans-IO.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use mp_core::{Instant, Rate, TokenBucket};

use super::ServerQueries;
use super::wire::{self, Query};
use crate::http::AddressLimiter;

/// Responds to the queries of one socket. It stores nothing about an address but its rate.
#[derive(Debug)]
pub(super) struct QueryResponder {
    queries: ServerQueries,
    /// Key of the challenges.
    key: Key,
    addresses: AddressLimiter,
    total: TokenBucket,
}

impl QueryResponder {
    /// Returns a responder whose challenges depend on a secret seed.
    pub(super) fn new(queries: ServerQueries, seed: [u8; 32]) -> Self {
        Self {
            queries,
            key: Key::new(HMAC_SHA256, &seed),
            addresses: AddressLimiter::per_second(PER_ADDRESS),
            total: TokenBucket::default(),
        }
    }

    /// Handles a datagram that [is a query](wire::is_query). Returns the response; `None` if there
    /// is none.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Option<Vec<u8>> {
        let counts = &self.queries.0.counts;
        let Some(Query { kind, challenge }) = Query::parse(datagram) else {
            counts.malformed.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        // The total first: a flood with forged addresses is not to fill the table of addresses.
        if !self.total.allows(now, TOTAL, 1) || self.addresses.take(now, from.ip()).is_err() {
            counts.limited.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.total.charge(now, TOTAL, 1);
        let period = now.as_millis() / CHALLENGE_MILLIS;
        let is_valid = challenge.is_some_and(|given| {
            [period, period.wrapping_sub(1)].iter().any(|it| given == self.challenge(*it, from))
        });
        if is_valid {
            counts.answered.fetch_add(1, Ordering::Relaxed);
            return Some(self.queries.with_info(|info| wire::response(kind, info)));
        }
        counts.challenged.fetch_add(1, Ordering::Relaxed);
        Some(wire::challenge(self.challenge(period, from)))
    }

    /// Returns the challenge of an address in a period.
    fn challenge(&self, period: u64, address: SocketAddr) -> u32 {
        let mut text = Vec::with_capacity(26);
        text.extend(period.to_le_bytes());
        text.extend(address.port().to_le_bytes());
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => text.extend(ip.octets()),
            IpAddr::V6(ip) => text.extend(ip.octets()),
        }
        let tag = hmac::sign(&self.key, &text);
        let first = tag.as_ref().first_chunk::<4>().copied().unwrap_or_default();
        // Clients that have no challenge yet send the largest number.
        u32::from_le_bytes(first) >> 1
    }
}

/// Responses per second to one IPv4 address or IPv6 network of 64 bits; those of ten seconds at
/// once.
const PER_ADDRESS: u64 = 5;
/// Responses per second to all addresses.
const TOTAL: Rate = Rate::per_second(1_000);
/// Time after which a challenge changes, in milliseconds. The previous one stays valid as long.
const CHALLENGE_MILLIS: u64 = 30_000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::QueryInfo;
    use super::*;

    const INFO: &[u8] = b"\xff\xff\xff\xffTSource Engine Query\0";
    const PLAYERS: &[u8] = b"\xff\xff\xff\xffU\xff\xff\xff\xff";

    fn responder() -> QueryResponder {
        let queries = ServerQueries(Arc::default());
        queries.set_info(QueryInfo { name: "n".repeat(64), ..QueryInfo::default() });
        QueryResponder::new(queries, [7; 32])
    }

    fn address(number: u8) -> SocketAddr {
        ([192, 0, 2, number], 5_000).into()
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    /// Returns a query with the challenge of a response.
    fn with_challenge(query: &[u8], response: &[u8]) -> Vec<u8> {
        let base = if query.len() == INFO.len() { query } else { &query[..5] };
        [base, &response[5..]].concat()
    }

    #[test]
    fn query_is_answered_to_an_address_that_returns_the_challenge() {
        let mut responder = responder();
        for query in [INFO, PLAYERS] {
            let challenge = responder.handle(at(1), address(1), query).unwrap();
            assert_eq!((challenge.len(), challenge[4]), (9, b'A'));
            let query = with_challenge(query, &challenge);
            let response = responder.handle(at(2), address(1), &query).unwrap();
            assert_ne!(response[4], b'A');
            let other = responder.handle(at(2), address(2), &query).unwrap();
            assert_eq!(other[4], b'A', "the challenge of another address");
        }
    }

    #[test]
    fn challenge_expires() {
        let mut responder = responder();
        let challenge = responder.handle(at(0), address(1), INFO).unwrap();
        let query = with_challenge(INFO, &challenge);
        let kinds =
            [29, 59, 60].map(|time| responder.handle(at(time), address(1), &query).unwrap()[4]);
        assert_eq!(kinds, *b"IIA");
    }

    #[test]
    fn responses_are_limited_per_address_and_in_sum() {
        let mut responder = responder();
        let mut count = |address: SocketAddr, queries: usize| {
            let answered =
                (0..queries).filter(|_| responder.handle(at(1), address, INFO).is_some());
            answered.count()
        };
        assert_eq!(count(address(1), 100), 50);
        let others: usize = (2..=200).map(|number| count(address(number), 20)).sum();
        // The burst of the total is that of two seconds.
        assert_eq!(50 + others, 2_000);
        let counts: BTreeMap<_, _> = responder.queries.counts().into_iter().collect();
        assert_eq!(
            (counts["challenged"], counts["limited"]),
            (2_000, 50 + 199 * 20 - others as u64)
        );
    }

    #[test]
    fn malformed_queries_are_counted_and_not_answered() {
        let mut responder = responder();
        assert_eq!(responder.handle(at(1), address(1), &[0xff; 30]), None);
        assert_eq!(responder.queries.counts()[3], ("malformed", 1));
    }

    fn datagram() -> impl Strategy<Value = Vec<u8>> {
        let challenge = prop_oneof![Just(vec![]), prop::collection::vec(any::<u8>(), 0..6)];
        let kind = prop_oneof![
            Just(INFO.to_vec()),
            Just(PLAYERS[..5].to_vec()),
            Just(b"\xff\xff\xff\xffV".to_vec()),
            prop::collection::vec(any::<u8>(), 0..40),
        ];
        (kind, challenge).prop_map(|(kind, challenge)| [kind, challenge].concat())
    }

    proptest! {
        #[test]
        fn queries_with_forged_addresses_are_not_amplified(
            datagrams in prop::collection::vec((0_u8..4, datagram(), 0_u64..100), 1..200),
        ) {
            let mut responder = responder();
            let mut now = at(1);
            for (from, datagram, millis) in datagrams {
                now += std::time::Duration::from_millis(millis);
                let out = responder.handle(now, address(from), &datagram).map_or(0, |it| it.len());
                prop_assert!(out <= datagram.len(), "{out} bytes for {datagram:02x?}");
            }
        }
    }
}
