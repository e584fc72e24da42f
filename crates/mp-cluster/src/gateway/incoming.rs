//! [`Incoming`]: the batches of one direction at their receiver.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use mp_core::{ConnectionId, Instant};

use super::GatewayStats;
use crate::limits::{ITEM_BYTES_MAX, REORDER_TIME, WINDOW_FRAMES};
use crate::wire::frame::{Body, FrameRefusal, Mark, Piece};
use crate::wire::item::{Item, Stream};

/// Orders batches, detects what is missing, and gives credit for what was delivered.
#[derive(Debug)]
pub(super) struct Incoming {
    /// Sequence number of the next batch.
    expected: u64,
    /// Batches that wait for earlier ones, and whether their sender has a later version. Bounded by
    /// the credit.
    waiting: BTreeMap<u64, (Body, bool)>,
    /// Sequence number up to which the sender has sent batches.
    announced: u64,
    /// Time since which `expected` is missing.
    missing_since: Option<Instant>,
    /// The last batch of each stream.
    last: BTreeMap<Stream, u64>,
    /// True if batches were lost, so that streams may have ended in them.
    needs_marks: bool,
    arrivals: VecDeque<Arrival>,
    /// Sequence number of the first batch that was not delivered.
    delivered: u64,
    /// The beginning of an item that was sent in parts.
    partial: Option<BytesMut>,
}

/// An arrival: an item, or a fact about the stream, in order.
#[derive(Clone, Debug)]
pub(super) enum Arrival {
    Item(Item),
    /// Reliable items of the stream are missing. It has ended.
    Gap(Stream),
    /// An item cannot be decoded.
    Malformed,
    /// The end of a batch.
    Delivered(u64),
}

impl Incoming {
    pub(super) fn new() -> Self {
        Self {
            expected: 1,
            waiting: BTreeMap::new(),
            announced: 1,
            missing_since: None,
            last: BTreeMap::new(),
            needs_marks: false,
            arrivals: VecDeque::new(),
            delivered: 1,
            partial: None,
        }
    }

    /// Returns the sequence number of the first batch that was not delivered.
    pub(super) fn credit(&self) -> u64 {
        if self.arrivals.is_empty() { self.expected } else { self.delivered }
    }

    /// Returns whether batches were lost since the last marks.
    pub(super) fn needs_marks(&self) -> bool {
        self.needs_marks
    }

    /// Accepts a batch or marks.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        sequence: u64,
        body: Body,
        is_newer: bool,
        stats: &mut GatewayStats,
    ) -> Result<(), FrameRefusal> {
        if sequence < self.expected || self.waiting.contains_key(&sequence) {
            return Err(FrameRefusal::Repeated);
        }
        if sequence - self.credit() >= WINDOW_FRAMES {
            return Err(FrameRefusal::BeyondCredit);
        }
        self.waiting.insert(sequence, (body, is_newer));
        self.advance(now, stats);
        Ok(())
    }

    /// Records that the sender has sent all batches before `next`.
    pub(super) fn handle_beat(&mut self, now: Instant, next: u64, stats: &mut GatewayStats) {
        if next.saturating_sub(self.credit()) <= WINDOW_FRAMES {
            self.announced = self.announced.max(next);
            self.advance(now, stats);
        }
    }

    /// Abandons batches that are missing for too long.
    pub(super) fn handle_timeout(&mut self, now: Instant, stats: &mut GatewayStats) {
        if self.poll_timeout().is_none_or(|at| now < at) {
            return;
        }
        let present = self.waiting.keys().next().copied().unwrap_or(self.announced);
        stats.lost_batches += present - self.expected;
        self.expected = present;
        self.partial = None;
        self.needs_marks = true;
        self.missing_since = None;
        self.advance(now, stats);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.missing_since.map(|since| since + REORDER_TIME)
    }

    /// Returns whether [`pop`](Self::pop) returns an arrival.
    pub(super) fn has_arrivals(&self) -> bool {
        !self.arrivals.is_empty()
    }

    /// Removes and returns what was received next.
    pub(super) fn pop(&mut self) -> Option<Arrival> {
        let arrival = self.arrivals.pop_front()?;
        if let Arrival::Delivered(sequence) = arrival {
            self.delivered = sequence + 1;
        }
        Some(arrival)
    }

    /// Removes the streams for which `is_live` returns false, if there are many more than `live`.
    pub(super) fn prune(&mut self, live: usize, is_live: impl Fn(ConnectionId) -> bool) {
        if self.last.len() > 2 * live + 64 {
            self.last.retain(|stream, _| match stream {
                Stream::Link => true,
                Stream::Connection(connection) => is_live(*connection),
            });
        }
    }

    /// Ends the stream of a connection.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.last.remove(&Stream::Connection(connection));
    }

    fn advance(&mut self, now: Instant, stats: &mut GatewayStats) {
        let before = self.expected;
        if self.arrivals.is_empty() {
            self.delivered = self.expected;
        }
        while let Some((body, is_newer)) = self.waiting.remove(&self.expected) {
            match body {
                Body::Batch { sequence, chain, pieces } => {
                    chain.iter().for_each(|mark| self.check(sequence, mark));
                    for (piece, bytes) in pieces {
                        self.handle_piece(piece, bytes, is_newer, stats);
                    }
                }
                Body::Marks { sequence, marks } => self.handle_marks(sequence, &marks),
                Body::Beat { .. } | Body::End(_) => {}
            }
            self.arrivals.push_back(Arrival::Delivered(self.expected));
            self.expected += 1;
        }
        let is_complete = self.waiting.is_empty() && self.announced <= self.expected;
        self.missing_since = match self.missing_since {
            _ if is_complete => None,
            Some(since) if self.expected == before => Some(since),
            _ => Some(now),
        };
    }

    /// Checks that no batch of a stream is missing before a batch.
    fn check(&mut self, sequence: u64, mark: &Mark) {
        let before = (mark.back > 0).then(|| sequence.saturating_sub(mark.back));
        if self.last.insert(mark.stream, sequence) != before {
            self.arrivals.push_back(Arrival::Gap(mark.stream));
        }
    }

    /// Compares all streams with those of the sender.
    fn handle_marks(&mut self, sequence: u64, marks: &[Mark]) {
        let theirs: BTreeMap<Stream, u64> =
            marks.iter().map(|mark| (mark.stream, sequence.saturating_sub(mark.back))).collect();
        let ours = std::mem::replace(&mut self.last, theirs);
        let missing = self.last.iter().filter(|(stream, last)| ours.get(stream) != Some(last));
        let ended = ours.keys().filter(|stream| !self.last.contains_key(stream));
        let gaps = missing.map(|(stream, _)| stream).chain(ended);
        self.arrivals.extend(gaps.map(|&stream| Arrival::Gap(stream)));
        self.needs_marks = false;
    }

    fn handle_piece(
        &mut self,
        piece: Piece,
        bytes: Bytes,
        is_newer: bool,
        stats: &mut GatewayStats,
    ) {
        let whole = match piece {
            Piece::Whole => bytes,
            Piece::First => {
                self.partial = Some(BytesMut::from(&bytes[..]));
                return;
            }
            Piece::Middle | Piece::Last => {
                let Some(mut partial) = self.partial.take() else {
                    stats.lost_parts += 1;
                    return;
                };
                if partial.len() + bytes.len() > ITEM_BYTES_MAX {
                    self.arrivals.push_back(Arrival::Malformed);
                    return;
                }
                partial.extend_from_slice(&bytes);
                if piece == Piece::Middle {
                    self.partial = Some(partial);
                    return;
                }
                partial.freeze()
            }
        };
        let item = Item::decode(&whole, is_newer);
        let arrival = item.map_or(Arrival::Malformed, Arrival::Item);
        if let Arrival::Item(item) = &arrival
            && let Some(connection) = item.ended()
        {
            self.forget(connection);
        }
        self.arrivals.push_back(arrival);
    }
}
