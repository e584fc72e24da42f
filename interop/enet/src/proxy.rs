//! UDP proxy that delays and loses datagrams.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use mp_core::{Instant, Rng};

/// Proxy between a client, which sends to [`address`](Self::address), and a server.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Sockets towards the client and towards the server.
    sockets: [UdpSocket; 2],
    server: SocketAddr,
    client: Option<SocketAddr>,
    rng: Rng,
    /// Loss in percent.
    loss: u16,
    pub(crate) latency: Duration,
    /// Datagrams in flight by departure time and number; `true` if for the server.
    waiting: BTreeMap<(Instant, u64), (bool, Vec<u8>)>,
    number: u64,
    /// Datagrams received from the client and from the server.
    pub(crate) datagrams: [u64; 2],
}

impl Proxy {
    /// Creates a proxy to the server at a local `port`.
    pub(crate) fn new(port: u16, loss: u16, rng: Rng) -> io::Result<Self> {
        let socket = || -> io::Result<UdpSocket> {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        Ok(Self {
            sockets: [socket()?, socket()?],
            server: (Ipv4Addr::LOCALHOST, port).into(),
            client: None,
            rng,
            loss,
            latency: LATENCY,
            waiting: BTreeMap::new(),
            number: 0,
            datagrams: [0; 2],
        })
    }

    /// Returns the address for the client to send to.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.sockets[0].local_addr()
    }

    /// Receives datagrams, and forwards those that are due.
    pub(crate) fn turn(&mut self, now: Instant) -> io::Result<()> {
        let mut buffer = [0; 8_192];
        for is_to_server in [true, false] {
            loop {
                let side = usize::from(!is_to_server);
                match self.sockets[side].recv_from(&mut buffer) {
                    Ok((len, from)) => {
                        self.datagrams[side] += 1;
                        if is_to_server {
                            self.client = Some(from);
                        }
                        self.accept(now, is_to_server, &buffer[..len]);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // The peer's socket is closed, or not yet open.
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                    Err(error) => return Err(error),
                }
            }
        }
        while let Some(first) = self.waiting.first_entry()
            && first.key().0 <= now
        {
            let (is_to_server, bytes) = first.remove();
            let to = if is_to_server { Some(self.server) } else { self.client };
            if let Some(to) = to {
                // A datagram for a full socket is lost.
                drop(self.sockets[usize::from(is_to_server)].send_to(&bytes, to));
            }
        }
        Ok(())
    }

    fn accept(&mut self, now: Instant, is_to_server: bool, bytes: &[u8]) {
        if self.rng.below(100) < self.loss.into() {
            return;
        }
        let jitter = Duration::from_micros(self.rng.below(JITTER_MICROS));
        self.number += 1;
        let key = (now + self.latency + jitter, self.number);
        self.waiting.insert(key, (is_to_server, bytes.to_vec()));
    }
}

/// Base delay in each direction. Up to [`JITTER_MICROS`] are added, so that some datagrams are
/// reordered.
pub(crate) const LATENCY: Duration = Duration::from_millis(5);
const JITTER_MICROS: u64 = 3_000;
