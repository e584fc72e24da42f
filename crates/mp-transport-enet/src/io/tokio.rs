//! A socket of tokio, which wakes its task.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use mp_core::Readiness;
#[cfg(target_os = "linux")]
use tokio::io::Interest;

#[cfg(target_os = "linux")]
use super::SendBatch;
#[cfg(target_os = "linux")]
use super::linux::{self, Traits};
use super::{BindError, DatagramSocket, UdpSocket};

/// A UDP socket that wakes its task.
#[derive(Debug)]
pub struct TokioUdpSocket {
    socket: tokio::net::UdpSocket,
    #[cfg(target_os = "linux")]
    traits: Traits,
}

impl TokioUdpSocket {
    /// A socket bound to `address`, as [`UdpSocket::bind`]. To be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::bind`].
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::new(UdpSocket::bind(address)?, address)
    }

    /// A socket that can reach `server`, as [`UdpSocket::bind_for`].
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::bind_for`].
    pub fn bind_for(server: SocketAddr, local_port: u16) -> Result<Self, BindError> {
        Self::new(UdpSocket::bind_for(server, local_port)?, server)
    }

    fn new(socket: UdpSocket, address: SocketAddr) -> Result<Self, BindError> {
        let socket = tokio::net::UdpSocket::from_std(socket.into());
        let socket = socket.map_err(|source| BindError { address, source })?;
        Ok(Self {
            socket,
            #[cfg(target_os = "linux")]
            traits: Traits::of(address),
        })
    }
}

impl DatagramSocket for TokioUdpSocket {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.try_send_to(datagram, to).map(drop)
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.try_recv_from(buf)
    }

    #[cfg(target_os = "linux")]
    fn try_send_batch(&mut self, batch: &mut SendBatch) -> io::Result<()> {
        let Self { socket, traits } = self;
        socket.try_io(Interest::WRITABLE, || linux::send(socket, batch, traits))
    }

    #[cfg(target_os = "linux")]
    fn try_recv_batch(
        &mut self,
        most: usize,
        take: &mut dyn FnMut(SocketAddr, &[u8]),
    ) -> io::Result<bool> {
        let (socket, traits) = (&self.socket, self.traits);
        // Tokio learns that the socket is drained by `WouldBlock` alone, which needs no further system call here.
        let drained = socket.try_io(Interest::READABLE, || {
            match linux::receive(socket, traits, most, take) {
                Ok(true) => Err(io::ErrorKind::WouldBlock.into()),
                other => other,
            }
        });
        match drained {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            other => other,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn readiness(&self) -> Readiness {
        Readiness::Wakes
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>, wants_to_send: bool) -> Poll<()> {
        // An error is ready, too: receiving or sending will meet it.
        if self.socket.poll_recv_ready(cx).is_ready() {
            return Poll::Ready(());
        }
        if wants_to_send { self.socket.poll_send_ready(cx).map(drop) } else { Poll::Pending }
    }
}
