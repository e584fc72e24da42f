//! Keys with which a program hosts a room.

use std::time::Duration;

use mp_core::Instant;
use mp_identity::Token;

/// The key of a room.
#[derive(Debug)]
pub(super) struct HostKey {
    token: Token,
    /// `None`: the key is valid as long as the room.
    single_use: Option<SingleUse>,
}

/// The state of a key for one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SingleUse {
    Unused,
    /// Number of connections of the host: the former one may still be open when it returns.
    Hosting(usize),
    /// The host has left, and can return before this time.
    Left(Instant),
}

impl HostKey {
    /// Returns a key for any number of hosts, or for one.
    pub(super) fn new(token: Token, is_for_one_host: bool) -> Self {
        Self { token, single_use: is_for_one_host.then_some(SingleUse::Unused) }
    }

    /// Returns whether `is_key` recognizes the key, and it is valid.
    pub(super) fn accepts(&self, now: Instant, is_key: impl Fn(&Token) -> bool) -> bool {
        let is_valid = match self.single_use {
            Some(SingleUse::Left(until)) => now < until,
            _ => true,
        };
        is_key(&self.token) && is_valid
    }

    /// Handles a host that has joined.
    pub(super) fn host_joined(&mut self) {
        match &mut self.single_use {
            Some(SingleUse::Hosting(connections)) => *connections += 1,
            Some(state) => *state = SingleUse::Hosting(1),
            None => {}
        }
    }

    /// Handles a host that has left, and can return within `grace`.
    pub(super) fn host_left(&mut self, now: Instant, grace: Duration) {
        match &mut self.single_use {
            Some(SingleUse::Hosting(connections)) if *connections > 1 => *connections -= 1,
            Some(state @ SingleUse::Hosting(_)) => *state = SingleUse::Left(now + grace),
            _ => {}
        }
    }
}
