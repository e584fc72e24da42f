//! [`Outgoing`]: the batches of one direction at their sender.

use std::collections::{BTreeMap, VecDeque};

use mp_core::ConnectionId;

use crate::limits::{
    BATCH_BYTES_MAX, BATCH_ITEMS_MAX, PART_BYTES_MAX, QUEUED_BATCHES_MAX, WINDOW_BYTES,
    WINDOW_FRAMES,
};
use crate::wire::frame::{Mark, Piece, put_piece};
use crate::wire::item::{Item, Stream};

/// Packs items into batches, and sends them as far as the receiver has given credit.
///
/// A batch names, for each stream with reliable items in it, the stream's batch before. The
/// receiver thereby detects for each connection whether something is missing. Nothing is kept for
/// a second transmission: the bus is reliable except when it drops whole messages.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Sequence number of the next batch that is created.
    next: u64,
    /// Sequence number of the next batch that is sent.
    unsent: u64,
    queue: VecDeque<Pending>,
    /// The last batch of each stream.
    last: BTreeMap<Stream, u64>,
    /// Sequence numbers and bytes of batches that the receiver has not delivered.
    in_flight: VecDeque<(u64, usize)>,
    bytes_in_flight: usize,
    /// Buffer of the item that is being encoded.
    item: Vec<u8>,
}

/// A batch, or marks, in the order of their sequence numbers.
#[derive(Debug)]
pub(super) enum Pending {
    Batch(Batch),
    Marks { sequence: u64, marks: Vec<Mark> },
}

/// A batch that is being filled.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) sequence: u64,
    pub(super) chain: Vec<Mark>,
    pub(super) pieces: Vec<u8>,
    count: usize,
    /// True if a stream has ended in the batch. It may not begin again in the same one.
    has_end: bool,
}

impl Outgoing {
    pub(super) fn new() -> Self {
        Self {
            next: 1,
            unsent: 1,
            queue: VecDeque::new(),
            last: BTreeMap::new(),
            in_flight: VecDeque::new(),
            bytes_in_flight: 0,
            item: Vec::new(),
        }
    }

    /// Returns whether another message may be appended.
    pub(super) fn has_capacity(&self) -> bool {
        self.queue.len() < QUEUED_BATCHES_MAX
    }

    /// Returns whether all batches were sent and delivered.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty()
    }

    /// Returns the number of batches that are queued, and of those sent and not delivered.
    pub(super) fn backlog(&self) -> (usize, usize) {
        (self.queue.len(), self.in_flight.len())
    }

    /// Returns the sequence number of the next batch that is sent.
    pub(super) fn unsent(&self) -> u64 {
        self.unsent
    }

    /// Appends an item. One of more than [`PART_BYTES_MAX`] bytes is split.
    pub(super) fn push(&mut self, item: &Item) {
        let mut bytes = std::mem::take(&mut self.item);
        bytes.clear();
        item.encode(&mut bytes);
        let parts = bytes.len().div_ceil(PART_BYTES_MAX).max(1);
        for (index, part) in bytes.chunks(PART_BYTES_MAX).enumerate() {
            let piece = match index {
                _ if parts == 1 => Piece::Whole,
                0 => Piece::First,
                _ if index + 1 == parts => Piece::Last,
                _ => Piece::Middle,
            };
            self.append(item, piece, part);
        }
        self.item = if bytes.capacity() > 2 * PART_BYTES_MAX { Vec::new() } else { bytes };
        if let Some(connection) = item.ended() {
            self.forget(connection);
        }
    }

    fn append(&mut self, item: &Item, piece: Piece, bytes: &[u8]) {
        let (next, last) = (&mut self.next, &mut self.last);
        let fits = |batch: &Batch| {
            let mut begins_again = false;
            if batch.has_end {
                item.for_each_stream(|stream| begins_again |= !last.contains_key(&stream));
            }
            batch.count < BATCH_ITEMS_MAX && batch.pieces.len() < BATCH_BYTES_MAX && !begins_again
        };
        if !matches!(self.queue.back(), Some(Pending::Batch(batch)) if fits(batch)) {
            self.queue.push_back(Pending::Batch(Batch::new(*next)));
            *next += 1;
        }
        let Some(Pending::Batch(batch)) = self.queue.back_mut() else { return };
        put_piece(&mut batch.pieces, piece, bytes);
        batch.count += 1;
        if item.may_be_lost() {
            return;
        }
        item.for_each_stream(|stream| {
            let before = last.insert(stream, batch.sequence);
            if before != Some(batch.sequence) {
                let back = before.map_or(0, |before| batch.sequence - before);
                batch.chain.push(Mark { stream, back });
            }
        });
    }

    /// Ends the stream of a connection.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        let was_known = self.last.remove(&Stream::Connection(connection)).is_some();
        if let Some(Pending::Batch(batch)) = self.queue.back_mut() {
            batch.has_end |= was_known;
        }
    }

    /// Appends the last batches of all streams, because the receiver misses batches.
    pub(super) fn push_marks(&mut self) {
        if matches!(self.queue.back(), Some(Pending::Marks { .. })) {
            return;
        }
        let sequence = self.next;
        self.next += 1;
        let mark = |(&stream, &last): (&Stream, &u64)| Mark { stream, back: sequence - last };
        let marks = self.last.iter().map(mark).collect();
        self.queue.push_back(Pending::Marks { sequence, marks });
    }

    /// Removes and returns what is sent next, if the receiver has given credit for it.
    pub(super) fn pop(&mut self) -> Option<Pending> {
        let bytes = match self.queue.front()? {
            Pending::Batch(batch) => batch.pieces.len(),
            Pending::Marks { marks, .. } => 16 * marks.len(),
        };
        let is_first = self.in_flight.is_empty();
        let has_credit = (self.in_flight.len() as u64) < WINDOW_FRAMES
            && self.bytes_in_flight + bytes <= WINDOW_BYTES;
        if !has_credit && !is_first {
            return None;
        }
        let pending = self.queue.pop_front()?;
        self.in_flight.push_back((self.unsent, bytes));
        self.bytes_in_flight += bytes;
        self.unsent += 1;
        Some(pending)
    }

    /// Records that the receiver has delivered all batches before `credit`. Returns false if they
    /// were not sent.
    pub(super) fn handle_credit(&mut self, credit: u64) -> bool {
        if credit > self.unsent {
            return false;
        }
        while let Some(&(sequence, bytes)) = self.in_flight.front()
            && sequence < credit
        {
            self.in_flight.pop_front();
            self.bytes_in_flight -= bytes;
        }
        true
    }
}

impl Batch {
    fn new(sequence: u64) -> Self {
        Self { sequence, chain: Vec::new(), pieces: Vec::new(), count: 0, has_end: false }
    }
}
