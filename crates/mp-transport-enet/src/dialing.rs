//! How a client finds its server: the lookup of its name, then attempts to connect.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mp_core::{ConnectionId, Instant};

use crate::io::Lookup;
use crate::limits::LOOKUP_INTERVAL;
use crate::proto::{Attempts, Host};

/// A client's way to its server, until it is connected or has failed.
#[derive(Debug)]
pub(crate) struct Dialing {
    lookup: Option<Lookup>,
    attempts: Attempts,
}

/// Why a client could not try to connect, beside a server that refused it or did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name of the server could not be looked up.
    #[error("cannot resolve {host}: {source}")]
    Lookup {
        /// The name.
        host: String,
        /// The reason, as the operating system has it.
        #[source]
        source: io::Error,
    },
    /// The name has no address that the client's socket can send to.
    #[error("{host} has no address that can be reached from {from}")]
    NoAddress {
        /// The name.
        host: String,
        /// The address to send from.
        from: IpAddr,
    },
}

impl Dialing {
    /// Begins to connect to the first of `addresses`, which the socket of `host` must reach.
    pub(crate) fn addresses(
        mut attempts: Attempts,
        addresses: impl IntoIterator<Item = SocketAddr>,
        host: &mut Host,
    ) -> Self {
        attempts.begin(addresses, host);
        Self { lookup: None, attempts }
    }

    /// Connects once `lookup` is complete.
    pub(crate) const fn name(attempts: Attempts, lookup: Lookup) -> Self {
        Self { lookup: Some(lookup), attempts }
    }

    /// Begins to connect if the name of the server, of a client whose socket is bound to `from`,
    /// was looked up.
    ///
    /// # Errors
    ///
    /// When that failed, or found no address to connect to.
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

    /// Begins the next attempt if it is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, host: &mut Host) {
        self.attempts.handle_timeout(now, host);
    }

    /// Notes that an attempt has failed.
    pub(crate) fn failed(&mut self, connection: ConnectionId) {
        self.attempts.failed(connection);
    }

    /// Gives up all attempts but the one that was answered, if one was.
    pub(crate) fn finish(mut self, answered: Option<ConnectionId>, host: &mut Host) {
        self.attempts.finish(answered, host);
    }

    /// Returns whether nothing is left to try.
    pub(crate) fn is_over(&self) -> bool {
        self.lookup.is_none() && self.attempts.is_over()
    }

    /// Time of the next turn, after one at `now`; `None` when an answer or its timeout comes first.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match self.lookup {
            Some(_) => Some(now + LOOKUP_INTERVAL),
            None => self.attempts.poll_timeout(),
        }
    }
}

/// Returns `to` as a socket bound to `from` sends to it, if it can. A socket of IPv6 that is bound
/// to all addresses sends to IPv4, too, by mapped addresses.
pub(crate) fn reachable(from: IpAddr, to: SocketAddr) -> Option<SocketAddr> {
    match (from, to) {
        (IpAddr::V4(_), SocketAddr::V4(_)) | (IpAddr::V6(_), SocketAddr::V6(_)) => Some(to),
        (IpAddr::V6(from), SocketAddr::V4(to)) if from.is_unspecified() => {
            Some((to.ip().to_ipv6_mapped(), to.port()).into())
        }
        _ => None,
    }
}
