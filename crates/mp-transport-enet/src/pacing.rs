//! Pacing of the polls and flushes of a socket.
//!
//! Most of the CPU time per packet is that of its datagram and of waking the thread for it. Pacing
//! delays the next poll by one interval (the server's `flush_interval`), so that one wake-up
//! receives many datagrams, and the packets that follow from them share datagrams.
//!
//! | situation | detected by | effect |
//! |---|---|---|
//! | single datagrams wake the thread again and again | load per interval: from [`ENTER`] until below [`EXIT`] | one poll and one flush per interval |
//! | a broadcast, whose acknowledgements are received at nearly the same time | ack-eliciting datagrams of the flush | the next poll is delayed by one interval |
//! | a broadcast to hundreds of peers, which takes longer than an interval | the time until the next poll | the next flush is delayed for as long as that one took, at most 16 ms |
//!
//! The last rule combines what queues up meanwhile, for example while hundreds of players join.
//! Otherwise each join would send a datagram to every peer and receive one from it. The duration of
//! a flush is measured: it ends one interval before the poll that is delayed after it.
//!
//! Coalescing does not help a saturated socket: its thread hardly sleeps, and receives many
//! datagrams at a time anyway. Coalescing would only add latency. So it does not start while each
//! wake-up receives [`DATAGRAMS_PER_WAKE_UP`]. The wake-ups that coalescing saves cannot be
//! observed while it lasts, and clients that wait for replies adapt to it. Therefore it pauses
//! after [`DELAYS`] intervals, and the load is measured for [`MEASURED_INTERVALS`].

use std::time::Duration;

use mp_core::Instant;

use crate::limits::FLUSH_INTERVAL_MAX;

/// Decides when to delay polling a socket so that datagrams are received and sent in batches.
#[derive(Debug)]
pub(crate) struct Pacing {
    /// Coalescing delay; zero disables coalescing.
    interval: Duration,
    /// Start of the current interval.
    since: Instant,
    /// Datagrams received in the interval.
    received: u64,
    /// Datagrams sent in the interval.
    sent: u64,
    /// Wake-ups by received datagrams in the interval.
    wake_ups: u64,
    /// Moving averages per interval.
    averages: Averages,
    /// `true` if the thread sleeps until a datagram is received.
    is_asleep: bool,
    /// Number of coalescing delays before the wake-ups without them are measured again.
    delays_left: u32,
    /// End of the measurement of wake-ups without coalescing.
    measuring_until: Instant,
    /// End of the current coalescing delay.
    until: Option<Instant>,
    /// `true` if something was sent since the last poll.
    has_sent: bool,
    /// The last flush if it was large, until the next poll.
    large_flush: Option<LargeFlush>,
    /// Earliest time of the next flush. In the future after a long one.
    next_flush: Instant,
}

/// A flush that at least [`LARGE_FLUSH_MIN`] peers acknowledge.
#[derive(Debug)]
struct LargeFlush {
    start: Instant,
    /// Delay of the next poll after the end of the flush. Zero if the flush took place within a
    /// delay, so that the next poll follows a long flush immediately.
    delay: Duration,
}

/// A load per interval.
#[derive(Debug)]
struct Load {
    /// Datagrams, received and sent.
    datagrams: f32,
    /// Wake-ups by received datagrams.
    wake_ups: f32,
}

impl Load {
    fn reaches(&self, threshold: &Self) -> bool {
        self.datagrams >= threshold.datagrams && self.wake_ups >= threshold.wake_ups
    }
}

#[derive(Debug, Default)]
struct Averages {
    traffic: Average,
    received: Average,
    wake_ups: Average,
}

impl Averages {
    /// Returns whether coalescing would help: enough load, in wake-ups for few datagrams each.
    fn would_help(&self) -> bool {
        Load { datagrams: self.traffic.0, wake_ups: self.wake_ups.0 }.reaches(&ENTER)
            && self.received.0 < self.wake_ups.0 * DATAGRAMS_PER_WAKE_UP
    }

    /// Returns whether coalescing still helps. Without it each datagram might wake the thread.
    fn helps(&self) -> bool {
        Load { datagrams: self.traffic.0, wake_ups: self.received.0 }.reaches(&EXIT)
    }
}

impl Pacing {
    pub(crate) const fn new(interval: Duration) -> Self {
        Self {
            interval,
            since: Instant::ZERO,
            received: 0,
            sent: 0,
            wake_ups: 0,
            averages: Averages {
                traffic: Average(0.0),
                received: Average(0.0),
                wake_ups: Average(0.0),
            },
            is_asleep: false,
            delays_left: 0,
            measuring_until: Instant::ZERO,
            until: None,
            has_sent: false,
            large_flush: None,
            next_flush: Instant::ZERO,
        }
    }

    pub(crate) const fn interval(&self) -> Duration {
        self.interval
    }

    /// Returns whether polling is delayed now.
    pub(crate) fn is_delaying(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Returns whether sending is delayed: until the end of the coalescing delay if something was
    /// sent in it already, or until [`next_flush`](Self::next_flush).
    pub(crate) fn delays_sending(&self, now: Instant) -> bool {
        now < self.next_flush || (self.has_sent && self.is_delaying(now))
    }

    /// Returns the earliest time of the next flush.
    pub(crate) const fn next_flush(&self) -> Instant {
        self.next_flush
    }

    /// Records that the thread sleeps until a datagram is received or the delay has expired.
    pub(crate) const fn fall_asleep(&mut self) {
        self.is_asleep = self.until.is_none();
    }

    /// Records that a flush which started at `now` has sent `datagrams`, of which `ack_eliciting`
    /// are ack-eliciting, by a host with `peers`. Returns the delay before polling again, so that
    /// the acknowledgements are received together.
    pub(crate) fn sent(
        &mut self,
        now: Instant,
        datagrams: u64,
        ack_eliciting: u64,
        peers: u16,
    ) -> Option<Duration> {
        self.sent += datagrams;
        self.has_sent = true;
        if ack_eliciting < u64::from(PEERS_MIN) {
            return None;
        }
        let delay = self.until.is_none().then(|| self.delay_for(peers)).flatten();
        if ack_eliciting >= LARGE_FLUSH_MIN {
            self.large_flush = Some(LargeFlush { start: now, delay: delay.unwrap_or_default() });
        }
        delay
    }

    /// Records that a poll received `datagrams` for a host with `peers` and drained the socket.
    /// Returns the delay before polling again.
    pub(crate) fn polled(&mut self, now: Instant, datagrams: u64, peers: u16) -> Option<Duration> {
        self.has_sent = false;
        self.received += datagrams;
        if self.is_asleep && datagrams > 0 {
            self.wake_ups += 1;
        }
        self.is_asleep = false;
        let was_delayed = self.until.take().is_some();
        if let Some(flush) = self.large_flush.take().filter(|_| was_delayed) {
            self.next_flush = now + self.rest_after(&flush, now);
        }
        self.count(now, was_delayed);
        if self.delays_left > 0 {
            self.delays_left -= 1;
            if !self.averages.helps() {
                self.delays_left = 0;
            }
            if self.delays_left == 0 {
                self.measuring_until = now + self.interval * MEASURED_INTERVALS;
            }
        } else if now >= self.measuring_until && self.averages.would_help() {
            self.delays_left = DELAYS;
        }
        (self.delays_left > 0).then(|| self.delay_for(peers)).flatten()
    }

    /// Starts a coalescing delay that ends at `until`.
    pub(crate) const fn start_delay(&mut self, until: Instant) {
        self.until = Some(until);
    }

    /// Disables coalescing.
    pub(crate) const fn stop(&mut self) {
        self.interval = Duration::ZERO;
        self.until = None;
        self.large_flush = None;
        self.next_flush = Instant::ZERO;
    }

    fn delay_for(&self, peers: u16) -> Option<Duration> {
        (peers >= PEERS_MIN && self.interval > Duration::ZERO).then_some(self.interval)
    }

    /// Returns the delay of the next flush at `now`, the time of the first poll after `flush`. If
    /// that took longer than an interval, as much time must pass after its end.
    fn rest_after(&self, flush: &LargeFlush, now: Instant) -> Duration {
        let took = (now - flush.start).saturating_sub(flush.delay).min(FLUSH_INTERVAL_MAX);
        if took > self.interval { took.saturating_sub(flush.delay) } else { Duration::ZERO }
    }

    /// Adds the completed intervals to the averages. An interval with coalescing has no information
    /// about wake-ups without it.
    fn count(&mut self, now: Instant, was_delayed: bool) {
        let passed = now - self.since;
        if passed < self.interval || self.interval.is_zero() {
            return;
        }
        let intervals = passed.as_micros() / self.interval.as_micros().max(1);
        let intervals = u32::try_from(intervals).unwrap_or(u32::MAX);
        self.averages.traffic.add(self.received + self.sent, intervals);
        self.averages.received.add(self.received, intervals);
        if !was_delayed {
            self.averages.wake_ups.add(self.wake_ups, intervals);
        }
        (self.since, self.received, self.sent, self.wake_ups) = (now, 0, 0, 0);
    }
}

/// A moving average over about eight intervals.
#[derive(Debug, Default)]
struct Average(f32);

impl Average {
    /// Adds the `amount` of a number of `intervals`.
    fn add(&mut self, amount: u64, intervals: u32) {
        let weight = AVERAGE_WEIGHT.powi(i32::try_from(intervals).unwrap_or(i32::MAX));
        self.0 = self.0 * weight + amount as f32 / intervals as f32 * (1.0 - weight);
    }
}

/// Load from which polls are delayed. Eight datagrams are worth half an interval of latency; with
/// fewer than three wake-ups in two intervals there is little to save.
const ENTER: Load = Load { datagrams: 8.0, wake_ups: 1.5 };
/// Load below which polls are not delayed any more. With less than one datagram per interval,
/// delayed polls wake the thread more often than datagrams.
const EXIT: Load = Load { datagrams: 4.0, wake_ups: 1.0 };
/// Minimum number of peers for coalescing, and of ack-eliciting datagrams in a broadcast. With
/// fewer, a wake-up never receives many datagrams.
const PEERS_MIN: u16 = 8;
/// Minimum number of ack-eliciting datagrams in a flush whose duration is measured. A smaller flush
/// takes about an interval or less, so that the time until the next poll would rather measure how
/// late a busy machine wakes the thread, and the next flush would be even later.
const LARGE_FLUSH_MIN: u64 = 512;
/// Number of datagrams per wake-up from which coalescing is not started: the thread finds the next
/// ones when it has handled the last.
const DATAGRAMS_PER_WAKE_UP: f32 = 4.0;
/// Number of consecutive coalescing delays.
const DELAYS: u32 = 512;
/// Number of intervals without coalescing that follow, to measure whether it still helps. Round
/// trips of players need some time to adapt to a thread that does not coalesce.
const MEASURED_INTERVALS: u32 = 16;
/// Weight of the previous average per interval.
const AVERAGE_WEIGHT: f32 = 1.0 - 1.0 / 8.0;

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(1);

    fn at(micros: u64) -> Instant {
        Instant::ZERO + Duration::from_micros(1_000_000 + micros)
    }

    /// Receives `datagrams` every `every_micros` for 200 ms. Returns the number of wake-ups.
    fn woken(pacing: &mut Pacing, every_micros: u64, datagrams: u64, peers: u16) -> u64 {
        let (mut woken, mut waiting) = (0, 0);
        for micros in (0..200_000).step_by(every_micros as usize) {
            waiting += datagrams;
            if pacing.is_delaying(at(micros)) {
                continue;
            }
            woken += 1;
            let delay = pacing.polled(at(micros), std::mem::take(&mut waiting), peers);
            if let Some(delay) = delay {
                pacing.start_delay(at(micros) + delay);
            }
            pacing.sent(at(micros), datagrams, 0, peers);
            pacing.fall_asleep();
        }
        woken
    }

    #[test]
    fn polling_is_delayed_if_single_datagrams_wake_the_thread_again_and_again() {
        let woken = woken(&mut Pacing::new(INTERVAL), 100, 1, 8);
        assert!((200..300).contains(&woken), "{woken} of 2,000 wake-ups");
    }

    #[test]
    fn polling_is_not_delayed_otherwise() {
        let fresh = || Pacing::new(INTERVAL);
        assert_eq!(
            woken(&mut fresh(), 1_000, 100, 64),
            200,
            "one wake-up per interval without coalescing"
        );
        assert_eq!(woken(&mut fresh(), 400, 1, 64), 500, "too little traffic");
        assert_eq!(woken(&mut fresh(), 100, 1, 7), 2_000, "too few peers");
        assert_eq!(woken(&mut Pacing::new(Duration::ZERO), 100, 1, 64), 2_000, "disabled");
    }

    #[test]
    fn polling_is_not_delayed_if_each_poll_receives_many_datagrams() {
        assert_eq!(woken(&mut Pacing::new(INTERVAL), 100, 5, 64), 2_000);
        let mut never_asleep = Pacing::new(INTERVAL);
        for micros in (0..100_000).step_by(100) {
            assert_eq!(never_asleep.polled(at(micros), 1, 64), None);
            never_asleep.sent(at(micros), 1, 0, 64);
        }
    }

    #[test]
    fn coalescing_is_measured_again_from_time_to_time() {
        let mut pacing = Pacing::new(INTERVAL);
        woken(&mut pacing, 100, 1, 8);
        let mut delays = 0;
        for interval in 0..2_000 {
            // Without coalescing the thread would not sleep any more.
            let now = at(200_000 + interval * 1_000);
            pacing.sent(now, 20, 0, 8);
            if let Some(delay) = pacing.polled(now, 20, 8) {
                pacing.start_delay(now + delay);
                delays += 1;
            }
        }
        assert!((300..=512).contains(&delays), "{delays}");
    }

    #[test]
    fn coalescing_stops_when_few_datagrams_are_received() {
        let mut pacing = Pacing::new(INTERVAL);
        woken(&mut pacing, 100, 1, 8);
        let later = 300_000;
        let delays = (0..100).filter(|&interval| {
            // Many datagrams are sent, but the thread wakes up by its timer.
            pacing.sent(at(later + interval * 1_000), 100, 0, 8);
            let delay = pacing.polled(at(later + interval * 1_000), interval & 1, 8);
            delay.inspect(|_| pacing.start_delay(at(later + interval * 1_000 + 1_000))).is_some()
        });
        assert!(delays.count() <= 24);
    }

    #[test]
    fn polling_is_delayed_after_a_broadcast_that_many_acknowledge() {
        let mut pacing = Pacing::new(INTERVAL);
        assert_eq!(pacing.sent(at(0), 500, 0, 500), None, "no acknowledgements");
        assert_eq!(pacing.sent(at(0), 7, 7, 500), None, "few acknowledgements");
        assert_eq!(pacing.sent(at(0), 8, 8, 500), Some(INTERVAL));
        pacing.start_delay(at(1_000));
        assert_eq!(pacing.sent(at(0), 8, 8, 500), None, "already delayed");
        assert_eq!(pacing.polled(at(1_000), 500, 500), None, "one delay per broadcast");
    }

    #[test]
    fn one_flush_is_sent_within_a_delay_and_the_next_one_is_delayed() {
        let mut pacing = Pacing::new(INTERVAL);
        pacing.start_delay(at(1_000));
        assert!(pacing.is_delaying(at(999)) && !pacing.delays_sending(at(999)));
        pacing.sent(at(0), 1, 0, 64);
        assert!(pacing.delays_sending(at(999)) && !pacing.delays_sending(at(1_000)));
        pacing.polled(at(1_000), 64, 64);
        assert!(!pacing.is_delaying(at(1_000)));
        pacing.start_delay(at(2_000));
        assert!(!pacing.delays_sending(at(1_000)), "the socket was polled");
        pacing.sent(at(0), 1, 0, 64);
        pacing.stop();
        assert!(!pacing.delays_sending(at(1_000)));
    }

    /// Broadcasts at 0 µs, and polls when the delay after a flush of `flush_micros` has expired.
    fn after_broadcast(pacing: &mut Pacing, flush_micros: u64) -> Instant {
        let delay = pacing.sent(at(0), 600, 600, 600).expect("a broadcast");
        pacing.start_delay(at(0) + delay);
        let polled = at(flush_micros) + delay;
        pacing.polled(polled, 600, 600);
        polled
    }

    #[test]
    fn the_flush_after_a_long_broadcast_is_delayed_for_as_long_as_that_took() {
        let mut pacing = Pacing::new(INTERVAL);
        after_broadcast(&mut pacing, 5_000);
        assert!(pacing.delays_sending(at(9_999)) && !pacing.delays_sending(at(10_000)));
        let polled = after_broadcast(&mut pacing, 1_000);
        assert!(!pacing.delays_sending(polled), "the delay of the poll was long enough");
        after_broadcast(&mut pacing, 60_000);
        assert_eq!(pacing.next_flush(), at(60_000) + FLUSH_INTERVAL_MAX);
        pacing.stop();
        assert!(!pacing.delays_sending(at(60_000)));
    }

    #[test]
    fn a_long_broadcast_within_a_delay_is_measured_until_the_next_poll() {
        let mut pacing = Pacing::new(INTERVAL);
        pacing.start_delay(at(1_000));
        assert_eq!(pacing.sent(at(200), 600, 600, 600), None, "already delayed");
        pacing.polled(at(1_100), 500, 500);
        assert!(!pacing.delays_sending(at(1_100)), "the flush may have taken less");
        pacing.start_delay(at(2_100));
        pacing.sent(at(1_100), 600, 600, 600);
        pacing.polled(at(4_100), 500, 500);
        assert_eq!(pacing.next_flush(), at(7_100));
    }

    #[test]
    fn only_a_large_flush_is_measured() {
        for (peers, is_measured) in [(511, false), (512, true)] {
            let mut pacing = Pacing::new(INTERVAL);
            let delay = pacing.sent(at(0), peers, peers, 600).expect("a broadcast");
            pacing.start_delay(at(0) + delay);
            pacing.polled(at(5_000), peers, 600);
            assert_eq!(pacing.delays_sending(at(5_000)), is_measured, "{peers}");
        }
    }

    #[test]
    fn a_flush_is_not_measured_if_the_next_poll_was_not_delayed() {
        let mut pacing = Pacing::new(INTERVAL);
        pacing.sent(at(0), 600, 600, 600);
        pacing.polled(at(16_000), 500, 500);
        assert!(!pacing.delays_sending(at(16_000)), "the game polls once per frame");
        let mut disabled = Pacing::new(Duration::ZERO);
        assert_eq!(disabled.sent(at(0), 4_000, 4_000, 4_000), None);
    }
}
