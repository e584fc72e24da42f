//! [`OutgoingDatagrams`]: the send queue of a socket on top of another one.

use std::io;

use crate::{DatagramSocket, NetworkPath, SendBatch, SendFailure, Transmit};

/// Datagrams that a socket passes on to the socket below it: a batch that also waits while that
/// socket is blocked. Datagrams that do not fit are dropped and counted.
#[derive(Debug)]
pub struct OutgoingDatagrams {
    batch: SendBatch,
    lost: u64,
}

impl OutgoingDatagrams {
    /// Returns an empty queue for at most `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { batch: SendBatch::with_capacity(bytes), lost: 0 }
    }

    /// Queues a datagram, or drops it if the queue is full.
    pub fn push(&mut self, path: NetworkPath, bytes: &[u8]) {
        let Some(room) = self.batch.room(bytes.len()) else {
            self.lost += 1;
            return;
        };
        room[..bytes.len()].copy_from_slice(bytes);
        let (to, from) = (path.remote, path.local);
        self.batch.push(Transmit { to, from, len: bytes.len(), segment_size: None });
    }

    /// Returns whether a datagram of `len` bytes fits.
    pub fn has_room(&mut self, len: usize) -> bool {
        self.batch.room(len).is_some()
    }

    /// Returns whether no datagrams are queued.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Returns the number of datagrams that were dropped because the queue was full or the socket
    /// rejected them.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Sends the queue as far as possible.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if the socket accepts no more now.
    pub fn flush(&mut self, socket: &mut impl DatagramSocket) -> io::Result<()> {
        while !self.batch.is_empty()
            && let Err(error) = socket.try_send_batch(&mut self.batch)
        {
            let failure = SendFailure::from(&error);
            if failure != SendFailure::Blocked {
                self.lost += 1;
                self.batch.pop_front();
            }
            if failure != SendFailure::Undeliverable && !self.batch.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        Ok(())
    }
}
