//! The way between a client and the server: one [`Link`] up, one down.

use std::time::Duration;

use mp_core::{Instant, Rng};

use crate::dice::Dice;

/// What a link does to datagrams in general.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// How long every datagram takes.
    pub latency: Duration,
    /// Up to how much longer some take. They still arrive in order.
    pub jitter: Duration,
    /// How many are lost, in thousandths, while the link is well.
    pub loss_permille: u32,
    /// How many begin a burst, in thousandths.
    pub burst_permille: u32,
    /// How many are lost within one, and how many end it, in thousandths.
    pub burst_loss_permille: u32,
    /// See `burst_loss_permille`.
    pub burst_end_permille: u32,
    /// How many arrive twice, in thousandths.
    pub duplication_permille: u32,
    /// How many are overtaken by those behind them, in thousandths.
    pub reordering_permille: u32,
    /// Bytes per second, 0 for no limit. Beyond 300 ms of waiting the link drops.
    pub bytes_per_second: u64,
}

impl Weather {
    /// A good day on a wire.
    pub const CALM: Self = Self {
        latency: Duration::from_millis(10),
        jitter: Duration::from_millis(1),
        loss_permille: 0,
        burst_permille: 0,
        burst_loss_permille: 0,
        burst_end_permille: 1_000,
        duplication_permille: 0,
        reordering_permille: 0,
        bytes_per_second: 0,
    };

    /// Weather between a local network and a bad mobile one, as `rng` decides.
    pub fn draw(rng: &mut Rng) -> Self {
        let base = match rng.below(5) {
            0 => Self { latency: Duration::from_micros(100), ..Self::CALM },
            1 => Self::CALM,
            2 => Self {
                latency: Duration::from_millis(30),
                jitter: Duration::from_millis(10),
                loss_permille: 5,
                burst_permille: 5,
                burst_loss_permille: 500,
                burst_end_permille: 100,
                ..Self::CALM
            },
            3 => Self {
                latency: Duration::from_millis(90),
                jitter: Duration::from_millis(60),
                loss_permille: 30,
                bytes_per_second: 125_000,
                ..Self::CALM
            },
            _ => Self {
                latency: Duration::from_millis(250),
                jitter: Duration::from_millis(200),
                loss_permille: 100,
                burst_permille: 10,
                burst_loss_permille: 800,
                burst_end_permille: 150,
                ..Self::CALM
            },
        };
        let oddity = |rng: &mut Rng, most| if rng.chance(400) { rng.below(most) as u32 } else { 0 };
        let loss_permille = base.loss_permille + oddity(rng, 150);
        let duplication_permille = oddity(rng, 200);
        let reordering_permille = oddity(rng, 200);
        Self { loss_permille, duplication_permille, reordering_permille, ..base }
    }
}

/// One direction of a path.
#[derive(Debug)]
pub struct Link {
    /// What it does in general.
    pub weather: Weather,
    /// Until when it carries nothing.
    pub cut_until: Instant,
    /// The longest datagram that passes, and until when longer ones do not.
    pub hole: (usize, Instant),
    /// How many datagrams are damaged in thousandths, and until when.
    pub damage: (u32, Instant),
    in_burst: bool,
    /// When the last datagram is through.
    busy_until: Instant,
    /// When the last one that kept its place arrives.
    last_arrival: Instant,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives then; and a copy, when there is one.
    Arrives(Instant, Option<Instant>),
    /// It does not.
    Lost(&'static str),
}

impl Link {
    /// A link that is well.
    pub fn new(weather: Weather) -> Self {
        Self {
            weather,
            cut_until: Instant::ZERO,
            hole: (usize::MAX, Instant::ZERO),
            damage: (0, Instant::ZERO),
            in_burst: false,
            busy_until: Instant::ZERO,
            last_arrival: Instant::ZERO,
        }
    }

    /// Sends `bytes` on their way; they may be damaged.
    pub fn carry(&mut self, now: Instant, bytes: &mut Vec<u8>, rng: &mut Rng) -> Fate {
        if now < self.cut_until {
            return Fate::Lost("cut");
        }
        if now < self.hole.1 && bytes.len() > self.hole.0 {
            return Fate::Lost("too long for the path");
        }
        let weather = self.weather;
        if self.in_burst {
            self.in_burst = !rng.chance(weather.burst_end_permille);
        } else {
            self.in_burst = rng.chance(weather.burst_permille);
        }
        let loss = if self.in_burst { weather.burst_loss_permille } else { weather.loss_permille };
        if rng.chance(loss) {
            return Fate::Lost("lost");
        }
        let Some(through) = self.pass(now, bytes.len()) else { return Fate::Lost("congestion") };
        if now < self.damage.1 && rng.chance(self.damage.0) {
            damage(bytes, rng);
        }
        let arrival = self.arrival(through, rng);
        let copy = rng.chance(weather.duplication_permille).then(|| {
            let late = rng.duration(Duration::ZERO, weather.latency * 4);
            arrival + late
        });
        Fate::Arrives(arrival, copy)
    }

    /// When `len` bytes are through; `None` when too much waits.
    fn pass(&mut self, now: Instant, len: usize) -> Option<Instant> {
        let rate = self.weather.bytes_per_second;
        if rate == 0 {
            return Some(now);
        }
        let begin = self.busy_until.max(now);
        if begin - now > QUEUE_TIME {
            return None;
        }
        self.busy_until = begin + Duration::from_micros(len as u64 * 1_000_000 / rate);
        Some(self.busy_until)
    }

    fn arrival(&mut self, through: Instant, rng: &mut Rng) -> Instant {
        let Weather { latency, jitter, reordering_permille, .. } = self.weather;
        let at = through + latency + rng.duration(Duration::ZERO, jitter);
        if rng.chance(reordering_permille) {
            // Those behind it do not wait for it.
            return at + rng.duration(Duration::ZERO, latency * 2);
        }
        self.last_arrival = at.max(self.last_arrival + Duration::from_micros(1));
        self.last_arrival
    }
}

/// What a bad cable, or a stranger, makes of a datagram.
pub(crate) fn damage(bytes: &mut Vec<u8>, rng: &mut Rng) {
    match rng.below(8) {
        0 => bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize),
        1 => bytes.extend((0..rng.between(1, 64)).map(|_| 0_u8)),
        _ => {}
    }
    for _ in 0..rng.between(1, 4) {
        let at = rng.below(bytes.len() as u64) as usize;
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << rng.below(8);
        }
    }
}

/// How long a datagram may wait for a slow link.
const QUEUE_TIME: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(weather: Weather, count: u64) -> Vec<Fate> {
        let mut rng = Rng::from_number(7);
        let mut link = Link::new(weather);
        let send = |n| link.carry(Instant::from_millis(n), &mut vec![0; 100], &mut rng);
        (0..count).map(send).collect()
    }

    fn times(fates: &[Fate]) -> Vec<Instant> {
        let time = |fate: &Fate| match fate {
            Fate::Arrives(at, _) => Some(*at),
            Fate::Lost(_) => None,
        };
        fates.iter().filter_map(time).collect()
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let jitter = Duration::from_millis(50);
        let jittery = times(&arrivals(Weather { jitter, ..Weather::CALM }, 200));
        assert!(jittery.is_sorted());
        let reordering_permille = 300;
        let mixed = times(&arrivals(Weather { reordering_permille, ..Weather::CALM }, 200));
        assert!(!mixed.is_sorted());
    }

    #[test]
    fn losses_and_copies_are_as_many_as_asked_for() {
        let weather = Weather { loss_permille: 100, duplication_permille: 200, ..Weather::CALM };
        let fates = arrivals(weather, 10_000);
        let lost = fates.iter().filter(|fate| matches!(fate, Fate::Lost(_))).count();
        let copies = fates.iter().filter(|fate| matches!(fate, Fate::Arrives(_, Some(_)))).count();
        assert!((900..1_100).contains(&lost), "{lost}");
        assert!((1_650..1_950).contains(&copies), "{copies}");
    }

    #[test]
    fn bursts_lose_neighbours() {
        let weather = Weather {
            burst_permille: 10,
            burst_loss_permille: 1_000,
            burst_end_permille: 100,
            ..Weather::CALM
        };
        let fates = arrivals(weather, 10_000);
        let is_lost = |fate: &Fate| matches!(fate, Fate::Lost(_));
        let lost = fates.iter().filter(|fate| is_lost(fate)).count();
        let pairs = fates.windows(2).filter(|pair| is_lost(&pair[0]) && is_lost(&pair[1])).count();
        assert!(lost > 500 && pairs * 10 > lost * 7, "{lost} lost, {pairs} pairs");
    }

    #[test]
    fn a_slow_link_delays_and_then_drops() {
        let fates = arrivals(Weather { bytes_per_second: 50_000, ..Weather::CALM }, 1_000);
        assert!(fates.contains(&Fate::Lost("congestion")));
        assert_eq!(times(&fates).len(), 650, "what passes in a second, and what waits then");
    }

    #[test]
    fn a_cut_link_and_one_with_a_hole_carry_what_they_say() {
        let mut rng = Rng::from_number(1);
        let mut link = Link::new(Weather::CALM);
        link.cut_until = Instant::from_millis(10);
        link.hole = (500, Instant::from_millis(20));
        let mut fate = |at, len| link.carry(Instant::from_millis(at), &mut vec![0; len], &mut rng);
        assert_eq!(fate(9, 10), Fate::Lost("cut"));
        assert_eq!(fate(10, 501), Fate::Lost("too long for the path"));
        assert!(matches!(fate(10, 500), Fate::Arrives(..)));
        assert!(matches!(fate(20, 501), Fate::Arrives(..)));
    }
}
