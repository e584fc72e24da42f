//! A packet in a queue, and a reliable command on its way.

use crate::proto::Millis;
use crate::proto::command::{Body, Command, FLAG_ACKNOWLEDGE, FLAG_UNSEQUENCED, Fragment};
use crate::proto::peer::timeout::{Patience, Silence};
use crate::proto::wire::{Datagram, Payload};

/// Channel and sequence number of a reliable command.
pub(super) type Key = (u8, u16);

/// A packet that was not sent yet, or only some of its pieces.
#[derive(Debug)]
pub(super) struct Queued {
    order: u64,
    channel: u8,
    kind: Kind,
    /// Reliable: its own, or that of its first piece. Unreliable: the channel's.
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

/// A reliable command that was sent.
#[derive(Debug)]
pub(super) struct Sent {
    order: u64,
    command: Command<'static>,
    payload: Payload,
    offset: usize,
    len: usize,
    first_sent_at: Millis,
    sent_at: Millis,
    timeout: Millis,
    attempts: u32,
    /// Whether it timed out and waits to be sent again.
    is_again: bool,
}

impl Queued {
    /// A packet of which nothing was sent yet. `number` is an unreliable sequence number or an
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

    /// Its place among all that is queued.
    pub(super) const fn order(&self) -> u64 {
        self.order
    }

    pub(super) const fn channel(&self) -> u8 {
        self.channel
    }

    pub(super) const fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Returns whether none of its pieces was sent.
    pub(super) const fn is_untouched(&self) -> bool {
        self.next_piece == 0
    }

    /// Notes that the next piece was sent. Returns whether it was the last.
    pub(super) const fn advance(&mut self) -> bool {
        self.next_piece += 1;
        self.next_piece == self.pieces
    }

    /// The payload for a piece in flight, which leaves none here when everything `is_sent`.
    pub(super) fn share_payload(&mut self, is_sent: bool) -> Payload {
        if is_sent { std::mem::take(&mut self.payload) } else { self.payload.clone() }
    }

    /// The command of the next piece, where the piece begins and how long it is.
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

impl Sent {
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

    /// Bytes of payload in the command.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes of payload in flight: none while the command waits to be sent again.
    pub(super) const fn in_transit(&self) -> usize {
        if self.is_again { 0 } else { self.len }
    }

    /// Memory in bytes that its payload takes.
    pub(super) const fn queued_bytes(&self) -> usize {
        self.payload.queued_bytes(self.len)
    }

    /// The round trip in milliseconds. The `echoed` time tells which of several transmissions was
    /// received, and is believed only within their times.
    pub(super) fn round_trip(&self, now: Millis, echoed: u16) -> Option<u32> {
        let since = u64::from((self.sent_at as u16).wrapping_sub(echoed));
        let sent_at = self.sent_at.checked_sub(since)?;
        (sent_at >= self.first_sent_at)
            .then(|| u32::try_from(now.saturating_sub(sent_at)).unwrap_or(u32::MAX))
    }

    /// Time at which it times out; `None` while it waits to be sent again.
    pub(super) const fn timeout_at(&self) -> Option<Millis> {
        if self.is_again { None } else { Some(self.sent_at.saturating_add(self.timeout)) }
    }

    /// Returns whether `silence` has lasted so long that the peer is abandoned, as the command has
    /// timed out.
    pub(super) fn is_abandoned(
        &self,
        now: Millis,
        silence: &mut Silence,
        patience: &Patience,
    ) -> bool {
        silence.timed_out(now, self.sent_at, self.attempts, patience)
    }

    /// Has the command wait to be sent again, with twice the timeout. Returns its place among all
    /// that is queued.
    pub(super) const fn queue_again(&mut self) -> u64 {
        self.timeout = self.timeout.saturating_mul(2);
        self.is_again = true;
        self.order
    }

    /// Returns whether this is the command that was queued again under `order`.
    pub(super) const fn waits(&self, order: u64) -> bool {
        self.is_again && self.order == order
    }

    /// Adds the command to `datagram` once more. Returns when it times out next.
    pub(super) fn send_again(&mut self, now: Millis, datagram: &mut Datagram<'_>) -> Millis {
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
