//! Sharing a host's bandwidth among its peers once per second, as in ENet.
//!
//! * **OutgoingPacket**: if more was queued than the host may send or a peer may receive, the
//!   packet throttle of peers is limited. Unreliable packets are dropped in proportion, and the
//!   reliable window shrinks.
//! * **Incoming**: the host's limit is divided equally among its peers. Peers that send less leave
//!   the rest to the others. BANDWIDTH_LIMIT announces changes to a peer.
//!
//! Without limits on either side, a round only runs to announce that to new peers.

use mp_core::Instant;

use super::{Host, PeerEntry};
use crate::proto::Millis;
use crate::proto::peer::{SCALE, State};

/// A peer's share of the outgoing bandwidth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Demand {
    /// Bytes queued since the last round.
    queued: u64,
    /// Bytes that the peer may receive in that time, if limited.
    receive_limit: Option<u64>,
    /// Throttle limit, in 32nds of the unreliable packets.
    limit: Option<u32>,
}

/// The timing of bandwidth rounds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BandwidthRound {
    pub(crate) due: Option<Millis>,
    measured_since: Option<Millis>,
}

impl Host {
    /// Sets the host's limits in bytes per second; 0 is unlimited. Peers are notified within a
    /// second.
    pub fn bandwidth_limit(&mut self, incoming: u32, outgoing: u32) {
        self.settings.incoming_bandwidth = incoming;
        self.settings.outgoing_bandwidth = outgoing;
        for entry in self.counted_mut() {
            entry.peer.set_outgoing_bandwidth(outgoing);
        }
        self.schedule_bandwidth_round();
    }

    /// Schedules a round for the next whole second since the first turn.
    pub(super) fn schedule_bandwidth_round(&mut self) {
        let (now, epoch) = (self.now.as_millis(), self.epoch.unwrap_or_default());
        let seconds = now.saturating_sub(epoch).div_ceil(INTERVAL);
        self.bandwidth_round.due.get_or_insert(epoch + seconds * INTERVAL);
    }

    /// Runs a round if it is due.
    pub(super) fn share_bandwidth(&mut self, now: Instant) {
        if self.bandwidth_round.due.is_none_or(|at| now.as_millis() < at) {
            return;
        }
        self.bandwidth_round.due = None;
        self.announce_bandwidth();
        let outgoing = self.settings.outgoing_bandwidth;
        let is_limited = self.connected > 0
            && (outgoing > 0 || self.counted().any(|entry| receive_limit(entry).is_some()));
        if is_limited {
            self.throttle_peers(now.as_millis());
            self.bandwidth_round.due = Some(now.as_millis() + INTERVAL);
        } else if self.bandwidth_round.measured_since.take().is_some() {
            // The limits were removed since the last round.
            for entry in self.counted_mut() {
                entry.peer.limit_throttle(SCALE);
            }
        }
    }

    fn throttle_peers(&mut self, now: Millis) {
        let since = self.bandwidth_round.measured_since.replace(now);
        let elapsed = since.map_or(0, |since| now - since);
        let budget = |bandwidth: u32| u64::from(bandwidth) * elapsed / INTERVAL;
        let demand = |entry: &PeerEntry| Demand {
            queued: entry.peer.demand(),
            receive_limit: receive_limit(entry).map(budget),
            limit: None,
        };
        let mut demands: Vec<Demand> = self.counted().map(demand).collect();
        if elapsed > 0 {
            let outgoing = self.settings.outgoing_bandwidth;
            limit(&mut demands, (outgoing > 0).then(|| budget(outgoing)));
        }
        for (PeerEntry { peer, .. }, demand) in self.counted_mut().zip(demands) {
            peer.reset_demand();
            if let Some(limit) = demand.limit {
                peer.limit_throttle(limit);
            }
        }
    }

    /// Announces the host's limits to the peers for which they have changed.
    fn announce_bandwidth(&mut self) {
        let is_open = |entry: &PeerEntry| entry.peer.state() == State::Connected;
        let open = self.counted().filter(|entry| is_open(entry));
        let sends: Vec<u32> = open.map(|entry| entry.peer.send_bandwidth()).collect();
        let outgoing = self.settings.outgoing_bandwidth;
        let shares = divide(self.settings.incoming_bandwidth, &sends);
        let mut announced = Vec::new();
        let open = self.counted_mut().filter(|entry| is_open(entry));
        for (PeerEntry { peer, .. }, incoming) in open.zip(shares) {
            if peer.announce_bandwidth(incoming, outgoing) {
                announced.push(peer.connection().slot as u16);
            }
        }
        for slot in announced {
            self.touch(slot);
        }
    }

    /// Returns the connected peers, lowest slot first.
    fn counted(&self) -> impl Iterator<Item = &PeerEntry> {
        self.slots.entries().filter(|entry| entry.is_counted)
    }

    /// Returns the connected peers, lowest slot first.
    fn counted_mut(&mut self) -> impl Iterator<Item = &mut PeerEntry> {
        self.slots.entries_mut().filter(|entry| entry.is_counted)
    }
}

/// Returns the bytes per second that a peer may receive, if limited.
fn receive_limit(entry: &PeerEntry) -> Option<u32> {
    Some(entry.peer.receive_bandwidth()).filter(|&receive_limit| receive_limit > 0)
}

/// Sets the throttle limits. `budget`: bytes that the host may send, if limited.
fn limit(demands: &mut [Demand], budget: Option<u64>) {
    let mut total: u64 = demands.iter().map(|demand| demand.queued).sum();
    let mut budget = budget.unwrap_or(u64::MAX);
    loop {
        let scale = u64::from(SCALE);
        let ratio = if total <= budget { scale } else { budget * scale / total };
        let mut is_settled = true;
        for demand in demands.iter_mut().filter(|demand| demand.limit.is_none()) {
            let Some(receive_limit) = demand.receive_limit else { continue };
            if ratio * demand.queued / scale <= receive_limit {
                continue;
            }
            demand.limit = Some((receive_limit * scale / demand.queued).max(1) as u32);
            budget = budget.saturating_sub(receive_limit);
            total = total.saturating_sub(receive_limit);
            is_settled = false;
        }
        if is_settled {
            let rest = demands.iter_mut().filter(|demand| demand.limit.is_none());
            rest.for_each(|demand| demand.limit = Some(ratio as u32));
            return;
        }
    }
}

/// Divides the incoming bandwidth among peers, given what each announced to send; 0 is unlimited. A
/// peer that sends less than its share is granted that. ENet grants an unlimited peer an unlimited
/// share, so that the host's limit has no effect.
fn divide(bandwidth: u32, sends: &[u32]) -> Vec<u32> {
    let mut shares = vec![None; sends.len()];
    let (mut rest, mut remaining) = (bandwidth, sends.len() as u32);
    let mut share = 0;
    let mut is_settled = bandwidth == 0;
    while remaining > 0 && !is_settled {
        is_settled = true;
        share = rest / remaining;
        for (given, &sends) in shares.iter_mut().zip(sends) {
            if given.is_none() && sends > 0 && sends < share {
                *given = Some(sends);
                rest -= sends;
                remaining -= 1;
                is_settled = false;
            }
        }
    }
    // On the wire 0 is unlimited.
    let share = if bandwidth == 0 { 0 } else { share.max(1) };
    shares.into_iter().map(|given| given.unwrap_or(share)).collect()
}

const INTERVAL: Millis = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(demands: &[(u64, Option<u64>)], budget: Option<u64>) -> Vec<u32> {
        let demand = |&(queued, receive_limit)| Demand { queued, receive_limit, limit: None };
        let mut demands: Vec<Demand> = demands.iter().map(demand).collect();
        limit(&mut demands, budget);
        demands.iter().map(|demand| demand.limit.unwrap()).collect()
    }

    #[test]
    fn everything_is_sent_without_limits() {
        assert_eq!(limits(&[(1 << 40, None), (0, None)], None), [32, 32]);
        assert_eq!(limits(&[], Some(0)), [0; 0]);
    }

    #[test]
    fn a_budget_is_shared_in_proportion() {
        assert_eq!(limits(&[(1_000, None), (3_000, None)], Some(2_000)), [16, 16]);
        assert_eq!(limits(&[(1_000, None), (3_000, None)], Some(4_000)), [32, 32]);
        assert_eq!(limits(&[(1_000_000, None)], Some(1)), [0]);
    }

    #[test]
    fn a_limited_peer_leaves_bandwidth_to_the_others() {
        // The first peer gets 500 of 2,000, the other 1,500 of the remaining 3,500.
        assert_eq!(limits(&[(2_000, Some(500)), (2_000, None)], Some(2_000)), [8, 13]);
        assert_eq!(limits(&[(2_000, Some(500)), (2_000, None)], None), [8, 32]);
        assert_eq!(limits(&[(1_000_000, Some(1)), (10, Some(10))], None), [1, 32], "at least one");
    }

    #[test]
    fn incoming_bandwidth_is_divided_equally_among_peers_that_send_more() {
        assert_eq!(divide(0, &[5, 0]), [0, 0]);
        assert_eq!(divide(90_000, &[u32::MAX, u32::MAX, u32::MAX]), [30_000; 3]);
        assert_eq!(divide(90_000, &[10_000, u32::MAX, u32::MAX]), [10_000, 40_000, 40_000]);
        assert_eq!(divide(90_000, &[10_000, 0, 0]), [10_000, 40_000, 40_000]);
        assert_eq!(divide(600_000, &[500_000]), [500_000]);
        assert_eq!(divide(500_000, &[2_000_000]), [500_000]);
        assert_eq!(divide(7, &[u32::MAX; 10]), [1; 10], "0 would be no limit");
    }
}
