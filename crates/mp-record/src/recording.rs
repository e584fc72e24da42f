//! [`Recording`]: encodes what a branch handles and sends.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mp_core::{CloseMode, DisconnectReason, EndpointId, Instant, ToBranch, ToEndpoint};
use mp_host::BranchRecorder;

use crate::Checkpoint;
use crate::digest::OutputHasher;
use crate::frame::{Batch, RecordingEnd, TurnOutput, Wire};
use crate::limits::{BLOCK_BYTES, BLOCK_BYTES_MAX, BLOCK_TIME, CHECKPOINT_BYTES_MAX, FACTS_MAX};
use crate::sequence::Sequence;
use crate::watch::Audience;

/// An uncompressed block of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedBlock {
    /// The frames.
    pub bytes: Vec<u8>,
    /// Time of the first frame.
    pub first: Instant,
    /// Time of the last frame.
    pub last: Instant,
    /// True if a replay can start with the block: it begins with a
    /// [`Checkpoint`](crate::Checkpoint).
    pub is_start: bool,
}

/// The receiver of the blocks of a recording, which compresses and writes them. See
/// [`BlockWriter`](crate::BlockWriter).
pub trait BlockSink: Send {
    /// Accepts a block, without blocking. Returns false if the recording ends because the sink does
    /// not accept it.
    fn accept(&mut self, block: RecordedBlock) -> bool;
}

/// The recording of a branch: encodes its input, and the digest of its output, into blocks.
/// Clones are the same recording, so that the branch may ask for [`Facts`](crate::Facts) while it
/// handles its input.
///
/// When the sink does not accept a block, nothing more is recorded: a replay needs all input. The
/// branch goes on.
#[derive(Clone)]
pub struct Recording(Arc<Mutex<Encoder>>);

struct Encoder {
    sink: Box<dyn BlockSink>,
    block: Vec<u8>,
    /// Time of the first frame of the block.
    began: Instant,
    /// Time of the last frame.
    last: Instant,
    is_active: bool,
    facts: BTreeMap<u64, u64>,
    output: OutputHasher,
    /// `None`: a recording of everything.
    ring: Option<Ring>,
    /// True if the block begins with a checkpoint.
    is_start: bool,
}

/// The parts of a checkpoint besides the state of the branch.
struct Ring {
    /// Time between two checkpoints.
    interval: Duration,
    /// Time of the last checkpoint, or of the first frame.
    last: Option<Instant>,
    sequence: Sequence,
    audience: Audience,
}

impl Recording {
    /// Starts a recording. The header is written separately.
    pub fn new(sink: Box<dyn BlockSink>) -> Self {
        Self::with_ring(sink, None)
    }

    /// Starts a recording that has a [`Checkpoint`](crate::Checkpoint) at each `interval`, so that
    /// its beginning can be dropped. It keeps the nodes of all clients for that.
    pub fn ring(sink: Box<dyn BlockSink>, interval: Duration) -> Self {
        let (sequence, audience) = (Sequence::default(), Audience::default());
        Self::with_ring(sink, Some(Ring { interval, last: None, sequence, audience }))
    }

    fn with_ring(sink: Box<dyn BlockSink>, ring: Option<Ring>) -> Self {
        Self(Arc::new(Mutex::new(Encoder {
            sink,
            block: Vec::new(),
            began: Instant::ZERO,
            last: Instant::ZERO,
            is_active: true,
            facts: BTreeMap::new(),
            output: OutputHasher::default(),
            ring,
            is_start: false,
        })))
    }

    /// Returns whether the recording goes on.
    pub fn is_active(&self) -> bool {
        self.encoder().is_active
    }

    /// Passes the frames that were not written to the sink.
    pub fn flush(&self) {
        self.encoder().finish_block();
    }

    /// Records the answer to a question, if it is not the last one.
    pub(crate) fn fact(&self, key: u64, value: u64) {
        let mut encoder = self.encoder();
        let is_known = encoder.facts.get(&key) == Some(&value);
        let has_capacity = encoder.facts.len() < FACTS_MAX || encoder.facts.contains_key(&key);
        if !is_known && has_capacity {
            encoder.facts.insert(key, value);
            let now = encoder.last;
            encoder.push(now, &Wire::Fact { key, value });
        }
    }

    fn encoder(&self) -> MutexGuard<'_, Encoder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("is_active", &self.is_active()).finish_non_exhaustive()
    }
}

impl BranchRecorder for Recording {
    fn input(&mut self, now: Instant, input: &ToBranch) {
        let mut encoder = self.encoder();
        if let Some(ring) = &mut encoder.ring {
            ring.sequence.record(input);
            ring.audience.input(input);
        }
        if let Some(wire) = Wire::of_input(input) {
            encoder.push(now, &wire);
        }
    }

    fn close(&mut self, reason: DisconnectReason, close_mode: CloseMode) {
        let mut encoder = self.encoder();
        let now = encoder.last;
        encoder.push(now, &Wire::of_close(reason, close_mode));
    }

    fn call(&mut self, now: Instant) {
        self.encoder().push(now, &Wire::Call);
    }

    fn end_turn(&mut self, now: Instant) {
        self.encoder().push(now, &Wire::EndTurn);
    }

    fn output(&mut self, endpoint: EndpointId, output: &ToEndpoint) {
        let mut encoder = self.encoder();
        if !encoder.is_active {
            return;
        }
        encoder.output.output(endpoint, output);
        if let Some(ring) = &mut encoder.ring {
            ring.audience.output(endpoint, output);
        }
    }

    fn refused(&mut self) {
        self.encoder().output.refused();
    }

    fn delivered(&mut self) {
        let mut encoder = self.encoder();
        let delivery = encoder.output.take();
        if delivery != TurnOutput::default() {
            let now = encoder.last;
            encoder.push(now, &Wire::Delivered(delivery));
        }
    }

    fn wants_checkpoint(&self) -> bool {
        let encoder = self.encoder();
        let Some(Ring { interval, last: Some(last), .. }) = &encoder.ring else { return false };
        encoder.is_active && encoder.last - *last >= *interval
    }

    fn checkpoint(&mut self, checkpoint: Vec<u8>) {
        self.encoder().push_checkpoint(checkpoint);
    }
}

impl Encoder {
    fn push(&mut self, now: Instant, wire: &Wire<Batch<'_>>) {
        if !self.is_active {
            return;
        }
        // The clock of a program is monotonic; a replay depends on it.
        let now = now.max(self.last);
        if self.block.len() >= BLOCK_BYTES || now - self.began >= BLOCK_TIME {
            self.finish_block();
        }
        if let Some(ring) = &mut self.ring {
            ring.last.get_or_insert(now);
        }
        if self.block.is_empty() {
            (self.began, self.last) = (now, now);
            self.block.reserve(BLOCK_BYTES + BLOCK_BYTES / 8);
            self.append(&now.as_micros());
        }
        let delta = (now - self.last).as_micros() as u64;
        self.last = now;
        self.append(&(delta, wire));
        if self.block.len() > BLOCK_BYTES_MAX {
            self.is_active = false;
        }
    }

    /// Begins a block with a checkpoint, unless it is too large.
    fn push_checkpoint(&mut self, state: Vec<u8>) {
        let now = self.last;
        let Some(ring) = &mut self.ring else { return };
        ring.last = Some(now);
        if !Checkpoint::fits(&state) {
            return;
        }
        let (connections, views) =
            (ring.sequence.connections(), ring.audience.views(CHECKPOINT_BYTES_MAX / 2));
        let facts = self.facts.iter().map(|(&key, &value)| (key, value)).collect();
        self.finish_block();
        self.is_start = true;
        let checkpoint = Box::new(Checkpoint { state, facts, connections, views });
        self.push(now, &Wire::Checkpoint(checkpoint));
    }

    fn append(&mut self, value: &impl serde::Serialize) {
        // Without a limit of its length, a buffer accepts all values.
        let block = std::mem::take(&mut self.block);
        self.block = postcard::to_extend(value, block).unwrap_or_default();
    }

    fn finish_block(&mut self) {
        if self.block.is_empty() || !self.is_active {
            return;
        }
        let block = std::mem::take(&mut self.block);
        let is_start = std::mem::take(&mut self.is_start);
        let block = RecordedBlock { bytes: block, first: self.began, last: self.last, is_start };
        if !self.sink.accept(block) {
            self.is_active = false;
            self.facts.clear();
            self.ring = None;
        }
    }
}

/// Writes what was not written when the branch has ended.
impl Drop for Encoder {
    fn drop(&mut self) {
        self.finish_block();
    }
}

/// Returns the uncompressed block that ends a recording. `last` is the time of its last frame.
pub fn end_block(last: Instant, end: RecordingEnd) -> Vec<u8> {
    let wire: Wire<Batch<'_>> = Wire::End(end);
    postcard::to_stdvec(&(last.as_micros(), 0_u64, wire)).unwrap_or_default()
}
