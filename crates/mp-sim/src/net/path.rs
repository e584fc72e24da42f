//! The way between a client and the server: one [`Link`] up, one down.

use mp_core::link_shaper::{Arrival, LinkConditions, LinkShaper, Loss};
use mp_core::{Instant, Rng};

use super::weather;
use crate::dice::Dice;

/// One direction of a path: a shaped link, and what goes wrong on it for a while.
#[derive(Debug)]
pub struct Link {
    shaper: LinkShaper,
    /// Damage of datagrams.
    rng: Rng,
    /// Until when it carries nothing.
    pub cut_until: Instant,
    /// The longest datagram that passes, and until when longer ones do not.
    pub hole: (usize, Instant),
    /// How many datagrams are damaged in thousandths, and until when.
    pub damage: (u32, Instant),
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
    pub fn new(conditions: LinkConditions, rng: &mut Rng) -> Self {
        Self {
            shaper: LinkShaper::new(conditions, rng.fork()),
            rng: rng.fork(),
            cut_until: Instant::ZERO,
            hole: (usize::MAX, Instant::ZERO),
            damage: (0, Instant::ZERO),
        }
    }

    /// Changes what it does in general.
    pub fn set_conditions(&mut self, conditions: LinkConditions) {
        self.shaper.set_conditions(conditions);
    }

    /// Ends everything that is wrong with it.
    pub fn heal(&mut self) {
        *self = Self::new(weather::CALM, &mut self.rng.fork());
    }

    /// Sends `bytes` on their way; they may be damaged.
    pub fn carry(&mut self, now: Instant, bytes: &mut Vec<u8>) -> Fate {
        if now < self.cut_until {
            return Fate::Lost("cut");
        }
        if now < self.hole.1 && bytes.len() > self.hole.0 {
            return Fate::Lost("too long for the path");
        }
        match self.shaper.carry_datagram(now, bytes.len()) {
            Ok(Arrival { at, copy }) => {
                if now < self.damage.1 && self.rng.chance(self.damage.0) {
                    damage(bytes, &mut self.rng);
                }
                Fate::Arrives(at, copy)
            }
            Err(Loss::Random) => Fate::Lost("lost"),
            Err(Loss::Congestion) => Fate::Lost("congestion"),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_link_and_one_with_a_hole_carry_what_they_say() {
        let mut link = Link::new(weather::CALM, &mut Rng::from_number(1));
        link.cut_until = Instant::from_millis(10);
        link.hole = (500, Instant::from_millis(20));
        let mut fate = |at, len| link.carry(Instant::from_millis(at), &mut vec![0; len]);
        assert_eq!(fate(9, 10), Fate::Lost("cut"));
        assert_eq!(fate(10, 501), Fate::Lost("too long for the path"));
        assert!(matches!(fate(10, 500), Fate::Arrives(..)));
        assert!(matches!(fate(20, 501), Fate::Arrives(..)));
    }

    #[test]
    fn a_link_that_has_healed_is_calm() {
        let lossy = LinkConditions { loss_permille: 1_000, ..weather::CALM };
        let mut link = Link::new(lossy, &mut Rng::from_number(1));
        link.cut_until = Instant::from_millis(10);
        link.heal();
        assert!(matches!(link.carry(Instant::ZERO, &mut vec![0; 10]), Fate::Arrives(..)));
    }
}
