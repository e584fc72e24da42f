//! A socket with encryption: [`Dtls`] on top of another socket.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::{self, Duration};

use mp_core::{Instant, Readiness};
use mp_tls::CertificateStore;
use mp_tls::rustls::pki_types::UnixTime;
use mp_udp::{DATAGRAM_BUFFER_BYTES, OutgoingDatagrams};

use super::{DatagramSocket, SendBatch};
use crate::dtls::{Dtls, DtlsClientOptions, DtlsError};
use crate::limits::SEND_BATCH_BYTES;
use crate::proto::NetworkPath;

/// A socket on top of another one. It is plain until a setup function is called, and encrypted from
/// then on.
#[derive(Debug)]
pub struct DtlsSocket<S: DatagramSocket> {
    socket: S,
    layer: Option<Box<Layer>>,
}

#[derive(Debug)]
struct Layer {
    dtls: Dtls,
    now: Instant,
    /// Encrypted datagrams.
    out: OutgoingDatagrams,
}

impl<S: DatagramSocket> DtlsSocket<S> {
    /// Returns a plain socket.
    pub const fn new(socket: S) -> Self {
        Self { socket, layer: None }
    }

    /// Enables encryption, as a server for up to `clients` clients.
    ///
    /// # Errors
    ///
    /// As [`Dtls::server`].
    pub fn server_setup(
        &mut self,
        certificate: CertificateStore,
        clients: u16,
    ) -> Result<(), DtlsError> {
        self.set(Dtls::server(certificate, clients, zero())?);
        Ok(())
    }

    /// Enables encryption, as a client of the addresses that it sends to.
    ///
    /// # Errors
    ///
    /// As [`Dtls::client`].
    pub fn client_setup(
        &mut self,
        options: DtlsClientOptions,
        peers: u16,
    ) -> Result<(), DtlsError> {
        self.set(Dtls::client(options, peers, zero(), UnixTime::now())?);
        Ok(())
    }

    /// Returns the DTLS state; `None` if the socket is plain.
    pub fn dtls(&self) -> Option<&Dtls> {
        self.layer.as_ref().map(|layer| &layer.dtls)
    }

    /// Returns the number of encrypted datagrams that were dropped, because the send queue was full
    /// or the socket rejected them.
    pub fn lost(&self) -> u64 {
        self.layer.as_ref().map_or(0, |layer| layer.out.lost())
    }

    /// Returns the underlying socket.
    pub const fn inner(&self) -> &S {
        &self.socket
    }

    /// Returns the underlying socket.
    pub const fn inner_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    fn set(&mut self, dtls: Dtls) {
        let out = OutgoingDatagrams::with_capacity(SEND_BATCH_BYTES);
        self.layer = Some(Box::new(Layer { dtls, now: Instant::ZERO, out }));
    }
}

impl Layer {
    fn encrypt(&mut self, to: SocketAddr, datagram: &[u8]) {
        let Self { dtls, now, out } = self;
        dtls.encrypt(*now, to, datagram, &mut |to, bytes| out.push(to, bytes));
    }
}

impl<S: DatagramSocket> DatagramSocket for DtlsSocket<S> {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        let Some(layer) = &mut self.layer else { return self.socket.try_send_to(datagram, to) };
        layer.out.flush(&mut self.socket)?;
        layer.encrypt(to, datagram);
        // The datagram is accepted, and sent later if the socket is blocked.
        let _ = layer.out.flush(&mut self.socket);
        Ok(())
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let Some(layer) = &mut self.layer else { return self.socket.try_recv_from(buf) };
        let Layer { dtls, now, out } = &mut **layer;
        let mut bytes = [0; DATAGRAM_BUFFER_BYTES];
        loop {
            let (len, from) = self.socket.try_recv_from(&mut bytes)?;
            let mut taken = None;
            dtls.handle_datagram(
                *now,
                from,
                &bytes[..len],
                &mut |to, bytes| out.push(to, bytes),
                &mut |_, payload| {
                    let len = payload.len().min(buf.len());
                    buf[..len].copy_from_slice(&payload[..len]);
                    taken = Some(len);
                },
            );
            let _ = out.flush(&mut self.socket);
            if let Some(len) = taken {
                return Ok((len, from));
            }
        }
    }

    fn try_send_batch(&mut self, batch: &mut SendBatch) -> io::Result<()> {
        let Some(layer) = &mut self.layer else { return self.socket.try_send_batch(batch) };
        loop {
            let mut is_stuck = true;
            while let Some((path, datagram)) = batch.front()
                && layer.out.has_room(DATAGRAM_BUFFER_BYTES)
            {
                // The association determines the local address.
                layer.encrypt(path.remote, datagram);
                batch.pop_front();
                is_stuck = false;
            }
            layer.out.flush(&mut self.socket)?;
            if batch.is_empty() {
                return Ok(());
            }
            if is_stuck {
                // The socket returned success without sending.
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
    }

    fn try_recv_batch(
        &mut self,
        most: usize,
        take: &mut dyn FnMut(NetworkPath, &[u8]),
    ) -> io::Result<bool> {
        let Some(layer) = &mut self.layer else { return self.socket.try_recv_batch(most, take) };
        let Layer { dtls, now, out } = &mut **layer;
        let drained = self.socket.try_recv_batch(most, &mut |path, bytes| {
            dtls.handle_datagram(*now, path, bytes, &mut |to, bytes| out.push(to, bytes), take);
        });
        let _ = out.flush(&mut self.socket);
        drained
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn readiness(&self) -> Readiness {
        self.socket.readiness()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>, wants_to_send: bool) -> Poll<()> {
        let is_blocked = self.layer.as_ref().is_some_and(|layer| !layer.out.is_empty());
        self.socket.poll_ready(cx, wants_to_send || is_blocked)
    }

    fn pause(&mut self, pause: Duration) -> bool {
        self.socket.pause(pause)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.socket.handle_timeout(now);
        let Some(layer) = &mut self.layer else { return };
        layer.now = now;
        let Layer { dtls, out, .. } = &mut **layer;
        dtls.handle_timeout(now, &mut |to, bytes| out.push(to, bytes));
        let _ = out.flush(&mut self.socket);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let below = self.socket.poll_timeout();
        let Some(layer) = &self.layer else { return below };
        let is_blocked = !layer.out.is_empty();
        let retry = is_blocked.then(|| layer.now + BLOCKED_RETRY);
        [below, layer.dtls.poll_timeout(), retry].into_iter().flatten().min()
    }
}

impl<S: DatagramSocket> Drop for DtlsSocket<S> {
    /// Closes all associations.
    fn drop(&mut self) {
        let Some(layer) = &mut self.layer else { return };
        let Layer { dtls, now, out } = &mut **layer;
        let socket = &mut self.socket;
        dtls.close(*now, &mut |to, bytes| {
            out.push(to, bytes);
            let _ = out.flush(socket);
        });
    }
}

/// Returns the origin of the library's time. Only differences from it matter.
#[expect(clippy::disallowed_methods, reason = "the only constructor of std's Instant")]
fn zero() -> time::Instant {
    time::Instant::now()
}

/// Delay before a blocked socket is tried again.
const BLOCKED_RETRY: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use mp_tls::DevelopmentCertificate;
    use mp_udp::Transmit;

    use super::*;

    /// A socket that fails even if nothing is to be sent, or succeeds without sending.
    struct Useless {
        fails: bool,
    }

    impl DatagramSocket for Useless {
        fn try_send_to(&mut self, _: &[u8], _: SocketAddr) -> io::Result<()> {
            Err(io::ErrorKind::ConnectionRefused.into())
        }

        fn try_recv_from(&mut self, _: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
            Err(io::ErrorKind::WouldBlock.into())
        }

        fn try_send_batch(&mut self, _: &mut SendBatch) -> io::Result<()> {
            match self.fails {
                true => Err(io::ErrorKind::ConnectionRefused.into()),
                false => Ok(()),
            }
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Err(io::ErrorKind::NotConnected.into())
        }
    }

    #[test]
    fn a_socket_that_sends_nothing_does_not_cause_a_busy_loop() {
        for fails in [true, false] {
            let mut socket = DtlsSocket::new(Useless { fails });
            let made = DevelopmentCertificate::new(&["game"]).unwrap();
            socket.server_setup(made.identity().unwrap().into(), 1).unwrap();
            socket.handle_timeout(Instant::from_millis(1));
            let mut batch = SendBatch::with_capacity(SEND_BATCH_BYTES);
            let to = SocketAddr::from(([127, 0, 0, 1], 1));
            batch.room(8).unwrap()[..8].fill(7);
            batch.push(Transmit { to, from: None, len: 8, segment_size: None });
            assert!(socket.try_send_batch(&mut batch).is_ok());
            assert!(batch.is_empty(), "a datagram without keys must be dropped");
        }
    }
}
