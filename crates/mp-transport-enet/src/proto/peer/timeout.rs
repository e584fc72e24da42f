//! Timeout of an unresponsive peer.
#![expect(
    clippy::exhaustive_structs,
    reason = "the arguments of Godot's function, which programs build"
)]

use std::time::Duration;

use crate::proto::Millis;

/// Conditions under which an unresponsive peer times out (Godot: `ENetPacketPeer.set_timeout`).
/// Both apply to commands in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutConfig {
    /// Number of attempts as a power of two: a peer times out when 2^(attempts − 1) reaches this
    /// and `minimum` has passed. Default 32, the sixth attempt.
    pub limit: u32,
    /// Minimum time without an acknowledgement before a peer times out. Default 5 s.
    pub minimum: Duration,
    /// Time without an acknowledgement after which a peer times out in any case. Default 30 s.
    pub maximum: Duration,
}

impl Default for TimeoutConfig {
    fn default() -> Self {
        Self { limit: 32, minimum: Duration::from_secs(5), maximum: Duration::from_secs(30) }
    }
}

/// The time during which commands have timed out without any acknowledgement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Silence {
    /// Time of sending the oldest command that timed out since the last acknowledgement.
    since: Option<Millis>,
}

impl Silence {
    /// Ends the silence, because an acknowledgement was received.
    pub(crate) const fn broken(&mut self) {
        self.since = None;
    }

    /// Records that a command timed out which was sent at `sent_at` for the `attempts`-th time.
    /// Returns whether the peer has timed out.
    pub(crate) fn timed_out(
        &mut self,
        now: Millis,
        sent_at: Millis,
        attempts: u32,
        config: &TimeoutConfig,
    ) -> bool {
        let since = self.since.map_or(sent_at, |since| since.min(sent_at));
        self.since = Some(since);
        let silent = Duration::from_millis(now.saturating_sub(since));
        let factor = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        silent >= config.maximum || (factor >= config.limit && silent >= config.minimum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the times of the retransmissions, and the time at which the peer times out.
    fn schedule(first_timeout: Millis) -> (Vec<Millis>, Millis) {
        let (mut silence, config) = (Silence::default(), TimeoutConfig::default());
        let (mut sent_at, mut timeout, mut attempts) = (0, first_timeout, 1);
        let mut again = Vec::new();
        loop {
            let now = sent_at + timeout;
            if silence.timed_out(now, sent_at, attempts, &config) {
                return (again, now);
            }
            again.push(now);
            (sent_at, timeout, attempts) = (now, timeout * 2, attempts + 1);
        }
    }

    #[test]
    fn a_peer_without_samples_times_out_after_31_5_seconds() {
        // As Godot 4.6.3 does without a server.
        assert_eq!(schedule(500), (vec![500, 1_500, 3_500, 7_500, 15_500], 31_500));
    }

    #[test]
    fn a_near_peer_times_out_after_the_minimum() {
        // Godot 4.6.3 with a server that vanished: seven attempts, timed out after 6.6 s.
        let (again, end) = schedule(52);
        assert_eq!(again.len(), 6);
        assert_eq!(end, 52 * 127);
    }

    #[test]
    fn an_acknowledgement_resets_the_timeout() {
        let (mut silence, config) = (Silence::default(), TimeoutConfig::default());
        assert!(!silence.timed_out(4_000, 0, 6, &config));
        silence.broken();
        assert!(!silence.timed_out(6_000, 4_000, 6, &config));
        assert!(silence.timed_out(9_000, 6_000, 6, &config));
    }

    #[test]
    fn a_peer_times_out_after_the_maximum() {
        let (mut silence, config) = (Silence::default(), TimeoutConfig::default());
        assert!(!silence.timed_out(29_999, 0, 1, &config));
        assert!(silence.timed_out(30_000, 20_000, 1, &config));
        assert!(silence.timed_out(u64::MAX, 0, u32::MAX, &config));
    }
}
