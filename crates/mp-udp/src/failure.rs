//! The meaning of a failed system call on a UDP socket: what it concerns, and so what goes on.
//!
//! | error | concerns | sending | receiving |
//! |---|---|---|---|
//! | `EAGAIN`, `EINTR` | nothing | try again later | drained |
//! | `ENOBUFS`, `ENOMEM` | this machine's memory | drop the datagram, the others later | poll again later |
//! | `ECONNREFUSED`, `ECONNRESET`, `EHOSTUNREACH`, `ENETUNREACH`, `EMSGSIZE`, `EACCES`, `EPERM`, `EINVAL` | one destination | drop the datagram | go on |
//! | `ENETDOWN`, `EADDRNOTAVAIL` | one interface | drop the datagram | poll again later |
//! | any other | the socket | drop the datagram | poll again later |
//!
//! Dropping is safe: ENet and SCTP send what is reliable again, and time out a peer that nothing
//! reaches.

use std::io::{Error, ErrorKind};

/// The reaction of a sender to an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle all of them")]
pub enum SendFailure {
    /// The socket has no room: all datagrams wait.
    Blocked,
    /// The machine has no memory: the oldest datagram is dropped, so that none blocks the others for ever, and the rest waits.
    NoMemory,
    /// The oldest datagram cannot be sent; the next one may go elsewhere.
    Undeliverable,
}

/// The reaction of a receiver to an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle all of them")]
pub enum ReceiveFailure {
    /// There is nothing to receive.
    Drained,
    /// An earlier datagram of ours was not delivered. There may be more to receive.
    Undelivered,
    /// Receiving again at once would fail again.
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

/// Returns whether segmentation offload may be the fault of a failed send: the interface or the
/// route lacks it.
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
    fn each_errno_of_a_socket_is_handled_by_what_it_concerns() {
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
    fn only_errors_of_the_offload_may_be_its_fault() {
        for errno in [Errno::EIO, Errno::EINVAL, Errno::ENOPROTOOPT, Errno::EOPNOTSUPP] {
            assert!(may_be_segmentation(errno), "{errno}");
        }
        for errno in [Errno::EAGAIN, Errno::ENOBUFS, Errno::EHOSTUNREACH, Errno::EPERM] {
            assert!(!may_be_segmentation(errno), "{errno}");
        }
    }
}
