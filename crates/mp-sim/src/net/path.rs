//! Path between a client and the server: one [`SimulatedLink`] per direction.

use mp_core::link_shaper::{Arrival, LinkConditions, LinkShaper, Loss};
use mp_core::{Instant, Rng};

use super::conditions;
use crate::rng_ext::RngExt;

/// One direction of a path: a link shaper and temporary faults.
#[derive(Debug)]
pub struct SimulatedLink {
    shaper: LinkShaper,
    /// Randomness of the corruption.
    rng: Rng,
    /// End of a partition. Until then all datagrams are lost.
    pub partitioned_until: Instant,
    /// Longest datagram that passes in bytes, and the end of this limit.
    pub mtu_limit: (usize, Instant),
    /// Share of corrupted datagrams in thousandths, and the end of the corruption.
    pub corruption: (u32, Instant),
}

/// Fate of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Delivered at the first time; the second one is that of a duplicate.
    Arrives(Instant, Option<Instant>),
    /// Lost, with the reason.
    Lost(&'static str),
}

impl SimulatedLink {
    /// Creates a link without faults.
    pub fn new(conditions: LinkConditions, rng: &mut Rng) -> Self {
        Self {
            shaper: LinkShaper::new(conditions, rng.fork()),
            rng: rng.fork(),
            partitioned_until: Instant::ZERO,
            mtu_limit: (usize::MAX, Instant::ZERO),
            corruption: (0, Instant::ZERO),
        }
    }

    /// Changes delay, loss, and so on.
    pub fn set_conditions(&mut self, conditions: LinkConditions) {
        self.shaper.set_conditions(conditions);
    }

    /// Ends all faults, and sets good conditions.
    pub fn heal(&mut self) {
        *self = Self::new(conditions::GOOD, &mut self.rng.fork());
    }

    /// Transmits a datagram. `bytes` may be corrupted.
    pub fn transmit(&mut self, now: Instant, bytes: &mut Vec<u8>) -> Delivery {
        if now < self.partitioned_until {
            return Delivery::Lost("partition");
        }
        if now < self.mtu_limit.1 && bytes.len() > self.mtu_limit.0 {
            return Delivery::Lost("longer than the path MTU");
        }
        match self.shaper.carry_datagram(now, bytes.len()) {
            Ok(Arrival { at, copy }) => {
                if now < self.corruption.1 && self.rng.chance(self.corruption.0) {
                    corrupt(bytes, &mut self.rng);
                }
                Delivery::Arrives(at, copy)
            }
            Err(Loss::Random) => Delivery::Lost("lost"),
            Err(Loss::Congestion) => Delivery::Lost("congestion"),
        }
    }
}

/// Corrupts a datagram: flips up to four bits, and sometimes truncates or extends it.
pub(crate) fn corrupt(bytes: &mut Vec<u8>, rng: &mut Rng) {
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
    fn partitions_and_mtu_limits_drop_datagrams_until_they_end() {
        let mut link = SimulatedLink::new(conditions::GOOD, &mut Rng::seed_from_u64(1));
        link.partitioned_until = Instant::from_millis(10);
        link.mtu_limit = (500, Instant::from_millis(20));
        let mut delivery = |at, len| link.transmit(Instant::from_millis(at), &mut vec![0; len]);
        assert_eq!(delivery(9, 10), Delivery::Lost("partition"));
        assert_eq!(delivery(10, 501), Delivery::Lost("longer than the path MTU"));
        assert!(matches!(delivery(10, 500), Delivery::Arrives(..)));
        assert!(matches!(delivery(20, 501), Delivery::Arrives(..)));
    }

    #[test]
    fn healing_ends_faults_and_sets_good_conditions() {
        let lossy = LinkConditions { loss_permille: 1_000, ..conditions::GOOD };
        let mut link = SimulatedLink::new(lossy, &mut Rng::seed_from_u64(1));
        link.partitioned_until = Instant::from_millis(10);
        link.heal();
        assert!(matches!(link.transmit(Instant::ZERO, &mut vec![0; 10]), Delivery::Arrives(..)));
    }
}
