//! A socket with simulated link conditions in both directions.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use mp_core::link_shaper::{LinkConditions, LinkShaper};
use mp_core::{Instant, Readiness, Rng};
use mp_udp::{DATAGRAM_BUFFER_BYTES, DatagramSocket, NetworkPath, SendBatch};

/// A socket whose datagrams are delayed, lost and duplicated.
///
/// The conditions apply to each direction, so the round trip has twice the delay.
#[derive(Debug)]
pub(super) struct ShapedSocket<S> {
    inner: S,
    now: Instant,
    outgoing: Direction,
    incoming: Direction,
}

/// One direction of the link.
#[derive(Debug)]
struct Direction {
    shaper: LinkShaper,
    /// Datagrams on their way, the next to arrive first.
    queue: BinaryHeap<Reverse<Datagram>>,
    /// Bytes in the queue.
    queued: usize,
    next_number: u64,
}

/// A datagram on its way. The order is that of the fields.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Datagram {
    at: Instant,
    number: u64,
    remote: SocketAddr,
    bytes: Vec<u8>,
}

impl<S> ShapedSocket<S> {
    pub(super) fn new(inner: S, conditions: LinkConditions, rng: &mut Rng) -> Self {
        let mut direction = || Direction {
            shaper: LinkShaper::new(conditions, rng.fork()),
            queue: BinaryHeap::new(),
            queued: 0,
            next_number: 0,
        };
        Self { inner, now: Instant::ZERO, outgoing: direction(), incoming: direction() }
    }
}

impl Direction {
    /// Sends a datagram, unless it is lost.
    fn carry(&mut self, now: Instant, remote: SocketAddr, bytes: &[u8]) {
        let Ok(arrival) = self.shaper.carry_datagram(now, bytes.len()) else { return };
        for at in [Some(arrival.at), arrival.copy].into_iter().flatten() {
            // As in a router: what does not fit is lost.
            if self.queued + bytes.len() <= QUEUED_BYTES_MAX {
                self.queued += bytes.len();
                let (number, bytes) = (self.next_number, bytes.to_vec());
                self.next_number += 1;
                self.queue.push(Reverse(Datagram { at, number, remote, bytes }));
            }
        }
    }

    /// Removes and returns the next datagram that has arrived.
    fn arrived(&mut self, now: Instant) -> Option<Datagram> {
        if self.next_arrival().is_none_or(|at| now < at) {
            return None;
        }
        let Reverse(datagram) = self.queue.pop()?;
        self.queued -= datagram.bytes.len();
        Some(datagram)
    }

    fn next_arrival(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse(datagram)| datagram.at)
    }
}

impl<S: DatagramSocket> DatagramSocket for ShapedSocket<S> {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.outgoing.carry(self.now, to, datagram);
        Ok(())
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let datagram = self.incoming.arrived(self.now).ok_or(io::ErrorKind::WouldBlock)?;
        let len = datagram.bytes.len().min(buf.len());
        buf[..len].copy_from_slice(&datagram.bytes[..len]);
        Ok((len, datagram.remote))
    }

    fn try_send_batch(&mut self, batch: &mut SendBatch) -> io::Result<()> {
        while let Some((path, datagram)) = batch.front() {
            self.outgoing.carry(self.now, path.remote, datagram);
            batch.pop_front();
        }
        self.send_arrived()
    }

    fn try_recv_batch(
        &mut self,
        most: usize,
        take: &mut dyn FnMut(NetworkPath, &[u8]),
    ) -> io::Result<bool> {
        let Self { inner, incoming, now, .. } = self;
        let drained = inner.try_recv_batch(most, &mut |from, datagram| {
            incoming.carry(*now, from.remote, datagram);
        });
        let mut buf = [0; DATAGRAM_BUFFER_BYTES];
        for _ in 0..most {
            match self.try_recv_from(&mut buf) {
                Ok((len, from)) => take(from.into(), &buf[..len]),
                Err(_) => return drained,
            }
        }
        Ok(false)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn readiness(&self) -> Readiness {
        self.inner.readiness()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>, wants_to_send: bool) -> Poll<()> {
        self.inner.poll_ready(cx, wants_to_send)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.inner.handle_timeout(now);
        // A blocked socket loses datagrams, as a congested link does.
        let _ = self.send_arrived();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let queues = [self.outgoing.next_arrival(), self.incoming.next_arrival()];
        queues.into_iter().chain([self.inner.poll_timeout()]).flatten().min()
    }
}

impl<S: DatagramSocket> ShapedSocket<S> {
    /// Gives the datagrams that have passed the link to the socket.
    fn send_arrived(&mut self) -> io::Result<()> {
        while let Some(datagram) = self.outgoing.arrived(self.now) {
            self.inner.try_send_to(&datagram.bytes, datagram.remote)?;
        }
        Ok(())
    }
}

/// Maximum number of bytes on their way in one direction.
const QUEUED_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mp_transport_enet::testing::{Link, Network};

    use super::*;

    #[test]
    fn datagrams_arrive_after_the_delay_of_each_direction() {
        let network = Network::new(Rng::seed_from_u64(1), Link::default());
        let [server, client] = [1, 2].map(|port| SocketAddr::from(([10, 0, 0, 1], port)));
        let mut far = network.socket(server);
        let delay = Duration::from_millis(30);
        let conditions = LinkConditions { delay, ..LinkConditions::default() };
        let mut rng = Rng::seed_from_u64(2);
        let mut near = ShapedSocket::new(network.socket(client), conditions, &mut rng);
        let mut buf = [0; 16];
        let start = Instant::from_millis(1_000);
        let advance = |millis, socket: &mut ShapedSocket<_>| {
            let now = start + Duration::from_millis(millis);
            network.advance(now);
            socket.handle_timeout(now);
            socket.try_recv_batch(8, &mut |_, _| {}).unwrap();
        };
        advance(0, &mut near);
        near.try_send_to(b"there", server).unwrap();
        assert_eq!(near.poll_timeout(), Some(start + delay));
        advance(29, &mut near);
        assert!(far.try_recv_from(&mut buf).is_err());
        advance(30, &mut near);
        network.advance(start + Duration::from_millis(31));
        assert_eq!(far.try_recv_from(&mut buf).unwrap(), (5, client));

        far.try_send_to(b"back", client).unwrap();
        let mut received = Vec::new();
        for millis in 32..=70 {
            let now = start + Duration::from_millis(millis);
            network.advance(now);
            near.handle_timeout(now);
            near.try_recv_batch(8, &mut |_, bytes| received.push((millis, bytes.to_vec())))
                .unwrap();
        }
        assert_eq!(received, [(62, b"back".to_vec())]);
    }
}
