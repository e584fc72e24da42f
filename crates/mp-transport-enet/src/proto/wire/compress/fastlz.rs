//! FastLZ, level 1: literals and copies of up to 8 KiB earlier bytes.
//!
//! | control byte | followed by | meaning |
//! |---|---|---|
//! | `000nnnnn` | n + 1 bytes | literals |
//! | `lllddddd`, l from 1 to 6 | 1 byte d | copy l + 2 bytes from distance d + 1 |
//! | `111ddddd` | 1 byte l, 1 byte d | copy l + 9 bytes from distance d + 1 |
//!
//! The first control byte is always of the first kind. Its upper bits hold the level, of which 0
//! means
//! 1. Godot pads blocks of fewer than 16 bytes with zeros, which end the commands of a datagram.
//!    (Source of the format and of the matching: FastLZ, compared with Godot's output for the same
//!    input.)

/// Compressor and decompressor. Its memory is allocated once.
#[derive(Debug)]
pub(crate) struct FastLz {
    /// Last position of three bytes with this hash.
    places: Box<[u16; 1 << HASH_BITS]>,
}

impl Default for FastLz {
    fn default() -> Self {
        Self { places: Box::new([0; 1 << HASH_BITS]) }
    }
}

impl FastLz {
    /// Compresses at most 64 KiB into `out`. Returns the length, or `None` if the output does not
    /// fit.
    pub(crate) fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        let mut padded = [0; PADDED_LEN];
        if input.len() >= PADDED_LEN {
            return self.compress_padded(input, out);
        }
        padded[..input.len()].copy_from_slice(input);
        self.compress_padded(&padded, out)
    }

    fn compress_padded(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        self.places.fill(0);
        let mut out = Output { out, len: 0 };
        // Limits of the start and the end of matches: the format requires literals at the end.
        let (begin_limit, match_limit) = (input.len() - 13, input.len() - 2);
        let (mut anchor, mut at) = (0, 2);
        while at < begin_limit {
            let place = &mut self.places[hash(input, at)];
            let from = usize::from(*place);
            *place = at as u16;
            let distance = at - from;
            if distance >= DISTANCE_MAX || input[from..from + 3] != input[at..at + 3] {
                at += 1;
                continue;
            }
            out.literals(&input[anchor..at])?;
            let len = match_len(input, from + 3, at + 3, match_limit);
            out.copy(len, distance - 1)?;
            // Two of the last positions in the match are hashed as well.
            at += len;
            for _ in 0..2 {
                self.places[hash(input, at)] = at as u16;
                at += 1;
            }
            anchor = at;
        }
        out.literals(&input[anchor..])?;
        Some(out.len)
    }

    /// Decompresses `input` into `out`. Returns the length, or `None` if the input is malformed or
    /// the output does not fit.
    pub(crate) fn expand(input: &[u8], out: &mut [u8]) -> Option<usize> {
        let (&first, mut rest) = input.split_first()?;
        if first >> 5 != 0 {
            return None;
        }
        let (mut control, mut len) = (first, 0);
        loop {
            if control < 0x20 {
                let count = usize::from(control) + 1;
                let (literals, after) = rest.split_at_checked(count)?;
                out.get_mut(len..len + count)?.copy_from_slice(literals);
                len += count;
                rest = after;
            } else {
                let mut count = usize::from(control >> 5) + 2;
                if count == 9 {
                    count += usize::from(take(&mut rest)?);
                }
                let distance =
                    (usize::from(control & 0x1f) << 8) + usize::from(take(&mut rest)?) + 1;
                let from = len.checked_sub(distance)?;
                if len + count > out.len() {
                    return None;
                }
                // The source may overlap the destination.
                for index in 0..count {
                    out[len + index] = out[from + index];
                }
                len += count;
            }
            match rest.split_first() {
                Some((&next, after)) => (control, rest) = (next, after),
                None => return Some(len),
            }
        }
    }
}

struct Output<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl Output<'_> {
    fn literals(&mut self, bytes: &[u8]) -> Option<()> {
        for run in bytes.chunks(LITERALS_MAX) {
            self.byte(run.len() - 1)?;
            self.out.get_mut(self.len..self.len + run.len())?.copy_from_slice(run);
            self.len += run.len();
        }
        Some(())
    }

    /// Writes a copy of `len` + 2 bytes.
    fn copy(&mut self, mut len: usize, distance: usize) -> Option<()> {
        while len > COPY_MAX {
            self.long_copy(COPY_MAX - 2, distance)?;
            len -= COPY_MAX;
        }
        if len < 7 {
            self.byte((len << 5) + (distance >> 8))?;
            return self.byte(distance & 0xff);
        }
        self.long_copy(len, distance)
    }

    fn long_copy(&mut self, len: usize, distance: usize) -> Option<()> {
        self.byte((7 << 5) + (distance >> 8))?;
        self.byte(len - 7)?;
        self.byte(distance & 0xff)
    }

    fn byte(&mut self, byte: usize) -> Option<()> {
        *self.out.get_mut(self.len)? = byte as u8;
        self.len += 1;
        Some(())
    }
}

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (&first, after) = rest.split_first()?;
    *rest = after;
    Some(first)
}

/// Returns the length of the match at `from` and `at`, including the first different byte, which
/// the length of a copy counts.
fn match_len(input: &[u8], from: usize, at: usize, limit: usize) -> usize {
    let mut len = 0;
    while at + len < limit {
        len += 1;
        if input[from + len - 1] != input[at + len - 1] {
            break;
        }
    }
    len
}

/// Returns the hash of the three bytes at `at`.
fn hash(input: &[u8], at: usize) -> usize {
    let (first, second) = (pair(input, at), pair(input, at + 1));
    usize::from((first ^ second ^ (first >> (16 - HASH_BITS))) & ((1 << HASH_BITS) - 1))
}

fn pair(input: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([input[at], input[at + 1]])
}

const HASH_BITS: u16 = 13;
const DISTANCE_MAX: usize = 8_192;
const LITERALS_MAX: usize = 32;
/// Maximum length of a copy with one control byte, as FastLZ counts it.
const COPY_MAX: usize = 262;
const PADDED_LEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compress(input: &[u8]) -> Vec<u8> {
        let mut out = vec![0; input.len() * 2 + 64];
        let len = FastLz::default().compress(input, &mut out).unwrap();
        out.truncate(len);
        out
    }

    fn expand(input: &[u8], room: usize) -> Option<Vec<u8>> {
        let mut out = vec![0; room];
        let len = FastLz::expand(input, &mut out)?;
        out.truncate(len);
        Some(out)
    }

    #[test]
    fn short_blocks_are_padded_with_zeros() {
        let mut padded = b"short".to_vec();
        padded.resize(16, 0);
        assert_eq!(expand(&compress(b"short"), 64).unwrap(), padded);
    }

    #[test]
    fn a_copy_may_overlap_itself() {
        let block = compress(&[9; 3_000]);
        assert!(block.len() < 48, "{}", block.len());
        assert_eq!(expand(&block, 3_000).unwrap(), [9; 3_000]);
        assert_eq!(expand(&block, 2_999), None, "the output must not fit");
    }

    #[test]
    fn malformed_blocks_are_rejected() {
        for (block, why) in [
            (&[][..], "empty"),
            (&[0x20, b'a'], "level 2"),
            (&[3, b'a'], "missing literals"),
            (&[0, b'a', 0x20, 1], "copy from before the start"),
            (&[0, b'a', 0xe0], "missing length"),
            (&[0, b'a', 0xe0, 5], "missing distance"),
        ] {
            assert_eq!(expand(block, 64), None, "{why}");
        }
    }

    proptest! {
        #[test]
        fn compressed_blocks_decompress_to_their_input(
            bits in 1..=8_u32,
            bytes in prop::collection::vec(any::<u8>(), 16..4_096),
        ) {
            let input: Vec<u8> = bytes.iter().map(|byte| byte >> (8 - bits)).collect();
            prop_assert_eq!(expand(&compress(&input), 4_096).unwrap(), input);
        }

        #[test]
        fn decompression_of_any_bytes_stays_within_the_output(bytes in prop::collection::vec(any::<u8>(), 0..1_400)) {
            if let Some(out) = expand(&bytes, 4_092) {
                prop_assert!(out.len() <= 4_092);
            }
        }
    }
}
