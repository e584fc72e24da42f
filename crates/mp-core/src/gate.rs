//! [`ConnectionGate`]: decides by address and load whether a server accepts a new connection.

mod prefix;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::prefix::{AddressPrefix, ParsePrefixError};
use crate::{Instant, Rate, ReasonCounts, TokenBucket, bug};

crate::reasons! {
    /// The reason for which a [`ConnectionGate`] refuses a connection.
    pub enum GateRefusal {
        /// The address is banned.
        Banned = "banned" => "the address is banned",
        /// The address has the maximum number of connections.
        TooManyOfAddress = "too_many_of_address" =>
            "the address has the maximum number of connections",
        /// Too many connections were accepted in the last seconds.
        TooManyHandshakes = "too_many_handshakes" => "too many new connections per second",
        /// The server is overloaded: its players keep what is left.
        Overloaded = "overloaded" => "the server is overloaded",
        /// The server uses more memory than its limit.
        OutOfMemory = "out_of_memory" => "the server uses its maximum of memory",
    }
}

/// Decides whether a server accepts a new connection, before its handshake costs anything. Clones
/// share their state: give one to each transport of a server, so that its limits hold for all of
/// them together. Default: everything is accepted.
///
/// A transport [checks](Self::check) an address when a handshake begins, and
/// [enters](Self::enter) it when the address is known not to be forged. It keeps the
/// [pass](GatePass) until the connection has ended. Times of all transports must have the same
/// epoch. The state is bounded: one entry per address with connections, and at most
/// [`PREFIXES_MAX`](Self::PREFIXES_MAX) bans.
///
/// ```
/// use mp_core::{ConnectionGate, GateLimits, GateRefusal, Instant};
///
/// let gate = ConnectionGate::default();
/// gate.set_limits(GateLimits { per_address: Some(1), ..GateLimits::default() });
/// let (now, address) = (Instant::ZERO, [192, 0, 2, 1].into());
/// let pass = gate.enter(now, address);
/// assert_eq!(gate.check(now, address), Err(GateRefusal::TooManyOfAddress));
/// drop(pass);
/// assert_eq!(gate.check(now, address), Ok(()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ConnectionGate(Arc<Mutex<State>>);

/// Limits of a gate. Default: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "programs construct it")]
pub struct GateLimits {
    /// Connections of one IPv4 address, or of one IPv6 network of 64 bits, which a provider gives
    /// to one customer.
    pub per_address: Option<u32>,
    /// New connections per second.
    pub handshakes: Option<Rate>,
}

/// Statistics of a gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GateStats {
    /// Current connections.
    pub connections: usize,
    /// Addresses with connections.
    pub addresses: usize,
    /// Connections refused so far.
    pub refused: ReasonCounts<GateRefusal>,
}

/// The permission of a connection, which counts for its address until it is dropped.
#[derive(Debug)]
#[must_use = "the connection counts until the pass is dropped"]
pub struct GatePass {
    gate: ConnectionGate,
    customer: AddressPrefix,
}

#[derive(Debug, Default)]
struct State {
    limits: GateLimits,
    handshakes: TokenBucket,
    connections: usize,
    /// Number of connections by customer.
    addresses: HashMap<AddressPrefix, u32>,
    bans: BTreeSet<AddressPrefix>,
    is_overloaded: bool,
    is_out_of_memory: bool,
    refused: ReasonCounts<GateRefusal>,
}

impl ConnectionGate {
    /// Maximum number of banned prefixes. A check looks up one prefix per length.
    pub const PREFIXES_MAX: usize = 65_536;

    /// Replaces the limits. Existing connections stay.
    pub fn set_limits(&self, limits: GateLimits) {
        self.state().limits = limits;
    }

    /// Replaces the banned prefixes by the first [`PREFIXES_MAX`](Self::PREFIXES_MAX) of `bans`.
    /// Existing connections stay.
    pub fn set_bans(&self, bans: impl IntoIterator<Item = AddressPrefix>) {
        let bans = bans.into_iter().take(Self::PREFIXES_MAX).collect();
        self.state().bans = bans;
    }

    /// Sets whether new connections are refused because of overload.
    pub fn set_overloaded(&self, is_overloaded: bool) {
        self.state().is_overloaded = is_overloaded;
    }

    /// Sets whether new connections are refused because of the memory limit.
    pub fn set_out_of_memory(&self, is_out_of_memory: bool) {
        self.state().is_out_of_memory = is_out_of_memory;
    }

    /// Checks whether a connection of `address` is accepted now.
    ///
    /// # Errors
    ///
    /// The reason for which it is refused, which is counted.
    pub fn check(&self, now: Instant, address: IpAddr) -> Result<(), GateRefusal> {
        let state = &mut *self.state();
        let refusal = state.refusal(now, address.to_canonical());
        refusal.map_or(Ok(()), |refusal| {
            state.refused.count(refusal);
            Err(refusal)
        })
    }

    /// Checks only whether `address` is banned, for a connection that may be no player's, such as a
    /// health check.
    ///
    /// # Errors
    ///
    /// [`GateRefusal::Banned`], which is counted.
    pub fn check_ban(&self, address: IpAddr) -> Result<(), GateRefusal> {
        let state = &mut *self.state();
        if !prefix::contains(&state.bans, address.to_canonical()) {
            return Ok(());
        }
        state.refused.count(GateRefusal::Banned);
        Err(GateRefusal::Banned)
    }

    /// Counts a connection of `address`, which [`check`](Self::check) has accepted.
    pub fn enter(&self, now: Instant, address: IpAddr) -> GatePass {
        let (state, customer) = (&mut *self.state(), AddressPrefix::of_customer(address));
        if let Some(rate) = state.limits.handshakes {
            state.handshakes.charge(now, rate, 1);
        }
        state.connections += 1;
        *state.addresses.entry(customer).or_default() += 1;
        GatePass { gate: self.clone(), customer }
    }

    /// Returns statistics.
    pub fn stats(&self) -> GateStats {
        let state = &*self.state();
        GateStats {
            connections: state.connections,
            addresses: state.addresses.len(),
            refused: state.refused,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for ConnectionGate {
    /// Returns whether both share their state.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ConnectionGate {}

impl State {
    fn refusal(&mut self, now: Instant, address: IpAddr) -> Option<GateRefusal> {
        if !self.bans.is_empty() && prefix::contains(&self.bans, address) {
            return Some(GateRefusal::Banned);
        }
        if self.is_overloaded {
            return Some(GateRefusal::Overloaded);
        }
        if self.is_out_of_memory {
            return Some(GateRefusal::OutOfMemory);
        }
        let customer = AddressPrefix::of_customer(address);
        let own = || self.addresses.get(&customer).copied().unwrap_or_default();
        if self.limits.per_address.is_some_and(|most| own() >= most) {
            return Some(GateRefusal::TooManyOfAddress);
        }
        let rate = self.limits.handshakes?;
        let is_allowed = self.handshakes.allows(now, rate, 1);
        (!is_allowed).then_some(GateRefusal::TooManyHandshakes)
    }
}

impl Drop for GatePass {
    fn drop(&mut self) {
        let state = &mut *self.gate.state();
        bug::subtract(&mut state.connections, 1);
        match state.addresses.get_mut(&self.customer) {
            Some(connections) if *connections > 1 => *connections -= 1,
            Some(_) => drop(state.addresses.remove(&self.customer)),
            None => crate::bug!("{} has a pass, but no connection", self.customer),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn connections_of_an_address_are_counted_until_they_end() {
        let gate = ConnectionGate::default();
        gate.set_limits(GateLimits { per_address: Some(2), handshakes: None });
        let now = Instant::ZERO;
        let transports = [gate.clone(), gate.clone()];
        let mut passes = transports.map(|it| it.enter(now, ip("192.0.2.1"))).map(Some);
        assert_eq!(gate.check(now, ip("192.0.2.1")), Err(GateRefusal::TooManyOfAddress));
        let mapped = gate.check(now, ip("::ffff:192.0.2.1"));
        assert_eq!(mapped, Err(GateRefusal::TooManyOfAddress), "the same address over IPv6");
        assert_eq!(gate.check(now, ip("192.0.2.2")), Ok(()));
        passes[0] = None;
        assert_eq!(gate.check(now, ip("192.0.2.1")), Ok(()));
        drop(passes);
        let stats = gate.stats();
        assert_eq!((stats.connections, stats.addresses, stats.refused.total()), (0, 0, 2));
    }

    #[test]
    fn addresses_of_an_ipv6_network_count_together() {
        let gate = ConnectionGate::default();
        gate.set_limits(GateLimits { per_address: Some(1), handshakes: None });
        let _pass = gate.enter(Instant::ZERO, ip("2001:db8::1"));
        let same = gate.check(Instant::ZERO, ip("2001:db8:0:0:ffff::2"));
        assert_eq!(same, Err(GateRefusal::TooManyOfAddress));
        assert_eq!(gate.check(Instant::ZERO, ip("2001:db8:0:1::1")), Ok(()));
    }

    #[test]
    fn new_connections_per_second_are_limited_over_all_addresses() {
        let gate = ConnectionGate::default();
        let rate = Rate::per_second(10).with_burst(20);
        gate.set_limits(GateLimits { per_address: None, handshakes: Some(rate) });
        let (mut now, mut passes) = (Instant::from_millis(1), Vec::new());
        let mut flood = |now| {
            let before = passes.len();
            for number in 0..100_u8 {
                let address = [198, 51, 100, number].into();
                if gate.check(now, address).is_ok() {
                    passes.push(gate.enter(now, address));
                }
            }
            passes.len() - before
        };
        assert_eq!(flood(now), 20);
        now += Duration::from_millis(500);
        assert_eq!(flood(now), 5);
        assert_eq!(gate.stats().refused.get(GateRefusal::TooManyHandshakes), 80 + 95);
    }

    #[test]
    fn banned_overloaded_and_out_of_memory_refuse_with_their_reasons() {
        let (gate, now) = (ConnectionGate::default(), Instant::ZERO);
        gate.set_bans(["198.51.100.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
        for banned in ["198.51.100.7", "::ffff:198.51.100.7", "2001:db8:9::1"] {
            assert_eq!(gate.check(now, ip(banned)), Err(GateRefusal::Banned), "{banned}");
        }
        for other in ["198.51.101.7", "2001:db9::1", "::1"] {
            assert_eq!(gate.check(now, ip(other)), Ok(()), "{other}");
        }
        gate.set_bans([]);
        assert_eq!(gate.check(now, ip("198.51.100.7")), Ok(()));
        gate.set_overloaded(true);
        assert_eq!(gate.check(now, ip("::1")), Err(GateRefusal::Overloaded));
        gate.set_overloaded(false);
        gate.set_out_of_memory(true);
        assert_eq!(gate.check(now, ip("::1")), Err(GateRefusal::OutOfMemory));
        assert_eq!(gate.stats().refused.total(), 5);
    }

    #[test]
    fn labels_are_names() {
        crate::reason_counts::assert_labels_are_names::<GateRefusal>();
    }
}
