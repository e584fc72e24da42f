//! Counters and times of the players of one thread, or of all.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// A counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
#[non_exhaustive]
pub enum Counter {
    /// Joins that were due.
    Started,
    /// Players whose transport has connected.
    Reached,
    /// Players that the server has admitted.
    Joined,
    /// Players that could not join.
    FailedJoins,
    /// Players that have left by themselves.
    Left,
    /// Players whose connection ended by itself after the admission.
    Disconnects,
    /// Packets given to the transport.
    PacketsSent,
    /// Bytes of these packets.
    BytesSent,
    /// Packets received.
    PacketsReceived,
    /// Bytes of these packets.
    BytesReceived,
    /// Calls sent.
    CallsSent,
    /// Calls received.
    CallsReceived,
    /// Raw packets sent.
    RawSent,
    /// Raw packets received.
    RawReceived,
    /// Spawned nodes received.
    Spawns,
    /// Despawned nodes received.
    Despawns,
    /// Synchronizations received.
    Syncs,
    /// Calls that were not sent because there was no other player.
    Skipped,
    /// Replies received in time.
    Replies,
    /// Replies to unreliable calls that were not received in time.
    LostUnreliable,
    /// Replies to reliable calls that were not received in time.
    LostReliable,
    /// Expectations that were met in time.
    MetExpectations,
    /// Expectations that were not met in time.
    UnmetExpectations,
    /// Packets that the transport did not accept.
    RejectedPackets,
    /// Packets received that are malformed, or exceed a limit of the bots.
    Malformed,
    /// Nodes whose methods differ between the scenario and the server.
    MethodsDiffer,
}

impl Counter {
    /// All counters, with their names in reports.
    pub const ALL: [(Self, &'static str); COUNTERS] = [
        (Self::Started, "started"),
        (Self::Reached, "reached"),
        (Self::Joined, "joined"),
        (Self::FailedJoins, "failed_joins"),
        (Self::Left, "left"),
        (Self::Disconnects, "disconnects"),
        (Self::PacketsSent, "packets_sent"),
        (Self::BytesSent, "bytes_sent"),
        (Self::PacketsReceived, "packets_received"),
        (Self::BytesReceived, "bytes_received"),
        (Self::CallsSent, "rpcs_sent"),
        (Self::CallsReceived, "rpcs_received"),
        (Self::RawSent, "raw_sent"),
        (Self::RawReceived, "raw_received"),
        (Self::Spawns, "spawns"),
        (Self::Despawns, "despawns"),
        (Self::Syncs, "syncs"),
        (Self::Skipped, "skipped"),
        (Self::Replies, "replies"),
        (Self::LostUnreliable, "lost_unreliable"),
        (Self::LostReliable, "lost_reliable"),
        (Self::MetExpectations, "met_expectations"),
        (Self::UnmetExpectations, "unmet_expectations"),
        (Self::RejectedPackets, "rejected_packets"),
        (Self::Malformed, "malformed"),
        (Self::MethodsDiffer, "methods_differ"),
    ];
}

/// Number of counters.
const COUNTERS: usize = 26;

/// A measured time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timing {
    /// From the scheduled join to the admission.
    Join,
    /// From the scheduled call to the reply.
    RoundTrip,
    /// From the end of the step before an expectation until it is met.
    Expectation,
    /// From the scheduled time of a packet until it was sent: the delay of the bots themselves.
    Lateness,
}

impl Timing {
    /// All timings.
    pub const ALL: [Self; 4] = [Self::Join, Self::RoundTrip, Self::Expectation, Self::Lateness];

    /// Returns the name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::RoundTrip => "rtt",
            Self::Expectation => "expect",
            Self::Lateness => "lateness",
        }
    }
}

/// Counters and times.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    counters: [u64; COUNTERS],
    times: BTreeMap<Timing, Histogram<u64>>,
    /// Failed joins and disconnects by reason.
    reasons: BTreeMap<String, u64>,
}

impl Stats {
    pub(crate) fn add(&mut self, counter: Counter, count: usize) {
        self.counters[counter as usize] += count as u64;
    }

    pub(crate) fn count(&mut self, counter: Counter) {
        self.add(counter, 1);
    }

    pub(crate) fn record(&mut self, timing: Timing, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let histogram = self.times.entry(timing).or_insert_with(histogram);
        histogram
            .record(micros.clamp(1, MICROS_MAX))
            .expect("histograms that resize automatically take all values");
    }

    pub(crate) fn fail(&mut self, counter: Counter, reason: impl Into<String>) {
        self.count(counter);
        let reason = reason.into();
        // Reasons are few: kinds of ends, and errors of the operating system.
        if self.reasons.len() < REASONS_MAX || self.reasons.contains_key(&reason) {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }

    /// Adds counters and times of other players.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (own, other) in self.counters.iter_mut().zip(other.counters) {
            *own += other;
        }
        for (timing, times) in &other.times {
            let own = self.times.entry(timing.clone()).or_insert_with(histogram);
            own.add(times).expect("histograms that resize automatically take all values");
        }
        for (reason, count) in &other.reasons {
            if self.reasons.len() < REASONS_MAX || self.reasons.contains_key(reason) {
                *self.reasons.entry(reason.clone()).or_default() += count;
            }
        }
    }

    /// Returns a count.
    pub fn get(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// Returns the number of measured times.
    pub fn measured(&self, timing: &Timing) -> u64 {
        self.times.get(timing).map_or(0, Histogram::len)
    }

    /// Returns the time that this share (0 to 1) of the measured ones does not exceed, within
    /// 0.1 %; `None` if none was measured.
    pub fn quantile(&self, timing: &Timing, share: f64) -> Option<Duration> {
        let times = self.times.get(timing).filter(|times| !times.is_empty())?;
        Some(Duration::from_micros(times.value_at_quantile(share)))
    }

    /// Returns the longest measured time.
    pub fn longest(&self, timing: &Timing) -> Option<Duration> {
        self.quantile(timing, 1.0)
    }

    /// Returns failed joins and disconnects by reason.
    pub fn reasons(&self) -> impl Iterator<Item = (&str, u64)> {
        self.reasons.iter().map(|(reason, &count)| (reason.as_str(), count))
    }

    /// Returns the number of players in the session.
    pub fn players(&self) -> u64 {
        let gone = self.get(Counter::Left) + self.get(Counter::Disconnects);
        self.get(Counter::Joined).saturating_sub(gone)
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("3 digits are valid")
}

/// Longest recorded time: a day, in microseconds.
const MICROS_MAX: u64 = 24 * 3_600 * 1_000_000;
/// Maximum number of different reasons.
const REASONS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_has_its_place_in_the_list() {
        for (index, (counter, name)) in Counter::ALL.iter().enumerate() {
            assert_eq!(*counter as usize, index, "{name}");
        }
    }

    #[test]
    fn merged_stats_are_those_of_all_players() {
        let mut first = Stats::default();
        let mut second = Stats::default();
        for millis in 1..=99 {
            first.record(Timing::Join, Duration::from_millis(millis));
        }
        second.record(Timing::Join, Duration::from_secs(1));
        second.fail(Counter::FailedJoins, "refused");
        first.fail(Counter::FailedJoins, "refused");
        first.merge(&second);
        assert_eq!(first.get(Counter::FailedJoins), 2);
        assert_eq!(first.reasons().collect::<Vec<_>>(), [("refused", 2)]);
        assert_eq!(first.measured(&Timing::Join), 100);
        let near = |share, millis: u128| {
            let time = first.quantile(&Timing::Join, share).unwrap().as_millis();
            assert!(time.abs_diff(millis) <= 1, "{time}");
        };
        near(0.5, 50);
        near(0.99, 99);
        near(1.0, 1_000);
    }
}
