//! What the sessions do.

use std::time::Duration;

use mp_core::{DisconnectReason, Rng};
use mp_transport_enet::proto::PeerStatistic;
use mp_transport_enet::proto::command::ThrottleParameters;

use crate::matrix::{Cell, How, Kind, Limit, Sender, Setup, Size, Theme};
use crate::proxy::LATENCY;
use crate::session::{Done, Limits, Session};
use crate::theirs::Theirs;

/// What a session of packets was worth.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    pub(crate) seconds: f64,
    pub(crate) mp: SideScore,
    pub(crate) c: SideScore,
}

/// What one side sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SideScore {
    pub(crate) reliable_bytes: usize,
    /// Commands sent again.
    pub(crate) resent: u64,
    pub(crate) unreliable_sent: usize,
    pub(crate) unreliable_arrived: usize,
    pub(crate) datagrams: u64,
}

/// What a session needs besides its setup.
pub(crate) struct Stage<'a> {
    pub(crate) theirs: &'a mut Theirs,
    pub(crate) seed: u64,
    /// Rounds of packets, at least: each has one packet of every kind and size each way.
    pub(crate) rounds: usize,
}

impl Stage<'_> {
    /// Plays a session: what has happened, and what it was worth.
    pub(crate) fn play(&mut self, setup: Setup) -> Done<(Vec<Cell>, Score)> {
        match setup.theme {
            Theme::Packets => self.packets(setup),
            Theme::Bandwidth => Ok((self.bandwidth(setup)?, Score::default())),
            Theme::Throttle => Ok((self.throttle(setup)?, Score::default())),
            Theme::Goodbyes => Ok((self.goodbyes(setup)?, Score::default())),
        }
    }

    fn open(&mut self, setup: Setup, limits: Limits, has_throttle: bool) -> Done<Session<'_>> {
        Session::open(setup, limits, has_throttle, self.theirs, self.seed)
    }

    /// Both sides send packets of every kind, and reliable ones as fast as the other takes them.
    fn packets(&mut self, setup: Setup) -> Done<(Vec<Cell>, Score)> {
        let (mut rng, rounds) = (Rng::from_number(self.seed), self.rounds);
        let mut session = self.open(setup, Limits::default(), false)?;
        // C would drop unreliable packets when round trips grow.
        session.tell("throttle 5000 32 0")?;
        let started = session.now();
        let (pace, bulk) = load(setup.loss);
        for turn in 0..rounds * Kind::ALL.len() * Size::ALL.len() {
            let (kind, size) = (Kind::ALL[turn % 4], Size::ALL[turn / 4 % 3]);
            let len = length(setup, size, &mut rng);
            session.send_to_c(kind, kind.channel(), len)?;
            session.send_to_mp(kind, kind.channel(), len)?;
            while session.to_c.outstanding < bulk {
                session.send_to_c(Kind::Reliable, 0, BULK_PACKET)?;
            }
            while session.to_mp.outstanding < bulk {
                session.send_to_mp(Kind::Reliable, 0, BULK_PACKET)?;
            }
            session.run(pace, |_| Ok(()))?;
        }
        let seconds = (session.now() - started).as_secs_f64();
        let bytes = [session.to_c.reliable_bytes, session.to_mp.reliable_bytes];
        // A cell that was not exercised by then is repeated until it is.
        for _ in 0..REPEATS_MAX {
            let cells = setup.cells();
            let missing: Vec<_> =
                cells.into_iter().filter(|cell| !session.cells.contains(cell)).collect();
            if missing.is_empty() {
                break;
            }
            for cell in missing {
                let Cell::Arrived(_, sender, kind, size) = cell else { continue };
                let outstanding = match sender {
                    Sender::Mp => session.to_c.outstanding,
                    Sender::C => session.to_mp.outstanding,
                };
                // What is reliable is on its way, and more of it would only make that longer.
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
        let resent = [session.resent(), session.ask_figures()?.lost];
        let mut datagrams = session.proxy.datagrams;
        if setup.role == crate::matrix::Role::Server {
            datagrams.reverse();
        }
        let score = |side: usize, ledger: &crate::ledger::Ledger| SideScore {
            reliable_bytes: bytes[side],
            resent: resent[side],
            unreliable_sent: ledger.unreliable_sent,
            unreliable_arrived: ledger.unreliable_arrived,
            datagrams: datagrams[side],
        };
        let score = Score { seconds, mp: score(0, &session.to_c), c: score(1, &session.to_mp) };
        Ok((session.cells, score))
    }

    /// Each side sends more than the other takes, or than it may.
    fn bandwidth(&mut self, setup: Setup) -> Done<Vec<Cell>> {
        // C ENet limits nobody who has no limit of its own.
        let (c_takes, mp_takes) = (40_000, 60_000);
        let limits = Limits { c_takes, mp_takes, mp_sends: 1_000_000, c_sends: 0 };
        let mut session = self.open(setup, limits, false)?;
        session.tell("throttle 1000 32 0")?;
        let kept = |session: &mut Session<'_>, mp_limit: u32, limit: Limit| -> Done {
            spray(session, MEASURED)?; // until it is measured
            let before = (session.to_c.unreliable_bytes, session.to_mp.unreliable_bytes);
            spray(session, MEASURED * 2)?;
            let seconds = (MEASURED * 2).as_secs();
            let rate = |now: usize, before: usize| ((now - before) as u64 / seconds) as u32;
            let to_c = rate(session.to_c.unreliable_bytes, before.0);
            let to_mp = rate(session.to_mp.unreliable_bytes, before.1);
            // The throttle goes by 32nds, and sends one more than it says.
            let most = |limit: u32| limit + limit / 10 + SPRAYED / 32;
            let is_kept = |rate: u32, limit: u32| (limit / 3..most(limit)).contains(&rate);
            if !is_kept(to_c, mp_limit) {
                return Err(format!("{limit:?}: {to_c} bytes per second instead of {mp_limit}"));
            }
            session.cells.push(Cell::Kept(setup, limit));
            if limit == Limit::TakenByC {
                if !is_kept(to_mp, limits.mp_takes) {
                    let limit = limits.mp_takes;
                    return Err(format!("C sends {to_mp} bytes per second instead of {limit}"));
                }
                session.cells.push(Cell::Kept(setup, Limit::TakenByMp));
            }
            Ok(())
        };
        kept(&mut session, limits.c_takes, Limit::TakenByC)?;
        session.ours.bandwidth_limit(limits.mp_takes, 20_000);
        kept(&mut session, 20_000, Limit::SentByMp)?;
        Ok(session.cells)
    }

    /// Round trips grow: both sides drop, until they are asked not to.
    fn throttle(&mut self, setup: Setup) -> Done<Vec<Cell>> {
        let mut session = self.open(setup, Limits::default(), true)?;
        let parameters =
            |deceleration| ThrottleParameters { interval: 1_000, acceleration: 8, deceleration };
        // C asks mp, and is its own; the same of mp, which asks C, would be its own: one of them is enough.
        session.tell("throttle 1000 8 8")?;
        let (ours, theirs) = grow(&mut session)?;
        if ours == 32 || theirs == 32 {
            return Err(format!("round trips grew, and the throttles were {ours} and {theirs}"));
        }
        session.cells.extend([Sender::Mp, Sender::C].map(|side| Cell::Throttled(setup, side)));

        session.peer()?.throttle_configure(parameters(0));
        // What is once low rises with good round trips, and stays.
        session.proxy.latency = LATENCY;
        let limit = session.now() + Duration::from_secs(20);
        while throttles(&mut session)? != (32, 32) {
            session.run(Duration::from_millis(200), ping_pong)?;
            if session.now() > limit {
                let (ours, theirs) = throttles(&mut session)?;
                return Err(format!("the throttles stay at {ours} and {theirs}"));
            }
        }
        let (ours, theirs) = grow(&mut session)?;
        if (ours, theirs) != (32, 32) {
            return Err(format!("asked not to drop, the throttles are {ours} and {theirs}"));
        }
        session.cells.extend([Sender::Mp, Sender::C].map(|side| Cell::Calmed(setup, side)));
        Ok(session.cells)
    }

    /// Every kind of goodbye from either side, with a number.
    fn goodbyes(&mut self, setup: Setup) -> Done<Vec<Cell>> {
        let mut cells = Vec::new();
        for sender in [Sender::Mp, Sender::C] {
            for (number, how) in How::ALL.into_iter().enumerate() {
                let mut session = self.open(setup, Limits::default(), false)?;
                let data = 40 + number as u32;
                match sender {
                    Sender::Mp => {
                        session.send_to_c(Kind::Reliable, 1, 30_000)?;
                        let mut peer = session.peer()?;
                        match how {
                            How::Politely => peer.peer_disconnect(data),
                            How::Now => peer.peer_disconnect_now(data),
                            How::Later => peer.peer_disconnect_later(data),
                        }
                        session.until("both know of the end", |session| {
                            session.ends == (Some(DisconnectReason::Closed), Some(data))
                        })?;
                    }
                    Sender::C => {
                        session.send_to_mp(Kind::Reliable, 1, 30_000)?;
                        session.tell(&format!("disconnect {number} {data}"))?;
                        let there = (how != How::Now).then_some(0);
                        session.until("both know of the end", |session| {
                            session.ends == (Some(DisconnectReason::Remote(data)), there)
                        })?;
                    }
                }
                let is_done = session.to_c.is_done() && session.to_mp.is_done();
                if is_done != (how == How::Later) {
                    return Err(format!("{sender:?} leaves {how:?}: all has arrived: {is_done}"));
                }
                cells.push(Cell::Goodbye(setup, sender, how));
            }
        }
        Ok(cells)
    }
}

/// Bytes per second that both sides send when they spray.
const SPRAYED: u32 = 120_000;

fn length(setup: Setup, size: Size, rng: &mut Rng) -> usize {
    match size {
        Size::Small => 4 + rng.below(1_000) as usize,
        Size::Whole => setup.whole_max(),
        Size::Cut => 1_400 + rng.below(4_000) as usize,
    }
}

/// Both sides send [`SPRAYED`] bytes per second, unsequenced, in small packets.
fn spray(session: &mut Session<'_>, duration: Duration) -> Done {
    session.run(duration, |session| {
        for _ in 0..2 {
            session.send_to_c(Kind::Unsequenced, 3, 600)?;
            session.send_to_mp(Kind::Unsequenced, 3, 600)?;
        }
        Ok(())
    })
}

/// Round trips are short, and then grow: how low the throttles of mp and C were in that time.
fn grow(session: &mut Session<'_>) -> Done<(u32, u32)> {
    session.proxy.latency = LATENCY;
    session.run(Duration::from_millis(2_500), ping_pong)?;
    session.lowest_throttle = u32::MAX;
    let (mut ours, mut ticks) = (u32::MAX, 0);
    session.run(Duration::from_millis(1_500), |session| {
        session.proxy.latency += Duration::from_millis(1);
        ticks += 1;
        if ticks % 5 == 0 {
            session.tell("figures")?;
        }
        ours = ours.min(session.peer()?.statistic(PeerStatistic::PacketThrottle));
        ping_pong(session)
    })?;
    Ok((ours, session.lowest_throttle))
}

/// Acknowledgements tell both sides how long round trips are.
fn ping_pong(session: &mut Session<'_>) -> Done {
    session.send_to_c(Kind::Reliable, 1, 20)?;
    session.send_to_mp(Kind::Reliable, 1, 20)
}

/// mp's and C's.
fn throttles(session: &mut Session<'_>) -> Done<(u32, u32)> {
    let theirs = session.ask_figures()?.throttle;
    Ok((session.peer()?.statistic(PeerStatistic::PacketThrottle), theirs))
}

/// The time from packet to packet, and the reliable bytes that each side has on its way, by percent of loss. (C ENet
/// looks at the oldest command only to tell when any is to be sent again, and doubles that time without end: with much on its
/// way and much loss it stops for minutes.)
const fn load(loss: u16) -> (Duration, usize) {
    let (millis, bulk) = match loss {
        0 => (10, 128 << 10),
        1..=10 => (10, 24 << 10),
        11..=20 => (20, 8 << 10),
        _ => (30, 4 << 10),
    };
    (Duration::from_millis(millis), bulk)
}

/// Times that the cells that were not exercised are repeated, at most. An unreliable packet in five fragments passes 30 % loss once
/// in six times.
const REPEATS_MAX: usize = 100_000;

/// Bytes of one packet of the bulk.
const BULK_PACKET: usize = 4_000;

/// Long enough for a limit to be measured and applied.
const MEASURED: Duration = Duration::from_secs(2);
