//! A queued packet, and a reliable command in flight.

use crate::proto::Millis;
use crate::proto::command::{Body, Command, FLAG_ACKNOWLEDGE, FLAG_UNSEQUENCED, Fragment};
use crate::proto::peer::timeout::{Silence, TimeoutConfig};
use crate::proto::wire::{Datagram, Payload};

/// Channel and sequence number of a reliable command.
pub(super) type Key = (u8, u16);

/// A queued packet. Some of its fragments may have been sent.
#[derive(Debug)]
pub(super) struct QueuedPacket {
    order: u64,
    channel: u8,
    kind: Kind,
    /// Reliable: its sequence number, or that of its first fragment. Unreliable: the reliable
    /// sequence number that it follows.
    sequence: u16,
    /// The unreliable sequence number or the unsequenced group.
    number: u16,
    payload: Payload,
    pieces: u32,
    next_piece: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Reliable,
    Unreliable,
    Unsequenced,
}

/// A reliable command that was sent and is not acknowledged.
#[derive(Debug)]
pub(super) struct SentCommand {
    order: u64,
    command: Command<'static>,
    payload: Payload,
    offset: usize,
    len: usize,
    first_sent_at: Millis,
    sent_at: Millis,
    timeout: Millis,
    attempts: u32,
    /// `true` if it timed out and is queued to be retransmitted.
    is_again: bool,
}

impl QueuedPacket {
    /// Returns a packet of which nothing was sent. `number` is an unreliable sequence number or an
    /// unsequenced group.
    pub(super) fn new(
        order: u64,
        channel: u8,
        kind: Kind,
        (sequence, number): (u16, u16),
        payload: Payload,
        pieces: usize,
    ) -> Self {
        let pieces = pieces as u32;
        Self { order, channel, kind, sequence, number, payload, pieces, next_piece: 0 }
    }

    /// Returns its position in the common order of the queues.
    pub(super) const fn order(&self) -> u64 {
        self.order
    }

    pub(super) const fn channel(&self) -> u8 {
        self.channel
    }

    pub(super) const fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Returns whether none of its fragments was sent.
    pub(super) const fn is_untouched(&self) -> bool {
        self.next_piece == 0
    }

    /// Records that the next fragment was sent. Returns whether it was the last.
    pub(super) const fn advance(&mut self) -> bool {
        self.next_piece += 1;
        self.next_piece == self.pieces
    }

    /// Returns the payload for a fragment in flight. If all fragments are sent (`is_sent`), the
    /// payload is moved instead of shared.
    pub(super) fn share_payload(&mut self, is_sent: bool) -> Payload {
        if is_sent { std::mem::take(&mut self.payload) } else { self.payload.clone() }
    }

    /// Returns the command of the next fragment, its offset and its length.
    pub(super) fn piece(&self, piece_len: usize) -> (Command<'static>, usize, usize) {
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

impl SentCommand {
    pub(super) const fn new(
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

    pub(super) const fn command(&self) -> &Command<'static> {
        &self.command
    }

    /// Returns the channel and the sequence number.
    pub(super) const fn key(&self) -> Key {
        (self.command.channel, self.command.sequence)
    }

    /// Returns the payload bytes of the command.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Returns the payload bytes in flight: 0 while the command is queued to be retransmitted.
    pub(super) const fn in_transit(&self) -> usize {
        if self.is_again { 0 } else { self.len }
    }

    /// Returns the memory of its payload in bytes.
    pub(super) const fn queued_bytes(&self) -> usize {
        self.payload.queued_bytes(self.len)
    }

    /// Returns the round-trip time in milliseconds. The `echoed` sent time identifies the
    /// transmission that was received. `None` if it is outside the transmissions of this command.
    pub(super) fn round_trip(&self, now: Millis, echoed: u16) -> Option<u32> {
        let since = u64::from((self.sent_at as u16).wrapping_sub(echoed));
        let sent_at = self.sent_at.checked_sub(since)?;
        (sent_at >= self.first_sent_at)
            .then(|| u32::try_from(now.saturating_sub(sent_at)).unwrap_or(u32::MAX))
    }

    /// Returns the time at which the command times out; `None` while it is queued to be
    /// retransmitted.
    pub(super) const fn timeout_at(&self) -> Option<Millis> {
        if self.is_again { None } else { Some(self.sent_at.saturating_add(self.timeout)) }
    }

    /// Records that the command timed out. Returns whether the peer has timed out.
    pub(super) fn is_abandoned(
        &self,
        now: Millis,
        silence: &mut Silence,
        config: &TimeoutConfig,
    ) -> bool {
        silence.timed_out(now, self.sent_at, self.attempts, config)
    }

    /// Queues the command to be retransmitted, with twice the timeout. Returns its position in the
    /// common order of the queues.
    pub(super) const fn queue_again(&mut self) -> u64 {
        self.timeout = self.timeout.saturating_mul(2);
        self.is_again = true;
        self.order
    }

    /// Returns whether the command is queued to be retransmitted at position `order`.
    pub(super) const fn waits(&self, order: u64) -> bool {
        self.is_again && self.order == order
    }

    /// Adds the command to `datagram` again. Returns the time at which it times out.
    pub(super) fn send_again(&mut self, now: Millis, datagram: &mut Datagram<'_>) -> Millis {
        datagram.push_data(&self.command, &self.payload, self.offset, self.len);
        self.sent_at = now;
        self.attempts += 1;
        self.is_again = false;
        now.saturating_add(self.timeout)
    }
}

/// Returns the length of a fragment: the MTU minus the header and the fixed part of the command.
pub(crate) const fn piece_len(mtu: u16) -> usize {
    (mtu as usize).saturating_sub(4 + 24)
}
