//! [`Report`]: counters of players.

use std::time::Duration;

use serde_json::{Value, json};

/// Counters of all players since the last report.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Players who were admitted to a room.
    pub(crate) joined: u64,
    /// Players who left a room.
    pub(crate) left: u64,
    /// Attempts to join that the server refused, or that failed.
    pub(crate) refused: u64,
    /// Reason of the first such attempt.
    pub(crate) first_refusal: Option<String>,
    /// Players whom the server disconnected from a room.
    pub(crate) lost: u64,
    /// Messages sent.
    pub(crate) sent: u64,
    /// Messages received.
    pub(crate) received: u64,
    /// Violations: lost, repeated or reordered reliable messages, and unexpected packets.
    pub(crate) faults: u64,
    /// First violation, or the reason of the first disconnection.
    pub(crate) first_fault: Option<String>,
    /// Latencies of the received messages in µs.
    pub(crate) latencies: Vec<u32>,
    /// Longest time by which a turn of the players began late.
    pub(crate) lateness: Duration,
}

impl Report {
    /// Records a violation.
    pub(crate) fn fault(&mut self, text: impl FnOnce() -> String) {
        self.faults += 1;
        self.first_fault.get_or_insert_with(text);
    }

    /// Returns the counters, with the number of players who are in rooms.
    pub(crate) fn into_json(mut self, present: usize) -> Value {
        self.latencies.sort_unstable();
        json!({
            "present": present,
            "joined": self.joined,
            "left": self.left,
            "refused": self.refused,
            "first_refusal": self.first_refusal,
            "lost": self.lost,
            "sent": self.sent,
            "received": self.received,
            "faults": self.faults,
            "first_fault": self.first_fault,
            "p50_us": self.percentile(50),
            "p99_us": self.percentile(99),
            "late_ms": self.lateness.as_millis() as u64,
        })
    }

    fn percentile(&self, percent: usize) -> Option<u32> {
        let last = self.latencies.len().checked_sub(1)?;
        self.latencies.get(last * percent / 100).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_latencies() {
        let report = Report { latencies: (0..=200).rev().collect(), ..Report::default() };
        let json = report.into_json(3);
        assert_eq!((json["p50_us"].as_u64(), json["p99_us"].as_u64()), (Some(100), Some(198)));
        assert_eq!(Report::default().into_json(0)["p99_us"], Value::Null);
    }
}
