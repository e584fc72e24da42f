//! In-memory datagram socket.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use mp_core::Readiness;
use mp_transport_enet::io::DatagramSocket;

/// Socket as its process sees it.
#[derive(Debug)]
pub(crate) struct SimSocket(Rc<RefCell<Buffers>>);

/// Handle by which the network exchanges datagrams with a socket.
#[derive(Clone, Debug)]
pub(crate) struct SocketHandle(Rc<RefCell<Buffers>>);

#[derive(Debug)]
struct Buffers {
    address: SocketAddr,
    incoming: VecDeque<(SocketAddr, Vec<u8>)>,
    outgoing: Vec<(SocketAddr, Vec<u8>)>,
    /// True while sends fail with `WouldBlock`.
    is_send_blocked: bool,
}

/// Creates a socket bound to `address`, and its handle.
pub(crate) fn socket(address: SocketAddr) -> (SimSocket, SocketHandle) {
    let buffers = Rc::new(RefCell::new(Buffers {
        address,
        incoming: VecDeque::new(),
        outgoing: Vec::new(),
        is_send_blocked: false,
    }));
    (SimSocket(Rc::clone(&buffers)), SocketHandle(buffers))
}

impl SocketHandle {
    /// Adds a received datagram. Returns false if the buffer is full.
    pub(crate) fn arrive(&self, from: SocketAddr, bytes: Vec<u8>) -> bool {
        let incoming = &mut self.0.borrow_mut().incoming;
        let has_room = incoming.len() < DATAGRAMS_WAITING_MAX;
        if has_room {
            incoming.push_back((from, bytes));
        }
        has_room
    }

    /// Calls `take` with each datagram sent since the last call, and its destination.
    pub(crate) fn take_outgoing(&self, mut take: impl FnMut(SocketAddr, Vec<u8>)) {
        for (to, bytes) in self.0.borrow_mut().outgoing.drain(..) {
            take(to, bytes);
        }
    }

    pub(crate) fn set_send_blocked(&self, is_send_blocked: bool) {
        self.0.borrow_mut().is_send_blocked = is_send_blocked;
    }
}

impl DatagramSocket for SimSocket {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        let mut buffers = self.0.borrow_mut();
        if buffers.is_send_blocked {
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
        Readiness::Waker
    }
}

/// Receive buffer of a socket in datagrams: about as many as a real buffer of 1 MiB stores.
const DATAGRAMS_WAITING_MAX: usize = 1_024;
