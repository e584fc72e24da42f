//! Socket options that both sources share.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::limits::{HALF_OPEN_MAX, KEEPALIVE_PROBES};

/// A server's address cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot bind TCP {address}{}", hint(source))]
#[non_exhaustive]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// The error of the operating system.
    pub source: io::Error,
}

/// Returns a non-blocking listener. `[::]` listens on IPv4 and IPv6.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    let listen = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // Connections in TIME_WAIT must not prevent a restart. (On Windows, the option would share
        // the port.)
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(HALF_OPEN_MAX as i32)?;
        Ok(socket.into())
    };
    listen().map_err(|source| BindError { address, source })
}

/// Sends small writes immediately, where the system supports it.
pub(super) fn tune<'s>(stream: impl Into<SockRef<'s>>) {
    let _ = stream.into().set_tcp_nodelay(true);
}

/// Limits the time for which a remote host may acknowledge nothing to `timeout`; see
/// [`TCP_TIMEOUT`](crate::limits::TCP_TIMEOUT). Zero leaves the system's defaults. Options that the
/// system lacks are skipped. Returns whether the time of unacknowledged bytes is limited.
pub(super) fn set_timeout<'s>(stream: impl Into<SockRef<'s>>, timeout: Duration) -> bool {
    if timeout.is_zero() {
        return false;
    }
    let stream = stream.into();
    let second = Duration::from_secs(1);
    let keepalive = TcpKeepalive::new()
        .with_time((timeout / 2).max(second))
        .with_interval((timeout / 6).max(second));
    #[cfg(not(windows))]
    let keepalive = keepalive.with_retries(KEEPALIVE_PROBES);
    #[cfg(windows)]
    let _ = KEEPALIVE_PROBES;
    let _ = stream.set_tcp_keepalive(&keepalive);
    // Keepalive probes are not sent while bytes are unacknowledged.
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    return stream.set_tcp_user_timeout(Some(timeout)).is_ok();
    #[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
    false
}

/// Returns what to do about `error`, after a semicolon.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; stop the other program or choose another port",
        io::ErrorKind::AddrNotAvailable => {
            "; use an address of this host, or 0.0.0.0 or [::] for all"
        }
        io::ErrorKind::PermissionDenied => "; ports below 1024 require privileges",
        _ => "",
    }
}
