//! The socket under a peer.

use std::io;
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};

/// Something that sends and receives datagrams without waiting.
pub trait DatagramSocket {
    /// Sends a datagram.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`]: not now, the same datagram is offered again. Anything else:
    /// this datagram is lost.
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()>;

    /// Receives a datagram into `buf`.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`]: there is none.
    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// The address it is bound to.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A UDP socket of the standard library.
#[derive(Debug)]
pub struct UdpSocket(StdUdpSocket);

impl UdpSocket {
    /// Binds a socket.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = StdUdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }
}

impl DatagramSocket for UdpSocket {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.0.send_to(datagram, to).map(drop)
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.recv_from(buf)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
