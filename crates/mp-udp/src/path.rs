//! The two ends of the way that a datagram takes.
#![expect(clippy::exhaustive_structs, reason = "an address pair is its two addresses")]

use std::net::{IpAddr, SocketAddr};

/// The two ends of the way that a datagram takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkPath {
    /// The address of the remote host.
    pub remote: SocketAddr,
    /// The local address that the remote host sends to, from which answers must leave: it ignores
    /// those from another one, as a firewall on the way may. `None` when it is not known, or when
    /// the socket is bound to one address: the system chooses.
    pub local: Option<IpAddr>,
}

impl From<SocketAddr> for NetworkPath {
    fn from(remote: SocketAddr) -> Self {
        Self { remote, local: None }
    }
}
