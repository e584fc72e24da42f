//! [`LossySocket`]: a UDP socket that loses datagrams in both directions.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use mp_core::Rng;
use mp_core::host::SystemClock;
use mp_core::link_shaper::{LinkConditions, LinkShaper};
use mp_udp::DatagramSocket;

/// A non-blocking UDP socket whose datagrams are lost with a probability, reproducibly from a seed.
#[derive(Debug)]
pub(crate) struct LossySocket {
    socket: UdpSocket,
    clock: SystemClock,
    sent: LinkShaper,
    received: LinkShaper,
}

impl LossySocket {
    pub(crate) fn bind(clock: SystemClock, loss_permille: u32, rng: &mut Rng) -> io::Result<Self> {
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.set_nonblocking(true)?;
        let conditions = LinkConditions { loss_permille, ..LinkConditions::default() };
        let (sent, received) = (rng.fork(), rng.fork());
        let [sent, received] = [sent, received].map(|rng| LinkShaper::new(conditions, rng));
        Ok(Self { socket, clock, sent, received })
    }
}

impl DatagramSocket for LossySocket {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        match self.sent.carry_datagram(self.clock.now(), datagram.len()) {
            Ok(_) => self.socket.send_to(datagram, to).map(drop),
            Err(_) => Ok(()),
        }
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        loop {
            let (len, from) = self.socket.recv_from(buf)?;
            if self.received.carry_datagram(self.clock.now(), len).is_ok() {
                return Ok((len, from));
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}
