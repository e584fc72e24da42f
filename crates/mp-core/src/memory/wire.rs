//! The shared state of a connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;

use crate::{Channel, DisconnectReason, PeerId, SendQueue, TransferMode};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Client,
}

impl Side {
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

/// The state that both peers of a connection share. No listener is locked while it is locked.
#[derive(Debug)]
pub(super) struct Wire {
    /// Packets sent by the server and by the client.
    pub(super) pipes: Mutex<[Pipe; 2]>,
    /// Listeners of the server and of the client.
    pub(super) listeners: [Arc<Listener>; 2],
}

impl Wire {
    pub(super) fn lock(&self) -> MutexGuard<'_, [Pipe; 2]> {
        self.pipes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake_host(&self, side: Side) {
        self.listeners[side.index()].wake_host();
    }

    /// Closes the connection for `side`, which has already removed it. Keeps the reason of an
    /// earlier close.
    pub(super) fn close(&self, side: Side, reason: DisconnectReason) {
        let mut pipes = self.lock();
        for pipe in pipes.iter_mut() {
            pipe.queue.clear();
        }
        pipes[side.index()].closed.get_or_insert(reason);
        drop(pipes);
        self.wake_host(side.other());
    }
}

pub(super) fn split(pipes: &mut [Pipe; 2], side: Side) -> (&mut Pipe, &mut Pipe) {
    let [server, client] = pipes;
    match side {
        Side::Server => (server, client),
        Side::Client => (client, server),
    }
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) queue: SendQueue<Message>,
    /// End of the queue at the sender's last flush. The receiver may not read beyond.
    pub(super) published: u64,
    /// True if the sender has reported the connection.
    pub(super) open: bool,
    /// True if the receiver is paused.
    pub(super) paused: bool,
    /// Reason of the receiver's `Disconnected`, once it has received the queue.
    pub(super) closed: Option<DisconnectReason>,
    pub(super) received_packets: u64,
    pub(super) received_bytes: u64,
}

impl Pipe {
    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.queue.pop_before(self.published)?;
        self.received_packets += 1;
        self.received_bytes += message.payload.len() as u64;
        Some(message)
    }

    pub(super) fn has_deliverable(&self) -> bool {
        !self.paused && self.queue.has_before(self.published)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) mode: TransferMode,
    pub(super) channel: Channel,
    pub(super) payload: Bytes,
}

/// The part of a peer that other threads use, to notify it of packets and to join it.
#[derive(Debug)]
pub(super) struct Listener(Mutex<ListenerState>);

#[derive(Debug, Default)]
pub(super) struct ListenerState {
    /// True if clients may join.
    pub(super) open: bool,
    /// Clients that joined since the last poll.
    pub(super) pending: VecDeque<(PeerId, Arc<Wire>)>,
    /// True if there is something to receive.
    pub(super) is_ready: bool,
    pub(super) waker: Option<Waker>,
}

impl Listener {
    pub(super) fn new(open: bool) -> Self {
        Self(Mutex::new(ListenerState { open, ..ListenerState::default() }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ListenerState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the peer's host. The lock is released before, since a waker may run any code.
    pub(super) fn wake_host(&self) {
        let waker = {
            let mut listener = self.lock();
            listener.is_ready = true;
            listener.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn take_pending(&self) -> VecDeque<(PeerId, Arc<Wire>)> {
        let mut listener = self.lock();
        listener.is_ready = false;
        std::mem::take(&mut listener.pending)
    }
}
