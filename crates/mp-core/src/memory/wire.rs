//! What the two sides of a link share.

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

/// What both sides of a link share. Its lock is never held while a desk's is taken.
#[derive(Debug)]
pub(super) struct Wire {
    /// What the server and the client sent.
    pub(super) pipes: Mutex<[Pipe; 2]>,
    /// Where the server and the client are called.
    pub(super) desks: [Arc<Desk>; 2],
}

impl Wire {
    pub(super) fn lock(&self) -> MutexGuard<'_, [Pipe; 2]> {
        self.pipes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ring(&self, side: Side) {
        self.desks[side.index()].ring();
    }

    /// Says goodbye for `side`, which has forgotten the link, unless it already has.
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

/// What one side sent.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) queue: SendQueue<Message>,
    /// Where the last flush stood in the queue: the receiver sees nothing beyond.
    pub(super) published: u64,
    /// Whether this side said that the link stands.
    pub(super) open: bool,
    /// Whether the receiver takes nothing for now.
    pub(super) held: bool,
    /// What the receiver's `Disconnected` says when it has taken in the queue.
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

/// Where a peer is called from other threads.
#[derive(Debug)]
pub(super) struct Desk(Mutex<DeskState>);

#[derive(Debug, Default)]
pub(super) struct DeskState {
    /// Whether clients may knock.
    pub(super) open: bool,
    /// Those that did since the last poll.
    pub(super) knocks: VecDeque<(PeerId, Arc<Wire>)>,
    /// Whether there is something to take in.
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

    /// Wakes the peer's host, after the lock is released: a waker may do anything.
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
