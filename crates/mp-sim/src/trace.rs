//! Trace of a world: a hash of everything that happens, and log lines.

use std::fmt;

use mp_core::Instant;

/// Amount of trace output. Each level includes the ones before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// No output.
    #[default]
    Nothing,
    /// Signals, faults, programs that start and end.
    Story,
    /// Also messages of programs and between endpoints and branches.
    Mail,
    /// Also every datagram.
    Wire,
}

/// Trace of one world.
#[derive(Debug)]
pub struct Trace {
    detail: Detail,
    hash: u64,
    now: Instant,
}

impl Trace {
    /// Creates a trace that prints lines up to `detail` to standard output.
    pub fn new(detail: Detail) -> Self {
        Self { detail, hash: 0xcbf2_9ce4_8422_2325, now: Instant::ZERO }
    }

    /// Returns the hash of everything that has happened so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Sets the current time, and adds it to the hash.
    pub fn advance(&mut self, now: Instant) {
        self.now = now;
        self.mix(now.as_micros());
    }

    /// Adds a number to the hash.
    pub fn mix(&mut self, number: u64) {
        self.hash = (self.hash.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// Adds bytes to the hash.
    pub fn mix_bytes(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    /// Prints a line if `detail` is enabled.
    pub fn line(&self, detail: Detail, text: fmt::Arguments<'_>) {
        if detail <= self.detail {
            let micros = self.now.as_micros();
            println!("{:>4}.{:06}  {text}", micros / 1_000_000, micros % 1_000_000);
        }
    }

    /// Returns whether lines of this detail are printed.
    pub fn prints(&self, detail: Detail) -> bool {
        detail <= self.detail
    }
}
