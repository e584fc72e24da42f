//! Classification of failed system calls on UDP sockets: what an error affects, and how to
//! continue.
//!
//! | error | affects | datagram to send | receiving |
//! |---|---|---|---|
//! | `EAGAIN`, `EINTR` | nothing | keep it | drained |
//! | `ENOBUFS`, `ENOMEM` | this host's memory | drop it, send others later | poll again later |
//! | `ECONNREFUSED`, `ECONNRESET`, `EHOSTUNREACH` | one destination | drop it | continue |
//! | `ENETUNREACH`, `EMSGSIZE`, `EACCES`, `EPERM`, `EINVAL` | one destination | drop it | continue |
//! | `ENETDOWN`, `EADDRNOTAVAIL` | one interface | drop it | poll again later |
//! | any other | the socket | drop it | poll again later |
//!
//! Dropping is safe: ENet and SCTP retransmit reliable data, and time out an unreachable peer.

use std::io::{Error, ErrorKind};

/// The reaction to an error while sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle all of them")]
pub enum SendFailure {
    /// The send buffer of the socket is full: keep all datagrams and try again later.
    Blocked,
    /// The host is out of memory: drop the oldest datagram, so that it cannot block the others
    /// forever, and send the others later.
    NoMemory,
    /// The oldest datagram cannot be sent: drop it and send the next one.
    Undeliverable,
}

/// The reaction to an error while receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle all of them")]
pub enum ReceiveFailure {
    /// Nothing to receive.
    Drained,
    /// A datagram that was sent earlier was not delivered. There may be more to receive.
    Undelivered,
    /// The next call would fail as well: poll the socket again later.
    Broken,
}

impl From<&Error> for SendFailure {
    fn from(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Self::Blocked,
            ErrorKind::OutOfMemory => Self::NoMemory,
            _ if error.raw_os_error() == Some(ENOBUFS) => Self::NoMemory,
            _ => Self::Undeliverable,
        }
    }
}

impl From<&Error> for ReceiveFailure {
    fn from(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock => Self::Drained,
            ErrorKind::Interrupted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::PermissionDenied
            | ErrorKind::InvalidInput => Self::Undelivered,
            _ if error.raw_os_error() == Some(EMSGSIZE) => Self::Undelivered,
            _ => Self::Broken,
        }
    }
}

/// Returns whether a send may have failed because the interface or the route lacks segmentation
/// offload.
#[cfg(target_os = "linux")]
pub(crate) const fn may_be_segmentation(errno: nix::errno::Errno) -> bool {
    use nix::errno::Errno;
    matches!(
        errno,
        Errno::EIO | Errno::EINVAL | Errno::EMSGSIZE | Errno::ENOPROTOOPT | Errno::EOPNOTSUPP
    )
}

#[cfg(target_os = "linux")]
const ENOBUFS: i32 = nix::errno::Errno::ENOBUFS as i32;
#[cfg(target_os = "linux")]
const EMSGSIZE: i32 = nix::errno::Errno::EMSGSIZE as i32;
#[cfg(all(unix, not(target_os = "linux")))]
const ENOBUFS: i32 = 55;
#[cfg(all(unix, not(target_os = "linux")))]
const EMSGSIZE: i32 = 40;
#[cfg(not(unix))]
const ENOBUFS: i32 = 10_055;
#[cfg(not(unix))]
const EMSGSIZE: i32 = 10_040;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn each_errno_of_a_socket_is_classified_by_what_it_affects() {
        use {ReceiveFailure as Receive, SendFailure as Send};
        for (errno, send, receive) in [
            (Errno::EAGAIN, Send::Blocked, Receive::Drained),
            (Errno::EINTR, Send::Blocked, Receive::Undelivered),
            (Errno::ENOBUFS, Send::NoMemory, Receive::Broken),
            (Errno::ENOMEM, Send::NoMemory, Receive::Broken),
            (Errno::ECONNREFUSED, Send::Undeliverable, Receive::Undelivered),
            (Errno::ECONNRESET, Send::Undeliverable, Receive::Undelivered),
            (Errno::EHOSTUNREACH, Send::Undeliverable, Receive::Undelivered),
            (Errno::ENETUNREACH, Send::Undeliverable, Receive::Undelivered),
            (Errno::EMSGSIZE, Send::Undeliverable, Receive::Undelivered),
            (Errno::EACCES, Send::Undeliverable, Receive::Undelivered),
            (Errno::EPERM, Send::Undeliverable, Receive::Undelivered),
            (Errno::EINVAL, Send::Undeliverable, Receive::Undelivered),
            (Errno::ENETDOWN, Send::Undeliverable, Receive::Broken),
            (Errno::EADDRNOTAVAIL, Send::Undeliverable, Receive::Broken),
            (Errno::EBADF, Send::Undeliverable, Receive::Broken),
            (Errno::EMFILE, Send::Undeliverable, Receive::Broken),
        ] {
            let error = Error::from(errno);
            assert_eq!(SendFailure::from(&error), send, "{errno}");
            assert_eq!(ReceiveFailure::from(&error), receive, "{errno}");
        }
    }

    #[test]
    fn only_errors_of_segmentation_offload_disable_it() {
        for errno in [Errno::EIO, Errno::EINVAL, Errno::ENOPROTOOPT, Errno::EOPNOTSUPP] {
            assert!(may_be_segmentation(errno), "{errno}");
        }
        for errno in [Errno::EAGAIN, Errno::ENOBUFS, Errno::EHOSTUNREACH, Errno::EPERM] {
            assert!(!may_be_segmentation(errno), "{errno}");
        }
    }
}
