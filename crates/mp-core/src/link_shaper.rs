//! A simulated network link that delays, loses, duplicates and reorders data, reproducibly from a
//! seed. For simulators, tests, and conditions that an operator sets for a peer.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "simulators construct conditions and match on losses"
)]

use std::time::Duration;

use crate::{Instant, Rng};

/// Conditions of a link, with probabilities in permille. By default everything is delivered
/// immediately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkConditions {
    /// One-way delay.
    pub delay: Duration,
    /// Maximum additional delay, drawn for each datagram. Datagrams stay in order.
    pub jitter: Duration,
    /// Probability that a datagram is lost, outside bursts.
    pub loss_permille: u32,
    /// Bursts of losses.
    pub bursts: LossBursts,
    /// Probability that a datagram is duplicated.
    pub duplication_permille: u32,
    /// Probability that a datagram is delayed further, so that later ones overtake it.
    pub reordering_permille: u32,
    /// Bytes per second; 0 means unlimited. Datagrams that would be queued for longer than
    /// [`QUEUE_TIME_MAX`] are lost.
    pub bytes_per_second: u64,
}

/// Bursts of losses, as on a radio link (Gilbert-Elliott model).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossBursts {
    /// Probability that a burst begins at a datagram.
    pub begin_permille: u32,
    /// Probability that a datagram within a burst is lost.
    pub loss_permille: u32,
    /// Probability that a burst ends at a datagram.
    pub end_permille: u32,
}

impl LinkConditions {
    /// Returns whether data that is not lost arrives at once: there is neither a delay nor a rate.
    pub fn is_immediate(&self) -> bool {
        self.delay.is_zero() && self.jitter.is_zero() && self.bytes_per_second == 0
    }
}

/// One direction of a link.
///
/// The shaper holds no data: it computes the arrival time of what is sent now, and the caller keeps
/// the data until then. All conditions apply to datagrams. Only delay and rate apply to a stream
/// (TCP), whose protocol hides the others.
///
/// ```
/// use std::time::Duration;
///
/// use mp_core::link_shaper::{LinkConditions, LinkShaper};
/// use mp_core::{Instant, Rng};
///
/// let delay = Duration::from_millis(100);
/// let conditions = LinkConditions { delay, loss_permille: 50, ..LinkConditions::default() };
/// let mut link = LinkShaper::new(conditions, Rng::seed_from_u64(7));
/// let now = Instant::from_millis(1);
/// if let Ok(arrival) = link.carry_datagram(now, 1_200) {
///     assert_eq!(arrival.at, now + delay);
/// }
/// ```
#[derive(Clone, Debug)]
pub struct LinkShaper {
    conditions: LinkConditions,
    rng: Rng,
    is_in_burst: bool,
    /// Time at which all data sent so far has left the sender.
    busy_until: Instant,
    /// Arrival time of the last data that is kept in order.
    last_arrival: Instant,
}

/// The arrival of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Arrival time.
    pub at: Instant,
    /// Arrival time of the duplicate, if there is one.
    pub copy: Option<Instant>,
}

/// The reason why a datagram is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// Lost at random.
    #[error("lost")]
    Random,
    /// The queue of a link with limited rate is full.
    #[error("congestion")]
    Congestion,
}

/// Maximum time that a datagram is queued for a link with limited rate: typical of home routers.
pub const QUEUE_TIME_MAX: Duration = Duration::from_millis(300);

impl LinkShaper {
    /// Returns a link with `conditions`. All random numbers are drawn from `rng`, so that a seed
    /// reproduces a run.
    pub fn new(conditions: LinkConditions, rng: Rng) -> Self {
        Self {
            conditions,
            rng,
            is_in_burst: false,
            busy_until: Instant::ZERO,
            last_arrival: Instant::ZERO,
        }
    }

    /// Sets the conditions. Data that is already on its way keeps its arrival time.
    pub fn set_conditions(&mut self, conditions: LinkConditions) {
        self.conditions = conditions;
    }

    /// Returns the conditions.
    pub fn conditions(&self) -> LinkConditions {
        self.conditions
    }

    /// Sends a datagram of `len` bytes and returns its arrival.
    ///
    /// # Errors
    ///
    /// If the datagram is lost.
    pub fn carry_datagram(&mut self, now: Instant, len: usize) -> Result<Arrival, Loss> {
        if self.draw_loss() {
            return Err(Loss::Random);
        }
        if self.backlog(now) > QUEUE_TIME_MAX {
            return Err(Loss::Congestion);
        }
        let LinkConditions { delay, jitter, .. } = self.conditions;
        let at = self.transmit(now, len) + delay + up_to(&mut self.rng, jitter);
        let at = if self.draw(self.conditions.reordering_permille) {
            // Later datagrams do not wait for this one.
            at + up_to(&mut self.rng, delay.saturating_mul(2))
        } else {
            self.keep_order(at)
        };
        let is_copied = self.draw(self.conditions.duplication_permille);
        let copy = is_copied.then(|| at + up_to(&mut self.rng, delay.saturating_mul(4)));
        Ok(Arrival { at, copy })
    }

    /// Sends `len` bytes of a stream and returns their arrival time: after the delay, in order,
    /// limited by the rate. Nothing is lost. The queue is unbounded, so the sender should pause
    /// while the [backlog](Self::backlog) is long.
    pub fn carry_stream(&mut self, now: Instant, len: usize) -> Instant {
        let at = self.transmit(now, len) + self.conditions.delay;
        self.keep_order(at)
    }

    /// Returns the time that data sent now is queued behind data sent before.
    pub fn backlog(&self, now: Instant) -> Duration {
        self.busy_until - now
    }

    /// Returns the time at which `len` bytes have left the sender.
    fn transmit(&mut self, now: Instant, len: usize) -> Instant {
        let begin = self.busy_until.max(now);
        let micros =
            (len as u64).saturating_mul(1_000_000).checked_div(self.conditions.bytes_per_second);
        match micros {
            Some(micros) => {
                self.busy_until = begin + Duration::from_micros(micros);
                self.busy_until
            }
            None => now,
        }
    }

    fn draw_loss(&mut self) -> bool {
        let LinkConditions { loss_permille, bursts, .. } = self.conditions;
        self.is_in_burst = if self.is_in_burst {
            !self.draw(bursts.end_permille)
        } else {
            self.draw(bursts.begin_permille)
        };
        self.draw(if self.is_in_burst { bursts.loss_permille } else { loss_permille })
    }

    fn keep_order(&mut self, at: Instant) -> Instant {
        self.last_arrival = at.max(self.last_arrival + Duration::from_micros(1));
        self.last_arrival
    }

    fn draw(&mut self, permille: u32) -> bool {
        permille > 0 && self.rng.below(1_000) < u64::from(permille)
    }
}

/// Returns a random duration of at most `most`, in whole microseconds.
fn up_to(rng: &mut Rng, most: Duration) -> Duration {
    let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(rng.below(micros.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: LinkConditions = LinkConditions {
        delay: Duration::from_millis(10),
        jitter: Duration::ZERO,
        loss_permille: 0,
        bursts: LossBursts { begin_permille: 0, loss_permille: 0, end_permille: 0 },
        duplication_permille: 0,
        reordering_permille: 0,
        bytes_per_second: 0,
    };

    /// Returns the fates of `count` datagrams of 100 bytes, one each millisecond.
    fn fates(conditions: LinkConditions, count: u64) -> Vec<Result<Arrival, Loss>> {
        let mut link = LinkShaper::new(conditions, Rng::seed_from_u64(7));
        (0..count).map(|n| link.carry_datagram(Instant::from_millis(n), 100)).collect()
    }

    fn times(fates: &[Result<Arrival, Loss>]) -> Vec<Instant> {
        fates.iter().flatten().map(|arrival| arrival.at).collect()
    }

    #[test]
    fn default_conditions_deliver_immediately() {
        let arrivals = times(&fates(LinkConditions::default(), 100));
        assert_eq!(arrivals[1..], (1..100).map(Instant::from_millis).collect::<Vec<_>>());
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let jitter = Duration::from_millis(50);
        let jittery = times(&fates(LinkConditions { jitter, ..DELAY }, 200));
        assert!(jittery.is_sorted());
        let mixed = times(&fates(LinkConditions { reordering_permille: 300, ..DELAY }, 200));
        assert!(!mixed.is_sorted());
    }

    #[test]
    fn losses_and_duplicates_match_their_probabilities() {
        let conditions = LinkConditions { loss_permille: 100, duplication_permille: 200, ..DELAY };
        let fates = fates(conditions, 10_000);
        let lost = fates.iter().filter(|it| **it == Err(Loss::Random)).count();
        let copies = fates.iter().flatten().filter(|arrival| arrival.copy.is_some()).count();
        assert!((900..1_100).contains(&lost), "{lost}");
        assert!((1_650..1_950).contains(&copies), "{copies}");
    }

    #[test]
    fn bursts_lose_consecutive_datagrams() {
        let bursts = LossBursts { begin_permille: 10, loss_permille: 1_000, end_permille: 100 };
        let fates = fates(LinkConditions { bursts, ..DELAY }, 10_000);
        let lost = fates.iter().filter(|it| it.is_err()).count();
        let pairs = fates.windows(2).filter(|pair| pair[0].is_err() && pair[1].is_err()).count();
        assert!(lost > 500 && pairs * 10 > lost * 7, "{lost} lost, {pairs} pairs");
    }

    #[test]
    fn slow_link_delays_datagrams_and_then_drops_them() {
        let fates = fates(LinkConditions { bytes_per_second: 50_000, ..DELAY }, 1_000);
        assert!(fates.contains(&Err(Loss::Congestion)));
        assert_eq!(
            times(&fates).len(),
            650,
            "datagrams sent within the second, and those queued at its end"
        );
    }

    #[test]
    fn only_delay_and_rate_apply_to_a_stream() {
        let conditions = LinkConditions {
            jitter: Duration::from_secs(1),
            loss_permille: 1_000,
            duplication_permille: 1_000,
            reordering_permille: 1_000,
            bytes_per_second: 1_000,
            ..DELAY
        };
        let mut link = LinkShaper::new(conditions, Rng::seed_from_u64(7));
        let start = Instant::from_millis(1);
        for second in 1..=10 {
            let at = link.carry_stream(start, 1_000);
            assert_eq!(at, start + Duration::from_secs(second) + DELAY.delay);
        }
        assert_eq!(link.backlog(start), Duration::from_secs(10));
        link.set_conditions(DELAY);
        let at = link.carry_stream(start, 1_000);
        assert!(at > start + Duration::from_secs(10), "data on its way is not overtaken");
    }

    #[test]
    fn same_seed_reproduces_the_link() {
        let conditions = LinkConditions { loss_permille: 500, ..DELAY };
        assert_eq!(fates(conditions, 100), fates(conditions, 100));
    }

    #[test]
    fn extreme_conditions_saturate() {
        let conditions = LinkConditions {
            delay: Duration::MAX,
            jitter: Duration::MAX,
            duplication_permille: 1_000,
            reordering_permille: u32::MAX,
            bytes_per_second: 1,
            ..DELAY
        };
        let mut link = LinkShaper::new(conditions, Rng::seed_from_u64(7));
        let last = Instant::from_micros(u64::MAX);
        let arrival = link.carry_datagram(Instant::ZERO, usize::MAX);
        assert_eq!(arrival, Ok(Arrival { at: last, copy: Some(last) }));
        assert_eq!(link.carry_stream(Instant::ZERO, usize::MAX), last);
    }
}
