//! Compression of datagrams: Godot's four modes.
//!
//! A datagram is compressed only if that makes it shorter, and independently of others. The mode is
//! not negotiated: peers with different modes cannot communicate. Decompression never returns more
//! than one datagram of [`MTU_MAX`](crate::proto::MTU_MAX) bytes.

mod fastlz;
mod range_coder;
#[cfg(feature = "zlib")]
mod zlib;
#[cfg(feature = "zstd")]
mod zstd;

use self::fastlz::FastLz;
use self::range_coder::RangeCoder;
#[cfg(feature = "zlib")]
use self::zlib::Zlib;
#[cfg(feature = "zstd")]
use self::zstd::Zstd;

/// The compression of datagrams (Godot: `ENetConnection.CompressionMode`). All peers must use the
/// same mode.
///
/// `Zlib` and `Zstd` exist in builds with the crate's features `zlib` and `zstd`, which are enabled
/// by default. A program that names a mode that is not built in does not compile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[doc(alias = "COMPRESS_NONE")]
#[non_exhaustive]
pub enum CompressionMode {
    /// No compression (0, the default).
    #[default]
    None = 0,
    /// ENet's range coder (1): the best ratio for small packets.
    RangeCoder = 1,
    /// FastLZ (2): the least CPU time; requires repetitions.
    FastLz = 2,
    /// zlib, level 6 (3): the most CPU time.
    #[cfg(feature = "zlib")]
    Zlib = 3,
    /// Zstandard, level 3 (4).
    #[cfg(feature = "zstd")]
    Zstd = 4,
}

impl CompressionMode {
    /// All modes of this build, in the order of their numbers.
    pub const ALL: &[Self] = &[
        Self::None,
        Self::RangeCoder,
        Self::FastLz,
        #[cfg(feature = "zlib")]
        Self::Zlib,
        #[cfg(feature = "zstd")]
        Self::Zstd,
    ];
}

/// A compressor and decompressor of one mode. Its memory is allocated once, on creation: 64 KiB
/// (range coder), 16 KiB (FastLZ), about 400 KiB (zlib) or 500 KiB (zstd).
#[derive(Debug, Default)]
pub struct Compressor(Kind);

#[derive(Debug, Default)]
enum Kind {
    #[default]
    None,
    RangeCoder(Box<RangeCoder>),
    FastLz(FastLz),
    #[cfg(feature = "zlib")]
    Zlib(Box<Zlib>),
    #[cfg(feature = "zstd")]
    Zstd(Box<Zstd>),
}

impl Compressor {
    /// Returns a compressor for a mode.
    pub fn new(mode: CompressionMode) -> Self {
        Self(match mode {
            CompressionMode::None => Kind::None,
            CompressionMode::RangeCoder => Kind::RangeCoder(Box::default()),
            CompressionMode::FastLz => Kind::FastLz(FastLz::default()),
            #[cfg(feature = "zlib")]
            CompressionMode::Zlib => Kind::Zlib(Box::default()),
            #[cfg(feature = "zstd")]
            CompressionMode::Zstd => Kind::Zstd(Box::default()),
        })
    }

    /// Returns the mode.
    pub const fn mode(&self) -> CompressionMode {
        match self.0 {
            Kind::None => CompressionMode::None,
            Kind::RangeCoder(_) => CompressionMode::RangeCoder,
            Kind::FastLz(_) => CompressionMode::FastLz,
            #[cfg(feature = "zlib")]
            Kind::Zlib(_) => CompressionMode::Zlib,
            #[cfg(feature = "zstd")]
            Kind::Zstd(_) => CompressionMode::Zstd,
        }
    }

    /// Compresses `input`, at most [`MTU_MAX`](crate::proto::MTU_MAX) bytes, into `out`. Returns
    /// the length, or `None` if the output does not fit. [`CompressionMode::None`] always returns
    /// `None`.
    pub fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        match &mut self.0 {
            Kind::None => None,
            Kind::RangeCoder(coder) => coder.compress(input, out),
            Kind::FastLz(coder) => coder.compress(input, out),
            #[cfg(feature = "zlib")]
            Kind::Zlib(coder) => coder.compress(input, out),
            #[cfg(feature = "zstd")]
            Kind::Zstd(coder) => coder.compress(input, out),
        }
    }

    /// Decompresses `input` into `out`. Returns the length, or `None` if the input is malformed or
    /// the output does not fit. FastLZ may append zeros.
    pub fn expand(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        match &mut self.0 {
            Kind::None => None,
            Kind::RangeCoder(coder) => coder.expand(input, out),
            Kind::FastLz(_) => FastLz::expand(input, out),
            #[cfg(feature = "zlib")]
            Kind::Zlib(coder) => coder.expand(input, out),
            #[cfg(feature = "zstd")]
            Kind::Zstd(coder) => coder.expand(input, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn modes() -> impl Iterator<Item = Compressor> {
        CompressionMode::ALL.iter().skip(1).copied().map(Compressor::new)
    }

    #[test]
    fn every_mode_shrinks_text_and_restores_it() {
        let text = b"The quick brown fox jumps over the lazy dog. ".repeat(25);
        for mut compressor in modes() {
            // Twice, because a compressor is used for many datagrams.
            for _ in 0..2 {
                let mut block = vec![0; text.len() - 1];
                let len = compressor.compress(&text, &mut block).unwrap();
                assert!(len < 200, "{len}");
                let mut out = vec![0; 4_094];
                let expanded = compressor.expand(&block[..len], &mut out).unwrap();
                assert_eq!(out[..expanded], text);
            }
        }
    }

    #[test]
    fn blocks_that_exceed_a_datagram_are_rejected_in_every_mode() {
        for mut compressor in modes() {
            let mut block = vec![0; 8_000];
            let len = compressor.compress(&[0; 5_000], &mut block).unwrap();
            assert!(len < 200, "a bomb of {len} bytes");
            assert_eq!(compressor.expand(&block[..len], &mut [0; 4_094]), None);
            // The compressor still works.
            let len = compressor.compress(&[7; 1_000], &mut block).unwrap();
            assert_eq!(compressor.expand(&block[..len], &mut [0; 4_094]), Some(1_000));
        }
    }

    #[test]
    fn a_truncated_block_is_rejected_or_shorter_in_every_mode() {
        let text = b"The quick brown fox jumps over the lazy dog. ".repeat(25);
        for mut compressor in modes() {
            let mut block = vec![0; 2_000];
            let len = compressor.compress(&text, &mut block).unwrap();
            for cut in 0..len {
                let mut out = [0; 4_094];
                if let Some(expanded) = compressor.expand(&block[..cut], &mut out) {
                    // The range coder reads zeros after the end, so it may not detect a missing
                    // byte.
                    assert!(expanded <= text.len(), "{cut} of {len}: {expanded}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn decompression_of_any_bytes_stays_within_the_output(
            blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1_400), 1..4),
        ) {
            for mut compressor in modes() {
                for block in &blocks {
                    let mut out = [0; 4_094];
                    if let Some(len) = compressor.expand(block, &mut out) {
                        prop_assert!(len <= out.len());
                    }
                }
            }
        }

        #[test]
        fn a_corrupted_block_of_any_mode_has_no_lasting_effect(
            text in prop::collection::vec(0..20_u8, 40..1_390),
            at in any::<prop::sample::Index>(),
            flip in 1..=255_u8,
        ) {
            for mut compressor in modes() {
                let mut block = vec![0; 2_000];
                let Some(len) = compressor.compress(&text, &mut block) else { continue };
                block[at.index(len)] ^= flip;
                compressor.expand(&block[..len], &mut [0; 4_094]);
                // The compressor still works.
                let len = compressor.compress(&text, &mut block).unwrap();
                let mut out = [0; 4_094];
                let expanded = compressor.expand(&block[..len], &mut out).unwrap();
                prop_assert_eq!(&out[..text.len()], &text[..]);
                prop_assert!(out[text.len()..expanded].iter().all(|&byte| byte == 0));
            }
        }
    }
}
