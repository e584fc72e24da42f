//! [`EnetConnection`]: a host and its socket.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use mp_core::{Instant, Readiness};

use crate::io::DatagramSocket;
use crate::port::{Port, SocketStats};
use crate::proto::Host;

/// A host and its socket (Godot: `ENetConnection`).
#[derive(Debug)]
pub struct EnetConnection<S> {
    pub(crate) host: Host,
    pub(crate) port: Port<S>,
    now: Instant,
}

impl<S: DatagramSocket> EnetConnection<S> {
    pub(crate) fn new(host: Host, socket: S, datagrams_per_poll: usize) -> Self {
        Self { host, port: Port::new(socket, datagrams_per_poll), now: Instant::ZERO }
    }

    /// Takes in what the network brought and runs the timers that are due; nothing is sent.
    pub fn poll(&mut self, now: Instant) {
        self.now = now;
        self.port.receive(now, &mut self.host);
        self.host.handle_timeout(now);
    }

    /// Packs what is queued and hands it to the network: the end of a turn.
    pub fn flush(&mut self, now: Instant) {
        self.host.end_turn(now);
        self.port.send(now, &mut self.host);
    }

    /// When the next turn is due, input or not.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.port.poll_timeout(self.now).or_else(|| self.host.poll_timeout())
    }

    /// How a host learns that there is something to take in.
    pub fn readiness(&self) -> Readiness {
        self.port.socket.readiness()
    }

    /// For [`Readiness::Wakes`]: ready when there is something to take in, or room for what was not sent.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.port.poll_ready(cx)
    }

    /// The address of its socket.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.port.socket.local_addr()
    }

    /// Figures of the socket.
    pub const fn socket_stats(&self) -> SocketStats {
        self.port.stats()
    }

    /// From here on only what is queued is sent: nothing waits in the socket any more.
    pub(crate) const fn stop_receiving(&mut self) {
        self.port.stop_receiving();
    }
}
