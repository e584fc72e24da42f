//! How often a socket is looked at.
//!
//! Most of what a packet costs is its datagram and the wake-up for it. Where single datagrams wake the thread again and again, a look
//! once per interval takes in many of them for one wake-up, and what they cause leaves together: fewer datagrams, each with
//! more in it. So does one that waits for the acknowledgements of a broadcast, which come one by one at nearly the same time.
//!
//! A flush that hundreds of peers acknowledge takes so long that others of its kind are caused while it lasts, by players who join, say.
//! They wait for each other for as long again, or each would cost a datagram to everybody, and one back.
//!
//! A rest pays for nothing else. A socket that has so much to do that its thread hardly sleeps takes in many datagrams at a
//! time as it is, and a rest would only slow down those who wait for its answers.

use std::time::Duration;

use mp_core::Instant;

use crate::limits::FLUSH_INTERVAL_MAX;

/// Decides when a socket rests.
#[derive(Debug)]
pub(crate) struct Pacing {
    /// How long a rest is; zero: there is none.
    interval: Duration,
    /// When the interval began that is counted now.
    since: Instant,
    /// Datagrams that arrived in it.
    arrivals: u64,
    /// Datagrams that were sent in it.
    sent: u64,
    /// How often arrivals woke the thread in it.
    wakes: u64,
    /// Of each, the average per interval.
    usual: Usual,
    /// Whether the thread sleeps until something arrives.
    is_asleep: bool,
    /// How many rests follow before it is seen again how often arrivals wake the thread without them.
    rests_left: u32,
    /// No rests follow each other before: how often arrivals wake the thread is being seen.
    awake_until: Instant,
    /// While it rests: until when.
    until: Option<Instant>,
    /// Whether something was sent since the last look.
    has_sent: bool,
    /// After a large flush: before when there is no other.
    next_flush: Instant,
}

#[derive(Debug, Default)]
struct Usual {
    traffic: Average,
    arrivals: Average,
    wakes: Average,
}

impl Usual {
    /// Whether there is enough to do, in wake-ups that bring little each.
    fn gains_by_rests(&self) -> bool {
        self.traffic.0 >= TRAFFIC
            && self.wakes.0 >= WAKES
            && self.arrivals.0 < self.wakes.0 * ARRIVALS_PER_WAKE
    }
}

impl Pacing {
    pub(crate) const fn new(interval: Duration) -> Self {
        Self {
            interval,
            since: Instant::ZERO,
            arrivals: 0,
            sent: 0,
            wakes: 0,
            usual: Usual { traffic: Average(0.0), arrivals: Average(0.0), wakes: Average(0.0) },
            is_asleep: false,
            rests_left: 0,
            awake_until: Instant::ZERO,
            until: None,
            has_sent: false,
            next_flush: Instant::ZERO,
        }
    }

    pub(crate) const fn interval(&self) -> Duration {
        self.interval
    }

    /// Whether the socket is left alone now.
    pub(crate) fn is_resting(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Whether what is queued waits: for the end of the rest, when something was sent in it already, or for
    /// [`next_flush`](Self::next_flush).
    pub(crate) fn holds_back(&self, now: Instant) -> bool {
        now < self.next_flush || (self.has_sent && self.is_resting(now))
    }

    /// Before when nothing is sent.
    pub(crate) const fn next_flush(&self) -> Instant {
        self.next_flush
    }

    /// The thread sleeps until something arrives, or until the rest is over.
    pub(crate) const fn sleeps(&mut self) {
        self.is_asleep = self.until.is_none();
    }

    /// `datagrams` were handed to the socket; so many peers acknowledge what is in them, out of a host's `peers`. How long the socket
    /// shall rest, so that their acknowledgements are there when it is looked at.
    pub(crate) fn sent(
        &mut self,
        now: Instant,
        datagrams: u64,
        asked: u64,
        peers: u16,
    ) -> Option<Duration> {
        self.sent += datagrams;
        self.has_sent = true;
        if asked >= LARGE_FLUSH && self.interval > Duration::ZERO {
            // It took as long; `now` was when it began.
            let takes = Duration::from_micros(asked * MICROS_PER_PEER);
            self.next_flush = now + 2 * takes.min(FLUSH_INTERVAL_MAX);
        }
        (asked >= ASKED_MIN && self.until.is_none()).then(|| self.rest_of(peers)).flatten()
    }

    /// After a look that brought `datagrams` to a host with `peers` and left none: how long the socket shall rest.
    pub(crate) fn looked(&mut self, now: Instant, datagrams: u64, peers: u16) -> Option<Duration> {
        self.has_sent = false;
        self.arrivals += datagrams;
        if self.is_asleep && datagrams > 0 {
            self.wakes += 1;
        }
        self.is_asleep = false;
        let has_rested = self.until.take().is_some();
        self.count(now, has_rested);
        let usual = &self.usual;
        if self.rests_left > 0 {
            self.rests_left -= 1;
            if usual.arrivals.0 < WAKES_STILL || usual.traffic.0 < TRAFFIC_STILL {
                self.rests_left = 0;
            }
            if self.rests_left == 0 {
                self.awake_until = now + self.interval * AWAKE;
            }
        } else if now >= self.awake_until && usual.gains_by_rests() {
            self.rests_left = RESTS;
        }
        (self.rests_left > 0).then(|| self.rest_of(peers)).flatten()
    }

    /// The socket rests until then.
    pub(crate) const fn rest(&mut self, until: Instant) {
        self.until = Some(until);
    }

    /// There are no more rests.
    pub(crate) const fn stop(&mut self) {
        self.interval = Duration::ZERO;
        self.until = None;
        self.next_flush = Instant::ZERO;
    }

    fn rest_of(&self, peers: u16) -> Option<Duration> {
        (peers >= PEERS_MIN && self.interval > Duration::ZERO).then_some(self.interval)
    }

    /// Takes what came in the intervals that are over into the averages. A rest tells nothing of wake-ups.
    fn count(&mut self, now: Instant, has_rested: bool) {
        let passed = now - self.since;
        if passed < self.interval || self.interval.is_zero() {
            return;
        }
        let intervals = passed.as_micros() / self.interval.as_micros().max(1);
        let intervals = u32::try_from(intervals).unwrap_or(u32::MAX);
        self.usual.traffic.note(self.arrivals + self.sent, intervals);
        self.usual.arrivals.note(self.arrivals, intervals);
        if !has_rested {
            self.usual.wakes.note(self.wakes, intervals);
        }
        (self.since, self.arrivals, self.sent, self.wakes) = (now, 0, 0, 0);
    }
}

/// An average over some eight intervals.
#[derive(Debug, Default)]
struct Average(f32);

impl Average {
    /// `amount` came in so many `intervals`.
    fn note(&mut self, amount: u64, intervals: u32) {
        let kept = KEPT.powi(i32::try_from(intervals).unwrap_or(i32::MAX));
        self.0 = self.0 * kept + amount as f32 / intervals as f32 * (1.0 - kept);
    }
}

/// Peers below which nothing is gained: no wake-up brings more than a few.
const PEERS_MIN: u16 = 8;
/// Peers that acknowledge one flush, from which it is followed by a rest.
const ASKED_MIN: u64 = 8;
/// Peers that acknowledge one flush, from which the next one waits.
const LARGE_FLUSH: u64 = 512;
/// About what a datagram to a peer costs, its acknowledgement included.
const MICROS_PER_PEER: u64 = 4;
/// Wake-ups per interval from which one is better.
const WAKES: f32 = 1.5;
/// Arrivals per wake-up from which nothing is gained: the thread finds the next ones there when it is done with the last.
const ARRIVALS_PER_WAKE: f32 = 4.0;
/// Arrivals per interval, each of which might be a wake-up, below which there is nothing to be gained any more.
const WAKES_STILL: f32 = 1.0;
/// Datagrams per interval, either way, from which a socket is busy.
const TRAFFIC: f32 = 8.0;
/// Below how many it is no longer.
const TRAFFIC_STILL: f32 = 4.0;
/// Rests in a row.
const RESTS: u32 = 512;
/// The intervals without one that follow: they show whether rests still gain something, and cost what those do. Players who wait for
/// answers need some round trips to come into step with a thread that does not rest.
const AWAKE: u32 = 16;
/// What an average keeps of itself per interval.
const KEPT: f32 = 1.0 - 1.0 / 8.0;

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(1);

    fn at(micros: u64) -> Instant {
        Instant::ZERO + Duration::from_micros(1_000_000 + micros)
    }

    /// A socket at which something arrives every so often, for a while: how often its thread was woken.
    fn woken(pacing: &mut Pacing, every_micros: u64, datagrams: u64, peers: u16) -> u64 {
        let (mut woken, mut waiting) = (0, 0);
        for micros in (0..200_000).step_by(every_micros as usize) {
            waiting += datagrams;
            if pacing.is_resting(at(micros)) {
                continue;
            }
            woken += 1;
            let rest = pacing.looked(at(micros), std::mem::take(&mut waiting), peers);
            if let Some(rest) = rest {
                pacing.rest(at(micros) + rest);
            }
            pacing.sent(at(micros), datagrams, 0, peers);
            pacing.sleeps();
        }
        woken
    }

    #[test]
    fn a_socket_that_single_datagrams_wake_again_and_again_rests() {
        let woken = woken(&mut Pacing::new(INTERVAL), 100, 1, 8);
        assert!((200..300).contains(&woken), "{woken} of 2,000 times");
    }

    #[test]
    fn others_do_not_rest() {
        let fresh = || Pacing::new(INTERVAL);
        assert_eq!(
            woken(&mut fresh(), 1_000, 100, 64),
            200,
            "it is woken once per interval as it is"
        );
        assert_eq!(woken(&mut fresh(), 400, 1, 64), 500, "too little to do");
        assert_eq!(woken(&mut fresh(), 100, 1, 7), 2_000, "few peers");
        assert_eq!(woken(&mut Pacing::new(Duration::ZERO), 100, 1, 64), 2_000, "switched off");
    }

    #[test]
    fn a_thread_that_finds_many_whenever_it_looks_does_not_rest() {
        assert_eq!(woken(&mut Pacing::new(INTERVAL), 100, 5, 64), 2_000);
        let mut never_asleep = Pacing::new(INTERVAL);
        for micros in (0..100_000).step_by(100) {
            assert_eq!(never_asleep.looked(at(micros), 1, 64), None);
            never_asleep.sent(at(micros), 1, 0, 64);
        }
    }

    #[test]
    fn it_sees_from_time_to_time_whether_rests_still_gain_something() {
        let mut pacing = Pacing::new(INTERVAL);
        woken(&mut pacing, 100, 1, 8);
        let mut rests = 0;
        for interval in 0..2_000 {
            // Without rests the thread would not sleep any more.
            let now = at(200_000 + interval * 1_000);
            pacing.sent(now, 20, 0, 8);
            if let Some(rest) = pacing.looked(now, 20, 8) {
                pacing.rest(now + rest);
                rests += 1;
            }
        }
        assert!((300..=512).contains(&rests), "{rests}");
    }

    #[test]
    fn it_stops_resting_when_little_arrives() {
        let mut pacing = Pacing::new(INTERVAL);
        woken(&mut pacing, 100, 1, 8);
        let later = 300_000;
        let rests = (0..100).filter(|&interval| {
            // Much is sent, but it is for the clock that the thread wakes.
            pacing.sent(at(later + interval * 1_000), 100, 0, 8);
            let rest = pacing.looked(at(later + interval * 1_000), interval & 1, 8);
            rest.inspect(|_| pacing.rest(at(later + interval * 1_000 + 1_000))).is_some()
        });
        assert!(rests.count() <= 24);
    }

    #[test]
    fn it_rests_after_a_broadcast_that_many_acknowledge() {
        let mut pacing = Pacing::new(INTERVAL);
        assert_eq!(pacing.sent(at(0), 500, 0, 500), None, "nobody acknowledges");
        assert_eq!(pacing.sent(at(0), 7, 7, 500), None, "few do");
        assert_eq!(pacing.sent(at(0), 8, 8, 500), Some(INTERVAL));
        pacing.rest(at(1_000));
        assert_eq!(pacing.sent(at(0), 8, 8, 500), None, "it rests already");
        assert_eq!(pacing.looked(at(1_000), 500, 500), None, "and only once");
    }

    #[test]
    fn within_a_rest_one_flush_goes_and_the_next_waits() {
        let mut pacing = Pacing::new(INTERVAL);
        pacing.rest(at(1_000));
        assert!(pacing.is_resting(at(999)) && !pacing.holds_back(at(999)));
        pacing.sent(at(0), 1, 0, 64);
        assert!(pacing.holds_back(at(999)) && !pacing.holds_back(at(1_000)));
        pacing.looked(at(1_000), 64, 64);
        assert!(!pacing.is_resting(at(1_000)));
        pacing.rest(at(2_000));
        assert!(!pacing.holds_back(at(1_000)), "there was a look");
        pacing.sent(at(0), 1, 0, 64);
        pacing.stop();
        assert!(!pacing.holds_back(at(1_000)));
    }

    #[test]
    fn after_a_flush_that_hundreds_acknowledge_the_next_waits_for_as_long_as_it_took() {
        let mut pacing = Pacing::new(INTERVAL);
        pacing.sent(at(0), 511, 511, 4_000);
        pacing.sent(at(0), 10_000, 0, 4_000);
        assert!(!pacing.holds_back(at(0)), "too few, or nobody");
        pacing.sent(at(0), 1_000, 1_000, 4_000);
        assert!(pacing.holds_back(at(7_999)) && !pacing.holds_back(at(8_000)));
        pacing.sent(at(4_000), 8_000, 4_000, 4_000);
        assert_eq!(pacing.next_flush(), at(4_000) + 2 * FLUSH_INTERVAL_MAX);
        pacing.stop();
        assert!(!pacing.holds_back(at(4_000)));

        let mut switched_off = Pacing::new(Duration::ZERO);
        switched_off.sent(at(0), 4_000, 4_000, 4_000);
        assert!(!switched_off.holds_back(at(0)));
    }
}
