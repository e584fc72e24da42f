//! zlib streams: one for each datagram, default level, a window of 32 KiB.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Compresses and expands blocks. Its memory is taken once.
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

    /// The stream must end within the block.
    pub(crate) fn expand(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        self.expand.reset(true);
        let status = self.expand.decompress(input, out, FlushDecompress::Finish);
        let len = self.expand.total_out() as usize;
        matches!(status, Ok(Status::StreamEnd)).then_some(len)
    }
}
