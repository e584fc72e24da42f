//! How often a busy socket is looked at.
//!
//! Most of what a packet costs is its datagram and the wake-up for it. Where many peers send all the time, a look once per
//! interval takes in many datagrams for one wake-up, and what they cause leaves together: fewer datagrams, each with more
//! in it. A socket with few peers, or little to do, is looked at whenever something arrives.

use std::time::Duration;

use mp_core::Instant;

/// Decides when a socket rests.
#[derive(Debug)]
pub(crate) struct Pacing {
    /// How long a rest is; zero: there is none.
    interval: Duration,
    /// When counting began.
    since: Instant,
    /// Datagrams either way since then.
    datagrams: u64,
    is_busy: bool,
    /// While it rests: until when.
    until: Option<Instant>,
    /// Whether something was sent since the last look.
    has_sent: bool,
}

impl Pacing {
    pub(crate) const fn new(interval: Duration) -> Self {
        Self {
            interval,
            since: Instant::ZERO,
            datagrams: 0,
            is_busy: false,
            until: None,
            has_sent: false,
        }
    }

    pub(crate) const fn interval(&self) -> Duration {
        self.interval
    }

    /// Whether the socket is left alone now.
    pub(crate) fn is_resting(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Whether what is queued waits for the end of the rest: something was sent in it already.
    pub(crate) fn holds_back(&self, now: Instant) -> bool {
        self.has_sent && self.is_resting(now)
    }

    /// Counts datagrams that were handed to the socket.
    pub(crate) const fn sent(&mut self, datagrams: u64) {
        self.datagrams += datagrams;
        self.has_sent = true;
    }

    /// After a look that brought `datagrams` to a host with `peers` and left none: how long the socket shall rest.
    pub(crate) fn looked(&mut self, now: Instant, datagrams: u64, peers: u16) -> Option<Duration> {
        self.has_sent = false;
        self.until = None;
        self.datagrams += datagrams;
        let passed = now - self.since;
        if passed >= self.interval * INTERVALS_COUNTED {
            let intervals = passed.as_micros() / self.interval.as_micros().max(1);
            let each = u128::from(self.datagrams) / intervals.max(1);
            self.is_busy = each >= if self.is_busy { BUSY_STILL } else { BUSY };
            (self.since, self.datagrams) = (now, 0);
        }
        (self.is_busy && peers >= PEERS_MIN && self.interval > Duration::ZERO)
            .then_some(self.interval)
    }

    /// The socket rests until then.
    pub(crate) fn rest(&mut self, until: Instant) {
        self.until = Some(until);
    }

    /// There are no more rests.
    pub(crate) const fn stop(&mut self) {
        self.interval = Duration::ZERO;
        self.until = None;
    }
}

/// Peers below which nothing is gained: no wake-up brings more than a few.
const PEERS_MIN: u16 = 8;
/// Datagrams per interval, either way, from which a socket is busy.
const BUSY: u128 = 8;
/// Below how many it is no longer.
const BUSY_STILL: u128 = 4;
/// Over how many intervals they are counted.
const INTERVALS_COUNTED: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(1);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(1_000 + millis)
    }

    /// Whether a socket that brings so many datagrams each millisecond rests in the end.
    fn rests(pacing: &mut Pacing, each: u64, peers: u16) -> bool {
        (0..100).fold(false, |_, millis| pacing.looked(at(millis), each, peers).is_some())
    }

    #[test]
    fn a_busy_socket_of_many_peers_rests_and_others_do_not() {
        assert!(rests(&mut Pacing::new(INTERVAL), 8, 8));
        assert!(!rests(&mut Pacing::new(INTERVAL), 7, 1_000), "too little to do");
        assert!(!rests(&mut Pacing::new(INTERVAL), 1_000, 7), "few peers");
        assert!(!rests(&mut Pacing::new(Duration::ZERO), 1_000, 1_000), "switched off");
    }

    #[test]
    fn it_stays_busy_until_there_is_half_as_much_to_do() {
        let mut pacing = Pacing::new(INTERVAL);
        assert!(rests(&mut pacing, 8, 8));
        assert!((100..200).all(|millis| pacing.looked(at(millis), 4, 8).is_some()));
        let rests = (200..300).filter(|&millis| pacing.looked(at(millis), 3, 8).is_some()).count();
        assert!(rests <= 8, "{rests}");
    }

    #[test]
    fn a_burst_after_a_quiet_time_is_not_a_busy_socket() {
        let mut pacing = Pacing::new(INTERVAL);
        for second in 1..10 {
            pacing.sent(500);
            assert_eq!(pacing.looked(at(second * 1_000), 2, 64), None);
        }
    }

    #[test]
    fn what_is_sent_counts_as_what_arrives() {
        let mut pacing = Pacing::new(INTERVAL);
        for millis in 0..20 {
            pacing.looked(at(millis), 1, 64);
            pacing.sent(63);
        }
        assert!(pacing.looked(at(20), 1, 64).is_some());
    }

    #[test]
    fn within_a_rest_one_flush_goes_and_the_next_waits() {
        let mut pacing = Pacing::new(INTERVAL);
        assert!(rests(&mut pacing, 64, 64));
        pacing.rest(at(101));
        assert!(pacing.is_resting(at(100)) && !pacing.holds_back(at(100)));
        pacing.sent(1);
        assert!(pacing.holds_back(at(100)) && !pacing.holds_back(at(101)));
        pacing.looked(at(101), 64, 64);
        assert!(!pacing.is_resting(at(101)));
        pacing.rest(at(102));
        assert!(!pacing.holds_back(at(101)), "there was a look");
        pacing.sent(1);
        pacing.stop();
        assert!(!pacing.holds_back(at(101)));
    }
}
