//! Sockets as both kinds of sources need them.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::limits::{HANDSHAKES_MAX, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES, KEEPALIVE_TIME};

/// A server's address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("TCP address {address} cannot be bound: {}", explain(source))]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// Why not.
    pub source: io::Error,
}

/// A listener that does not wait. `[::]` listens for both families.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    let listen = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // Connections that are still dying do not keep a server from starting again. (On Windows it would share the port.)
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(HANDSHAKES_MAX as i32)?;
        Ok(socket.into())
    };
    listen().map_err(|source| BindError { address, source })
}

/// What every connection gets: small writes leave at once, and a silent other side is probed. Where a system has one of them not,
/// the connection does without.
pub(super) fn tune<'s>(stream: impl Into<SockRef<'s>>) {
    let stream = stream.into();
    let _ = stream.set_tcp_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_TIME).with_interval(KEEPALIVE_INTERVAL);
    #[cfg(not(windows))]
    let keepalive = keepalive.with_retries(KEEPALIVE_PROBES);
    #[cfg(windows)]
    let _ = KEEPALIVE_PROBES;
    let _ = stream.set_tcp_keepalive(&keepalive);
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "it is in use; end the other program or choose another port".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "it is not an address of this machine; use 0.0.0.0 or [::] for all".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "the process may not; ports below 1024 need rights".to_owned()
        }
        _ => error.to_string(),
    }
}
