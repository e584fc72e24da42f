//! The send queues of a peer, and its reliable commands in flight.
//!
//! | queue | limit | at the limit |
//! |---|---|---|
//! | control commands | few per connection | – |
//! | reliable packets, unacknowledged ones included | settings: 64 MiB | the connection is closed |
//! | unreliable packets | settings: 256 KiB | the oldest are dropped and counted |
//! | both, of all peers | settings: 256 MiB, 256 KiB reserved per peer | see below |
//! | reliable bytes in flight | ENet's window, at most 64 KiB | stay queued |
//!
//! At the limit of all peers unreliable packets are dropped and counted. For a reliable packet, its
//! connection is closed.

mod in_flight;
mod outgoing;
mod pack;
mod release;

use std::collections::VecDeque;

use mp_core::{ConnectionStats, SharedLimit, bug};

use crate::limits::{ENTRY_OVERHEAD, RELIABLE_FRAGMENTS_MAX};
use crate::proto::channel::Channels;
use crate::proto::command::{Body, CONTROL_CHANNEL, Command};
use crate::proto::peer::timeout::{Silence, TimeoutConfig};
use crate::proto::wire::Payload;
use crate::proto::{Millis, PacketFlags};
use in_flight::InFlight;
pub(crate) use outgoing::piece_len;
use outgoing::{Key, Kind, QueuedPacket};
pub(crate) use pack::PackContext;
use release::release_queue;

/// The send queues of a peer, and its reliable commands in flight.
#[derive(Debug)]
pub(crate) struct Sender {
    /// Length of each fragment in bytes.
    piece_len: usize,
    control: VecDeque<(u64, Command<'static>)>,
    reliable: VecDeque<QueuedPacket>,
    unreliable: VecDeque<QueuedPacket>,
    /// Control commands to retransmit, oldest first. An entry whose command was acknowledged in the
    /// meantime is skipped.
    control_again: VecDeque<(u64, Key)>,
    reliable_again: VecDeque<(u64, Key)>,
    in_flight: InFlight,
    /// Position of the last queued command or packet in the common order of the queues.
    next_order: u64,
    control_sequence: u16,
    unsequenced_group: u16,
    /// Reliable payload bytes sent that were not acknowledged and have not timed out.
    in_transit: usize,
    /// Bytes charged for the reliable packets that are queued or not acknowledged.
    reliable_cost: usize,
    unreliable_bytes: usize,
    /// Memory in bytes of all packets queued or not acknowledged. A payload that several peers
    /// share is divided among them.
    memory_bytes: usize,
    /// The part of `memory_bytes` that the host's limit includes.
    recorded_bytes: usize,
    /// Bytes of commands queued since the last bandwidth round.
    demand: u64,
    /// Lower bound of the time at which a command times out.
    next_timeout: Option<Millis>,
    silence: Silence,
    /// Time of the last acknowledgement of reliable data, or of sending the first of it.
    progress: Option<Millis>,
    /// True if an impossible state was found, in which reliable data would be lost.
    is_broken: bool,
}

/// An acknowledged command.
pub(crate) struct Acknowledged {
    /// The control command; `None` for a packet and for a ping.
    pub(crate) control: Option<Body<'static>>,
    /// Round-trip time in milliseconds. `None` if the echoed time is invalid.
    pub(crate) sample: Option<u32>,
}

/// The reason why a packet was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueError {
    /// The connection does not have the channel.
    NoChannel,
    /// The packet has more fragments than can be sent reliably.
    TooManyPieces,
    /// The reliable packets exceed a limit, so the connection must be closed. `is_shed`: the limit
    /// of all peers.
    Full { is_shed: bool },
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
            in_flight: InFlight::new(),
            next_order: 0,
            control_sequence: 0,
            unsequenced_group: 0,
            in_transit: 0,
            reliable_cost: 0,
            unreliable_bytes: 0,
            memory_bytes: 0,
            recorded_bytes: 0,
            demand: 0,
            next_timeout: None,
            silence: Silence::default(),
            progress: None,
            is_broken: false,
        }
    }

    /// Sets the MTU that the peers agreed on. Must be called before a packet is queued.
    pub(crate) const fn set_mtu(&mut self, mtu: u16) {
        self.piece_len = piece_len(mtu);
    }

    /// Returns the next sequence number of the control channel.
    pub(crate) const fn next_control_sequence(&mut self) -> u16 {
        self.control_sequence = self.control_sequence.wrapping_add(1);
        self.control_sequence
    }

    /// Queues a command on the control channel.
    pub(crate) fn queue_control(&mut self, body: Body<'static>) {
        let sequence = self.next_control_sequence();
        let order = self.order();
        let command = Command::control(sequence, body);
        self.demand += command.fixed_len() as u64;
        self.control.push_back((order, command));
    }

    /// Queues a packet. Returns whether it is sent reliably.
    pub(crate) fn queue_packet(
        &mut self,
        channels: &mut Channels,
        number: u8,
        flags: PacketFlags,
        payload: Payload,
    ) -> Result<bool, QueueError> {
        let len = payload.len();
        let pieces = if len <= self.piece_len { 1 } else { len.div_ceil(self.piece_len) };
        let sequences = channels.sending(number).ok_or(QueueError::NoChannel)?;
        let is_reliable = flags.contains(PacketFlags::RELIABLE);
        let may_be_unreliable = !is_reliable && sequences.has_unreliable();
        let kind = if pieces > 1 {
            // A fragmented packet is only unreliable with the flag for that.
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
        let numbers = match kind {
            Kind::Reliable => {
                if pieces > RELIABLE_FRAGMENTS_MAX {
                    return Err(QueueError::TooManyPieces);
                }
                (sequences.next_reliable(pieces as u16), 0)
            }
            Kind::Unreliable => sequences.next_unreliable(),
            Kind::Unsequenced => {
                self.unsequenced_group = self.unsequenced_group.wrapping_add(1);
                (0, self.unsequenced_group)
            }
        };
        let order = self.order();
        let queued = QueuedPacket::new(order, number, kind, numbers, payload, pieces);
        self.demand += (pieces * queued.fixed_len() + len) as u64;
        let is_reliable = kind == Kind::Reliable;
        if is_reliable {
            self.reliable_cost += len + pieces * ENTRY_OVERHEAD;
            let (whole, last) = (pieces - 1, len - (pieces - 1) * self.piece_len);
            self.memory_bytes += whole * queued.payload().queued_bytes(self.piece_len);
            self.memory_bytes += queued.payload().queued_bytes(last);
            self.reliable.push_back(queued);
        } else {
            self.unreliable_bytes += len + ENTRY_OVERHEAD;
            self.memory_bytes += queued.payload().queued_bytes(len);
            self.unreliable.push_back(queued);
        }
        Ok(is_reliable)
    }

    /// Drops the oldest unreliable packets beyond `bytes_max`, but not the newest, and those that
    /// exceed `limit`, the limit of all peers. Returns their number.
    pub(crate) fn shed_unreliable(&mut self, bytes_max: usize, limit: &mut SharedLimit) -> u64 {
        let mut dropped = 0;
        self.record(limit);
        while self.unreliable_bytes > bytes_max && self.unreliable.len() > 1
            || !self.unreliable.is_empty() && !self.is_within(limit)
        {
            self.pop_unreliable();
            self.record(limit);
            dropped += 1;
        }
        dropped
    }

    /// Returns whether the queues are within `limit`, the limit of all peers.
    pub(crate) const fn is_within(&self, limit: &SharedLimit) -> bool {
        limit.allows(self.memory_bytes, 0)
    }

    /// Updates the share of this peer in `limit`, the limit of all peers.
    pub(crate) fn record(&mut self, limit: &mut SharedLimit) {
        limit.replace(self.recorded_bytes, self.memory_bytes);
        self.recorded_bytes = self.memory_bytes;
    }

    /// Returns the bytes of commands queued since the last bandwidth round.
    pub(crate) const fn demand(&self) -> u64 {
        self.demand
    }

    /// Starts the count of [`demand`](Self::demand) at 0.
    pub(crate) const fn reset_demand(&mut self) {
        self.demand = 0;
    }

    /// Counts `len` bytes of commands that are queued elsewhere.
    pub(crate) const fn add_demand(&mut self, len: u64) {
        self.demand += len;
    }

    /// Returns whether more than `bytes_max` bytes of reliable packets are queued.
    pub(crate) const fn is_over(&self, bytes_max: usize) -> bool {
        self.reliable_cost > bytes_max
    }

    /// Returns the bytes queued or not acknowledged.
    pub(crate) const fn queued_bytes(&self) -> u64 {
        (self.reliable_cost + self.unreliable_bytes) as u64
    }

    /// Returns whether something is queued to be sent or retransmitted.
    pub(crate) fn has_queued(&self) -> bool {
        !self.unreliable.is_empty()
            || !self.reliable.is_empty()
            || !self.control.is_empty()
            || !self.reliable_again.is_empty()
            || !self.control_again.is_empty()
    }

    /// Returns the number of commands and packets that are queued to be sent or retransmitted.
    pub(crate) fn queued_commands(&self) -> usize {
        self.unreliable.len()
            + self.reliable.len()
            + self.control.len()
            + self.reliable_again.len()
            + self.control_again.len()
    }

    /// Returns whether nothing is queued and all reliable commands are acknowledged.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_reliably_idle() && self.unreliable.is_empty()
    }

    /// Returns whether no reliable command is queued or in flight. Otherwise a ping is redundant.
    pub(crate) fn is_reliably_idle(&self) -> bool {
        self.in_flight.is_empty() && self.control.is_empty() && self.reliable.is_empty()
    }

    /// Drops everything queued or in flight. Sequence numbers continue.
    pub(crate) fn clear(&mut self) {
        let fresh = Self::new(0);
        *self = Self {
            piece_len: self.piece_len,
            next_order: self.next_order,
            control_sequence: self.control_sequence,
            unsequenced_group: self.unsequenced_group,
            recorded_bytes: self.recorded_bytes,
            ..fresh
        };
    }

    /// Removes a control command in flight, which needs no acknowledgement any more.
    pub(crate) fn forget_control(&mut self, sequence: u16) {
        self.in_flight.remove((CONTROL_CHANNEL, sequence));
    }

    /// Handles an acknowledgement. `None` if the command is not in flight.
    pub(crate) fn acknowledge(
        &mut self,
        now: Millis,
        channel: u8,
        sequence: u16,
        echoed: u16,
        channels: &mut Channels,
    ) -> Option<Acknowledged> {
        let sent = self.in_flight.remove((channel, sequence))?;
        self.silence.broken();
        bug::subtract(&mut self.in_transit, sent.in_transit());
        if channel != CONTROL_CHANNEL {
            bug::subtract(&mut self.reliable_cost, sent.len() + ENTRY_OVERHEAD);
            bug::subtract(&mut self.memory_bytes, sent.queued_bytes());
            self.progress = (self.reliable_cost > 0).then_some(now);
            match channels.sending(channel) {
                Some(sequences) => sequences.acknowledged(sequence),
                None => self.broken("a reliable command of a missing channel is acknowledged"),
            }
        }
        if self.in_flight.is_empty() {
            self.next_timeout = None;
        }
        let (control, sample) = (sent.control_body(), sent.round_trip(now, echoed));
        Some(Acknowledged { control, sample })
    }

    /// Queues the commands that timed out to be retransmitted. Returns whether the peer has timed
    /// out.
    pub(crate) fn check_timeouts(
        &mut self,
        now: Millis,
        config: &TimeoutConfig,
        stats: &mut ConnectionStats,
    ) -> bool {
        if self.next_timeout.is_none_or(|at| now < at) {
            return false;
        }
        self.next_timeout = None;
        let (control_before, reliable_before) =
            (self.control_again.len(), self.reliable_again.len());
        for sent in self.in_flight.iter_mut() {
            let Some(at) = sent.timeout_at() else { continue };
            if now < at {
                self.next_timeout = Some(self.next_timeout.map_or(at, |next| next.min(at)));
                continue;
            }
            if sent.is_abandoned(now, &mut self.silence, config) {
                return true;
            }
            stats.retransmissions += 1;
            bug::subtract(&mut self.in_transit, sent.len());
            let (order, key) = (sent.queue_again(), sent.key());
            let again = if key.0 == CONTROL_CHANNEL {
                &mut self.control_again
            } else {
                &mut self.reliable_again
            };
            again.push_back((order, key));
        }
        if self.control_again.len() > control_before {
            self.control_again.make_contiguous().sort_unstable();
        }
        if self.reliable_again.len() > reliable_before {
            self.reliable_again.make_contiguous().sort_unstable();
        }
        false
    }

    /// Returns whether the connection must be closed because of an impossible state in which
    /// reliable data would be lost. Resets it.
    pub(crate) const fn take_broken(&mut self) -> bool {
        std::mem::replace(&mut self.is_broken, false)
    }

    /// Reports an impossible state in which reliable data would be lost.
    fn broken(&mut self, state: &str) {
        self.is_broken = true;
        bug!("{state}");
    }

    /// Returns a lower bound of the time at which a command times out.
    pub(crate) const fn next_timeout(&self) -> Option<Millis> {
        self.next_timeout
    }

    /// Returns the time since which reliable data has not been acknowledged.
    pub(crate) const fn progress(&self) -> Option<Millis> {
        self.progress
    }

    fn pop_unreliable(&mut self) {
        let Some(queued) = self.unreliable.pop_front() else {
            bug!("an unreliable packet is taken from an empty queue");
            return;
        };
        release_queue(&mut self.unreliable);
        let payload = queued.payload();
        bug::subtract(&mut self.unreliable_bytes, payload.len() + ENTRY_OVERHEAD);
        bug::subtract(&mut self.memory_bytes, payload.queued_bytes(payload.len()));
    }

    fn note_timeout(&mut self, at: Millis) {
        self.next_timeout = Some(self.next_timeout.map_or(at, |next| next.min(at)));
    }

    const fn order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }
}
