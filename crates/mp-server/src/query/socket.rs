//! [`QuerySocket`]: a socket that responds to queries, and passes all other datagrams on.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::{Instant, Readiness};
use mp_udp::{DatagramSocket, NetworkPath, SendBatch, Transmit};

use super::ServerQueries;
use super::responder::QueryResponder;
use super::wire::is_query;

/// A socket on top of another one, which it does not change without queries.
#[derive(Debug)]
pub(crate) struct QuerySocket<S> {
    socket: S,
    queries: Option<Box<Queries>>,
}

#[derive(Debug)]
struct Queries {
    responder: QueryResponder,
    now: Instant,
    responses: SendBatch,
}

impl<S: DatagramSocket> QuerySocket<S> {
    /// Returns a socket that responds if there are `queries`, with challenges of a secret seed.
    pub(crate) fn new(socket: S, queries: Option<(ServerQueries, [u8; 32])>) -> Self {
        let queries = queries.map(|(queries, seed)| {
            Box::new(Queries {
                responder: QueryResponder::new(queries, seed),
                now: Instant::ZERO,
                responses: SendBatch::with_capacity(RESPONSES_BYTES_MAX),
            })
        });
        Self { socket, queries }
    }
}

impl Queries {
    /// Handles a datagram. Returns false if it is no query.
    fn handle(&mut self, path: NetworkPath, datagram: &[u8]) -> bool {
        if !is_query(datagram) {
            return false;
        }
        let Some(response) = self.responder.handle(self.now, path.remote, datagram) else {
            return true;
        };
        // A client repeats a query whose response is lost.
        if let Some(room) = self.responses.room(response.len()) {
            room[..response.len()].copy_from_slice(&response);
            let (to, from) = (path.remote, path.local);
            self.responses.push(Transmit { to, from, len: response.len(), segment_size: None });
        }
        true
    }

    /// Sends the responses, or drops those that the socket does not accept.
    fn send(&mut self, socket: &mut impl DatagramSocket) {
        while !self.responses.is_empty() && socket.try_send_batch(&mut self.responses).is_err() {
            self.responses.pop_front();
        }
    }
}

impl<S: DatagramSocket> DatagramSocket for QuerySocket<S> {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.try_send_to(datagram, to)
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let Some(queries) = &mut self.queries else { return self.socket.try_recv_from(buf) };
        loop {
            let (len, from) = self.socket.try_recv_from(buf)?;
            if !queries.handle(from.into(), &buf[..len]) {
                return Ok((len, from));
            }
            queries.send(&mut self.socket);
        }
    }

    fn try_send_batch(&mut self, batch: &mut SendBatch) -> io::Result<()> {
        self.socket.try_send_batch(batch)
    }

    fn try_recv_batch(
        &mut self,
        most: usize,
        take: &mut dyn FnMut(NetworkPath, &[u8]),
    ) -> io::Result<bool> {
        let Some(queries) = &mut self.queries else {
            return self.socket.try_recv_batch(most, take);
        };
        let drained = self.socket.try_recv_batch(most, &mut |path, datagram| {
            if !queries.handle(path, datagram) {
                take(path, datagram);
            }
        });
        queries.send(&mut self.socket);
        drained
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn readiness(&self) -> Readiness {
        self.socket.readiness()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>, wants_to_send: bool) -> Poll<()> {
        self.socket.poll_ready(cx, wants_to_send)
    }

    fn pause(&mut self, pause: Duration) -> bool {
        self.socket.pause(pause)
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(queries) = &mut self.queries {
            queries.now = now;
        }
        self.socket.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.socket.poll_timeout()
    }
}

/// Maximum size of the responses of a batch in bytes.
const RESPONSES_BYTES_MAX: usize = 64 * 1_024;

#[cfg(test)]
mod tests {
    use std::net::UdpSocket as StdSocket;

    use mp_udp::UdpSocket;

    use super::*;

    /// Receives until nothing is left. Returns the datagrams that were passed on.
    fn passed_on(socket: &mut QuerySocket<UdpSocket>) -> Vec<Vec<u8>> {
        let mut passed = Vec::new();
        socket.handle_timeout(Instant::from_millis(1));
        while !socket.try_recv_batch(32, &mut |_, it| passed.push(it.to_vec())).unwrap() {}
        passed
    }

    #[test]
    fn queries_are_answered_and_other_datagrams_are_passed_on() {
        let queries = (ServerQueries(std::sync::Arc::default()), [7; 32]);
        let socket = UdpSocket::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let mut socket = QuerySocket::new(socket, Some(queries));
        let client = StdSocket::bind("127.0.0.1:0").unwrap();
        let server = socket.local_addr().unwrap();
        for datagram in
            [&b"\xff\xff\xff\xffU\xff\xff\xff\xff"[..], b"\x8f\xff\xff\xff", b"\xff\xff\xff\xff"]
        {
            client.send_to(datagram, server).unwrap();
        }
        assert_eq!(passed_on(&mut socket), [b"\x8f\xff\xff\xff"]);
        client.set_nonblocking(true).unwrap();
        let mut buf = [0; 64];
        let (len, from) = client.recv_from(&mut buf).unwrap();
        assert_eq!((len, buf[4], from), (9, b'A', server));
        assert!(client.recv_from(&mut buf).is_err(), "a malformed query has a response");
    }

    #[test]
    fn socket_without_queries_passes_all_datagrams_on() {
        let socket = UdpSocket::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let mut socket = QuerySocket::new(socket, None);
        let client = StdSocket::bind("127.0.0.1:0").unwrap();
        let query = b"\xff\xff\xff\xffU\xff\xff\xff\xff";
        client.send_to(query, socket.local_addr().unwrap()).unwrap();
        assert_eq!(passed_on(&mut socket), [query]);
    }
}
