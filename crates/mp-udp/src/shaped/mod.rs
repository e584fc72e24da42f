//! [`ShapedSocket`]: a socket with simulated link conditions.

mod link;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::{ConnectionConditions, Instant, LinkStats, Readiness, Rng};

use self::link::{Link, QueueLimit};
use crate::{DATAGRAM_BUFFER_BYTES, DatagramSocket, NetworkPath, OutgoingDatagrams, SendBatch};

/// A socket whose datagrams are delayed, lost, duplicated and reordered, in both directions.
///
/// Conditions apply to one remote address, or to all that have none of their own. Without any, the
/// socket below is used directly. Random numbers are drawn from generators that are passed as
/// arguments, and the time is that of [`handle_timeout`](DatagramSocket::handle_timeout), so a seed
/// reproduces a run.
///
/// At most 1 MiB are on their way for each link and direction, and 64 MiB for all links. Further
/// datagrams are dropped and counted, as in a router.
#[derive(Debug)]
pub struct ShapedSocket<S> {
    inner: S,
    /// `None` while there are no conditions and no datagrams on their way.
    links: Option<Box<Links>>,
}

#[derive(Debug)]
struct Links {
    now: Instant,
    /// Link of the addresses that are not in `by_address`.
    others: Option<Link>,
    by_address: BTreeMap<SocketAddr, Link>,
    /// Datagrams that have passed their link.
    outgoing: OutgoingDatagrams,
    limit: QueueLimit,
}

impl<S> ShapedSocket<S> {
    /// Returns a socket without conditions.
    pub const fn new(inner: S) -> Self {
        Self { inner, links: None }
    }

    /// Sets the conditions of all addresses that have none of their own, together: they share the
    /// rate. For clients, which have one remote address.
    #[must_use]
    pub fn with_conditions(mut self, conditions: ConnectionConditions, rng: &mut Rng) -> Self {
        self.links_mut().others = Some(Link::new(conditions, rng));
        self
    }

    /// Sets the conditions of a remote address. Datagrams that are on their way arrive as before.
    ///
    /// There is state for each address with conditions, so the caller limits their number.
    pub fn set_conditions(
        &mut self,
        remote: SocketAddr,
        conditions: ConnectionConditions,
        rng: &mut Rng,
    ) {
        let links = self.links_mut();
        match links.by_address.get_mut(&remote) {
            Some(link) => link.set_conditions(conditions),
            None => drop(links.by_address.insert(remote, Link::new(conditions, rng))),
        }
    }

    /// Removes the conditions of a remote address. Datagrams that are on their way arrive as
    /// before, and none overtakes them.
    pub fn remove_conditions(&mut self, remote: SocketAddr) {
        if let Some(links) = &mut self.links
            && let Some(link) = links.by_address.get_mut(&remote)
        {
            link.remove_conditions();
        }
    }

    /// Returns the conditions of a remote address and the statistics of its link; `None` if it has
    /// no conditions of its own.
    pub fn conditions(&self, remote: SocketAddr) -> Option<(ConnectionConditions, LinkStats)> {
        self.links.as_ref()?.by_address.get(&remote)?.conditions()
    }

    /// Returns the socket below.
    pub const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    fn links_mut(&mut self) -> &mut Links {
        self.links.get_or_insert_with(|| {
            Box::new(Links {
                now: Instant::ZERO,
                others: None,
                by_address: BTreeMap::new(),
                outgoing: OutgoingDatagrams::with_capacity(OUTGOING_BYTES),
                limit: QueueLimit::default(),
            })
        })
    }
}

impl Links {
    /// Returns the link of a remote address.
    fn of(&mut self, remote: SocketAddr) -> Option<&mut Link> {
        self.by_address.get_mut(&remote).or(self.others.as_mut())
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Link> {
        self.others.iter_mut().chain(self.by_address.values_mut())
    }

    /// Sends a datagram on its link, or directly to the socket.
    fn send(&mut self, path: NetworkPath, datagram: &[u8]) {
        let (now, mut limit) = (self.now, self.limit);
        match self.of(path.remote) {
            Some(link) => {
                link.outgoing.carry(now, path, datagram, &mut limit);
                self.limit = limit;
            }
            None => self.outgoing.push(path, datagram),
        }
    }

    /// Receives a datagram from its link. Returns false if its address has none.
    fn receive(&mut self, path: NetworkPath, datagram: &[u8]) -> bool {
        let (now, mut limit) = (self.now, self.limit);
        let Some(link) = self.of(path.remote) else { return false };
        link.incoming.carry(now, path, datagram, &mut limit);
        self.limit = limit;
        true
    }

    /// Removes and returns a received datagram that has passed its link.
    fn next_received(&mut self) -> Option<(NetworkPath, Vec<u8>)> {
        let (now, mut limit) = (self.now, self.limit);
        let received = self.all().find_map(|link| link.incoming.arrived(now, &mut limit));
        self.limit = limit;
        received
    }

    /// Passes the datagrams that have passed their links to the socket. Those that do not fit into
    /// its queue are lost, as on a congested link.
    fn send_arrived(&mut self, socket: &mut impl DatagramSocket) -> io::Result<()> {
        let Self { now, others, by_address, outgoing, limit } = self;
        for link in others.iter_mut().chain(by_address.values_mut()) {
            while let Some((path, datagram)) = link.outgoing.arrived(*now, limit) {
                if !outgoing.has_room(datagram.len()) {
                    let _ = outgoing.flush(socket);
                }
                outgoing.push(path, &datagram);
            }
        }
        outgoing.flush(socket)
    }

    fn next_arrival(&self) -> Option<Instant> {
        let links = self.others.iter().chain(self.by_address.values());
        links.filter_map(Link::next_arrival).min()
    }

    /// Removes the links that no longer have conditions or datagrams. Returns false if none is
    /// left.
    fn remove_idle(&mut self) -> bool {
        self.by_address.retain(|_, link| !link.is_idle());
        self.others.is_some() || !self.by_address.is_empty() || !self.outgoing.is_empty()
    }
}

impl<S: DatagramSocket> DatagramSocket for ShapedSocket<S> {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        let Self { inner, links } = self;
        let Some(links) = links else { return inner.try_send_to(datagram, to) };
        links.outgoing.flush(inner)?;
        links.send(to.into(), datagram);
        // The datagram is accepted, and sent later if the socket is blocked.
        let _ = links.send_arrived(inner);
        Ok(())
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let Self { inner, links } = self;
        let Some(links) = links else { return inner.try_recv_from(buf) };
        for _ in 0..RECEIVED_MAX {
            if let Some((path, datagram)) = links.next_received() {
                let len = datagram.len().min(buf.len());
                buf[..len].copy_from_slice(&datagram[..len]);
                return Ok((len, path.remote));
            }
            let (len, from) = inner.try_recv_from(buf)?;
            if !links.receive(from.into(), &buf[..len]) {
                return Ok((len, from));
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn try_send_batch(&mut self, batch: &mut SendBatch) -> io::Result<()> {
        let Self { inner, links } = self;
        let Some(links) = links else { return inner.try_send_batch(batch) };
        while let Some((path, datagram)) = batch.front() {
            if !links.outgoing.has_room(DATAGRAM_BUFFER_BYTES) {
                links.outgoing.flush(inner)?;
            }
            links.send(path, datagram);
            batch.pop_front();
        }
        // All datagrams are accepted, and sent later if the socket is blocked.
        let _ = links.send_arrived(inner);
        Ok(())
    }

    fn try_recv_batch(
        &mut self,
        most: usize,
        take: &mut dyn FnMut(NetworkPath, &[u8]),
    ) -> io::Result<bool> {
        let Self { inner, links } = self;
        let Some(links) = links else { return inner.try_recv_batch(most, take) };
        let mut left = most;
        let drained = inner.try_recv_batch(most, &mut |path, datagram| {
            if !links.receive(path, datagram) {
                left -= 1;
                take(path, datagram);
            }
        });
        while left > 0 {
            let Some((path, datagram)) = links.next_received() else { return drained };
            left -= 1;
            take(path, &datagram);
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
        let is_blocked = self.links.as_ref().is_some_and(|links| !links.outgoing.is_empty());
        self.inner.poll_ready(cx, wants_to_send || is_blocked)
    }

    fn pause(&mut self, pause: Duration) -> bool {
        self.inner.pause(pause)
    }

    fn handle_timeout(&mut self, now: Instant) {
        let Self { inner, links } = self;
        inner.handle_timeout(now);
        if let Some(given) = links {
            given.now = now;
            let _ = given.send_arrived(inner);
            if !given.remove_idle() {
                *links = None;
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let below = self.inner.poll_timeout();
        let Some(links) = &self.links else { return below };
        let retry = (!links.outgoing.is_empty()).then(|| links.now + BLOCKED_RETRY);
        [below, links.next_arrival(), retry].into_iter().flatten().min()
    }
}

/// Bytes of datagrams that wait while the socket is blocked.
const OUTGOING_BYTES: usize = 128 << 10;
/// Maximum number of datagrams that one call receives for the links.
const RECEIVED_MAX: usize = 32;
/// Delay before a blocked socket is tried again.
const BLOCKED_RETRY: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests;
