//! Datagrams on their way out, so that one system call can take many of them.
#![expect(clippy::exhaustive_structs, reason = "protocols build transmits")]

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use crate::NetworkPath;

/// Datagrams to one address, in a buffer that a protocol has filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The address that they go to.
    pub to: SocketAddr,
    /// The local address that they must leave from; `None` leaves the choice to the system.
    pub from: Option<IpAddr>,
    /// Bytes of the buffer that they are.
    pub len: usize,
    /// When there are several: the length of each but the last, which may be shorter.
    pub segment_size: Option<usize>,
}

/// Datagrams that wait for the socket, oldest first: the bytes of many [`Transmit`]s in one buffer.
#[derive(Debug)]
pub struct SendBatch {
    buffer: Box<[u8]>,
    /// Bytes of the buffer in use.
    len: usize,
    waiting: VecDeque<Departure>,
}

/// One or more datagrams to one address: those in `start..end` of the buffer, each of `segment` bytes but the last, which
/// may be shorter.
#[derive(Clone, Copy, Debug)]
struct Departure {
    path: NetworkPath,
    start: usize,
    end: usize,
    segment: usize,
}

impl SendBatch {
    /// An empty batch with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { buffer: vec![0; bytes].into(), len: 0, waiting: VecDeque::new() }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Where the next transmit can be written, if there is room for at least `len` bytes and for one more transmit.
    pub fn room(&mut self, len: usize) -> Option<&mut [u8]> {
        let has_room = self.waiting.len() < TRANSMITS_MAX && self.buffer.len() - self.len >= len;
        has_room.then(|| {
            let end = self.buffer.len().min(self.len + TRANSMIT_BYTES_MAX);
            &mut self.buffer[self.len..end]
        })
    }

    /// Takes a transmit that was written into the [room](Self::room).
    pub fn push(&mut self, transmit: Transmit) {
        let (start, end) = (self.len, self.len + transmit.len);
        let segment = transmit.segment_size.unwrap_or(transmit.len).max(1);
        self.len = end;
        let path = NetworkPath { remote: transmit.to, local: transmit.from };
        // What one system call takes to one address is limited, too.
        for start in (start..end).step_by(segment * SEGMENTS_MAX) {
            let end = end.min(start + segment * SEGMENTS_MAX);
            self.waiting.push_back(Departure { path, start, end, segment });
        }
    }

    /// The oldest datagram.
    pub fn front(&self) -> Option<(NetworkPath, &[u8])> {
        let Departure { path, start, end, segment } = *self.waiting.front()?;
        Some((path, &self.buffer[start..end.min(start + segment)]))
    }

    /// Forgets the oldest datagram: it was sent, or cannot be.
    pub fn pop_front(&mut self) {
        if let Some(first) = self.waiting.front_mut() {
            first.start += first.segment;
            if first.start >= first.end {
                self.pop_transmits(1);
            }
        }
    }

    /// Transmits that wait, oldest first: their path, all bytes, and the bytes of each datagram but
    /// the last.
    pub fn transmits(&self) -> impl Iterator<Item = (NetworkPath, &[u8], usize)> {
        let bytes = |it: &Departure| &self.buffer[it.start..it.end];
        self.waiting.iter().map(move |it| (it.path, bytes(it), it.segment))
    }

    /// Leaves it to the system from which address the oldest transmit leaves.
    #[cfg(target_os = "linux")]
    pub(crate) fn forget_local(&mut self) {
        if let Some(first) = self.waiting.front_mut() {
            first.path.local = None;
        }
    }

    /// Has the oldest transmit be cut into datagrams of `segment` bytes, however many.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn cut_first_into(&mut self, segment: usize) {
        self.waiting[0].segment = segment;
    }

    /// Forgets the oldest transmits.
    pub(crate) fn pop_transmits(&mut self, count: usize) {
        self.waiting.drain(..count);
        if self.waiting.is_empty() {
            self.len = 0;
        }
    }
}

/// Transmits of one batch: two system calls' worth, so that what was packed first is soon on its way.
const TRANSMITS_MAX: usize = 64;
/// Datagrams to one address that one system call takes, as far back as Linux can.
const SEGMENTS_MAX: usize = 64;
/// Bytes to one address that one system call takes: less than a UDP datagram may have.
const TRANSMIT_BYTES_MAX: usize = 60_000;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn to(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    fn drained(batch: &mut SendBatch) -> Vec<(u16, Vec<u8>)> {
        let mut seen = Vec::new();
        while let Some((path, datagram)) = batch.front() {
            seen.push((path.remote.port(), datagram.to_vec()));
            batch.pop_front();
        }
        seen
    }

    #[test]
    fn datagrams_come_out_one_by_one_and_in_order() {
        let mut batch = SendBatch::with_capacity(100);
        batch.room(8).unwrap()[..8].copy_from_slice(b"aabbccd.");
        batch.push(Transmit { to: to(1), from: None, len: 7, segment_size: Some(2) });
        batch.room(1).unwrap()[..3].copy_from_slice(b"eee");
        batch.push(Transmit { to: to(2), from: None, len: 3, segment_size: None });
        let seen: Vec<_> = drained(&mut batch);
        let seen: Vec<_> =
            seen.iter().map(|(port, bytes)| (*port, str::from_utf8(bytes).unwrap())).collect();
        assert_eq!(seen, [(1, "aa"), (1, "bb"), (1, "cc"), (1, "d"), (2, "eee")]);
        assert_eq!(batch.room(100).unwrap().len(), 100, "an empty batch has all its room");
    }

    #[test]
    fn it_is_full_by_bytes_and_by_transmits() {
        let mut batch = SendBatch::with_capacity(3_000);
        assert!(batch.room(3_001).is_none());
        for _ in 0..TRANSMITS_MAX {
            assert!(batch.room(1_000).is_some());
            batch.push(Transmit { to: to(1), from: None, len: 10, segment_size: None });
        }
        assert!(batch.room(1).is_none());
        batch.pop_front();
        assert_eq!(batch.room(1).map(|room| room.len()), Some(3_000 - 10 * TRANSMITS_MAX));
    }

    #[test]
    fn many_small_datagrams_to_one_address_are_cut_into_what_a_call_takes() {
        let mut batch = SendBatch::with_capacity(1_000);
        batch.push(Transmit { to: to(1), from: None, len: 2 * 64 * 2 + 1, segment_size: Some(2) });
        assert_eq!(batch.waiting.len(), 3);
        assert_eq!(drained(&mut batch).len(), 129);
    }
}
