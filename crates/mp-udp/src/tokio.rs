//! A tokio socket that wakes its task, for systems other than Linux.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use mp_core::Readiness;

use crate::{BindError, DatagramSocket, UdpSocket};

/// A UDP socket that wakes its task.
#[derive(Debug)]
pub struct TokioUdpSocket(tokio::net::UdpSocket);

impl TokioUdpSocket {
    /// Returns a socket bound to `address`. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::bind`].
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::new(UdpSocket::bind(address)?, address)
    }

    /// Returns a socket that can send to `server`, see [`UdpSocket::bind_for`]. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::bind_for`].
    pub fn bind_for(server: SocketAddr, local_port: u16) -> Result<Self, BindError> {
        Self::new(UdpSocket::bind_for(server, local_port)?, server)
    }

    /// Wraps a socket that was bound to `address`, which errors name. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// The runtime cannot register the socket.
    pub fn new(socket: UdpSocket, address: SocketAddr) -> Result<Self, BindError> {
        let socket = tokio::net::UdpSocket::from_std(socket.into());
        socket.map(Self).map_err(|source| BindError { address, source })
    }
}

impl DatagramSocket for TokioUdpSocket {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.0.try_send_to(datagram, to).map(drop)
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.try_recv_from(buf)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn readiness(&self) -> Readiness {
        Readiness::Waker
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>, wants_to_send: bool) -> Poll<()> {
        // Ready on an error, too: receiving or sending returns it.
        if self.0.poll_recv_ready(cx).is_ready() {
            return Poll::Ready(());
        }
        if wants_to_send { self.0.poll_send_ready(cx).map(drop) } else { Poll::Pending }
    }
}
