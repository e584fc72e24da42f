//! A non-blocking UDP socket of the standard library.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

#[cfg(target_os = "linux")]
use mp_core::Instant;
use socket2::{Domain, Protocol, Socket, Type};

#[cfg(target_os = "linux")]
use crate::linux::{self, SocketState};
use crate::{DatagramSocket, SOCKET_BUFFER_BYTES};
#[cfg(target_os = "linux")]
use crate::{NetworkPath, SendBatch};

/// A non-blocking UDP socket for game loops and threads.
#[derive(Debug)]
pub struct UdpSocket {
    socket: std::net::UdpSocket,
    #[cfg(target_os = "linux")]
    state: SocketState,
}

/// Error of binding a socket.
#[derive(Debug, thiserror::Error)]
#[error("cannot bind UDP {address}{}", hint(source))]
#[non_exhaustive]
pub struct BindError {
    /// Address to bind to.
    pub address: SocketAddr,
    /// Error of the operating system.
    #[source]
    pub source: io::Error,
}

impl UdpSocket {
    /// Returns a socket bound to `address`. Port 0 lets the operating system choose one. `[::]`
    /// receives IPv4 as well. Requests buffers of [`SOCKET_BUFFER_BYTES`] each.
    ///
    /// # Errors
    ///
    /// The address is in use, does not belong to this host, or requires privileges that the process
    /// lacks.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        bind(address, false).map_err(|source| BindError { address, source })
    }

    /// Returns `count` sockets that share `address` (Linux) or one socket (other systems). The
    /// kernel delivers all datagrams of a remote address to the same socket.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind). The address is not shared with sockets of other programs.
    pub fn bind_shards(address: SocketAddr, count: usize) -> Result<Vec<Self>, BindError> {
        if count <= 1 || cfg!(not(target_os = "linux")) {
            return Ok(vec![Self::bind(address)?]);
        }
        // A socket that does not share the address fails if another program uses it.
        let alone = Self::bind(address)?;
        let bound = || -> io::Result<Vec<Self>> {
            let address = alone.local_addr()?;
            drop(alone);
            (0..count).map(|_| bind(address, true)).collect()
        };
        bound().map_err(|source| BindError { address, source })
    }

    /// Enables reports of the local address of received datagrams.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn request_local(&mut self) {
        self.state.request_local(&self.socket);
    }

    /// Returns a socket of the address family of `server`, bound to all local addresses. The
    /// operating system chooses the port if `local_port` is 0.
    ///
    /// # Errors
    ///
    /// The port is in use, or the operating system cannot create a socket.
    pub fn bind_for(server: SocketAddr, local_port: u16) -> Result<Self, BindError> {
        Self::bind(any_address_for(server, local_port))
    }
}

#[cfg(target_os = "linux")]
impl std::os::fd::AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(target_os = "linux")]
impl std::os::fd::AsFd for UdpSocket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl From<UdpSocket> for std::net::UdpSocket {
    fn from(socket: UdpSocket) -> Self {
        socket.socket
    }
}

impl DatagramSocket for UdpSocket {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.send_to(datagram, to).map(drop)
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.recv_from(buf)
    }

    #[cfg(target_os = "linux")]
    fn try_send_batch(&mut self, batch: &mut SendBatch) -> io::Result<()> {
        linux::send(&self.socket, batch, &mut self.state)
    }

    #[cfg(target_os = "linux")]
    fn try_recv_batch(
        &mut self,
        most: usize,
        take: &mut dyn FnMut(NetworkPath, &[u8]),
    ) -> io::Result<bool> {
        linux::receive(&self.socket, self.state, most, take)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    #[cfg(target_os = "linux")]
    fn handle_timeout(&mut self, now: Instant) {
        self.state.check_local(&self.socket, now);
    }
}

fn bind(address: SocketAddr, is_shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // Where this is unsupported, the socket receives IPv6 only.
        let _ = socket.set_only_v6(false);
    }
    #[cfg(target_os = "linux")]
    socket.set_reuse_port(is_shared)?;
    #[cfg(not(target_os = "linux"))]
    debug_assert!(!is_shared);
    // With a smaller buffer more datagrams are dropped under load.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(UdpSocket {
        socket: socket.into(),
        #[cfg(target_os = "linux")]
        state: SocketState::of(address),
    })
}

/// Returns the unspecified address of the family of `server`.
fn any_address_for(server: SocketAddr, port: u16) -> SocketAddr {
    match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, port).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, port).into(),
    }
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

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn binding_an_address_in_use_suggests_a_solution() {
        let first = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = first.local_addr().unwrap();
        let error = UdpSocket::bind(address).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot bind UDP {address}; stop the other program or choose another port"),
        );
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn only_shards_share_an_address() {
        let shards = UdpSocket::bind_shards((Ipv4Addr::LOCALHOST, 0).into(), 4).unwrap();
        let address = shards[0].local_addr().unwrap();
        assert!(shards.iter().all(|shard| shard.local_addr().unwrap() == address));
        assert_eq!(shards.len(), 4);
        assert!(UdpSocket::bind(address).is_err());
        assert!(UdpSocket::bind_shards(address, 2).is_err());
    }

    #[test]
    fn binding_a_foreign_address_suggests_a_solution() {
        let error = UdpSocket::bind("203.0.113.7:0".parse().unwrap()).unwrap_err();
        assert!(error.to_string().ends_with("or 0.0.0.0 or [::] for all"), "{error}");
    }
}
