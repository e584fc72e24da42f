//! Detects peers whose program has stopped although their connection still answers.
//!
//! A browser answers for a page whose game has stopped: its WebRTC connection stays. A peer from
//! which no packet is received for a while is therefore *probed* with a message that
//! SceneMultiplayer confirms by itself, so a peer that only listens stays connected. A peer that
//! sends nothing for the timeout is disconnected.

use std::collections::BTreeSet;
use std::time::Duration;

use mp_core::{Instant, PeerId};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::limits::{SILENCE_PROBE, SILENCE_TIMEOUT};

/// The watched peers, and when something is due for each.
#[derive(Debug)]
pub(super) struct SilenceWatch {
    /// Zero: no peer is probed or disconnected.
    timeout: Duration,
    now: Instant,
    /// Each received packet is looked up here.
    peers: FxHashMap<PeerId, Watched>,
    due: BTreeSet<(Instant, PeerId)>,
}

/// The silence of a peer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Watched {
    last_packet: Instant,
    /// Time of the probe, unless a packet has been received since.
    probed_at: Option<Instant>,
    /// Its entry in [`SilenceWatch::due`], at or before the time at which something is due.
    due: Instant,
}

/// The action that is due for a silent peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Send a message that the peer confirms.
    Probe(PeerId),
    /// Disconnect the peer, which is no longer watched.
    Expired(PeerId),
}

impl Default for SilenceWatch {
    fn default() -> Self {
        Self {
            timeout: SILENCE_TIMEOUT,
            now: Instant::ZERO,
            peers: FxHashMap::default(),
            due: BTreeSet::new(),
        }
    }
}

impl SilenceWatch {
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sets the timeout. The silence of every peer begins again.
    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
        for peer in self.peers.keys().copied().collect::<Vec<_>>() {
            self.insert(peer);
        }
    }

    /// Sets the time at which the silence of new peers begins.
    pub(super) fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// Returns the time at which the silence of new peers begins.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Returns the silence of a peer; `None` if it is not watched.
    pub(super) fn watched(&self, peer: PeerId) -> Option<Watched> {
        self.peers.get(&peer).copied()
    }

    /// Continues to watch a peer.
    pub(super) fn restore(&mut self, peer: PeerId, watched: Watched) {
        self.peers.insert(peer, watched);
        self.due.insert((watched.due, peer));
    }

    /// Begins to watch a peer.
    pub(super) fn insert(&mut self, peer: PeerId) {
        self.remove(peer);
        let due = self.now + self.probe_delay();
        self.peers.insert(peer, Watched { last_packet: self.now, probed_at: None, due });
        self.due.insert((due, peer));
    }

    pub(super) fn remove(&mut self, peer: PeerId) {
        if let Some(watched) = self.peers.remove(&peer) {
            self.due.remove(&(watched.due, peer));
        }
    }

    pub(super) fn clear(&mut self) {
        self.peers.clear();
        self.due.clear();
    }

    /// Records a packet of a peer. Does nothing if the peer is not watched.
    pub(super) fn record_packet(&mut self, now: Instant, peer: PeerId) {
        let Some(watched) = self.peers.get_mut(&peer) else { return };
        watched.last_packet = now;
        if watched.probed_at.take().is_some() {
            self.due.remove(&(watched.due, peer));
            watched.due = now + probe_delay(self.timeout);
            self.due.insert((watched.due, peer));
        }
    }

    /// Removes and returns an action that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Silence> {
        let delay = self.probe_delay();
        while self.next_due().is_some_and(|due| due <= now) {
            let (_, peer) = self.due.pop_first()?;
            let watched = self.peers.get_mut(&peer)?;
            // After a probe the peer has the rest of the timeout, however late the probe was sent.
            let due = match watched.probed_at {
                None => watched.last_packet + delay,
                Some(probed_at) => probed_at + (self.timeout - delay),
            };
            if due > now {
                watched.due = due;
                self.due.insert((due, peer));
            } else if watched.probed_at.is_none() {
                watched.probed_at = Some(now);
                watched.due = now + (self.timeout - delay);
                self.due.insert((watched.due, peer));
                return Some(Silence::Probe(peer));
            } else {
                self.peers.remove(&peer);
                return Some(Silence::Expired(peer));
            }
        }
        None
    }

    /// Returns the time of the next [`take_due`](Self::take_due).
    pub(super) fn next_due(&self) -> Option<Instant> {
        let (due, _) = self.due.first().filter(|_| !self.timeout.is_zero())?;
        Some(*due)
    }

    fn probe_delay(&self) -> Duration {
        probe_delay(self.timeout)
    }
}

/// Returns the silence after which a peer is probed that times out after `timeout`.
fn probe_delay(timeout: Duration) -> Duration {
    SILENCE_PROBE.min(timeout / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerId = PeerId::SERVER;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    fn watch() -> SilenceWatch {
        let mut watch = SilenceWatch::default();
        watch.set_now(at(1));
        watch.insert(PEER);
        watch
    }

    /// Returns the actions of the next minute, with their seconds.
    fn actions(
        watch: &mut SilenceWatch,
        mut answers: impl FnMut(u64) -> bool,
    ) -> Vec<(u64, Silence)> {
        let mut actions = Vec::new();
        for second in 1..=60 {
            actions.extend(watch.take_due(at(second)).map(|silence| (second, silence)));
            if answers(second) {
                watch.record_packet(at(second), PEER);
            }
        }
        actions
    }

    #[test]
    fn a_silent_peer_is_probed_after_10_s_and_expires_after_30_s() {
        let mut watch = watch();
        let expected = [(11, Silence::Probe(PEER)), (31, Silence::Expired(PEER))];
        assert_eq!(actions(&mut watch, |_| false), expected);
        assert_eq!((watch.next_due(), watch.peers.len()), (None, 0));
    }

    #[test]
    fn a_peer_that_sends_is_not_probed_and_one_that_only_answers_is_probed_again() {
        assert_eq!(actions(&mut watch(), |second| second % 9 == 0), []);
        let probes = [11, 22, 33, 44, 55].map(|second| (second, Silence::Probe(PEER)));
        assert_eq!(actions(&mut watch(), |second| second > 11 && second % 11 == 1), probes);
    }

    #[test]
    fn a_late_probe_leaves_the_peer_its_time_to_answer() {
        let mut watch = watch();
        assert_eq!(watch.take_due(at(100)), Some(Silence::Probe(PEER)));
        assert_eq!(watch.take_due(at(100)), None);
        assert_eq!(watch.take_due(at(119)), None);
        assert_eq!(watch.take_due(at(120)), Some(Silence::Expired(PEER)));
    }

    #[test]
    fn the_timeout_can_be_changed_and_disabled() {
        let mut watch = watch();
        watch.set_timeout(Duration::from_secs(4));
        let expected = [(3, Silence::Probe(PEER)), (5, Silence::Expired(PEER))];
        assert_eq!(actions(&mut watch, |_| false), expected);
        watch.insert(PEER);
        watch.set_timeout(Duration::ZERO);
        assert_eq!((watch.next_due(), actions(&mut watch, |_| false)), (None, vec![]));
    }
}
