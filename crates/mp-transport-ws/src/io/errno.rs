//! Classification of I/O errors.

use std::io::{self, ErrorKind};

/// Returns whether an error of accepting concerns a single connection, which is gone: accept(2)
/// reports network errors of connections in the backlog, and rejections by a firewall.
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

/// Returns whether an error means that this process or host lacks descriptors or memory,
/// independent of the connection.
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
