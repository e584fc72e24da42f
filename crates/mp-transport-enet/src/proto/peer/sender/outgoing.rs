//! A queued packet, and a reliable command in flight.

use crate::proto::Millis;
use crate::proto::command::{
    Body, CONTROL_CHANNEL, Command, FLAG_ACKNOWLEDGE, FLAG_UNSEQUENCED, Fragment,
};
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
///
/// While hundreds of players join a room, there are tens of thousands of them. So the command is
/// made again from these fields when it is retransmitted.
#[derive(Debug)]
pub(super) struct SentCommand {
    order: u64,
    /// The packet; empty for a control command.
    payload: Payload,
    /// The control command, except a ping.
    control: Option<Box<Body<'static>>>,
    /// Time of the last transmission.
    sent_at: Millis,
    timeout: u32,
    /// Index of the fragment in the packet.
    piece: u16,
    /// Payload bytes of the command.
    len: u16,
    /// Milliseconds from the first transmission to the last one, saturating.
    sent_again_after: u16,
    sequence: u16,
    channel: u8,
    attempts: u8,
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

    /// Returns the length of each of its commands in bytes, without the payload.
    pub(super) const fn fixed_len(&self) -> usize {
        let payload: &[u8] = &[];
        let body = match self.kind {
            _ if self.pieces > 1 => return FRAGMENT_LEN,
            Kind::Reliable => Body::SendReliable { payload },
            Kind::Unreliable => Body::SendUnreliable { sequence: 0, payload },
            Kind::Unsequenced => Body::SendUnsequenced { group: 0, payload },
        };
        body.fixed_len()
    }

    /// Returns the command of the next fragment, its offset and its length.
    pub(super) fn piece(&self, piece_len: usize) -> (Command<'static>, usize, usize) {
        let payload: &[u8] = &[];
        let offset = self.next_piece as usize * piece_len;
        let len = (self.payload.len() - offset).min(piece_len);
        let is_whole = self.pieces == 1;
        let fragment = |start| fragment(start, self.pieces, self.next_piece, offset, &self.payload);
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

    /// Returns the index of the next fragment.
    pub(super) const fn next_piece(&self) -> u32 {
        self.next_piece
    }
}

impl SentCommand {
    /// Returns a control command that is sent at `now`.
    pub(super) fn control(
        order: u64,
        Command { channel, sequence, body, .. }: Command<'static>,
        now: Millis,
        timeout: u32,
    ) -> Self {
        let control = (body != Body::Ping).then(|| Box::new(body));
        let sent = Self::new(order, (channel, sequence), (0, 0), Payload::default(), now, timeout);
        Self { control, ..sent }
    }

    /// Returns a packet, or a fragment of it with an index and a length, that is sent at `now`.
    pub(super) const fn new(
        order: u64,
        (channel, sequence): Key,
        (piece, len): (u16, u16),
        payload: Payload,
        now: Millis,
        timeout: u32,
    ) -> Self {
        Self {
            order,
            payload,
            control: None,
            sent_at: now,
            timeout,
            piece,
            len,
            sent_again_after: 0,
            sequence,
            channel,
            attempts: 1,
            is_again: false,
        }
    }

    /// Returns the command, without its payload.
    pub(super) fn command(&self, piece_len: usize) -> Command<'static> {
        let body = match &self.control {
            Some(control) => **control,
            None if self.channel == CONTROL_CHANNEL => Body::Ping,
            None => {
                let pieces = self.payload.len().div_ceil(piece_len).max(1) as u32;
                let start = self.sequence.wrapping_sub(self.piece);
                let (number, offset) = (self.piece.into(), self.offset(piece_len));
                match pieces {
                    1 => Body::SendReliable { payload: &[] },
                    _ => Body::SendFragment(fragment(start, pieces, number, offset, &self.payload)),
                }
            }
        };
        Command { flags: FLAG_ACKNOWLEDGE, channel: self.channel, sequence: self.sequence, body }
    }

    /// Returns the control command; `None` for a packet and for a ping.
    pub(super) fn control_body(&self) -> Option<Body<'static>> {
        self.control.as_deref().copied()
    }

    /// Returns the channel and the sequence number.
    pub(super) const fn key(&self) -> Key {
        (self.channel, self.sequence)
    }

    /// Returns the payload bytes of the command.
    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    const fn offset(&self, piece_len: usize) -> usize {
        self.piece as usize * piece_len
    }

    /// Returns the payload bytes in flight: 0 while the command is queued to be retransmitted.
    pub(super) const fn in_transit(&self) -> usize {
        if self.is_again { 0 } else { self.len() }
    }

    /// Returns the memory of its payload in bytes.
    pub(super) const fn queued_bytes(&self) -> usize {
        self.payload.queued_bytes(self.len())
    }

    /// Returns the round-trip time in milliseconds. The `echoed` sent time identifies the
    /// transmission that was received. `None` if it is outside the transmissions of this command.
    pub(super) fn round_trip(&self, now: Millis, echoed: u16) -> Option<u32> {
        let since = (self.sent_at as u16).wrapping_sub(echoed);
        let sent_at = self.sent_at.checked_sub(since.into())?;
        (since <= self.sent_again_after)
            .then(|| u32::try_from(now.saturating_sub(sent_at)).unwrap_or(u32::MAX))
    }

    /// Returns the time at which the command times out; `None` while it is queued to be
    /// retransmitted.
    pub(super) const fn timeout_at(&self) -> Option<Millis> {
        if self.is_again { None } else { Some(self.sent_at.saturating_add(self.timeout as Millis)) }
    }

    /// Records that the command timed out. Returns whether the peer has timed out.
    pub(super) fn is_abandoned(
        &self,
        now: Millis,
        silence: &mut Silence,
        config: &TimeoutConfig,
    ) -> bool {
        silence.timed_out(now, self.sent_at, self.attempts.into(), config)
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

    /// Adds the command to `datagram` again, unless it does not fit. Returns the time at which it
    /// times out.
    pub(super) fn send_again(
        &mut self,
        now: Millis,
        datagram: &mut Datagram<'_>,
        piece_len: usize,
    ) -> Option<Millis> {
        let command = self.command(piece_len);
        if !datagram.has_room(&command, command.fixed_len() + self.len()) {
            return None;
        }
        datagram.push_data(&command, &self.payload, self.offset(piece_len), self.len());
        let passed = u16::try_from(now.saturating_sub(self.sent_at)).unwrap_or(u16::MAX);
        self.sent_again_after = self.sent_again_after.saturating_add(passed);
        self.sent_at = now;
        self.attempts = self.attempts.saturating_add(1);
        self.is_again = false;
        self.timeout_at()
    }
}

/// Returns the fields of a fragment of a packet, without its bytes.
fn fragment(
    start: u16,
    count: u32,
    number: u32,
    offset: usize,
    packet: &Payload,
) -> Fragment<'static> {
    let (total, offset) = (packet.len() as u32, offset as u32);
    Fragment { start, count, number, total, offset, payload: &[] }
}

/// Returns the length of a fragment: the MTU minus the header and the fixed part of the command.
pub(crate) const fn piece_len(mtu: u16) -> usize {
    (mtu as usize).saturating_sub(4 + FRAGMENT_LEN)
}

/// Length in bytes of the command of a fragment without its payload.
const FRAGMENT_LEN: usize = 24;
