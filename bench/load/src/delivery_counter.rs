//! Counters of sent, received and wrong messages.

use serde_json::{Value, json};

use crate::stamp::Stamp;

/// Counts deliveries. The report covers messages that were *sent* between the first and the second
/// mark, however late they are received.
pub(crate) struct DeliveryCounter {
    phase: u8,
    /// Deliveries in all phases, for the rate.
    received: u64,
    bytes: u64,
    expected: u64,
    delivered: u64,
    duplicated: u64,
    /// Messages with a wrong receiver or a wrong byte, and reliable ones out of order.
    wrong: u64,
    latencies: Vec<u32>,
    seen: Vec<SequenceWindow>,
    /// Number of senders per receiver.
    sources: usize,
    in_order: bool,
}

/// Received messages of one sender at one receiver: the newest, and a bit mask of the 64 before it.
#[derive(Clone, Copy, Default)]
struct SequenceWindow {
    next: u32,
    before: u64,
}

impl DeliveryCounter {
    /// Creates a counter for `clients` that each receive from `sources` of them. `in_order`: no
    /// message may be missing or late.
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
            seen: vec![SequenceWindow::default(); clients * sources],
            sources,
            in_order,
        }
    }

    pub(crate) const fn phase(&self) -> u8 {
        self.phase
    }

    /// Counts a sent message with its number of receivers.
    pub(crate) const fn sent(&mut self, deliveries: usize) {
        if self.phase == MEASURED {
            self.expected += deliveries as u64;
        }
    }

    /// Counts a message of `len` bytes received by `client`.
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

    /// Returns whether nothing wrong was counted.
    pub(crate) const fn is_correct(&self) -> bool {
        self.wrong == 0
    }

    pub(crate) const fn wrong(&mut self) {
        self.wrong += 1;
    }

    /// Returns the counters of all phases so far, and starts the next phase.
    pub(crate) fn mark(&mut self) -> Value {
        self.phase += 1;
        json!({ "operations": self.received, "bytes": self.bytes })
    }

    /// Returns the counters of the measured phase.
    pub(crate) fn report(&mut self) -> Value {
        self.latencies.sort_unstable();
        json!({
            "expected": self.expected,
            "delivered": self.delivered,
            "duplicated": self.duplicated,
            "wrong": self.wrong,
            "p50_us": self.percentile(500),
            "p99_us": self.percentile(990),
            "p999_us": self.percentile(999),
        })
    }

    fn percentile(&self, per_mille: usize) -> Option<f64> {
        let last = self.latencies.len().checked_sub(1)?;
        Some(f64::from(self.latencies[last * per_mille / 1_000]) / 10.0)
    }
}

impl SequenceWindow {
    /// Records a sequence number. Returns false for a duplicate.
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
        // Bit 0 is the newest.
        if back == 0 {
            return false;
        }
        if back > 64 {
            return true; // too old to know
        }
        let bit = 1 << (back - 1);
        let is_new = self.before & bit == 0;
        self.before |= bit;
        is_new
    }
}

/// Phase between the first and the second mark.
const MEASURED: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_differ_from_late_messages() {
        let mut seen = SequenceWindow::default();
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
