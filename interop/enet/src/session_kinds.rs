//! Actions of each kind of session.

use std::time::Duration;

use mp_core::{DisconnectReason, Rng};
use mp_transport_enet::proto::PeerStatistic;
use mp_transport_enet::proto::command::ThrottleParameters;

use crate::c_enet::CEnet;
use crate::coverage::{
    CloseKind, CoverageItem, Limit, PacketKind, PacketSize, Sender, SessionKind, Setup,
};
use crate::proxy::LATENCY;
use crate::session::{Limits, Session, SessionResult};

/// Statistics of a packet session.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SessionStats {
    pub(crate) seconds: f64,
    pub(crate) mp: SideStats,
    pub(crate) c: SideStats,
}

/// Packets that one side sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SideStats {
    pub(crate) reliable_bytes: usize,
    /// Retransmitted commands.
    pub(crate) resent: u64,
    pub(crate) unreliable_sent: usize,
    pub(crate) unreliable_arrived: usize,
    pub(crate) datagrams: u64,
}

/// Runs sessions.
pub(crate) struct Runner<'a> {
    pub(crate) c_enet: &'a mut CEnet,
    pub(crate) seed: u64,
    /// Minimum number of rounds: each has one packet of every kind and size in both directions.
    pub(crate) rounds: usize,
}

impl Runner<'_> {
    /// Runs a session. Returns the covered cases and statistics.
    pub(crate) fn play(
        &mut self,
        setup: Setup,
    ) -> SessionResult<(Vec<CoverageItem>, SessionStats)> {
        match setup.kind {
            SessionKind::Packets => self.packets(setup),
            SessionKind::Bandwidth => Ok((self.bandwidth(setup)?, SessionStats::default())),
            SessionKind::Throttle => Ok((self.throttle(setup)?, SessionStats::default())),
            SessionKind::Disconnects => Ok((self.disconnects(setup)?, SessionStats::default())),
        }
    }

    fn open(
        &mut self,
        setup: Setup,
        limits: Limits,
        has_throttle: bool,
    ) -> SessionResult<Session<'_>> {
        Session::open(setup, limits, has_throttle, self.c_enet, self.seed)
    }

    /// Both sides send packets of every kind, and bulk reliable packets as fast as the receiver
    /// accepts them.
    fn packets(&mut self, setup: Setup) -> SessionResult<(Vec<CoverageItem>, SessionStats)> {
        let (mut rng, rounds) = (Rng::seed_from_u64(self.seed), self.rounds);
        let mut session = self.open(setup, Limits::default(), false)?;
        // Disables C's throttle, which would drop unreliable packets when round trips grow.
        session.command("throttle 5000 32 0")?;
        let started = session.now();
        let (pace, bulk) = load(setup.loss);
        for turn in 0..rounds * PacketKind::ALL.len() * PacketSize::ALL.len() {
            let (kind, size) = (PacketKind::ALL[turn % 4], PacketSize::ALL[turn / 4 % 3]);
            let len = length(setup, size, &mut rng);
            session.send_to_c(kind, kind.channel(), len)?;
            session.send_to_mp(kind, kind.channel(), len)?;
            while session.to_c.outstanding < bulk {
                session.send_to_c(PacketKind::Reliable, 0, BULK_PACKET)?;
            }
            while session.to_mp.outstanding < bulk {
                session.send_to_mp(PacketKind::Reliable, 0, BULK_PACKET)?;
            }
            session.run(pace, |_| Ok(()))?;
        }
        let seconds = (session.now() - started).as_secs_f64();
        let bytes = [session.to_c.reliable_bytes, session.to_mp.reliable_bytes];
        // Repeats cases that are not covered yet.
        for _ in 0..REPEATS_MAX {
            let coverage = setup.coverage();
            let missing: Vec<_> =
                coverage.into_iter().filter(|item| !session.coverage.contains(item)).collect();
            if missing.is_empty() {
                break;
            }
            for item in missing {
                let CoverageItem::Arrived(_, sender, kind, size) = item else { continue };
                let outstanding = match sender {
                    Sender::Mp => session.to_c.outstanding,
                    Sender::C => session.to_mp.outstanding,
                };
                // Enough is in flight; more would only increase the delay.
                if outstanding >= bulk {
                    continue;
                }
                let len = length(setup, size, &mut rng);
                match sender {
                    Sender::Mp => session.send_to_c(kind, kind.channel(), len)?,
                    Sender::C => session.send_to_mp(kind, kind.channel(), len)?,
                }
            }
            session.run(Duration::from_millis(50), |_| Ok(()))?;
        }
        session.drain()?;
        let resent = [session.resent(), session.request_stats()?.lost];
        let mut datagrams = session.proxy.datagrams;
        if setup.role == crate::coverage::Role::Server {
            datagrams.reverse();
        }
        let stats = |side: usize, deliveries: &crate::deliveries::Deliveries| SideStats {
            reliable_bytes: bytes[side],
            resent: resent[side],
            unreliable_sent: deliveries.unreliable_sent,
            unreliable_arrived: deliveries.unreliable_arrived,
            datagrams: datagrams[side],
        };
        let stats =
            SessionStats { seconds, mp: stats(0, &session.to_c), c: stats(1, &session.to_mp) };
        Ok((session.coverage, stats))
    }

    /// Each side sends more than the other accepts, or than its own limit allows.
    fn bandwidth(&mut self, setup: Setup) -> SessionResult<Vec<CoverageItem>> {
        // C ENet only applies the peer's limit if it has a limit itself.
        let (c_takes, mp_takes) = (40_000, 60_000);
        let limits = Limits { c_takes, mp_takes, mp_sends: 1_000_000, c_sends: 0 };
        let mut session = self.open(setup, limits, false)?;
        session.command("throttle 1000 32 0")?;
        let kept = |session: &mut Session<'_>, mp_limit: u32, limit: Limit| -> SessionResult {
            spray(session, MEASURED)?; // until the bandwidth is measured
            let before = (session.to_c.unreliable_bytes, session.to_mp.unreliable_bytes);
            spray(session, MEASURED * 2)?;
            let seconds = (MEASURED * 2).as_secs();
            let rate = |now: usize, before: usize| ((now - before) as u64 / seconds) as u32;
            let to_c = rate(session.to_c.unreliable_bytes, before.0);
            let to_mp = rate(session.to_mp.unreliable_bytes, before.1);
            // The throttle has a resolution of 1/32, and sends one packet more.
            let most = |limit: u32| limit + limit / 10 + SPRAYED / 32;
            let is_kept = |rate: u32, limit: u32| (limit / 3..most(limit)).contains(&rate);
            if !is_kept(to_c, mp_limit) {
                return Err(format!("{limit:?}: {to_c} bytes per second instead of {mp_limit}"));
            }
            session.coverage.push(CoverageItem::LimitKept(setup, limit));
            if limit == Limit::AcceptedByC {
                if !is_kept(to_mp, limits.mp_takes) {
                    let limit = limits.mp_takes;
                    return Err(format!("C sends {to_mp} bytes per second instead of {limit}"));
                }
                session.coverage.push(CoverageItem::LimitKept(setup, Limit::AcceptedByMp));
            }
            Ok(())
        };
        kept(&mut session, limits.c_takes, Limit::AcceptedByC)?;
        session.mp.bandwidth_limit(limits.mp_takes, 20_000);
        kept(&mut session, 20_000, Limit::SentByMp)?;
        Ok(session.coverage)
    }

    /// Round trips grow: both sides drop packets, until they are configured not to.
    fn throttle(&mut self, setup: Setup) -> SessionResult<Vec<CoverageItem>> {
        let mut session = self.open(setup, Limits::default(), true)?;
        let parameters =
            |deceleration| ThrottleParameters { interval: 1_000, acceleration: 8, deceleration };
        // C's throttle settings apply to mp and to C itself; mp's would do the same.
        session.command("throttle 1000 8 8")?;
        let (mp, c_enet) = grow(&mut session)?;
        if mp == 32 || c_enet == 32 {
            return Err(format!("round trips grew, and the throttles were {mp} and {c_enet}"));
        }
        session
            .coverage
            .extend([Sender::Mp, Sender::C].map(|side| CoverageItem::Throttled(setup, side)));

        session.peer()?.throttle_configure(parameters(0));
        // Recovers with short round trips.
        session.proxy.latency = LATENCY;
        let limit = session.now() + Duration::from_secs(20);
        while throttles(&mut session)? != (32, 32) {
            session.run(Duration::from_millis(200), ping_pong)?;
            if session.now() > limit {
                let (mp, c_enet) = throttles(&mut session)?;
                return Err(format!("the throttles stay at {mp} and {c_enet}"));
            }
        }
        let (mp, c_enet) = grow(&mut session)?;
        if (mp, c_enet) != (32, 32) {
            return Err(format!("asked not to drop, the throttles are {mp} and {c_enet}"));
        }
        session
            .coverage
            .extend([Sender::Mp, Sender::C].map(|side| CoverageItem::ThrottleOff(setup, side)));
        Ok(session.coverage)
    }

    /// Disconnects of every kind by either side, with a number.
    fn disconnects(&mut self, setup: Setup) -> SessionResult<Vec<CoverageItem>> {
        let mut coverage = Vec::new();
        for sender in [Sender::Mp, Sender::C] {
            for (number, how) in CloseKind::ALL.into_iter().enumerate() {
                let mut session = self.open(setup, Limits::default(), false)?;
                let data = 40 + number as u32;
                match sender {
                    Sender::Mp => {
                        session.send_to_c(PacketKind::Reliable, 1, 30_000)?;
                        let mut peer = session.peer()?;
                        match how {
                            CloseKind::Gracefully => peer.peer_disconnect(data),
                            CloseKind::Now => peer.peer_disconnect_now(data),
                            CloseKind::Later => peer.peer_disconnect_later(data),
                        }
                        session.until("both sides are disconnected", |session| {
                            session.closed == (Some(DisconnectReason::Closed), Some(data))
                        })?;
                    }
                    Sender::C => {
                        session.send_to_mp(PacketKind::Reliable, 1, 30_000)?;
                        session.command(&format!("disconnect {number} {data}"))?;
                        let there = (how != CloseKind::Now).then_some(0);
                        session.until("both sides are disconnected", |session| {
                            session.closed == (Some(DisconnectReason::Remote(data)), there)
                        })?;
                    }
                }
                let is_done = session.to_c.is_done() && session.to_mp.is_done();
                if is_done != (how == CloseKind::Later) {
                    return Err(format!(
                        "{sender:?} disconnects {how:?}: all packets received: {is_done}"
                    ));
                }
                coverage.push(CoverageItem::Disconnected(setup, sender, how));
            }
        }
        Ok(coverage)
    }
}

/// Bytes per second that both sides send in [`spray`].
const SPRAYED: u32 = 120_000;

fn length(setup: Setup, size: PacketSize, rng: &mut Rng) -> usize {
    match size {
        PacketSize::Small => 4 + rng.below(1_000) as usize,
        PacketSize::Whole => setup.whole_max(),
        PacketSize::Cut => 1_400 + rng.below(4_000) as usize,
    }
}

/// Sends [`SPRAYED`] bytes per second from both sides, in small unsequenced packets.
fn spray(session: &mut Session<'_>, duration: Duration) -> SessionResult {
    session.run(duration, |session| {
        for _ in 0..2 {
            session.send_to_c(PacketKind::Unsequenced, 3, 600)?;
            session.send_to_mp(PacketKind::Unsequenced, 3, 600)?;
        }
        Ok(())
    })
}

/// Lets round trips grow after a short time. Returns the lowest throttles of mp and C.
fn grow(session: &mut Session<'_>) -> SessionResult<(u32, u32)> {
    session.proxy.latency = LATENCY;
    session.run(Duration::from_millis(2_500), ping_pong)?;
    session.lowest_throttle = u32::MAX;
    let (mut mp, mut ticks) = (u32::MAX, 0);
    session.run(Duration::from_millis(1_500), |session| {
        session.proxy.latency += Duration::from_millis(1);
        ticks += 1;
        if ticks % 5 == 0 {
            session.command("stats")?;
        }
        mp = mp.min(session.peer()?.statistic(PeerStatistic::PacketThrottle));
        ping_pong(session)
    })?;
    Ok((mp, session.lowest_throttle))
}

/// Sends a reliable packet each way, so that both sides measure the round trip time.
fn ping_pong(session: &mut Session<'_>) -> SessionResult {
    session.send_to_c(PacketKind::Reliable, 1, 20)?;
    session.send_to_mp(PacketKind::Reliable, 1, 20)
}

/// Returns the throttles of mp and C.
fn throttles(session: &mut Session<'_>) -> SessionResult<(u32, u32)> {
    let c_enet = session.request_stats()?.throttle;
    Ok((session.peer()?.statistic(PeerStatistic::PacketThrottle), c_enet))
}

/// Returns the interval between packets, and the maximum reliable bytes in flight per side, by
/// percentage of loss. C ENet only checks the oldest command for a timeout, and doubles the timeout
/// without a limit: with much data in flight and much loss it stops for minutes.
const fn load(loss: u16) -> (Duration, usize) {
    let (millis, bulk) = match loss {
        0 => (10, 128 << 10),
        1..=10 => (10, 24 << 10),
        11..=20 => (20, 8 << 10),
        _ => (30, 4 << 10),
    };
    (Duration::from_millis(millis), bulk)
}

/// Maximum repetitions of uncovered cases. An unreliable packet in five fragments passes 30 % loss
/// once in six attempts.
const REPEATS_MAX: usize = 100_000;

/// Size of a bulk packet in bytes.
const BULK_PACKET: usize = 4_000;

/// Long enough to measure and apply a limit.
const MEASURED: Duration = Duration::from_secs(2);
