//! [`Link`]: the simulated link to one address, with the datagrams that are on their way.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use mp_core::link_shaper::{LinkConditions, LinkShaper};
use mp_core::{ConnectionConditions, Instant, LinkStats, Rng};

use crate::NetworkPath;

/// Both directions of a link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) outgoing: Direction,
    pub(super) incoming: Direction,
    /// True if only the datagrams on their way are left of it.
    is_removed: bool,
}

/// One direction of a link.
#[derive(Debug)]
pub(super) struct Direction {
    shaper: LinkShaper,
    /// Datagrams on their way, the next to arrive first.
    queue: BinaryHeap<Reverse<Datagram>>,
    next_number: u64,
    /// Arrival time of the last datagram, of all sent so far.
    last_arrival: Instant,
    stats: LinkStats,
}

/// A datagram on its way. The order is that of the fields.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Datagram {
    at: Instant,
    number: u64,
    path: NetworkPath,
    bytes: Vec<u8>,
}

/// Bytes that are on their way on all links of a socket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QueueLimit {
    queued: usize,
}

impl Link {
    pub(super) fn new(conditions: ConnectionConditions, rng: &mut Rng) -> Self {
        let ConnectionConditions { outgoing, incoming } = conditions;
        let [outgoing, incoming] =
            [outgoing, incoming].map(|conditions| Direction::new(conditions, rng.fork()));
        Self { outgoing, incoming, is_removed: false }
    }

    pub(super) fn set_conditions(&mut self, conditions: ConnectionConditions) {
        self.is_removed = false;
        self.outgoing.shaper.set_conditions(conditions.outgoing);
        self.incoming.shaper.set_conditions(conditions.incoming);
    }

    /// Removes the conditions. The link is [idle](Self::is_idle) when no datagram is on its way.
    pub(super) fn remove_conditions(&mut self) {
        self.set_conditions(ConnectionConditions::default());
        self.is_removed = true;
    }

    /// Returns the conditions and statistics; `None` if they were removed.
    pub(super) fn conditions(&self) -> Option<(ConnectionConditions, LinkStats)> {
        let (outgoing, incoming) = (&self.outgoing, &self.incoming);
        let stats = LinkStats {
            lost: outgoing.stats.lost + incoming.stats.lost,
            overflowed: outgoing.stats.overflowed + incoming.stats.overflowed,
            queued_bytes: outgoing.stats.queued_bytes + incoming.stats.queued_bytes,
        };
        let (outgoing, incoming) = (outgoing.shaper.conditions(), incoming.shaper.conditions());
        (!self.is_removed).then_some((ConnectionConditions { outgoing, incoming }, stats))
    }

    pub(super) fn is_idle(&self) -> bool {
        self.is_removed && self.next_arrival().is_none()
    }

    pub(super) fn next_arrival(&self) -> Option<Instant> {
        let next = |direction: &Direction| direction.queue.peek().map(|Reverse(it)| it.at);
        [next(&self.outgoing), next(&self.incoming)].into_iter().flatten().min()
    }
}

impl Direction {
    fn new(conditions: LinkConditions, rng: Rng) -> Self {
        Self {
            shaper: LinkShaper::new(conditions, rng),
            queue: BinaryHeap::new(),
            next_number: 0,
            last_arrival: Instant::ZERO,
            stats: LinkStats::default(),
        }
    }

    /// Sends a datagram, unless it is lost.
    pub(super) fn carry(
        &mut self,
        now: Instant,
        path: NetworkPath,
        bytes: &[u8],
        limit: &mut QueueLimit,
    ) {
        let Ok(arrival) = self.shaper.carry_datagram(now, bytes.len()) else {
            self.stats.lost += 1;
            return;
        };
        // The shaper gives each datagram a later time than the one before, which would delay those
        // of a turn to the next one.
        let is_immediate = self.shaper.conditions().is_immediate() && self.last_arrival <= now;
        for at in [Some(arrival.at), arrival.copy].into_iter().flatten() {
            let at = if is_immediate { now } else { at };
            let is_full = self.stats.queued_bytes + bytes.len() > LINK_BYTES_MAX;
            if is_full || limit.queued + bytes.len() > SOCKET_BYTES_MAX {
                self.stats.overflowed += 1;
                continue;
            }
            self.stats.queued_bytes += bytes.len();
            limit.queued += bytes.len();
            let (number, bytes) = (self.next_number, bytes.to_vec());
            self.next_number += 1;
            self.last_arrival = self.last_arrival.max(at);
            self.queue.push(Reverse(Datagram { at, number, path, bytes }));
        }
    }

    /// Removes and returns the next datagram that has arrived.
    pub(super) fn arrived(
        &mut self,
        now: Instant,
        limit: &mut QueueLimit,
    ) -> Option<(NetworkPath, Vec<u8>)> {
        self.queue.peek().filter(|Reverse(datagram)| datagram.at <= now)?;
        let Reverse(Datagram { path, bytes, .. }) = self.queue.pop()?;
        self.stats.queued_bytes -= bytes.len();
        limit.queued -= bytes.len();
        Some((path, bytes))
    }
}

/// Maximum number of bytes on their way in one direction of a link.
pub(super) const LINK_BYTES_MAX: usize = 1 << 20;
/// Maximum number of bytes on their way on all links of a socket.
pub(super) const SOCKET_BYTES_MAX: usize = 64 << 20;
