//! Result of one run of one contender.

use serde::{Deserialize, Serialize};

/// Metrics of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// CPU time of the server per operation, user and system, in ns.
    pub(crate) cpu: Option<f64>,
    /// The part of it that is NATS's.
    #[serde(default)]
    pub(crate) nats_cpu: Option<f64>,
    /// Share of one core that the server used.
    pub(crate) share: f64,
    /// Operations per second.
    pub(crate) rate: f64,
    /// Share of the messages sent in the measured phase that were delivered.
    pub(crate) delivered: Option<f64>,
    /// Latency in µs.
    pub(crate) p50: Option<f64>,
    pub(crate) p99: Option<f64>,
    #[serde(default)]
    pub(crate) p999: Option<f64>,
    /// As `delivered`, of the client that received the fewest messages.
    #[serde(default)]
    pub(crate) least: Option<f64>,
    /// Payload bytes per operation.
    pub(crate) bytes: Option<f64>,
    /// Datagrams received per operation, by the server and by its clients.
    #[serde(default)]
    pub(crate) datagrams: Option<f64>,
    /// Times per second that the server has waited and was woken.
    #[serde(default)]
    pub(crate) wake_ups: Option<f64>,
    /// Allocations per operation.
    pub(crate) allocations: Option<f64>,
    /// Memory per client in bytes.
    pub(crate) memory: Option<f64>,
    /// Memory before any client connected, in bytes.
    pub(crate) resident: f64,
    /// Memory at the end of the measured phase, in bytes.
    #[serde(default)]
    pub(crate) at_end: Option<f64>,
    /// Time from the start of the load until all clients were connected, and Godot clients in one
    /// room knew each other, in µs.
    #[serde(default)]
    pub(crate) joined: Option<f64>,
    /// The part of `resident` that is not mapped from files.
    #[serde(default)]
    pub(crate) anonymous: Option<f64>,
    /// Ticks per second, if the load can measure them (replication).
    pub(crate) ticks: Option<f64>,
    /// Share of one core per idle client.
    pub(crate) client_share: Option<f64>,
    /// Memory per room without clients in bytes.
    pub(crate) room_memory: Option<f64>,
    /// Memory per node of the host in bytes.
    #[serde(default)]
    pub(crate) node_memory: Option<f64>,
    /// Bytes of recordings per minute.
    #[serde(default)]
    pub(crate) recorded: Option<f64>,
    /// Rooms created per second.
    pub(crate) rooms: Option<f64>,
    /// Time until a room was open that was requested over the admin API, in µs.
    pub(crate) create_p50: Option<f64>,
    pub(crate) create_p99: Option<f64>,
    /// Longest time to answer a request for the statistics, in µs.
    pub(crate) scrape: Option<f64>,
}

/// Metric of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    Cpu,
    NatsCpu,
    Share,
    Rate,
    Delivered,
    P50,
    P99,
    P999,
    Least,
    Bytes,
    Datagrams,
    WakeUps,
    Allocations,
    Memory,
    Resident,
    Anonymous,
    AtEnd,
    Joined,
    Ticks,
    ClientShare,
    RoomMemory,
    NodeMemory,
    Recorded,
    Rooms,
    CreateP50,
    CreateP99,
    Scrape,
}

impl Sample {
    pub(crate) fn metric(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Cpu => self.cpu,
            Metric::NatsCpu => self.nats_cpu,
            Metric::Share => Some(self.share),
            Metric::Rate => Some(self.rate),
            Metric::Delivered => self.delivered,
            Metric::P50 => self.p50,
            Metric::P99 => self.p99,
            Metric::P999 => self.p999,
            Metric::Least => self.least,
            Metric::Bytes => self.bytes,
            Metric::Datagrams => self.datagrams,
            Metric::WakeUps => self.wake_ups,
            Metric::Allocations => self.allocations,
            Metric::Memory => self.memory,
            Metric::Resident => Some(self.resident),
            Metric::Anonymous => self.anonymous,
            Metric::AtEnd => self.at_end,
            Metric::Joined => self.joined,
            Metric::Ticks => self.ticks,
            Metric::ClientShare => self.client_share,
            Metric::RoomMemory => self.room_memory,
            Metric::NodeMemory => self.node_memory,
            Metric::Recorded => self.recorded,
            Metric::Rooms => self.rooms,
            Metric::CreateP50 => self.create_p50,
            Metric::CreateP99 => self.create_p99,
            Metric::Scrape => self.scrape,
        }
    }
}

impl Metric {
    /// Returns the column header.
    pub(crate) const fn head(self) -> &'static str {
        match self {
            Self::Cpu => "CPU ns/op",
            Self::NatsCpu => "of it NATS",
            Self::Share => "core",
            Self::Rate => "op/s",
            Self::Delivered => "delivered",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
            Self::Least => "worst client",
            Self::Bytes => "bytes/op",
            Self::Datagrams => "datagrams/op",
            Self::WakeUps => "wake-ups/s",
            Self::Allocations => "allocs/op",
            Self::Memory => "per client",
            Self::Resident => "before",
            Self::Anonymous => "of it heap",
            Self::AtEnd => "memory",
            Self::Joined => "joined after",
            Self::Ticks => "ticks/s",
            Self::ClientShare => "CPU per client",
            Self::RoomMemory => "per room",
            Self::NodeMemory => "per node",
            Self::Recorded => "recorded/min",
            Self::Rooms => "rooms/s",
            Self::CreateP50 => "create p50",
            Self::CreateP99 => "create p99",
            Self::Scrape => "scrape",
        }
    }

    /// Formats a value.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Cpu | Self::NatsCpu | Self::Rate | Self::WakeUps => thousands(value),
            Self::Share => format!("{:.1} %", value * 100.0),
            // Truncated, so that 100 % means all.
            Self::Delivered | Self::Least => format!("{:.2} %", (value * 10_000.0).floor() / 100.0),
            Self::P50
            | Self::P99
            | Self::P999
            | Self::CreateP50
            | Self::CreateP99
            | Self::Scrape => format!("{:.2} ms", value / 1_000.0),
            Self::NodeMemory => format!("{value:.0} B"),
            Self::Recorded => format!("{:.1} MB", value / 1e6),
            Self::Bytes | Self::Datagrams | Self::Allocations => format!("{value:.2}"),
            Self::Memory | Self::RoomMemory => format!("{:.2} KiB", value / 1_024.0),
            Self::ClientShare => format!("{:.1} µs/s", value * 1e6),
            Self::Resident | Self::Anonymous | Self::AtEnd => {
                format!("{:.1} MiB", value / 1_048_576.0)
            }
            Self::Joined => format!("{:.2} s", value / 1e6),
            Self::Ticks | Self::Rooms => format!("{value:.1}"),
        }
    }
}

/// Returns the median.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some((values[low] + values[high]) / 2.0)
}

fn thousands(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn an_incomplete_share_is_not_shown_as_100_percent() {
        assert_eq!(Metric::Delivered.show(0.999_999), "99.99 %");
        assert_eq!(Metric::Delivered.show(1.0), "100.00 %");
        assert_eq!(Metric::Rate.show(1_234_567.0), "1,234,567");
    }
}
