//! What is on its way to one peer: queues of what was not sent yet, and the reliable commands that were sent but not
//! acknowledged.
//!
//! | queue | bound | beyond it |
//! |---|---|---|
//! | control commands | few per connection | – |
//! | reliable packets | settings: 64 MiB including what is not acknowledged | the peer is closed |
//! | unreliable packets | settings: 256 KiB | the oldest are dropped and counted |
//! | on their way | ENet's window, at most 64 KiB | stays in the queue |

use std::collections::{BTreeMap, VecDeque};

use mp_core::ConnectionStats;

use super::channel::Channel;
use super::command::{
    Body, CONTROL_CHANNEL, Command, FLAG_ACKNOWLEDGE, FLAG_UNSEQUENCED, Fragment,
};
use super::datagram::Datagram;
use super::payload::Payload;
use super::rtt::RoundTrip;
use super::throttle::Throttle;
use super::timeout::{Patience, Silence};
use super::{Millis, PacketFlags};
use crate::limits::{ENTRY_OVERHEAD, RELIABLE_FRAGMENTS_MAX};

/// The channels of a peer, made when they are first used.
#[derive(Debug)]
pub(crate) struct Channels {
    list: Vec<Option<Box<Channel>>>,
    /// How many were agreed on.
    pub(crate) count: u8,
}

impl Channels {
    pub(crate) const fn new(count: u8) -> Self {
        Self { list: Vec::new(), count }
    }

    /// The channel, made if need be; `None` beyond the count.
    pub(crate) fn channel(&mut self, number: u8) -> Option<&mut Channel> {
        if number >= self.count {
            return None;
        }
        let index = usize::from(number);
        if self.list.len() <= index {
            self.list.resize_with(index + 1, || None);
        }
        Some(self.list[index].get_or_insert_default())
    }

    /// The channel, if it was used.
    pub(crate) fn existing(&mut self, number: u8) -> Option<&mut Channel> {
        self.list.get_mut(usize::from(number))?.as_deref_mut()
    }

    /// The numbers of the channels that were used.
    pub(crate) fn used(&self) -> impl Iterator<Item = u8> + use<> {
        let used: Vec<u8> = (0..self.list.len())
            .filter(|&index| self.list[index].is_some())
            .map(|index| index as u8)
            .collect();
        used.into_iter()
    }
}

/// What is on its way to one peer.
#[derive(Debug)]
pub(crate) struct Sender {
    /// Bytes of each piece of a fragmented packet.
    piece_len: usize,
    control: VecDeque<(u64, Command<'static>)>,
    reliable: VecDeque<Queued>,
    unreliable: VecDeque<Queued>,
    /// Commands that timed out, oldest first. An entry whose command was acknowledged meanwhile is skipped.
    control_again: VecDeque<(u64, Key)>,
    reliable_again: VecDeque<(u64, Key)>,
    in_flight: BTreeMap<Key, Sent>,
    /// Numbers what is queued, across the queues.
    next_order: u64,
    control_sequence: u16,
    unsequenced_group: u16,
    /// Reliable payload bytes sent, not acknowledged and not timed out.
    in_transit: usize,
    /// Cost of all reliable packets queued or not acknowledged.
    reliable_cost: usize,
    unreliable_bytes: usize,
    /// No command times out before this.
    next_timeout: Option<Millis>,
    silence: Silence,
    /// When reliable data was last acknowledged, or first sent since there was none.
    progress: Option<Millis>,
}

/// Channel and sequence number of a reliable command.
type Key = (u8, u16);

/// A packet that was not sent yet, or only some of its pieces.
#[derive(Debug)]
struct Queued {
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
enum Kind {
    Reliable,
    Unreliable,
    Unsequenced,
}

/// A reliable command that was sent.
#[derive(Debug)]
struct Sent {
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

/// What the rules of sending depend on.
pub(crate) struct Route<'a> {
    pub(crate) channels: &'a mut Channels,
    pub(crate) round_trip: &'a RoundTrip,
    pub(crate) throttle: &'a mut Throttle,
    pub(crate) stats: &'a mut ConnectionStats,
    pub(crate) window: u32,
    pub(crate) mtu: u16,
}

/// A command that was acknowledged.
pub(crate) struct Acknowledged {
    pub(crate) body: Body<'static>,
    /// The round trip in milliseconds, unless the other side made its echo up.
    pub(crate) sample: Option<u32>,
}

/// Why a packet was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueError {
    /// The peer has no such channel.
    NoChannel,
    /// It has more pieces than can be sent reliably.
    TooManyPieces,
}

impl Sender {
    pub(crate) fn new(mtu: u16) -> Self {
        Self {
            piece_len: piece_len(mtu),
            control: VecDeque::new(),
            reliable: VecDeque::new(),
            unreliable: VecDeque::new(),
            control_again: VecDeque::new(),
            reliable_again: VecDeque::new(),
            in_flight: BTreeMap::new(),
            next_order: 0,
            control_sequence: 0,
            unsequenced_group: 0,
            in_transit: 0,
            reliable_cost: 0,
            unreliable_bytes: 0,
            next_timeout: None,
            silence: Silence::default(),
            progress: None,
        }
    }

    /// Another mtu was agreed on, before any packet was queued.
    pub(crate) const fn set_mtu(&mut self, mtu: u16) {
        self.piece_len = piece_len(mtu);
    }

    /// The next sequence number of commands that concern the whole peer.
    pub(crate) const fn next_control_sequence(&mut self) -> u16 {
        self.control_sequence = self.control_sequence.wrapping_add(1);
        self.control_sequence
    }

    /// Queues a command that concerns the whole peer.
    pub(crate) fn queue_control(&mut self, body: Body<'static>) {
        let sequence = self.next_control_sequence();
        let order = self.order();
        self.control.push_back((order, Command::control(sequence, body)));
    }

    /// Queues a packet.
    pub(crate) fn queue_packet(
        &mut self,
        channels: &mut Channels,
        number: u8,
        flags: PacketFlags,
        payload: Payload,
    ) -> Result<(), QueueError> {
        let len = payload.len();
        let pieces = len.div_ceil(self.piece_len).max(1);
        let state = channels.channel(number).ok_or(QueueError::NoChannel)?;
        let is_reliable = flags.contains(PacketFlags::RELIABLE);
        let may_be_unreliable = !is_reliable && state.unreliable_out < u16::MAX;
        let kind = if pieces > 1 {
            // A large packet is unreliable only when it says so itself.
            if may_be_unreliable && flags.contains(PacketFlags::UNRELIABLE_FRAGMENT) {
                Kind::Unreliable
            } else {
                Kind::Reliable
            }
        } else if !is_reliable && flags.contains(PacketFlags::UNSEQUENCED) {
            Kind::Unsequenced
        } else if may_be_unreliable {
            Kind::Unreliable
        } else {
            Kind::Reliable
        };
        let (sequence, number_of_kind) = match kind {
            Kind::Reliable => {
                if pieces > RELIABLE_FRAGMENTS_MAX {
                    return Err(QueueError::TooManyPieces);
                }
                let sequence = state.reliable_out.wrapping_add(1);
                state.reliable_out = state.reliable_out.wrapping_add(pieces as u16);
                state.unreliable_out = 0;
                (sequence, 0)
            }
            Kind::Unreliable => {
                state.unreliable_out += 1;
                (state.reliable_out, state.unreliable_out)
            }
            Kind::Unsequenced => {
                self.unsequenced_group = self.unsequenced_group.wrapping_add(1);
                (0, self.unsequenced_group)
            }
        };
        let queued = Queued {
            order: self.order(),
            channel: number,
            kind,
            sequence,
            number: number_of_kind,
            payload,
            pieces: pieces as u32,
            next_piece: 0,
        };
        if kind == Kind::Reliable {
            self.reliable_cost += len + pieces * ENTRY_OVERHEAD;
            self.reliable.push_back(queued);
        } else {
            self.unreliable_bytes += len + ENTRY_OVERHEAD;
            self.unreliable.push_back(queued);
        }
        Ok(())
    }

    /// Drops the oldest unreliable packets beyond `bytes_max`, but never the newest. Returns how many.
    pub(crate) fn shed_unreliable(&mut self, bytes_max: usize) -> u64 {
        let mut dropped = 0;
        while self.unreliable_bytes > bytes_max && self.unreliable.len() > 1 {
            self.pop_unreliable();
            dropped += 1;
        }
        dropped
    }

    /// Whether what was queued reliably is more than `bytes_max`.
    pub(crate) const fn is_over(&self, bytes_max: usize) -> bool {
        self.reliable_cost > bytes_max
    }

    /// Bytes queued or not acknowledged.
    pub(crate) const fn queued_bytes(&self) -> u64 {
        (self.reliable_cost + self.unreliable_bytes) as u64
    }

    /// Whether nothing is queued and everything reliable is acknowledged.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_reliably_idle() && self.unreliable.is_empty()
    }

    /// Whether nothing reliable is queued or on its way: only then is a ping worth its bytes.
    pub(crate) fn is_reliably_idle(&self) -> bool {
        self.in_flight.is_empty() && self.control.is_empty() && self.reliable.is_empty()
    }

    /// Forgets everything queued and sent. Sequence numbers go on.
    pub(crate) fn clear(&mut self) {
        let fresh = Self::new(0);
        *self = Self {
            piece_len: self.piece_len,
            next_order: self.next_order,
            control_sequence: self.control_sequence,
            unsequenced_group: self.unsequenced_group,
            ..fresh
        };
    }

    /// A command that concerns the whole peer needs no acknowledgement any more.
    pub(crate) fn forget_control(&mut self, sequence: u16) {
        self.in_flight.remove(&(CONTROL_CHANNEL, sequence));
    }

    /// An acknowledgement came. `None` when it is of nothing that is on its way.
    pub(crate) fn acknowledge(
        &mut self,
        now: Millis,
        channel: u8,
        sequence: u16,
        echoed: u16,
        channels: &mut Channels,
    ) -> Option<Acknowledged> {
        let sent = self.in_flight.remove(&(channel, sequence))?;
        self.silence.broken();
        if !sent.is_again {
            self.in_transit -= sent.len;
        }
        if channel != CONTROL_CHANNEL {
            self.reliable_cost = self.reliable_cost.saturating_sub(sent.len + ENTRY_OVERHEAD);
            self.progress = (self.reliable_cost > 0).then_some(now);
            if let Some(channel) = channels.existing(channel) {
                channel.windows.acknowledged(sequence);
            }
        }
        if self.in_flight.is_empty() {
            self.next_timeout = None;
        }
        // The echo tells which of several transmissions arrived, and is believed only within their times.
        let since = u64::from((sent.sent_at as u16).wrapping_sub(echoed));
        let sample = sent
            .sent_at
            .checked_sub(since)
            .filter(|&sent_at| sent_at >= sent.first_sent_at)
            .map(|sent_at| u32::try_from(now.saturating_sub(sent_at)).unwrap_or(u32::MAX));
        Some(Acknowledged { body: sent.command.body, sample })
    }

    /// Marks what timed out to be sent again. Whether the peer is to be given up.
    pub(crate) fn check_timeouts(
        &mut self,
        now: Millis,
        patience: &Patience,
        stats: &mut ConnectionStats,
    ) -> bool {
        if self.next_timeout.is_none_or(|at| now < at) {
            return false;
        }
        self.next_timeout = None;
        let (control_before, reliable_before) =
            (self.control_again.len(), self.reliable_again.len());
        for (&key, sent) in &mut self.in_flight {
            if sent.is_again {
                continue;
            }
            let at = sent.sent_at + sent.timeout;
            if now < at {
                self.next_timeout = Some(self.next_timeout.map_or(at, |next| next.min(at)));
                continue;
            }
            if self.silence.timed_out(now, sent.sent_at, sent.attempts, patience) {
                return true;
            }
            stats.retransmissions += 1;
            sent.timeout *= 2;
            sent.is_again = true;
            self.in_transit -= sent.len;
            let again = if key.0 == CONTROL_CHANNEL {
                &mut self.control_again
            } else {
                &mut self.reliable_again
            };
            again.push_back((sent.order, key));
        }
        if self.control_again.len() > control_before {
            self.control_again.make_contiguous().sort_unstable();
        }
        if self.reliable_again.len() > reliable_before {
            self.reliable_again.make_contiguous().sort_unstable();
        }
        false
    }

    /// When a command times out next.
    pub(crate) const fn next_timeout(&self) -> Option<Millis> {
        self.next_timeout
    }

    /// Since when reliable data makes no progress.
    pub(crate) const fn progress(&self) -> Option<Millis> {
        self.progress
    }

    /// Puts as much as may leave now into `datagram`.
    pub(crate) fn pack(&mut self, now: Millis, datagram: &mut Datagram<'_>, route: &mut Route<'_>) {
        if self.reliable_cost > 0 && self.progress.is_none() {
            self.progress = Some(now);
        }
        if !self.pack_control_again(now, datagram) {
            return;
        }
        let mut is_reliable_blocked = false;
        if !self.pack_reliable_again(now, datagram, route, &mut is_reliable_blocked) {
            return;
        }
        // Three queues, merged in the order in which they were filled.
        loop {
            let control = self.control.front().map(|&(order, _)| order);
            let unreliable = self.unreliable.front().map(|queued| queued.order);
            let reliable = self.reliable.front().filter(|_| !is_reliable_blocked);
            let reliable = reliable.map(|queued| queued.order);
            let Some(first) = [control, reliable, unreliable].into_iter().flatten().min() else {
                return;
            };
            let has_room = if Some(first) == control {
                self.pack_control(now, datagram, route)
            } else if Some(first) == reliable {
                self.pack_reliable(now, datagram, route, &mut is_reliable_blocked)
            } else {
                self.pack_unreliable(datagram, route)
            };
            if !has_room {
                return;
            }
        }
    }

    // Each of these returns whether there was room for what it tried to add.

    fn pack_control_again(&mut self, now: Millis, datagram: &mut Datagram<'_>) -> bool {
        while let Some(&(order, key)) = self.control_again.front() {
            if let Some(sent) = self.in_flight.get_mut(&key).filter(|sent| sent.waits(order)) {
                if !datagram.has_room(&sent.command, sent.command.fixed_len()) {
                    return false;
                }
                let at = sent.send_again(now, datagram);
                self.note_timeout(at);
            }
            self.control_again.pop_front();
        }
        true
    }

    fn pack_reliable_again(
        &mut self,
        now: Millis,
        datagram: &mut Datagram<'_>,
        route: &Route<'_>,
        is_blocked: &mut bool,
    ) -> bool {
        while let Some(&(order, key)) = self.reliable_again.front() {
            if let Some(sent) = self.in_flight.get_mut(&key).filter(|sent| sent.waits(order)) {
                if !route.may_send(self.in_transit, sent.len) {
                    *is_blocked = true;
                    return true;
                }
                if !datagram.has_room(&sent.command, sent.command.fixed_len() + sent.len) {
                    return false;
                }
                self.in_transit += sent.len;
                let at = sent.send_again(now, datagram);
                self.note_timeout(at);
            }
            self.reliable_again.pop_front();
        }
        true
    }

    fn pack_control(
        &mut self,
        now: Millis,
        datagram: &mut Datagram<'_>,
        route: &Route<'_>,
    ) -> bool {
        let Some(&(order, command)) = self.control.front() else { return true };
        if !datagram.has_room(&command, command.fixed_len()) {
            return false;
        }
        datagram.push(&command);
        self.control.pop_front();
        let timeout = Millis::from(route.round_trip.timeout());
        let sent = Sent::new(order, command, Payload::default(), 0, 0, now, timeout);
        self.in_flight.insert((command.channel, command.sequence), sent);
        self.note_timeout(now + timeout);
        true
    }

    fn pack_reliable(
        &mut self,
        now: Millis,
        datagram: &mut Datagram<'_>,
        route: &mut Route<'_>,
        is_blocked: &mut bool,
    ) -> bool {
        let Some(queued) = self.reliable.front_mut() else { return true };
        let (command, offset, len) = queued.piece(self.piece_len);
        let may_send = route.may_send(self.in_transit, len);
        let Some(channel) = route.channels.existing(queued.channel) else {
            self.reliable.pop_front();
            return true;
        };
        let windows = &mut channel.windows;
        if !may_send || !windows.admits(command.sequence) {
            *is_blocked = true;
            return true;
        }
        if !datagram.has_room(&command, command.fixed_len() + len) {
            return false;
        }
        windows.sent(command.sequence);
        datagram.push_data(&command, &queued.payload, offset, len);
        self.in_transit += len;
        let timeout = Millis::from(route.round_trip.timeout());
        let payload = queued.payload.clone();
        let sent = Sent::new(queued.order, command, payload, offset, len, now, timeout);
        self.in_flight.insert((command.channel, command.sequence), sent);
        queued.next_piece += 1;
        if queued.next_piece == queued.pieces {
            route.stats.packets_sent += 1;
            route.stats.bytes_sent += queued.payload.len() as u64;
            self.reliable.pop_front();
        }
        self.note_timeout(now + timeout);
        true
    }

    fn pack_unreliable(&mut self, datagram: &mut Datagram<'_>, route: &mut Route<'_>) -> bool {
        let Some(queued) = self.unreliable.front_mut() else { return true };
        let (command, offset, len) = queued.piece(self.piece_len);
        if !datagram.has_room(&command, command.fixed_len() + len) {
            return false;
        }
        if queued.next_piece == 0 && !route.throttle.admits() {
            route.stats.send_drops += 1;
            self.pop_unreliable();
            return true;
        }
        datagram.push_data(&command, &queued.payload, offset, len);
        queued.next_piece += 1;
        if queued.next_piece == queued.pieces {
            route.stats.packets_sent += 1;
            route.stats.bytes_sent += queued.payload.len() as u64;
            self.pop_unreliable();
        }
        true
    }

    fn pop_unreliable(&mut self) {
        if let Some(queued) = self.unreliable.pop_front() {
            self.unreliable_bytes -= queued.payload.len() + ENTRY_OVERHEAD;
        }
    }

    fn note_timeout(&mut self, at: Millis) {
        self.next_timeout = Some(self.next_timeout.map_or(at, |next| next.min(at)));
    }

    const fn order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }
}

impl Route<'_> {
    /// Whether `len` more reliable bytes may be on their way.
    fn may_send(&self, in_transit: usize, len: usize) -> bool {
        let window = self.throttle.scale(self.window).max(u32::from(self.mtu));
        in_transit + len <= window as usize
    }
}

impl Queued {
    /// The command of the next piece, where the piece begins and how long it is.
    fn piece(&self, piece_len: usize) -> (Command<'static>, usize, usize) {
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
    const fn new(
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
    const fn waits(&self, order: u64) -> bool {
        self.is_again && self.order == order
    }

    /// Adds the command to `datagram` once more. When it times out next.
    fn send_again(&mut self, now: Millis, datagram: &mut Datagram<'_>) -> Millis {
        datagram.push_data(&self.command, &self.payload, self.offset, self.len);
        self.sent_at = now;
        self.attempts += 1;
        self.is_again = false;
        now + self.timeout
    }
}

/// Bytes of a piece: what a datagram holds besides its header and the fixed part of a fragment.
pub(crate) const fn piece_len(mtu: u16) -> usize {
    (mtu as usize).saturating_sub(4 + 24)
}
