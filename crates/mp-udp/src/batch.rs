//! A queue of datagrams to send, so that one system call can send many of them.
#![expect(clippy::exhaustive_structs, reason = "protocols build transmits")]

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use crate::NetworkPath;

/// One or more datagrams to one address, written to a buffer by a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Destination address.
    pub to: SocketAddr,
    /// Local address to send from. `None`: the operating system chooses.
    pub from: Option<IpAddr>,
    /// Number of bytes, of all datagrams together.
    pub len: usize,
    /// Length of each datagram but the last, which may be shorter. `None`: one datagram of `len`
    /// bytes.
    pub segment_size: Option<usize>,
}

/// A queue of [`Transmit`]s, oldest first, with their bytes in one buffer.
#[derive(Debug)]
pub struct SendBatch {
    buffer: Box<[u8]>,
    /// Number of buffer bytes in use.
    len: usize,
    transmits: VecDeque<QueuedTransmit>,
}

/// One or more datagrams to one address: the bytes `start..end` of the buffer, in pieces of
/// `segment` bytes. The last one may be shorter.
#[derive(Clone, Copy, Debug)]
struct QueuedTransmit {
    path: NetworkPath,
    start: usize,
    end: usize,
    segment: usize,
}

impl SendBatch {
    /// Returns an empty batch with a buffer of `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { buffer: vec![0; bytes].into(), len: 0, transmits: VecDeque::new() }
    }

    /// Returns whether no datagrams are queued.
    pub fn is_empty(&self) -> bool {
        self.transmits.is_empty()
    }

    /// Returns the unused part of the buffer, at most 60,000 bytes, for the next transmit. `None`:
    /// fewer than `len` bytes are unused, or the limit of 64 queued transmits is reached.
    pub fn room(&mut self, len: usize) -> Option<&mut [u8]> {
        let has_room = self.transmits.len() < TRANSMITS_MAX && self.buffer.len() - self.len >= len;
        has_room.then(|| {
            let end = self.buffer.len().min(self.len + TRANSMIT_BYTES_MAX);
            &mut self.buffer[self.len..end]
        })
    }

    /// Queues a transmit whose bytes were written to the start of [`room`](Self::room).
    pub fn push(&mut self, transmit: Transmit) {
        let (start, end) = (self.len, self.len + transmit.len);
        let segment = transmit.segment_size.unwrap_or(transmit.len).max(1);
        self.len = end;
        let path = NetworkPath { remote: transmit.to, local: transmit.from };
        // A system call sends a limited number of datagrams to one address.
        for start in (start..end).step_by(segment * SEGMENTS_MAX) {
            let end = end.min(start + segment * SEGMENTS_MAX);
            self.transmits.push_back(QueuedTransmit { path, start, end, segment });
        }
    }

    /// Returns the oldest datagram and its path.
    pub fn front(&self) -> Option<(NetworkPath, &[u8])> {
        let QueuedTransmit { path, start, end, segment } = *self.transmits.front()?;
        Some((path, &self.buffer[start..end.min(start + segment)]))
    }

    /// Removes the oldest datagram, because it was sent or cannot be sent.
    pub fn pop_front(&mut self) {
        if let Some(first) = self.transmits.front_mut() {
            first.start += first.segment;
            if first.start >= first.end {
                self.pop_transmits(1);
            }
        }
    }

    /// Returns the queued transmits, oldest first: the path, all bytes, and the length of each
    /// datagram but the last.
    pub fn transmits(&self) -> impl Iterator<Item = (NetworkPath, &[u8], usize)> {
        let bytes = |it: &QueuedTransmit| &self.buffer[it.start..it.end];
        self.transmits.iter().map(move |it| (it.path, bytes(it), it.segment))
    }

    /// Removes the local address of the oldest transmit: the operating system chooses one.
    #[cfg(target_os = "linux")]
    pub(crate) fn forget_local(&mut self) {
        if let Some(first) = self.transmits.front_mut() {
            first.path.local = None;
        }
    }

    /// Changes the segment length of the oldest transmit, without the limit on the number of
    /// segments.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn cut_first_into(&mut self, segment: usize) {
        self.transmits[0].segment = segment;
    }

    /// Removes the `count` oldest transmits.
    pub(crate) fn pop_transmits(&mut self, count: usize) {
        self.transmits.drain(..count);
        if self.transmits.is_empty() {
            self.len = 0;
        }
    }
}

/// Maximum number of queued transmits: as many as two system calls send, which bounds the delay of
/// the first.
const TRANSMITS_MAX: usize = 64;
/// Maximum number of datagrams to one address in a system call, as in the oldest Linux with GSO.
const SEGMENTS_MAX: usize = 64;
/// Maximum number of bytes to one address in a system call. A UDP datagram's maximum is 65,507.
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
    fn datagrams_are_returned_one_by_one_in_order() {
        let mut batch = SendBatch::with_capacity(100);
        batch.room(8).unwrap()[..8].copy_from_slice(b"aabbccd.");
        batch.push(Transmit { to: to(1), from: None, len: 7, segment_size: Some(2) });
        batch.room(1).unwrap()[..3].copy_from_slice(b"eee");
        batch.push(Transmit { to: to(2), from: None, len: 3, segment_size: None });
        let seen: Vec<_> = drained(&mut batch);
        let seen: Vec<_> =
            seen.iter().map(|(port, bytes)| (*port, str::from_utf8(bytes).unwrap())).collect();
        assert_eq!(seen, [(1, "aa"), (1, "bb"), (1, "cc"), (1, "d"), (2, "eee")]);
        assert_eq!(batch.room(100).unwrap().len(), 100, "an empty batch offers its whole buffer");
    }

    #[test]
    fn batch_is_limited_by_bytes_and_by_transmits() {
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
    fn many_small_datagrams_to_one_address_are_divided_into_several_transmits() {
        let mut batch = SendBatch::with_capacity(1_000);
        batch.push(Transmit { to: to(1), from: None, len: 2 * 64 * 2 + 1, segment_size: Some(2) });
        assert_eq!(batch.transmits.len(), 3);
        assert_eq!(drained(&mut batch).len(), 129);
    }
}
