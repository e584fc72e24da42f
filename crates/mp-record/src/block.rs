//! Blocks: frames that are compressed together.
//!
//! A block is the compressed and the uncompressed length, the CRC-32 of the compressed bytes (each
//! a little-endian `u32`), and the compressed bytes. Uncompressed, it is the time of its first
//! frame and then frames; a frame does not continue in another block.

use std::io::{self, Read};

use zstd::bulk::{Compressor, Decompressor};

use crate::RecordingError;
use crate::limits::{BLOCK_BYTES_MAX, EXPANSION_MAX, RECORDING_BYTES_MAX};

/// Size in bytes of the lengths and the checksum.
const HEAD: usize = 12;

/// Compresses blocks.
pub struct BlockWriter {
    compressor: Compressor<'static>,
}

impl BlockWriter {
    /// Creates a writer.
    ///
    /// # Errors
    ///
    /// If there is no memory for the compressor.
    pub fn new() -> io::Result<Self> {
        Ok(Self { compressor: Compressor::new(LEVEL)? })
    }

    /// Returns the bytes of a block in a file.
    ///
    /// # Errors
    ///
    /// If the compressor fails.
    pub fn encode(&mut self, raw: &[u8]) -> io::Result<Vec<u8>> {
        let compressed = self.compressor.compress(raw)?;
        let mut bytes = Vec::with_capacity(HEAD + compressed.len());
        bytes.extend((compressed.len() as u32).to_le_bytes());
        bytes.extend((raw.len() as u32).to_le_bytes());
        bytes.extend(crc32fast::hash(&compressed).to_le_bytes());
        bytes.extend(compressed);
        Ok(bytes)
    }
}

impl std::fmt::Debug for BlockWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlockWriter")
    }
}

/// Level of the compression. Higher ones cost several times the CPU time for a few percent.
const LEVEL: i32 = 1;

/// Reads blocks of a file that may contain anything. Memory is bounded by [`BLOCK_BYTES_MAX`].
pub(crate) struct BlockReader {
    decompressor: Decompressor<'static>,
    compressed: Vec<u8>,
    /// Number of blocks that were read.
    pub(crate) blocks: u64,
    /// Their size in the file.
    pub(crate) bytes: u64,
    raw_bytes: u64,
}

impl BlockReader {
    pub(crate) fn new() -> io::Result<Self> {
        let (decompressor, compressed) = (Decompressor::new()?, Vec::new());
        Ok(Self { decompressor, compressed, blocks: 0, bytes: 0, raw_bytes: 0 })
    }

    /// Replaces `raw` with the next block. Returns false at the end of the file.
    pub(crate) fn read(
        &mut self,
        source: &mut impl Read,
        raw: &mut Vec<u8>,
    ) -> Result<bool, RecordingError> {
        let block = self.blocks;
        let too_large = |problem| RecordingError::TooLarge { block, problem };
        let damaged = |problem| RecordingError::Damaged { block, problem };
        raw.clear();
        let mut head = Vec::with_capacity(HEAD);
        source.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
        if head.is_empty() {
            return Ok(false);
        }
        let Ok(head) = <[u8; HEAD]>::try_from(head) else {
            return Err(RecordingError::Cut { block });
        };
        let [len, raw_len, checksum] = numbers(head);
        let (len, raw_len) = (len as usize, raw_len as usize);
        if len > BLOCK_BYTES_MAX || raw_len > BLOCK_BYTES_MAX {
            return Err(too_large("it has more than 17 MiB"));
        }
        if raw_len > len.saturating_mul(EXPANSION_MAX) {
            return Err(too_large("it expands to more than 1,000 times its size"));
        }
        self.raw_bytes += raw_len as u64;
        if self.raw_bytes > RECORDING_BYTES_MAX {
            return Err(too_large("the recording expands to more than 64 GiB"));
        }
        self.compressed.clear();
        source.by_ref().take(len as u64).read_to_end(&mut self.compressed)?;
        if self.compressed.len() < len {
            return Err(RecordingError::Cut { block });
        }
        if crc32fast::hash(&self.compressed) != checksum {
            return Err(damaged("wrong checksum"));
        }
        raw.reserve(raw_len);
        let written = self.decompressor.decompress_to_buffer(&self.compressed, raw);
        if written.ok() != Some(raw_len) {
            return Err(damaged("its length is not the one that it names"));
        }
        self.blocks += 1;
        self.bytes += (HEAD + len) as u64;
        Ok(true)
    }
}

/// Returns the three numbers of the head of a block.
fn numbers(head: [u8; HEAD]) -> [u32; 3] {
    [0, 4, 8].map(|at| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]))
}
