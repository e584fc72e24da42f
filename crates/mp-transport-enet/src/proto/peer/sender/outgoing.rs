//! A packet in a queue, and a reliable command on its way.

use crate::proto::Millis;
use crate::proto::command::{Body, Command, FLAG_ACKNOWLEDGE, FLAG_UNSEQUENCED, Fragment};
use crate::proto::wire::{Datagram, Payload};

/// Channel and sequence number of a reliable command.
pub(crate) type Key = (u8, u16);

/// A packet that was not sent yet, or only some of its pieces.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) order: u64,
    pub(crate) channel: u8,
    pub(crate) kind: Kind,
    /// Reliable: its own, or that of its first piece. Unreliable: the channel's.
    pub(crate) sequence: u16,
    /// The unreliable sequence number or the unsequenced group.
    pub(crate) number: u16,
    pub(crate) payload: Payload,
    pub(crate) pieces: u32,
    pub(crate) next_piece: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Reliable,
    Unreliable,
    Unsequenced,
}

/// A reliable command that was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) order: u64,
    pub(crate) command: Command<'static>,
    pub(crate) payload: Payload,
    pub(crate) offset: usize,
    pub(crate) len: usize,
    pub(crate) first_sent_at: Millis,
    pub(crate) sent_at: Millis,
    pub(crate) timeout: Millis,
    pub(crate) attempts: u32,
    /// Whether it timed out and waits to be sent again.
    pub(crate) is_again: bool,
}

impl Queued {
    /// The command of the next piece, where the piece begins and how long it is.
    pub(crate) fn piece(&self, piece_len: usize) -> (Command<'static>, usize, usize) {
        let payload: &[u8] = &[];
        let offset = self.next_piece as usize * piece_len;
        let len = (self.payload.len() - offset).min(piece_len);
        let fragment = |start| Fragment {
            start,
            count: self.pieces,
            number: self.next_piece,
            total: self.payload.len() as u32,
            offset: offset as u32,
            payload,
        };
        let is_whole = self.pieces == 1;
        let (flags, sequence, body) = match self.kind {
            Kind::Reliable if is_whole => {
                (FLAG_ACKNOWLEDGE, self.sequence, Body::SendReliable { payload })
            }
            Kind::Reliable => (
                FLAG_ACKNOWLEDGE,
                self.sequence.wrapping_add(self.next_piece as u16),
                Body::SendFragment(fragment(self.sequence)),
            ),
            Kind::Unreliable if is_whole => {
                (0, self.sequence, Body::SendUnreliable { sequence: self.number, payload })
            }
            Kind::Unreliable => {
                (0, self.sequence, Body::SendUnreliableFragment(fragment(self.number)))
            }
            Kind::Unsequenced => {
                (FLAG_UNSEQUENCED, 0, Body::SendUnsequenced { group: self.number, payload })
            }
        };
        (Command { flags, channel: self.channel, sequence, body }, offset, len)
    }
}

impl Sent {
    pub(crate) const fn new(
        order: u64,
        command: Command<'static>,
        payload: Payload,
        offset: usize,
        len: usize,
        now: Millis,
        timeout: Millis,
    ) -> Self {
        Self {
            order,
            command,
            payload,
            offset,
            len,
            first_sent_at: now,
            sent_at: now,
            timeout,
            attempts: 1,
            is_again: false,
        }
    }

    /// Whether this is the command that was queued again under `order`.
    pub(crate) const fn waits(&self, order: u64) -> bool {
        self.is_again && self.order == order
    }

    /// Adds the command to `datagram` once more. When it times out next.
    pub(crate) fn send_again(&mut self, now: Millis, datagram: &mut Datagram<'_>) -> Millis {
        datagram.push_data(&self.command, &self.payload, self.offset, self.len);
        self.sent_at = now;
        self.attempts += 1;
        self.is_again = false;
        now.saturating_add(self.timeout)
    }
}

/// Bytes of a piece: what a datagram holds besides its header and the fixed part of a fragment.
pub(crate) const fn piece_len(mtu: u16) -> usize {
    (mtu as usize).saturating_sub(4 + 24)
}
