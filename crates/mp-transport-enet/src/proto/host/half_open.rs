//! The half-open connections of a host, by age and by IP address.

use mp_core::bug;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Connections whose remote address is not validated yet, ordered by age.
#[derive(Debug, Default)]
pub(crate) struct HalfOpen {
    by_age: BTreeMap<u64, (u16, IpAddr)>,
    by_address: BTreeSet<(IpAddr, u64)>,
    next_age: u64,
}

impl HalfOpen {
    /// Adds a connection. Returns its age, which identifies it.
    pub(crate) fn insert(&mut self, slot: u16, ip: IpAddr) -> u64 {
        let age = self.next_age;
        self.next_age += 1;
        self.by_age.insert(age, (slot, ip));
        self.by_address.insert((ip, age));
        age
    }

    /// Removes a connection that was established or has ended.
    pub(crate) fn remove(&mut self, age: u64) {
        match self.by_age.remove(&age) {
            Some((_, ip)) => _ = self.by_address.remove(&(ip, age)),
            None => bug!("a half-open connection is removed twice"),
        }
    }

    /// Returns the slot to drop for a new connection from `ip`: the oldest of that address if it
    /// has `most_per_address`, so that an address cannot displace others; the oldest of all if
    /// there are `most`.
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

    /// Returns the slot of the oldest connection.
    pub(crate) fn oldest(&self) -> Option<u16> {
        self.by_age.first_key_value().map(|(_, &(slot, _))| slot)
    }
}
