//! A socket without a network card.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use mp_core::Readiness;
use mp_transport_enet::io::DatagramSocket;

/// The process's end of a socket.
#[derive(Debug)]
pub(crate) struct SimSocket(Rc<RefCell<Buffers>>);

/// The network's end of a socket.
#[derive(Clone, Debug)]
pub(crate) struct SocketHandle(Rc<RefCell<Buffers>>);

#[derive(Debug)]
struct Buffers {
    address: SocketAddr,
    incoming: VecDeque<(SocketAddr, Vec<u8>)>,
    outgoing: Vec<(SocketAddr, Vec<u8>)>,
    /// Whether it has no room to send.
    is_jammed: bool,
}

/// A socket bound to `address`.
pub(crate) fn socket(address: SocketAddr) -> (SimSocket, SocketHandle) {
    let buffers = Rc::new(RefCell::new(Buffers {
        address,
        incoming: VecDeque::new(),
        outgoing: Vec::new(),
        is_jammed: false,
    }));
    (SimSocket(Rc::clone(&buffers)), SocketHandle(buffers))
}

impl SocketHandle {
    /// A datagram has arrived; whether there was room for it.
    pub(crate) fn arrive(&self, from: SocketAddr, bytes: Vec<u8>) -> bool {
        let incoming = &mut self.0.borrow_mut().incoming;
        let has_room = incoming.len() < DATAGRAMS_WAITING_MAX;
        if has_room {
            incoming.push_back((from, bytes));
        }
        has_room
    }

    /// Hands out what was sent since the last call, and to whom.
    pub(crate) fn take_outgoing(&self, mut take: impl FnMut(SocketAddr, Vec<u8>)) {
        for (to, bytes) in self.0.borrow_mut().outgoing.drain(..) {
            take(to, bytes);
        }
    }

    pub(crate) fn set_jammed(&self, is_jammed: bool) {
        self.0.borrow_mut().is_jammed = is_jammed;
    }
}

impl DatagramSocket for SimSocket {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        let mut buffers = self.0.borrow_mut();
        if buffers.is_jammed {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        buffers.outgoing.push((to, datagram.to_vec()));
        Ok(())
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let first = self.0.borrow_mut().incoming.pop_front();
        let (from, bytes) = first.ok_or(io::ErrorKind::WouldBlock)?;
        let len = bytes.len().min(buf.len());
        buf[..len].copy_from_slice(&bytes[..len]);
        Ok((len, from))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.borrow().address)
    }

    fn readiness(&self) -> Readiness {
        Readiness::Wakes
    }
}

/// Datagrams that wait at a socket: about what 1 MiB of a real one's buffer holds.
const DATAGRAMS_WAITING_MAX: usize = 1_024;
