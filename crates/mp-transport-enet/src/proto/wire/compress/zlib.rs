//! zlib: one stream per datagram, default level, 32 KiB window.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Compressor and decompressor. Its memory is allocated once.
#[derive(Debug)]
pub(crate) struct Zlib {
    compress: Compress,
    expand: Decompress,
}

impl Default for Zlib {
    fn default() -> Self {
        Self {
            compress: Compress::new(Compression::default(), true),
            expand: Decompress::new(true),
        }
    }
}

impl Zlib {
    pub(crate) fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        self.compress.reset();
        let status = self.compress.compress(input, out, FlushCompress::Finish);
        let len = self.compress.total_out() as usize;
        matches!(status, Ok(Status::StreamEnd)).then_some(len)
    }

    /// Decompresses a stream, which must end within the block.
    pub(crate) fn expand(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        self.expand.reset(true);
        let status = self.expand.decompress(input, out, FlushDecompress::Finish);
        let len = self.expand.total_out() as usize;
        matches!(status, Ok(Status::StreamEnd)).then_some(len)
    }
}
