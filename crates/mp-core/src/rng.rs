//! Randomness as a value: a ChaCha generator that is passed as an argument. A seed reproduces a
//! run, and remote peers cannot predict peer ids, connect ids or masks.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// A seeded, cryptographically secure random number generator (ChaCha12).
#[derive(Clone, Debug)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    /// Returns the generator of `seed`. Programs pass a seed of the operating system
    /// ([`host::os_seed`](crate::host::os_seed)), tests a constant.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// Returns the generator of a small seed, for tests.
    pub fn seed_from_u64(seed: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(seed))
    }

    /// Returns an independent generator that is seeded from this one.
    pub fn fork(&mut self) -> Self {
        Self::from_seed(self.next_seed())
    }

    /// Returns a seed of another generator.
    pub fn next_seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }

    /// Returns 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Returns 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Returns a number below `bound`, or 0 when `bound` is 0. The modulo bias is at most `bound` /
    /// 2⁶⁴.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.next_u64() % bound }
    }
}
