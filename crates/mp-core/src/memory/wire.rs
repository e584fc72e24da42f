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
    pub(super) desks: [Arc<Desk>; 2],
}

impl Wire {
    pub(super) fn lock(&self) -> MutexGuard<'_, [Pipe; 2]> {
        self.pipes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ring(&self, side: Side) {
        self.desks[side.index()].ring();
    }

    /// Closes the connection for `side`, which has already removed it. Keeps the reason of an
    /// earlier close.
    pub(super) fn hang_up(&self, side: Side, told: DisconnectReason) {
        let mut pipes = self.lock();
        for pipe in pipes.iter_mut() {
            pipe.queue.clear();
        }
        pipes[side.index()].goodbye.get_or_insert(told);
        drop(pipes);
        self.ring(side.other());
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
    pub(super) held: bool,
    /// Reason of the receiver's `Disconnected`, once it has received the queue.
    pub(super) goodbye: Option<DisconnectReason>,
    pub(super) taken_packets: u64,
    pub(super) taken_bytes: u64,
}

impl Pipe {
    pub(super) fn take(&mut self) -> Option<Message> {
        let message = self.queue.pop_before(self.published)?;
        self.taken_packets += 1;
        self.taken_bytes += message.payload.len() as u64;
        Some(message)
    }

    pub(super) fn can_be_taken(&self) -> bool {
        !self.held && self.queue.has_before(self.published)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) mode: TransferMode,
    pub(super) channel: Channel,
    pub(super) payload: Bytes,
}

/// Notifies a peer from other threads: of packets, and of clients that join.
#[derive(Debug)]
pub(super) struct Desk(Mutex<DeskState>);

#[derive(Debug, Default)]
pub(super) struct DeskState {
    /// True if clients may join.
    pub(super) open: bool,
    /// Clients that joined since the last poll.
    pub(super) knocks: VecDeque<(PeerId, Arc<Wire>)>,
    /// True if there is something to receive.
    pub(super) rung: bool,
    pub(super) waker: Option<Waker>,
}

impl Desk {
    pub(super) fn new(open: bool) -> Self {
        Self(Mutex::new(DeskState { open, ..DeskState::default() }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, DeskState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the peer's host. The lock is released before, since a waker may run any code.
    pub(super) fn ring(&self) {
        let waker = {
            let mut desk = self.lock();
            desk.rung = true;
            desk.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn answer(&self) -> VecDeque<(PeerId, Arc<Wire>)> {
        let mut desk = self.lock();
        desk.rung = false;
        std::mem::take(&mut desk.knocks)
    }
}
