//! What one run of one contender gave.

use serde::{Deserialize, Serialize};

/// Figures of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// CPU time of the server per operation, user and system, in ns.
    pub(crate) cpu: Option<f64>,
    /// Share of one core that the server used.
    pub(crate) share: f64,
    /// Operations per second.
    pub(crate) rate: f64,
    /// Delivered of what was sent in the measured phase.
    pub(crate) delivered: Option<f64>,
    /// Latencies in µs.
    pub(crate) p50: Option<f64>,
    pub(crate) p99: Option<f64>,
    /// Payload bytes per operation.
    pub(crate) bytes: Option<f64>,
    /// Allocations per operation.
    pub(crate) allocations: Option<f64>,
    /// Memory per client in bytes.
    pub(crate) memory: Option<f64>,
    /// Memory before anybody connected, in bytes.
    pub(crate) resident: f64,
    /// Turns per second, where the load can tell (replication).
    pub(crate) ticks: Option<f64>,
}

/// A figure of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    Cpu,
    Share,
    Rate,
    Delivered,
    P50,
    P99,
    Bytes,
    Allocations,
    Memory,
    Resident,
    Ticks,
}

impl Sample {
    pub(crate) fn figure(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Cpu => self.cpu,
            Figure::Share => Some(self.share),
            Figure::Rate => Some(self.rate),
            Figure::Delivered => self.delivered,
            Figure::P50 => self.p50,
            Figure::P99 => self.p99,
            Figure::Bytes => self.bytes,
            Figure::Allocations => self.allocations,
            Figure::Memory => self.memory,
            Figure::Resident => Some(self.resident),
            Figure::Ticks => self.ticks,
        }
    }
}

impl Figure {
    /// The head of its column.
    pub(crate) const fn head(self) -> &'static str {
        match self {
            Self::Cpu => "CPU ns/op",
            Self::Share => "core",
            Self::Rate => "op/s",
            Self::Delivered => "delivered",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Bytes => "bytes/op",
            Self::Allocations => "allocs/op",
            Self::Memory => "per client",
            Self::Resident => "before",
            Self::Ticks => "ticks/s",
        }
    }

    /// A value for people.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Cpu | Self::Rate => thousands(value),
            Self::Share => format!("{:.1} %", value * 100.0),
            // Never rounded up to all.
            Self::Delivered => format!("{:.2} %", (value * 10_000.0).floor() / 100.0),
            Self::P50 | Self::P99 => format!("{:.2} ms", value / 1_000.0),
            Self::Bytes | Self::Allocations => format!("{value:.2}"),
            Self::Memory => format!("{:.2} KiB", value / 1_024.0),
            Self::Resident => format!("{:.1} MiB", value / 1_048_576.0),
            Self::Ticks => format!("{value:.1}"),
        }
    }
}

/// The middle one.
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
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
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
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn what_is_not_all_is_not_shown_as_all() {
        assert_eq!(Figure::Delivered.show(0.999_999), "99.99 %");
        assert_eq!(Figure::Delivered.show(1.0), "100.00 %");
        assert_eq!(Figure::Rate.show(1_234_567.0), "1,234,567");
    }
}
