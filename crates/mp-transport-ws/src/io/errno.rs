//! Meanings of I/O errors: whom an error is about.

use std::io::{self, ErrorKind};

/// Returns true for an error of accepting that is about one connection, which has gone: accept(2)
/// reports network errors of connections that nobody has accepted yet, and refusals of a firewall.
pub(crate) fn is_of_one_connection(error: &io::Error) -> bool {
    use ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted,
        NetworkDown, NetworkUnreachable, PermissionDenied, TimedOut,
    };
    let known = matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | PermissionDenied
            | TimedOut
    );
    #[cfg(unix)]
    let known = known || {
        use nix::errno::Errno::{self, EHOSTDOWN, ENOPROTOOPT, EOPNOTSUPP, EPROTO};
        let errno = error.raw_os_error().map(Errno::from_raw);
        matches!(errno, Some(EPROTO | ENOPROTOOPT | EHOSTDOWN | EOPNOTSUPP))
    };
    known
}

/// Returns true for an error by which this process or host is short of descriptors or memory. It says
/// nothing about a connection.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    #[cfg(unix)]
    let is_known = {
        use nix::errno::Errno::{self, EMFILE, ENFILE, ENOBUFS, ENOMEM};
        let errno = error.raw_os_error().map(Errno::from_raw);
        matches!(errno, Some(EMFILE | ENFILE | ENOBUFS | ENOMEM))
    };
    // WSAEMFILE and WSAENOBUFS.
    #[cfg(windows)]
    let is_known = matches!(error.raw_os_error(), Some(10_024 | 10_055));
    #[cfg(not(any(unix, windows)))]
    let is_known = false;
    is_known || error.kind() == ErrorKind::OutOfMemory
}
