//! The messages that an endpoint queues for one branch.

use std::collections::VecDeque;

use indexmap::IndexSet;

use super::{BranchRate, EndpointInfo, ToBranch};
use crate::limits::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, PENDING_BATCHES_MAX};
use crate::{ConnectionId, DisconnectReason, EndpointId, Instant, PeerEvent};

/// Events for one branch in batches, oldest first.
///
/// The queue is full from [`PENDING_BATCHES_MAX`] batches until it has drained to half of them.
/// While it is full the endpoint pauses the branch's connections, so that only events which the
/// transport had already received are added.
#[derive(Debug)]
pub(super) struct BranchQueue {
    endpoint: EndpointId,
    messages: VecDeque<ToBranch>,
    /// Payload bytes of the newest batch.
    open_bytes: usize,
    /// Number of events of the last delivered batch: the capacity of the next one.
    usual_len: usize,
    is_full: bool,
    /// Connections that are assigned to the branch.
    pub(super) connections: IndexSet<ConnectionId>,
    /// True if the branch refuses new connections.
    pub(super) is_refusing: bool,
    /// Total of the branch's connections; `None` if it is not limited.
    pub(super) rate: Option<BranchRate>,
    leaving: Option<LeaveRequest>,
    is_closed: bool,
}

/// A branch that leaves the endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeaveRequest {
    /// Time at which connections that have not drained yet are closed, by the endpoint's clock.
    pub(super) deadline: Instant,
    pub(super) reason: DisconnectReason,
}

impl BranchQueue {
    /// Returns the queue of a branch that is served from now on.
    pub(super) fn new(endpoint: EndpointId, info: EndpointInfo) -> Self {
        Self {
            endpoint,
            messages: VecDeque::from([ToBranch::Opened(endpoint, info)]),
            open_bytes: 0,
            usual_len: 1,
            is_full: false,
            connections: IndexSet::new(),
            is_refusing: false,
            rate: None,
            leaving: None,
            is_closed: false,
        }
    }

    /// Appends to the newest batch, or starts a new one. Returns whether the queue became full.
    pub(super) fn push(&mut self, event: PeerEvent) -> bool {
        let bytes = match &event {
            PeerEvent::Packet(packet) => packet.payload.len(),
            _ => 0,
        };
        match self.messages.back_mut() {
            Some(ToBranch::Events(_, events))
                if events.len() < BATCH_EVENTS_MAX && self.open_bytes < BATCH_BYTES_MAX =>
            {
                self.open_bytes += bytes;
                events.push(event);
            }
            _ => {
                self.open_bytes = bytes;
                let mut events = Vec::with_capacity(self.usual_len);
                events.push(event);
                self.messages.push_back(ToBranch::Events(self.endpoint, events));
            }
        }
        let becomes_full = !self.is_full && self.messages.len() >= PENDING_BATCHES_MAX;
        self.is_full |= becomes_full;
        becomes_full
    }

    /// Removes and returns the events of a connection, in order.
    pub(super) fn extract(&mut self, connection: ConnectionId) -> Vec<PeerEvent> {
        let mut extracted = Vec::new();
        for message in &mut self.messages {
            if let ToBranch::Events(_, events) = message {
                extracted.extend(events.extract_if(.., |event| is_of(event, connection)));
            }
        }
        self.messages
            .retain(|message| !matches!(message, ToBranch::Events(_, it) if it.is_empty()));
        self.open_bytes = BATCH_BYTES_MAX; // the newest batch may be a different one now
        extracted
    }

    /// Records that the branch leaves. Further calls have no effect.
    pub(super) fn leave(&mut self, leaving: LeaveRequest) {
        self.leaving.get_or_insert(leaving);
    }

    /// Appends the last message.
    pub(super) fn close(&mut self, reason: DisconnectReason) {
        self.messages.push_back(ToBranch::Closed(self.endpoint, reason));
        self.is_closed = true;
    }

    /// Offers the messages in order until one is not accepted. Returns the number of accepted
    /// batches, and whether the queue ceased to be full.
    pub(super) fn deliver(
        &mut self,
        mut accept: impl FnMut(ToBranch) -> Result<(), ToBranch>,
    ) -> (u64, bool) {
        let mut batches = 0;
        while let Some(message) = self.messages.pop_front() {
            let batch_len = match &message {
                ToBranch::Events(_, events) => Some(events.len()),
                _ => None,
            };
            if let Err(message) = accept(message) {
                self.messages.push_front(message);
                break;
            }
            if let Some(len) = batch_len {
                self.usual_len = len;
                batches += 1;
            }
        }
        let is_released = self.is_full && self.messages.len() <= PENDING_BATCHES_MAX / 2;
        self.is_full &= !is_released;
        (batches, is_released)
    }

    /// Returns whether the queue is full and the branch's connections are paused.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns whether twice the limit is queued, because the transport does not pause connections.
    pub(super) fn is_overflowing(&self) -> bool {
        self.messages.len() >= 2 * PENDING_BATCHES_MAX
    }

    /// Returns whether no message is queued.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Returns whether the last message was appended.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Returns the reason and the deadline with which the branch leaves; `None` if it stays.
    pub(super) fn leaving(&self) -> Option<LeaveRequest> {
        self.leaving
    }
}

fn is_of(event: &PeerEvent, of: ConnectionId) -> bool {
    match event {
        PeerEvent::UniqueId(_) => false,
        PeerEvent::Packet(packet) => packet.from == of,
        PeerEvent::Connected { connection, .. }
        | PeerEvent::Held { connection }
        | PeerEvent::Moved { connection, .. }
        | PeerEvent::Resumed { connection, .. }
        | PeerEvent::Disconnected { connection, .. } => *connection == of,
    }
}
