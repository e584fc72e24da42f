//! Zstandard: one frame per datagram, level 3, with the content size and without a checksum. Frames
//! are decompressed into the caller's buffer, so the window size of a frame does not require
//! memory.

use zstd::bulk::{Compressor, Decompressor};

/// Compressor and decompressor. Its memory is allocated once.
#[derive(Default)]
pub(crate) struct Zstd {
    compress: Compressor<'static>,
    expand: Decompressor<'static>,
}

impl std::fmt::Debug for Zstd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zstd").finish_non_exhaustive()
    }
}

impl Zstd {
    pub(crate) fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        self.compress.compress_to_buffer(input, out).ok()
    }

    pub(crate) fn expand(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        self.expand.decompress_to_buffer(input, out).ok()
    }
}
