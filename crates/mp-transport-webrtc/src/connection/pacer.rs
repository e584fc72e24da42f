//! Pacing of a channel whose receiver buffers a limited number of bytes per frame.

use std::collections::VecDeque;

use mp_core::Instant;

use crate::limits::WEB_MESSAGE_OVERHEAD;
use crate::options::Pacing;

/// A limit of the bytes of a channel in each interval of [`Pacing`], and in each two intervals.
///
/// In one interval it allows the budget, or one message that is larger. In two it allows less than
/// twice the budget, so that larger messages do not add up. (A ring buffer stores one byte less
/// than its size.)
#[derive(Debug, Default)]
pub(super) struct Pacer {
    /// Times of messages in the last two intervals, with their bytes; oldest first.
    sent: VecDeque<(Instant, usize)>,
}

impl Pacer {
    /// Returns the earliest time at which a message of `len` bytes may be sent; `now` if that is
    /// immediately.
    pub(super) fn earliest(&mut self, now: Instant, len: usize, pacing: Pacing) -> Instant {
        let Pacing { bytes, interval } = pacing;
        while self.sent.front().is_some_and(|&(at, _)| at + interval * 2 <= now) {
            self.sent.pop_front();
        }
        let len = len + WEB_MESSAGE_OVERHEAD;
        let (mut last, mut last_two) = (0, 0);
        let mut earliest = now;
        for &(at, sent) in self.sent.iter().rev() {
            (last, last_two) = (last + sent, last_two + sent);
            // The interval must not include this entry and the older ones.
            if last + len > bytes {
                earliest = earliest.max(at + interval);
            }
            if last_two + len >= bytes * 2 {
                earliest = earliest.max(at + interval * 2);
                break;
            }
        }
        earliest
    }

    /// Records that a message was sent.
    pub(super) fn record(&mut self, now: Instant, len: usize) {
        let len = len + WEB_MESSAGE_OVERHEAD;
        match self.sent.back_mut() {
            Some((at, sent)) if *at == now => *sent += len,
            _ => self.sent.push_back((now, len)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mp_core::Rng;

    use super::*;
    use crate::limits::WEB_MESSAGE_BYTES_MAX;

    const PACING: Pacing = Pacing { bytes: 32 * 1_024, interval: Duration::from_millis(50) };

    /// Sends messages of these sizes as early as allowed. Returns the time of each.
    fn send(sizes: impl IntoIterator<Item = usize>) -> Vec<(Instant, usize)> {
        let mut pacer = Pacer::default();
        let mut now = Instant::from_millis(1_000);
        let mut sent = Vec::new();
        for len in sizes {
            while pacer.earliest(now, len, PACING) > now {
                now = pacer.earliest(now, len, PACING);
            }
            pacer.record(now, len);
            sent.push((now, len));
        }
        sent
    }

    /// Returns the maximum number of bytes that are received in a period of `frame`.
    fn most(sent: &[(Instant, usize)], frame: Duration) -> usize {
        let in_frame = |from: Instant| {
            let inside = sent.iter().filter(|(at, _)| (from..from + frame).contains(at));
            inside.map(|(_, len)| len + WEB_MESSAGE_OVERHEAD).sum::<usize>()
        };
        sent.iter().map(|(at, _)| in_frame(*at)).max().unwrap_or(0)
    }

    #[test]
    fn every_frame_of_two_intervals_gets_less_than_twice_the_budget() {
        let mut rng = Rng::seed_from_u64(7);
        let half = PACING.bytes - WEB_MESSAGE_OVERHEAD;
        let sizes = [1, 300, 1_000, 20_000, 32_000, half, 33_000, 50_000, WEB_MESSAGE_BYTES_MAX];
        for _ in 0..50 {
            let mut size = || sizes[rng.below(sizes.len() as u64) as usize];
            let sent = send((0..200).map(|_| size()));
            let most = most(&sent, PACING.interval * 2);
            assert!(most < PACING.bytes * 2, "{most} bytes");
        }
    }

    #[test]
    fn no_interval_gets_more_than_the_budget_or_one_larger_message() {
        let sent = send(std::iter::repeat_n(1_000, 500));
        assert!(most(&sent, PACING.interval) <= PACING.bytes);
        let (first, last) = (sent[0].0, sent[499].0);
        let time = last - first;
        assert!(time <= PACING.interval * 16, "{time:?} for 500 KB");
    }

    #[test]
    fn messages_of_50_kb_are_two_intervals_apart() {
        let sent = send([50_000; 3]);
        assert_eq!(sent[1].0 - sent[0].0, PACING.interval * 2);
        assert_eq!(sent[2].0 - sent[1].0, PACING.interval * 2);
    }

    #[test]
    fn nothing_waits_on_an_idle_channel() {
        let mut pacer = Pacer::default();
        let now = Instant::from_millis(1_000);
        assert_eq!(pacer.earliest(now, WEB_MESSAGE_BYTES_MAX, PACING), now);
        pacer.record(now, WEB_MESSAGE_BYTES_MAX);
        assert_eq!(pacer.earliest(now, 1, PACING), now + PACING.interval * 2);
        let later = now + PACING.interval * 2;
        assert_eq!(pacer.earliest(now + PACING.interval, 1, PACING), later);
        assert_eq!(pacer.earliest(later, 1, PACING), later);
    }
}
