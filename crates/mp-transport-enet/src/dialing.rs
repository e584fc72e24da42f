//! Connecting a client to its server: the lookup of its name, then attempts to connect.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mp_core::{ConnectionId, Instant};

use crate::io::Lookup;
use crate::limits::LOOKUP_INTERVAL;
use crate::proto::{Attempts, Host};

/// A client's search for its server, until it is connected or has failed.
#[derive(Debug)]
pub(crate) struct Dialing {
    lookup: Option<Lookup>,
    attempts: Attempts,
}

/// The reason why a client could not try to connect, other than a rejection or a timeout.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name of the server could not be resolved.
    #[error("cannot resolve {host}")]
    Lookup {
        /// Name of the server.
        host: String,
        /// Error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The name has no address that the client's socket can send to.
    #[error("{host} has no address that can be reached from {from}; bind the client to [::]")]
    NoAddress {
        /// Name of the server.
        host: String,
        /// Local address of the socket.
        from: IpAddr,
    },
}

impl Dialing {
    /// Starts to connect to the first of `addresses`. The socket of `host` must be able to send to
    /// them.
    pub(crate) fn addresses(
        mut attempts: Attempts,
        addresses: impl IntoIterator<Item = SocketAddr>,
        host: &mut Host,
    ) -> Self {
        attempts.begin(addresses, host);
        Self { lookup: None, attempts }
    }

    /// Returns a search that connects when `lookup` is complete.
    pub(crate) const fn name(attempts: Attempts, lookup: Lookup) -> Self {
        Self { lookup: Some(lookup), attempts }
    }

    /// Starts to connect if the lookup is complete. `from`: local address of the client's socket.
    ///
    /// # Errors
    ///
    /// The lookup failed or returned no address that the socket can send to.
    pub(crate) fn poll_lookup(
        &mut self,
        from: impl FnOnce() -> io::Result<IpAddr>,
        host: &mut Host,
    ) -> Result<(), ConnectError> {
        let Some(lookup) = &mut self.lookup else { return Ok(()) };
        let Some(found) = lookup.poll() else { return Ok(()) };
        let name = lookup.host().to_owned();
        self.lookup = None;
        let (found, from) = match found.and_then(|found| Ok((found, from()?))) {
            Ok(found) => found,
            Err(source) => return Err(ConnectError::Lookup { host: name, source }),
        };
        self.attempts.begin(found.into_iter().filter_map(|to| reachable(from, to)), host);
        match self.attempts.is_over() {
            true => Err(ConnectError::NoAddress { host: name, from }),
            false => Ok(()),
        }
    }

    /// Starts the next attempt if it is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, host: &mut Host) {
        self.attempts.handle_timeout(now, host);
    }

    /// Removes a failed attempt.
    pub(crate) fn failed(&mut self, connection: ConnectionId) {
        self.attempts.failed(connection);
    }

    /// Abandons all attempts except `answered`.
    pub(crate) fn finish(mut self, answered: Option<ConnectionId>, host: &mut Host) {
        self.attempts.finish(answered, host);
    }

    /// Returns whether nothing is left to try.
    pub(crate) fn is_over(&self) -> bool {
        self.lookup.is_none() && self.attempts.is_over()
    }

    /// Returns the time of the next turn after one at `now`. `None` if a reply or a timeout is
    /// next.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match self.lookup {
            Some(_) => Some(now + LOOKUP_INTERVAL),
            None => self.attempts.poll_timeout(),
        }
    }
}

/// Returns `to` in the form in which a socket bound to `from` sends to it; `None` if it cannot. An
/// IPv6 socket that is bound to all addresses sends to mapped IPv4 addresses.
pub(crate) fn reachable(from: IpAddr, to: SocketAddr) -> Option<SocketAddr> {
    match (from, to) {
        (IpAddr::V4(_), SocketAddr::V4(_)) | (IpAddr::V6(_), SocketAddr::V6(_)) => Some(to),
        (IpAddr::V6(from), SocketAddr::V4(to)) if from.is_unspecified() => {
            Some((to.ip().to_ipv6_mapped(), to.port()).into())
        }
        _ => None,
    }
}
