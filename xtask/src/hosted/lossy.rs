//! [`LossyProxy`]: a path to a UDP server on which datagrams are lost.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// A UDP proxy that loses one of [`ONE_OF`] datagrams in each direction.
pub(super) struct LossyProxy {
    port: u16,
    path: Arc<Path>,
}

/// The state that the threads of a proxy share.
#[derive(Default)]
struct Path {
    has_ended: AtomicBool,
    datagrams: AtomicU64,
    lost: AtomicU64,
}

impl LossyProxy {
    /// Starts a proxy of a port of this machine.
    ///
    /// # Errors
    ///
    /// Returns the error of the socket.
    pub(super) fn start(server: u16) -> io::Result<Self> {
        let socket = socket()?;
        let (port, path) = (socket.local_addr()?.port(), Arc::new(Path::default()));
        let shared = Arc::clone(&path);
        thread::spawn(move || pass_to_server(&socket, server, &shared));
        Ok(Self { port, path })
    }

    /// Returns the port of the proxy.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the number of datagrams that were lost.
    pub(super) fn lost(&self) -> u64 {
        self.path.lost.load(Ordering::Relaxed)
    }
}

impl Drop for LossyProxy {
    fn drop(&mut self) {
        self.path.has_ended.store(true, Ordering::Relaxed);
    }
}

impl Path {
    /// Receives the next datagram that is not lost; `None` when the proxy has ended.
    fn receive<'b>(
        &self,
        socket: &UdpSocket,
        buffer: &'b mut [u8],
    ) -> Option<(&'b [u8], SocketAddr)> {
        while !self.has_ended.load(Ordering::Relaxed) {
            // Fails at the end of its timeout, or if a client has closed its socket.
            let Ok((len, from)) = socket.recv_from(buffer) else { continue };
            if self.passes() {
                return Some((&buffer[..len], from));
            }
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        None
    }

    /// Returns whether the next datagram is not lost.
    fn passes(&self) -> bool {
        let number = self.datagrams.fetch_add(1, Ordering::Relaxed);
        // SplitMix64 without its last step: evenly distributed, and the same in each run.
        let mixed = number.wrapping_add(1).wrapping_mul(SEED);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(MIX);
        !(mixed ^ (mixed >> 31)).is_multiple_of(ONE_OF)
    }
}

/// Passes on the datagrams of clients, each from a socket of its own.
fn pass_to_server(socket: &UdpSocket, server: u16, path: &Arc<Path>) {
    let mut clients = HashMap::<SocketAddr, Arc<UdpSocket>>::new();
    let mut buffer = [0; DATAGRAM_MAX];
    while let Some((datagram, client)) = path.receive(socket, &mut buffer) {
        let known = clients.get(&client).cloned();
        let own = known.map_or_else(|| open(socket, client, server, path), Ok);
        if let Ok(own) = own {
            let _ = own.send(datagram);
            clients.insert(client, own);
        }
    }
}

/// Opens the socket of a client, and passes on the datagrams of the server to it.
fn open(
    socket: &UdpSocket,
    client: SocketAddr,
    server: u16,
    path: &Arc<Path>,
) -> io::Result<Arc<UdpSocket>> {
    let (to_client, path) = (socket.try_clone()?, Arc::clone(path));
    let own = Arc::new(self::socket()?);
    own.connect((Ipv4Addr::LOCALHOST, server))?;
    let from_server = Arc::clone(&own);
    thread::spawn(move || {
        let mut buffer = [0; DATAGRAM_MAX];
        while let Some((datagram, _)) = path.receive(&from_server, &mut buffer) {
            let _ = to_client.send_to(datagram, client);
        }
    });
    Ok(own)
}

/// Returns a socket of this machine whose reads end after a while.
fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    Ok(socket)
}

/// One of so many datagrams is lost: 5 %.
const ONE_OF: u64 = 20;
/// Maximum size of a datagram.
const DATAGRAM_MAX: usize = 65_536;
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
const MIX: u64 = 0xBF58_476D_1CE4_E5B9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_twenty_datagrams_is_lost() {
        let path = Path::default();
        let lost = (0..20_000).filter(|_| !path.passes()).count();
        assert!((800..1_200).contains(&lost), "{lost}");
    }
}
