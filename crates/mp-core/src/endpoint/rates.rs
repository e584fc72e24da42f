//! Limits of the rate at which connections send: see [`ReceiveLimits`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{ConnectionRouter, Endpoint, Routed};
use crate::limits::EXCESS_GAP;
use crate::{
    BranchId, CloseMode, ConnectionId, DisconnectReason, Instant, MultiplayerPeer, Packet,
    PeerEvent, Rate, TokenBucket,
};

/// Limits of the rate at which packets are received. Default: none.
///
/// Above a limit unreliable packets are dropped. A reliable packet is accepted, and pauses
/// receiving on its connection until the rate is met again
/// ([`pause_receiving`](MultiplayerPeer::pause_receiving)), so that the sender slows down and
/// nothing that was accepted is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiveLimits {
    /// Packets per second.
    pub packets: Option<Rate>,
    /// Payload bytes per second.
    pub bytes: Option<Rate>,
    /// Time after which a connection is closed that was above its limits without a pause of
    /// [`EXCESS_GAP`], with [`DisconnectReason::RateExceeded`]. Default: it stays. A branch's total
    /// closes no connection.
    pub disconnect_after: Option<Duration>,
}

impl ReceiveLimits {
    /// Returns whether nothing is limited.
    pub fn is_unlimited(&self) -> bool {
        self.packets.is_none() && self.bytes.is_none()
    }
}

/// The total of a branch, over the connections of all endpoints that share a clone of this value.
#[derive(Clone, Debug)]
pub struct BranchRate(Arc<Mutex<Meter>>);

impl BranchRate {
    /// Returns a total with these limits.
    pub fn new(limits: ReceiveLimits) -> Self {
        Self(Arc::new(Mutex::new(Meter { limits, ..Meter::default() })))
    }

    /// Replaces the limits.
    pub fn set_limits(&self, limits: ReceiveLimits) {
        self.with(|meter| meter.limits = limits);
    }

    fn with<T>(&self, use_meter: impl FnOnce(&mut Meter) -> T) -> T {
        use_meter(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Limits and their buckets.
#[derive(Clone, Copy, Debug, Default)]
struct Meter {
    limits: ReceiveLimits,
    packets: TokenBucket,
    bytes: TokenBucket,
}

impl Meter {
    fn allows(&mut self, now: Instant, bytes: u64) -> bool {
        let ReceiveLimits { packets: packet_rate, bytes: byte_rate, .. } = self.limits;
        packet_rate.is_none_or(|rate| self.packets.allows(now, rate, 1))
            && byte_rate.is_none_or(|rate| self.bytes.allows(now, rate, bytes))
    }

    /// Charges a packet. Returns the time at which the debt is repaid, or `now`.
    fn charge(&mut self, now: Instant, bytes: u64) -> Instant {
        let mut repaid = now;
        if let Some(rate) = self.limits.packets {
            self.packets.charge(now, rate, 1);
            repaid = repaid.max(self.packets.repaid_at(now, rate));
        }
        if let Some(rate) = self.limits.bytes {
            self.bytes.charge(now, rate, bytes);
            repaid = repaid.max(self.bytes.repaid_at(now, rate));
        }
        repaid
    }
}

/// The rate of a connection. It stays with the connection when that moves to another branch.
#[derive(Debug, Default)]
pub(super) struct ConnectionRate {
    meter: Meter,
    /// Time until which receiving is paused.
    pub(super) paused_until: Option<Instant>,
    /// Time since which it is above its own limits, and the last time that it was.
    excess: Option<(Instant, Instant)>,
}

impl ConnectionRate {
    /// Records that the connection is above its limits until `until`. Returns whether it has been
    /// for too long.
    fn exceed(&mut self, now: Instant, until: Instant) -> bool {
        let is_new = self.excess.is_none_or(|(_, last)| now > last + EXCESS_GAP);
        let since = if is_new { now } else { self.excess.map_or(now, |(since, _)| since) };
        let last = self.excess.map_or(until, |(_, last)| last.max(until));
        self.excess = Some((since, last));
        self.meter.limits.disconnect_after.is_some_and(|most| now - since >= most)
    }
}

/// The consequence of a packet.
enum Verdict {
    Accept,
    Drop,
    Disconnect,
}

impl<P: MultiplayerPeer, R: ConnectionRouter> Endpoint<P, R> {
    /// Sets the limits of each connection that is assigned to a branch, including existing ones.
    /// Packets of undecided connections have limits of their own
    /// ([`UNDECIDED_PACKETS_MAX`](crate::limits::UNDECIDED_PACKETS_MAX)). Default: none.
    pub fn set_receive_limits(&mut self, limits: ReceiveLimits) {
        self.receive_limits = limits;
        for Routed { rate, .. } in self.routes.values_mut() {
            match rate {
                Some(rate) => rate.meter.limits = limits,
                None => *rate = new_rate(limits),
            }
        }
        self.is_metered |= !limits.is_unlimited();
    }

    /// Sets the total of all connections of a branch that the endpoint serves; `None`: no limit.
    pub fn set_branch_rate(&mut self, branch: BranchId, rate: Option<BranchRate>) {
        if let Some(queue) = self.branches.get_mut(&branch) {
            self.is_metered |= rate.is_some();
            queue.rate = rate;
        }
    }

    /// Counts a packet of a connection of a branch against the limits. Returns whether the branch
    /// receives it.
    pub(super) fn admit_packet(&mut self, now: Instant, branch: BranchId, packet: &Packet) -> bool {
        let connection = packet.from;
        match self.verdict(now, branch, packet) {
            Verdict::Accept => true,
            Verdict::Drop => {
                self.stats.rate_drops += 1;
                false
            }
            Verdict::Disconnect => {
                self.stats.rate_disconnects += 1;
                let reason = DisconnectReason::RateExceeded;
                tracing::debug!(%connection, %reason, "connection closed");
                self.forget_route(connection, reason);
                self.peer.disconnect(connection, reason, CloseMode::Immediate);
                self.queue(branch, PeerEvent::Disconnected { connection, reason });
                false
            }
        }
    }

    fn verdict(&mut self, now: Instant, branch: BranchId, packet: &Packet) -> Verdict {
        let Some(routed) = self.routes.get_mut(&packet.from) else { return Verdict::Accept };
        let total = self.branches.get(&branch).and_then(|queue| queue.rate.as_ref());
        if total.is_none() && routed.rate.is_none() {
            return Verdict::Accept;
        }
        let rate = routed.rate.get_or_insert_default();
        let bytes = packet.payload.len() as u64;
        let is_reliable = packet.mode.is_reliable();
        let own = rate.meter.allows(now, bytes);
        if !own && rate.exceed(now, now) {
            return Verdict::Disconnect;
        }
        let fits = own && total.is_none_or(|total| total.with(|it| it.allows(now, bytes)));
        if !fits && !is_reliable {
            return Verdict::Drop;
        }
        let mut repaid = rate.meter.charge(now, bytes);
        if !own {
            rate.exceed(now, repaid);
        }
        if let Some(total) = total {
            repaid = repaid.max(total.with(|it| it.charge(now, bytes)));
        }
        if is_reliable && !fits && repaid > now {
            self.pause_until(packet.from, repaid);
        }
        Verdict::Accept
    }

    /// Pauses receiving on a connection until the time `until`.
    fn pause_until(&mut self, connection: ConnectionId, until: Instant) {
        let Some(rate) = self.routes.get_mut(&connection).and_then(|it| it.rate.as_mut()) else {
            crate::bug!("{connection} has no rate");
            return;
        };
        match rate.paused_until.replace(until) {
            Some(before) => {
                self.rate_pauses.remove(&(before, connection));
            }
            None => {
                self.stats.rate_pauses += 1;
                self.peer.pause_receiving(connection, true);
            }
        }
        self.rate_pauses.insert((until, connection));
    }

    /// Resumes receiving on connections whose rate is met again.
    pub(super) fn resume_paused(&mut self, now: Instant) {
        while let Some(&(until, connection)) = self.rate_pauses.first()
            && now >= until
        {
            self.rate_pauses.pop_first();
            let Some(routed) = self.routes.get_mut(&connection) else {
                crate::bug!("{connection} has ended, but is paused");
                continue;
            };
            if let Some(rate) = &mut routed.rate {
                rate.paused_until = None;
            }
            self.resume_receiving(connection);
        }
    }
}

/// Returns the rate of a new connection.
pub(super) fn new_rate(limits: ReceiveLimits) -> Option<Box<ConnectionRate>> {
    let meter = Meter { limits, ..Meter::default() };
    (!limits.is_unlimited()).then(|| Box::new(ConnectionRate { meter, ..Default::default() }))
}
