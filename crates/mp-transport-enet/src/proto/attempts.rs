//! Connecting to a server with several addresses (RFC 8305, Happy Eyeballs): the next address is
//! tried when one has failed or has not answered for a while, and the first that answers is used.

use std::collections::VecDeque;
use std::net::SocketAddr;

use mp_core::{ConnectionId, Instant, interleave_families};

use crate::limits::CONNECT_ATTEMPT_DELAY;
use crate::proto::Host;

/// The attempts of a client to connect to its server.
#[derive(Debug)]
pub(crate) struct Attempts {
    channels: u8,
    /// The `data` of every CONNECT.
    data: u32,
    /// Addresses that were not tried yet.
    untried: VecDeque<SocketAddr>,
    /// Attempts that were neither answered nor have failed.
    pending: Vec<ConnectionId>,
    /// Time of the next attempt unless one is answered before; `None` before the first turn.
    next: Option<Instant>,
}

impl Attempts {
    /// No attempts yet.
    pub(crate) const fn new(channels: u8, data: u32) -> Self {
        Self { channels, data, untried: VecDeque::new(), pending: Vec::new(), next: None }
    }

    /// Sets the addresses of the server, and begins to connect to the first.
    pub(crate) fn begin(
        &mut self,
        addresses: impl IntoIterator<Item = SocketAddr>,
        host: &mut Host,
    ) {
        self.untried = interleave_families(addresses).into();
        self.next = None;
        self.try_next(host);
    }

    /// Begins the next attempt if it is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, host: &mut Host) {
        let next = *self.next.get_or_insert(now + CONNECT_ATTEMPT_DELAY);
        if now >= next || self.pending.is_empty() {
            self.try_next(host);
            self.next = Some(now + CONNECT_ATTEMPT_DELAY);
        }
    }

    /// Notes that an attempt has failed.
    pub(crate) fn failed(&mut self, connection: ConnectionId) {
        self.pending.retain(|&pending| pending != connection);
    }

    /// Gives up all attempts but the one that was answered, if one was.
    pub(crate) fn finish(&mut self, answered: Option<ConnectionId>, host: &mut Host) {
        self.untried.clear();
        for connection in self.pending.drain(..) {
            if Some(connection) != answered {
                host.abandon(connection);
            }
        }
    }

    /// Returns whether no attempt is left.
    pub(crate) fn is_over(&self) -> bool {
        self.pending.is_empty() && self.untried.is_empty()
    }

    /// Time of the next attempt; `None` when every address was tried.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next.filter(|_| !self.untried.is_empty())
    }

    fn try_next(&mut self, host: &mut Host) {
        if let Some(address) = self.untried.pop_front() {
            self.pending.extend(host.connect(address, self.channels, self.data));
        }
    }
}
