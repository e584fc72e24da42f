//! [`RecordingReader`]: reads a recording, which may contain anything.

use std::io::Read;
use std::time::Duration;

use mp_core::Instant;

use crate::block::BlockReader;
use crate::frame::{TimedFrame, Wire, WireEvent};
use crate::limits::RECORDED_TIME_MAX;
use crate::sequence::Sequence;
use crate::{RecordingError, RecordingHeader};

/// Reads the frames of a recording in order. The file is untrusted: each block is bounded and
/// checked, and memory does not depend on the length of the file.
///
/// After an error no frame follows. What was read before is valid, and
/// [`progress`](Self::progress) says how much it is.
pub struct RecordingReader<R> {
    source: R,
    header: RecordingHeader,
    blocks: BlockReader,
    /// The current block, uncompressed, without the frames that were read.
    block: Vec<u8>,
    position: usize,
    progress: Progress,
    first: Option<Instant>,
    last: Instant,
    sequence: Sequence,
    is_finished: bool,
}

/// The part of a recording that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Number of complete blocks.
    pub blocks: u64,
    /// Size of the complete blocks in the file in bytes.
    pub bytes: u64,
    /// Number of frames.
    pub frames: u64,
    /// Time between the first and the last frame.
    pub time: Duration,
}

impl<R: Read> RecordingReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// [`RecordingError`] if this is not a recording, or one of another version.
    pub fn new(mut source: R) -> Result<Self, RecordingError> {
        let header = RecordingHeader::read(&mut source)?;
        Ok(Self {
            source,
            header,
            blocks: BlockReader::new()?,
            block: Vec::new(),
            position: 0,
            progress: Progress::default(),
            first: None,
            last: Instant::ZERO,
            sequence: Sequence::default(),
            is_finished: false,
        })
    }

    /// Returns the header.
    pub fn header(&self) -> &RecordingHeader {
        &self.header
    }

    /// Returns how much was read.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Returns the time of the last frame, on the clock of the recorded program.
    pub fn last_time(&self) -> Instant {
        self.last
    }

    /// Reads the next frame; `None` at the end of the file. A complete recording ends with
    /// [`Frame::End`](crate::Frame::End).
    ///
    /// # Errors
    ///
    /// [`RecordingError`]; no frame follows.
    pub fn next_frame(&mut self) -> Result<Option<TimedFrame>, RecordingError> {
        if self.is_finished {
            return Ok(None);
        }
        let read = self.read_frame();
        self.is_finished = !matches!(read, Ok(Some(_)));
        read
    }

    fn read_frame(&mut self) -> Result<Option<TimedFrame>, RecordingError> {
        while self.position == self.block.len() {
            if !self.blocks.read(&mut self.source, &mut self.block)? {
                return Ok(None);
            }
            (self.progress.blocks, self.progress.bytes) = (self.blocks.blocks, self.blocks.bytes);
            self.position = 0;
            let began = Instant::from_micros(self.decode()?);
            if began < self.last {
                return Err(self.damaged("it begins before the end of the block before it"));
            }
            self.last = began;
        }
        let delta = self.decode::<u64>()?;
        let at = self.last + Duration::from_micros(delta);
        let first = *self.first.get_or_insert(at);
        if at - first > RECORDED_TIME_MAX {
            return Err(self.damaged("it is more than 31 days after the first one"));
        }
        let wire = self.decode::<Wire<Vec<WireEvent<'_>>>>()?;
        let Some(frame) = wire.into_frame() else {
            return Err(self.damaged("a frame has an impossible value"));
        };
        let is_first = self.progress.frames == 0;
        if let Err(problem) = self.sequence.check(&frame, is_first) {
            return Err(self.damaged(problem));
        }
        self.last = at;
        self.progress.frames += 1;
        self.progress.time = at - first;
        Ok(Some(TimedFrame { at, frame }))
    }

    /// Decodes a value of the block.
    fn decode<'s, T: serde::Deserialize<'s>>(&'s mut self) -> Result<T, RecordingError> {
        let block = self.blocks.blocks.saturating_sub(1);
        let bytes = &self.block[self.position..];
        let (value, rest) = postcard::take_from_bytes(bytes)
            .map_err(|_| RecordingError::Damaged { block, problem: "a frame is malformed" })?;
        self.position = self.block.len() - rest.len();
        Ok(value)
    }

    fn damaged(&self, problem: &'static str) -> RecordingError {
        RecordingError::Damaged { block: self.blocks.blocks.saturating_sub(1), problem }
    }
}

impl<R> std::fmt::Debug for RecordingReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordingReader")
            .field("header", &self.header)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}
