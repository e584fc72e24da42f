//! What was sent, what arrived, and what should not have.

use serde_json::{Value, json};

use crate::stamp::Stamp;

/// Counts deliveries. What is reported is the measured phase: what was *sent* between the first and the second mark, however
/// late it arrives.
pub(crate) struct Tally {
    phase: u8,
    /// Deliveries of all phases, for the rate.
    received: u64,
    bytes: u64,
    expected: u64,
    delivered: u64,
    duplicated: u64,
    /// Messages that came to the wrong client, or with a wrong byte, or (reliable ones) out of order.
    wrong: u64,
    latencies: Vec<u32>,
    seen: Vec<Seen>,
    /// How many senders one client hears.
    sources: usize,
    in_order: bool,
}

/// The messages that one client had of one sender: the newest, and which of the 64 before it.
#[derive(Clone, Copy, Default)]
struct Seen {
    next: u32,
    before: u64,
}

impl Tally {
    /// For `clients` that each hear `sources` of them. `in_order`: nothing may be missing or late.
    pub(crate) fn new(clients: usize, sources: usize, in_order: bool) -> Self {
        Self {
            phase: 0,
            received: 0,
            bytes: 0,
            expected: 0,
            delivered: 0,
            duplicated: 0,
            wrong: 0,
            latencies: Vec::new(),
            seen: vec![Seen::default(); clients * sources],
            sources,
            in_order,
        }
    }

    pub(crate) const fn phase(&self) -> u8 {
        self.phase
    }

    /// A message was sent that is to arrive at so many clients.
    pub(crate) const fn sent(&mut self, deliveries: usize) {
        if self.phase == MEASURED {
            self.expected += deliveries as u64;
        }
    }

    /// A message of `len` bytes arrived at `client`.
    pub(crate) fn received(&mut self, client: usize, stamp: &Stamp, len: usize, now: u64) {
        let source = usize::from(stamp.source) % self.sources;
        let seen = &mut self.seen[client * self.sources + source];
        if self.in_order && stamp.sequence != seen.next {
            self.wrong += 1;
        }
        if !seen.note(stamp.sequence) {
            self.duplicated += 1;
            return;
        }
        self.received += 1;
        self.bytes += len as u64;
        if stamp.phase == MEASURED {
            self.delivered += 1;
            self.latencies.push(((now - stamp.sent) / 100).min(u32::MAX.into()) as u32);
        }
    }

    pub(crate) const fn wrong(&mut self) {
        self.wrong += 1;
    }

    /// Counts of all phases so far; the next phase begins.
    pub(crate) fn mark(&mut self) -> Value {
        self.phase += 1;
        json!({ "operations": self.received, "bytes": self.bytes })
    }

    /// The measured phase.
    pub(crate) fn report(&mut self) -> Value {
        self.latencies.sort_unstable();
        json!({
            "expected": self.expected,
            "delivered": self.delivered,
            "duplicated": self.duplicated,
            "wrong": self.wrong,
            "p50_us": self.percentile(50),
            "p99_us": self.percentile(99),
        })
    }

    fn percentile(&self, percent: usize) -> Option<f64> {
        let last = self.latencies.len().checked_sub(1)?;
        Some(f64::from(self.latencies[last * percent / 100]) / 10.0)
    }
}

impl Seen {
    /// Whether it is new.
    const fn note(&mut self, sequence: u32) -> bool {
        if sequence >= self.next {
            let ahead = sequence - self.next;
            self.before = match ahead {
                0..63 => (self.before << 1 | 1) << ahead,
                63 => 1 << 63,
                _ => 0,
            };
            self.next = sequence + 1;
            return true;
        }
        let back = self.next - 1 - sequence;
        // Bit 0 is the newest one.
        if back == 0 {
            return false;
        }
        if back > 64 {
            return true; // cannot tell
        }
        let bit = 1 << (back - 1);
        let is_new = self.before & bit == 0;
        self.before |= bit;
        is_new
    }
}

/// The phase between the first and the second mark.
const MEASURED: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_told_from_late_ones() {
        let mut seen = Seen::default();
        for (sequence, is_new) in [(0, true), (0, false), (1, true), (4, true), (1, false)] {
            assert_eq!(seen.note(sequence), is_new, "{sequence}");
        }
        assert!(seen.note(2));
        assert!(!seen.note(2));
        assert!(!seen.note(0));
        assert!(seen.note(200));
        assert!(!seen.note(200));
        assert!(seen.note(199));
        assert!(!seen.note(199));
    }
}
