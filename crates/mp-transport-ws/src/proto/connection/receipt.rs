//! Receipts: a ping after the last packet, whose pong shows that the remote peer has read all
//! packets before.
//!
//! TCP acknowledges bytes that the program has not read. A Godot client answers a ping in the frame
//! in which it reads it, so that the end of the connection, sent later, arrives in another frame.

use super::Connection;
use crate::proto::messages::Messages;

/// Progress of a receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Receipt {
    #[default]
    None,
    /// The ping follows the queued packets.
    Wanted,
    /// The ping was sent.
    Requested,
    /// The remote peer has answered.
    Received,
}

impl Receipt {
    pub(super) fn handle_pong(&mut self, is_receipt: bool) {
        if is_receipt && *self == Self::Requested {
            *self = Self::Received;
        }
    }
}

impl Connection {
    /// Returns whether the remote peer has received all packets that were queued before the first
    /// call, which requests a receipt. A connection that is not open has none to wait for.
    pub(crate) fn poll_delivered(&mut self) -> bool {
        if !self.is_open() {
            return true;
        }
        if self.receipt == Receipt::None {
            self.receipt = Receipt::Wanted;
        }
        self.receipt == Receipt::Received
    }

    /// Returns whether a receipt is requested by the next transmission that empties the queue.
    pub(super) fn wants_receipt(&self) -> bool {
        self.receipt == Receipt::Wanted && self.is_open()
    }

    /// Queues the request of a receipt, if one is wanted and all packets have been sent.
    pub(super) fn request_receipt(&mut self) {
        if self.wants_receipt() {
            self.receipt = Receipt::Requested;
            self.with_messages(Messages::request_receipt);
        }
    }
}
