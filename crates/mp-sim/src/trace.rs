//! What happened in a world: a hash of everything, and lines to read.

use std::fmt;

use mp_core::Instant;

/// How much of a run is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Nothing.
    #[default]
    Nothing,
    /// What programs are told, what goes wrong, who comes and goes.
    Story,
    /// And what programs say and hear, and the messages between branches and endpoints.
    Mail,
    /// And every datagram.
    Wire,
}

/// The trace of one world.
#[derive(Debug)]
pub struct Trace {
    detail: Detail,
    hash: u64,
    now: Instant,
}

impl Trace {
    /// A trace that prints as much as `detail` says to standard output.
    pub fn new(detail: Detail) -> Self {
        Self { detail, hash: 0xcbf2_9ce4_8422_2325, now: Instant::ZERO }
    }

    /// A number of everything that has happened: two runs with the same one were the same.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Moves to `now`.
    pub fn advance(&mut self, now: Instant) {
        self.now = now;
        self.mix(now.as_micros());
    }

    /// Takes a number into the hash.
    pub fn mix(&mut self, number: u64) {
        self.hash = (self.hash.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// Takes bytes into the hash.
    pub fn mix_bytes(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    /// Prints a line, if its kind is printed.
    pub fn line(&self, detail: Detail, text: fmt::Arguments<'_>) {
        if detail <= self.detail {
            let micros = self.now.as_micros();
            println!("{:>4}.{:06}  {text}", micros / 1_000_000, micros % 1_000_000);
        }
    }

    /// Whether lines of this kind are printed.
    pub fn prints(&self, detail: Detail) -> bool {
        detail <= self.detail
    }
}
