//! Connecting to a server with several addresses (RFC 8305, Happy Eyeballs). The next address is
//! tried when an attempt fails or has no reply for a while. The first connection that is
//! established is used.

use std::collections::VecDeque;
use std::net::SocketAddr;

use mp_core::{ConnectionId, Instant, interleave_families};

use crate::limits::CONNECT_ATTEMPT_DELAY;
use crate::proto::Host;

/// The connection attempts of a client.
#[derive(Debug)]
pub(crate) struct Attempts {
    channels: u8,
    /// `data` of each CONNECT.
    data: u32,
    /// Addresses that are left to try.
    untried: VecDeque<SocketAddr>,
    /// Attempts without a reply that have not failed.
    pending: Vec<ConnectionId>,
    /// Time of the next attempt. `None` before the first turn.
    next: Option<Instant>,
}

impl Attempts {
    /// Returns a list without attempts.
    pub(crate) const fn new(channels: u8, data: u32) -> Self {
        Self { channels, data, untried: VecDeque::new(), pending: Vec::new(), next: None }
    }

    /// Sets the addresses of the server and starts the first attempt.
    pub(crate) fn begin(
        &mut self,
        addresses: impl IntoIterator<Item = SocketAddr>,
        host: &mut Host,
    ) {
        self.untried = interleave_families(addresses).into();
        self.next = None;
        self.try_next(host);
    }

    /// Starts the next attempt if it is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, host: &mut Host) {
        let next = *self.next.get_or_insert(now + CONNECT_ATTEMPT_DELAY);
        if now >= next || self.pending.is_empty() {
            self.try_next(host);
            self.next = Some(now + CONNECT_ATTEMPT_DELAY);
        }
    }

    /// Removes a failed attempt.
    pub(crate) fn failed(&mut self, connection: ConnectionId) {
        self.pending.retain(|&pending| pending != connection);
    }

    /// Abandons all attempts except `answered`.
    pub(crate) fn finish(&mut self, answered: Option<ConnectionId>, host: &mut Host) {
        self.untried.clear();
        for connection in self.pending.drain(..) {
            if Some(connection) != answered {
                host.abandon(connection);
            }
        }
    }

    /// Returns whether no attempt is pending and no address is left.
    pub(crate) fn is_over(&self) -> bool {
        self.pending.is_empty() && self.untried.is_empty()
    }

    /// Returns the time of the next attempt. `None` if no address is left.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next.filter(|_| !self.untried.is_empty())
    }

    fn try_next(&mut self, host: &mut Host) {
        if let Some(address) = self.untried.pop_front() {
            self.pending.extend(host.connect(address, self.channels, self.data));
        }
    }
}
