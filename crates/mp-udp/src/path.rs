//! The pair of addresses of a datagram.
#![expect(clippy::exhaustive_structs, reason = "an address pair is its two addresses")]

use std::net::{IpAddr, SocketAddr};

/// The remote and the local address of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkPath {
    /// Address of the remote host.
    pub remote: SocketAddr,
    /// Local address that the remote host sends to. Replies must be sent from it: the remote host
    /// and firewalls may ignore others. `None` if unknown or if the socket is bound to one address;
    /// the operating system then chooses.
    pub local: Option<IpAddr>,
}

impl From<SocketAddr> for NetworkPath {
    fn from(remote: SocketAddr) -> Self {
        Self { remote, local: None }
    }
}
