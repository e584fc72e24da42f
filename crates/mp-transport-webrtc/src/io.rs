//! The socket of a peer, which is one of [`mp_udp`].

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::{ConnectionConditions, Instant, LinkStats, Readiness, Rng};
#[cfg(feature = "tokio")]
pub use mp_udp::TokioUdpSocket;
pub use mp_udp::{BindError, DatagramSocket, NetworkPath, SendBatch, UdpSocket};
use mp_udp::{ReceiveFailure, SendFailure, ShapedSocket, Transmit};

use crate::limits::SEND_BATCH_BYTES;

/// A socket, with its received datagrams and those queued for sending.
#[derive(Debug)]
pub(crate) struct SocketDriver<S> {
    socket: ShapedSocket<S>,
    /// `true` if IPv4 addresses must be mapped.
    is_ipv6: bool,
    batch: SendBatch,
    received: Received,
    /// `true` if the socket may have more datagrams to receive.
    has_more: bool,
    dropped: u64,
}

/// Datagrams received with one call.
#[derive(Debug, Default)]
pub(crate) struct Received {
    bytes: Vec<u8>,
    /// Path of each datagram, and the end of its bytes.
    ends: Vec<(NetworkPath, usize)>,
}

impl Received {
    /// Returns the datagrams, oldest first.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (NetworkPath, &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |&(path, end)| {
            let datagram = &self.bytes[start..end];
            start = end;
            (path, datagram)
        })
    }

    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }
}

impl<S: DatagramSocket> SocketDriver<S> {
    pub(crate) fn new(socket: S) -> Self {
        let is_ipv6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
        let batch = SendBatch::with_capacity(SEND_BATCH_BYTES);
        let received = Received::default();
        let socket = ShapedSocket::new(socket);
        Self { socket, is_ipv6, batch, received, has_more: false, dropped: 0 }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.socket.handle_timeout(now);
    }

    /// Sets the simulated conditions of a remote address.
    pub(crate) fn set_conditions(
        &mut self,
        remote: SocketAddr,
        conditions: ConnectionConditions,
        rng: &mut Rng,
    ) {
        self.socket.set_conditions(self.mapped(remote), conditions, rng);
    }

    /// Removes the simulated conditions of a remote address.
    pub(crate) fn remove_conditions(&mut self, remote: SocketAddr) {
        self.socket.remove_conditions(self.mapped(remote));
    }

    /// Returns the simulated conditions of a remote address and the statistics of its link.
    pub(crate) fn conditions(
        &self,
        remote: SocketAddr,
    ) -> Option<(ConnectionConditions, LinkStats)> {
        self.socket.conditions(self.mapped(remote))
    }

    /// Receives up to `most` datagrams. Remote addresses are never mapped.
    pub(crate) fn receive(&mut self, most: usize) -> Received {
        let mut received = std::mem::take(&mut self.received);
        received.bytes.clear();
        received.ends.clear();
        let result = self.socket.try_recv_batch(most, &mut |path, datagram| {
            received.bytes.extend_from_slice(datagram);
            let remote = SocketAddr::new(path.remote.ip().to_canonical(), path.remote.port());
            received.ends.push((NetworkPath { remote, ..path }, received.bytes.len()));
        });
        self.has_more = match result {
            Ok(is_drained) => !is_drained,
            Err(error) => ReceiveFailure::from(&error) == ReceiveFailure::Undelivered,
        };
        received
    }

    /// Returns the buffers of received datagrams for reuse.
    pub(crate) fn put_back(&mut self, received: Received) {
        self.received = received;
    }

    /// Records that the remaining datagrams are received in the next turn.
    pub(crate) const fn leave_rest(&mut self) {
        self.has_more = true;
    }

    /// Returns whether the socket may have more datagrams to receive.
    pub(crate) const fn has_more(&self) -> bool {
        self.has_more
    }

    /// Sends datagrams as far as the socket accepts them.
    pub(crate) fn send(&mut self, datagrams: &mut VecDeque<(NetworkPath, Vec<u8>)>) {
        loop {
            self.fill(datagrams);
            if self.batch.is_empty() || !self.send_batch() {
                return;
            }
        }
    }

    /// Moves datagrams to the batch as far as it has capacity. Datagrams of equal length to one
    /// address form one transmit.
    fn fill(&mut self, datagrams: &mut VecDeque<(NetworkPath, Vec<u8>)>) {
        while let Some((path, first)) = datagrams.front()
            && let Some(room) = self.batch.room(first.len())
        {
            let (path, segment) = (*path, first.len());
            let mut len = 0;
            while let Some((next, datagram)) = datagrams.front()
                && *next == path
                && datagram.len() <= segment
                && datagram.len() <= room.len() - len
            {
                room[len..len + datagram.len()].copy_from_slice(datagram);
                let is_last = datagram.len() < segment;
                len += datagram.len();
                datagrams.pop_front();
                if is_last {
                    break;
                }
            }
            let segment_size = (len > segment).then_some(segment);
            let to = self.mapped(path.remote);
            self.batch.push(Transmit { to, from: path.local, len, segment_size });
        }
    }

    /// Returns whether all datagrams of the batch were sent.
    fn send_batch(&mut self) -> bool {
        while let Err(error) = self.socket.try_send_batch(&mut self.batch) {
            let failure = SendFailure::from(&error);
            if failure == SendFailure::Blocked {
                return false;
            }
            self.dropped += 1;
            self.batch.pop_front();
            if failure == SendFailure::NoMemory {
                return self.batch.is_empty();
            }
        }
        true
    }

    /// Returns an address in the form that the socket requires.
    fn mapped(&self, address: SocketAddr) -> SocketAddr {
        match address.ip() {
            IpAddr::V4(ip) if self.is_ipv6 => {
                SocketAddr::new(ip.to_ipv6_mapped().into(), address.port())
            }
            _ => address,
        }
    }

    /// Returns the number of datagrams that the operating system rejected.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Returns the time at which the socket must be polled without input.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.has_more {
            Some(now)
        } else if self.batch.is_empty() {
            self.socket.poll_timeout()
        } else {
            Some(now + BLOCKED_RETRY)
        }
    }

    pub(crate) fn readiness(&self) -> Readiness {
        self.socket.readiness()
    }

    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let wants_to_send = !self.batch.is_empty();
        self.socket.poll_ready(cx, wants_to_send)
    }
}

/// Delay before a blocked socket is tried again.
const BLOCKED_RETRY: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    /// A socket that records sent datagrams, and blocks after `room` of them.
    #[derive(Debug, Default)]
    struct Recorder {
        room: usize,
        sent: Vec<(SocketAddr, usize)>,
    }

    impl DatagramSocket for Recorder {
        fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
            self.room = self.room.checked_sub(1).ok_or(ErrorKind::WouldBlock)?;
            self.sent.push((to, datagram.len()));
            Ok(())
        }

        fn try_recv_from(&mut self, _: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
            Err(ErrorKind::WouldBlock.into())
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(([0; 8], 1).into())
        }
    }

    fn to(port: u16) -> NetworkPath {
        SocketAddr::from(([192, 0, 2, 1], port)).into()
    }

    fn queue(datagrams: &[(u16, usize)]) -> VecDeque<(NetworkPath, Vec<u8>)> {
        datagrams.iter().map(|&(port, len)| (to(port), vec![7; len])).collect()
    }

    #[test]
    fn datagrams_of_equal_length_to_one_address_are_sent_as_one() {
        let mut driver = SocketDriver::new(Recorder::default());
        let mut waiting = queue(&[(1, 50), (1, 50), (1, 20), (1, 20), (2, 20), (1, 50), (1, 51)]);
        driver.fill(&mut waiting);
        assert!(waiting.is_empty());
        let transmits = driver.batch.transmits();
        let transmits: Vec<_> =
            transmits.map(|(path, bytes, cut)| (path.remote.port(), bytes.len(), cut)).collect();
        let expected = [(1, 120, 50), (1, 20, 20), (2, 20, 20), (1, 50, 50), (1, 51, 51)];
        assert_eq!(transmits, expected);
    }

    #[test]
    fn datagrams_for_a_blocked_socket_are_sent_later_in_order() {
        let mut driver = SocketDriver::new(Recorder { room: 2, ..Recorder::default() });
        let mut waiting = queue(&[(1, 10), (2, 11), (3, 12), (4, 13)]);
        driver.send(&mut waiting);
        assert_eq!(driver.socket.inner_mut().sent.len(), 2);
        let now = Instant::from_millis(1);
        assert_eq!(driver.poll_timeout(now), Some(now + BLOCKED_RETRY));
        driver.socket.inner_mut().room = 100;
        driver.send(&mut waiting);
        let sent: Vec<_> = driver.socket.inner_mut().sent.iter().map(|(_, len)| *len).collect();
        assert_eq!(sent, [10, 11, 12, 13]);
        assert_eq!(driver.poll_timeout(now), None);
    }

    #[test]
    fn a_socket_of_both_families_sends_to_mapped_addresses_and_reports_plain_ones() {
        let mut driver = SocketDriver::new(UdpSocket::bind(([0_u16; 8], 0).into()).unwrap());
        let port = driver.local_addr().unwrap().port();
        let other = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        other.send_to(b"hello", ("127.0.0.1", port)).unwrap();
        let address = other.local_addr().unwrap();
        let received = driver.receive(10);
        let seen: Vec<_> = received.datagrams().map(|(path, bytes)| (path.remote, bytes)).collect();
        assert_eq!(seen, [(address, &b"hello"[..])]);
        driver.send(&mut [(address.into(), b"answer".to_vec())].into());
        let mut buffer = [0; 10];
        other.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        assert_eq!(other.recv(&mut buffer).unwrap(), 6);
    }
}
