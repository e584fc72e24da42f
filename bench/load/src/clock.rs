//! Nanoseconds since the start of the process.

use std::time::Instant;

/// Clock of a run, for the timestamps in messages.
#[derive(Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn nanos(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// Converts a time for mp's hosts. They start at one second, because ENet reserves time 0.
pub(crate) fn instant(nanos: u64) -> mp_core::Instant {
    mp_core::Instant::from_micros(nanos / 1_000 + 1_000_000)
}

pub(crate) const MILLISECOND: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000_000_000;
