//! One peer's state of a connection.

use std::collections::VecDeque;
use std::sync::Arc;

use super::connected;
use super::wire::{Message, Side, Wire, split};
use crate::limits::{RECEIVE_QUEUE_BYTES_MAX, RECEIVE_QUEUE_PACKETS_MAX};
use crate::{
    ConnectionId, ConnectionStats, DisconnectReason, Packet, PeerEvent, PeerId, SharedLimit,
    queued_bytes,
};

/// The amount that one poll has received from all connections.
#[derive(Debug, Default)]
pub(super) struct PollBudget {
    packets: usize,
    bytes: usize,
}

impl PollBudget {
    pub(super) fn has_capacity(&self) -> bool {
        self.packets < RECEIVE_QUEUE_PACKETS_MAX && self.bytes < RECEIVE_QUEUE_BYTES_MAX
    }
}

/// One peer's state of a connection.
#[derive(Debug)]
pub(super) struct ConnectionState {
    pub(super) connection: ConnectionId,
    pub(super) wire: Arc<Wire>,
    /// True if `Connected` has been reported.
    pub(super) connected: bool,
    pub(super) leaving: Option<Closing>,
    /// True if the next flush has something to publish.
    pub(super) dirty: bool,
    /// Packets received and not yet returned by `next_event`.
    pub(super) ready_packets: usize,
    /// Payload bytes of these packets.
    pub(super) ready_bytes: usize,
    pub(super) receive_drops: u64,
    /// Bytes of the send queue that are recorded in the limit of all connections.
    recorded_bytes: usize,
    /// Unreliable packets dropped because of the limit of all connections.
    send_drops: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Closing {
    /// Reason of the local `Disconnected`.
    pub(super) reason: DisconnectReason,
    /// Reason of the remote peer's `Disconnected`.
    pub(super) remote_reason: DisconnectReason,
    /// True if the remote peer receives the queued packets first.
    pub(super) drain: bool,
}

impl ConnectionState {
    pub(super) fn new(connection: ConnectionId, wire: Arc<Wire>, connected: bool) -> Self {
        Self {
            connection,
            wire,
            connected,
            leaving: None,
            dirty: connected,
            ready_packets: 0,
            ready_bytes: 0,
            receive_drops: 0,
            recorded_bytes: 0,
            send_drops: 0,
        }
    }

    /// Queues a packet that `connections` connections share. `limit` is that of all connections:
    /// beyond it a reliable packet closes the connection, and an unreliable one is dropped.
    pub(super) fn send(
        &mut self,
        side: Side,
        message: Message,
        connections: usize,
        limit: &mut SharedLimit,
    ) {
        if self.leaving.is_some() || !self.connected {
            return;
        }
        let mut pipes = self.wire.lock();
        let (mine, theirs) = split(&mut pipes, side);
        if theirs.closed.is_some() {
            return;
        }
        let (mode, len) = (message.mode, message.payload.len());
        let queued = mine.queue.memory_bytes();
        limit.replace(self.recorded_bytes, queued);
        let is_allowed = limit.allows(queued, queued_bytes(len, connections));
        let is_full = if is_allowed {
            mine.queue.push(mode, len, connections, message).is_err()
        } else {
            self.send_drops += u64::from(!mode.is_reliable());
            mode.is_reliable()
        };
        if is_full {
            mine.queue.clear();
        }
        self.recorded_bytes = mine.queue.memory_bytes();
        limit.replace(queued, self.recorded_bytes);
        drop(pipes);
        self.dirty = true;
        if is_full {
            let full = DisconnectReason::QueueFull;
            self.leave(Closing { reason: full, remote_reason: full, drain: false });
        }
    }

    pub(super) fn leave(&mut self, leaving: Closing) {
        self.leaving = Some(leaving);
        self.dirty = true;
    }

    pub(super) fn publish(&mut self, side: Side) {
        let mut pipes = self.wire.lock();
        let (mine, _) = split(&mut pipes, side);
        mine.published = mine.queue.mark();
        let opened = !std::mem::replace(&mut mine.open, true);
        if let Some(leaving) = self.leaving {
            mine.closed = Some(leaving.remote_reason);
        }
        let wake_remote = opened || mine.closed.is_some() || mine.has_deliverable();
        // The next poll of the local peer reports the end, too.
        let wake_local = mine.closed.is_some() && mine.queue.is_empty();
        drop(pipes);
        if wake_remote {
            self.wire.wake_host(side.other());
        }
        if wake_local {
            self.wire.wake_host(side);
        }
    }

    /// Receives published packets. Returns `Some` when the connection has ended, with the reason of
    /// `Disconnected` if it is to be reported.
    pub(super) fn receive(
        &mut self,
        side: Side,
        budget: &mut PollBudget,
        limit: &mut SharedLimit,
        events: &mut VecDeque<PeerEvent>,
    ) -> Option<Option<DisconnectReason>> {
        let mut pipes = self.wire.lock();
        let (mine, theirs) = split(&mut pipes, side);
        limit.replace(self.recorded_bytes, mine.queue.memory_bytes());
        self.recorded_bytes = mine.queue.memory_bytes();
        if !self.connected {
            if !theirs.open {
                return theirs.closed.map(|_| None);
            }
            self.connected = true;
            events.push_back(connected(self.connection, PeerId::SERVER));
        }
        if let Some(leaving) = self.leaving {
            let is_notified = !self.dirty && mine.queue.is_empty();
            return (is_notified || theirs.closed.is_some()).then_some(Some(leaving.reason));
        }
        if theirs.paused {
            self.receive_drops += theirs.queue.discard_unreliable_before(theirs.published);
        } else {
            while self.ready_packets < RECEIVE_QUEUE_PACKETS_MAX
                && self.ready_bytes < RECEIVE_QUEUE_BYTES_MAX
                && budget.has_capacity()
                && let Some(Message { mode, channel, payload }) = theirs.pop()
            {
                self.ready_packets += 1;
                self.ready_bytes += payload.len();
                budget.packets += 1;
                budget.bytes += payload.len();
                let from = self.connection;
                events.push_back(PeerEvent::Packet(Packet { from, mode, channel, payload }));
            }
        }
        let more = theirs.has_deliverable();
        let ended = theirs.closed.filter(|_| theirs.queue.is_empty());
        drop(pipes);
        if more {
            self.wire.wake_host(side);
        }
        ended.map(Some)
    }

    pub(super) fn set_paused(&mut self, side: Side, paused: bool) {
        let mut pipes = self.wire.lock();
        let (_, theirs) = split(&mut pipes, side);
        if theirs.paused {
            self.receive_drops += theirs.queue.discard_unreliable_before(theirs.published);
        }
        theirs.paused = paused;
        let ready = theirs.has_deliverable();
        drop(pipes);
        if ready {
            self.wire.wake_host(side);
        }
    }

    /// Returns the bytes of the send queue that the limit of all connections includes.
    pub(super) const fn recorded_bytes(&self) -> usize {
        self.recorded_bytes
    }

    pub(super) fn stats(&self, side: Side) -> ConnectionStats {
        let mut pipes = self.wire.lock();
        let (mine, theirs) = split(&mut pipes, side);
        ConnectionStats {
            packets_sent: mine.received_packets,
            bytes_sent: mine.received_bytes,
            packets_received: theirs.received_packets,
            bytes_received: theirs.received_bytes,
            send_drops: self.send_drops + mine.queue.drops(),
            receive_drops: self.receive_drops,
            queued_bytes: mine.queue.bytes() as u64,
            ..ConnectionStats::default()
        }
    }
}
