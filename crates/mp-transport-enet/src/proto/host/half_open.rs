//! Connections that are half open, by age and by the address that asked for them.

use mp_core::bug;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Connections whose other side has not shown yet that it receives, in the order of their CONNECTs.
#[derive(Debug, Default)]
pub(crate) struct HalfOpen {
    by_age: BTreeMap<u64, (u16, IpAddr)>,
    by_address: BTreeSet<(IpAddr, u64)>,
    next_age: u64,
}

impl HalfOpen {
    /// Takes one in; its age names it from here on.
    pub(crate) fn insert(&mut self, slot: u16, ip: IpAddr) -> u64 {
        let age = self.next_age;
        self.next_age += 1;
        self.by_age.insert(age, (slot, ip));
        self.by_address.insert((ip, age));
        age
    }

    /// Forgets one: it is complete, or has ended.
    pub(crate) fn remove(&mut self, age: u64) {
        match self.by_age.remove(&age) {
            Some((_, ip)) => _ = self.by_address.remove(&(ip, age)),
            None => bug!("a half-open connection is forgotten twice"),
        }
    }

    /// The slot that makes way for one more from `ip`: the oldest from there when there are `most_per_address`, so that
    /// nobody makes others go; the oldest of all when there are `most`.
    pub(crate) fn makes_way(
        &self,
        ip: IpAddr,
        most: usize,
        most_per_address: usize,
    ) -> Option<u16> {
        let of_address = || self.by_address.range((ip, 0)..=(ip, u64::MAX));
        if let Some((_, oldest)) = of_address().next()
            && of_address().nth(most_per_address.max(1) - 1).is_some()
        {
            return self.by_age.get(oldest).map(|&(slot, _)| slot);
        }
        if self.by_age.len() >= most.max(1) { self.oldest() } else { None }
    }

    /// The slot of the oldest.
    pub(crate) fn oldest(&self) -> Option<u16> {
        self.by_age.first_key_value().map(|(_, &(slot, _))| slot)
    }
}
