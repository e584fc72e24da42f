//! [`Recording`]: encodes what a branch handles and sends.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
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
    /// [`Checkpoint`].
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
/// branch goes on, and the recording may be [started](Self::start) again.
#[derive(Clone)]
pub struct Recording(Arc<Mutex<Encoder>>);

/// A reference to a [`Recording`] that does not keep it: the recording ends with its branch.
#[derive(Clone)]
pub struct WeakRecording(Weak<Mutex<Encoder>>);

struct Encoder {
    /// `None`: nothing is recorded.
    sink: Option<Box<dyn BlockSink>>,
    /// True until the first checkpoint of a recording that was started while the branch runs.
    is_waiting: bool,
    block: Vec<u8>,
    /// Time of the first frame of the block.
    began: Instant,
    /// Time of the last frame.
    last: Instant,
    facts: BTreeMap<u64, u64>,
    output: OutputHasher,
    /// Open connections, for checkpoints.
    sequence: Sequence,
    /// `None`: a recording of everything.
    ring: Option<Ring>,
    /// True if the block begins with a checkpoint.
    is_start: bool,
}

/// The checkpoints of a recording whose beginning may be dropped.
struct Ring {
    /// Time between two checkpoints.
    interval: Duration,
    /// Time of the last checkpoint, or of the first frame.
    last: Option<Instant>,
    audience: Audience,
}

impl Recording {
    /// Starts a recording of a new branch. The header is written separately.
    pub fn new(sink: Box<dyn BlockSink>) -> Self {
        Self::with(Some(sink), None)
    }

    /// Starts a recording that has a [`Checkpoint`] at each `interval`, so that
    /// its beginning can be dropped. It keeps the nodes of all clients for that.
    pub fn ring(sink: Box<dyn BlockSink>, interval: Duration) -> Self {
        Self::with(Some(sink), Some(interval))
    }

    /// Creates a recording of a new branch that records nothing until it is
    /// [started](Self::start). With an interval it is a [ring](Self::ring).
    pub fn idle(interval: Option<Duration>) -> Self {
        Self::with(None, interval)
    }

    fn with(sink: Option<Box<dyn BlockSink>>, interval: Option<Duration>) -> Self {
        let audience = Audience::default();
        Self(Arc::new(Mutex::new(Encoder {
            sink,
            is_waiting: false,
            block: Vec::new(),
            began: Instant::ZERO,
            last: Instant::ZERO,
            facts: BTreeMap::new(),
            output: OutputHasher::default(),
            sequence: Sequence::default(),
            ring: interval.map(|interval| Ring { interval, last: None, audience }),
            is_start: false,
        })))
    }

    /// Starts to record a branch that runs, at the end of the first turn at which it has a
    /// [checkpoint](mp_host::HostedBranch::checkpoint). Returns false, and drops the sink, if it is
    /// recorded.
    pub fn start(&self, sink: Box<dyn BlockSink>) -> bool {
        let mut encoder = self.encoder();
        if encoder.sink.is_some() {
            return false;
        }
        (encoder.sink, encoder.is_waiting) = (Some(sink), true);
        true
    }

    /// Passes the frames that were not written to the sink, and drops the sink. Returns false if
    /// nothing is recorded.
    pub fn stop(&self) -> bool {
        let mut encoder = self.encoder();
        encoder.finish_block();
        encoder.end().is_some()
    }

    /// Returns whether the recording goes on.
    pub fn is_active(&self) -> bool {
        self.encoder().is_active()
    }

    /// Returns whether the recording has a sink. Unlike one that [is active](Self::is_active), it
    /// may wait for its first checkpoint.
    pub fn is_started(&self) -> bool {
        self.encoder().sink.is_some()
    }

    /// Passes the frames that were not written to the sink.
    pub fn flush(&self) {
        self.encoder().finish_block();
    }

    /// Returns a reference that does not keep the recording.
    pub fn downgrade(&self) -> WeakRecording {
        WeakRecording(Arc::downgrade(&self.0))
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

impl WeakRecording {
    /// Returns the recording; `None` if its branch has ended.
    pub fn upgrade(&self) -> Option<Recording> {
        self.0.upgrade().map(Recording)
    }
}

impl fmt::Debug for WeakRecording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakRecording")
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
        encoder.sequence.record(input);
        if let Some(ring) = &mut encoder.ring {
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
        if encoder.is_active() {
            encoder.output.output(endpoint, output);
        }
        if let Some(ring) = &mut encoder.ring {
            ring.audience.output(endpoint, output);
        }
    }

    fn refused(&mut self) {
        let mut encoder = self.encoder();
        if encoder.is_active() {
            encoder.output.refused();
        }
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
        if encoder.is_waiting {
            return true;
        }
        let Some(Ring { interval, last: Some(last), .. }) = &encoder.ring else { return false };
        encoder.is_active() && encoder.last - *last >= *interval
    }

    fn checkpoint(&mut self, checkpoint: Vec<u8>) {
        self.encoder().push_checkpoint(checkpoint);
    }
}

impl Encoder {
    fn is_active(&self) -> bool {
        self.sink.is_some() && !self.is_waiting
    }

    /// Ends the recording. Returns the sink.
    fn end(&mut self) -> Option<Box<dyn BlockSink>> {
        (self.block, self.output) = (Vec::new(), OutputHasher::default());
        (self.is_start, self.is_waiting) = (false, false);
        self.sink.take()
    }

    fn push(&mut self, now: Instant, wire: &Wire<Batch<'_>>) {
        // The clock of a program is monotonic; a replay depends on it.
        let now = now.max(self.last);
        if !self.is_active() {
            self.last = now;
            return;
        }
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
            self.end();
        }
    }

    /// Begins a block with a checkpoint, unless it is too large.
    fn push_checkpoint(&mut self, state: Vec<u8>) {
        let now = self.last;
        let mut views = Vec::new();
        if let Some(ring) = &mut self.ring {
            ring.last = Some(now);
            views = ring.audience.views(CHECKPOINT_BYTES_MAX / 2);
        }
        if !Checkpoint::fits(&state) {
            if self.is_waiting {
                self.end();
            }
            return;
        }
        let connections = self.sequence.connections();
        let facts = self.facts.iter().map(|(&key, &value)| (key, value)).collect();
        self.finish_block();
        (self.is_start, self.is_waiting) = (true, false);
        let checkpoint = Box::new(Checkpoint { state, facts, connections, views });
        self.push(now, &Wire::Checkpoint(checkpoint));
    }

    fn append(&mut self, value: &impl serde::Serialize) {
        // Without a limit of its length, a buffer accepts all values.
        let block = std::mem::take(&mut self.block);
        self.block = postcard::to_extend(value, block).unwrap_or_default();
    }

    fn finish_block(&mut self) {
        if self.block.is_empty() {
            return;
        }
        let block = std::mem::take(&mut self.block);
        let is_start = std::mem::take(&mut self.is_start);
        let block = RecordedBlock { bytes: block, first: self.began, last: self.last, is_start };
        if self.sink.as_mut().is_some_and(|sink| !sink.accept(block)) {
            self.end();
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
