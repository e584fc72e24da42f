//! [`EnetConnection`]: a host and its socket.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::{Instant, Readiness};

use crate::io::DatagramSocket;
use crate::proto::{Host, MTU_MAX, Transmit};

/// A host and its socket (Godot: `ENetConnection`).
#[derive(Debug)]
pub struct EnetConnection<S> {
    pub(crate) host: Host,
    pub(crate) socket: S,
    datagrams_per_poll: usize,
    /// Whether the last `poll` left datagrams in the socket.
    has_more: bool,
    receive_buffer: Box<[u8]>,
    send_buffer: Box<[u8]>,
    /// What of `send_buffer` the socket has not taken yet.
    unsent: Option<Unsent>,
    now: Instant,
    stats: SocketStats,
}

/// Figures of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// Times the socket had no room; the datagram was sent later.
    pub send_blocked: u64,
    /// Datagrams that the socket refused; reliable data in them is sent again.
    pub send_errors: u64,
    /// Errors while receiving.
    pub receive_errors: u64,
    /// Datagrams longer than any of ENet's, ignored.
    pub oversized: u64,
}

#[derive(Clone, Copy, Debug)]
struct Unsent {
    transmit: Transmit,
    offset: usize,
}

impl<S: DatagramSocket> EnetConnection<S> {
    pub(crate) fn new(host: Host, socket: S, datagrams_per_poll: usize) -> Self {
        let mtu = usize::from(host.settings().mtu);
        Self {
            host,
            socket,
            datagrams_per_poll: datagrams_per_poll.max(1),
            has_more: false,
            // One more byte than any datagram has, to recognise longer ones.
            receive_buffer: vec![0; usize::from(MTU_MAX) + 1].into(),
            send_buffer: vec![0; mtu].into(),
            unsent: None,
            now: Instant::ZERO,
            stats: SocketStats::default(),
        }
    }

    /// Takes in what the network brought and runs the timers that are due; nothing is sent.
    pub fn poll(&mut self, now: Instant) {
        self.now = now;
        self.receive(now);
        self.host.handle_timeout(now);
    }

    /// Packs what is queued and hands it to the network: the end of a turn.
    pub fn flush(&mut self, now: Instant) {
        self.host.end_turn(now);
        while self.send_unsent() {
            let Some(transmit) = self.host.poll_transmit(now, &mut self.send_buffer) else {
                return;
            };
            self.unsent = Some(Unsent { transmit, offset: 0 });
        }
    }

    /// When the next turn is due, input or not.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.has_more {
            return Some(self.now);
        }
        if self.unsent.is_some() {
            return Some(self.now + BLOCKED_RETRY);
        }
        self.host.poll_timeout()
    }

    /// How a host learns that there is something to take in.
    pub fn readiness(&self) -> Readiness {
        self.socket.readiness()
    }

    /// For [`Readiness::Wakes`]: ready when there is something to take in, or room for what was not sent.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_ready(cx, self.unsent.is_some())
    }

    /// The address of its socket.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Figures of the socket.
    pub const fn socket_stats(&self) -> SocketStats {
        self.stats
    }

    /// From here on only what is queued is sent: nothing waits in the socket any more.
    pub(crate) const fn stop_receiving(&mut self) {
        self.has_more = false;
    }

    fn receive(&mut self, now: Instant) {
        self.has_more = true;
        for _ in 0..self.datagrams_per_poll {
            match self.socket.try_recv_from(&mut self.receive_buffer) {
                Ok((len, _)) if len > usize::from(MTU_MAX) => self.stats.oversized += 1,
                Ok((len, from)) => {
                    self.host.handle_datagram(now, from, &self.receive_buffer[..len]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.has_more = false;
                    return;
                }
                // Some systems report here that an earlier datagram did not arrive.
                Err(_) => self.stats.receive_errors += 1,
            }
        }
    }

    /// Sends what is left of the last transmit. Whether all of it went.
    fn send_unsent(&mut self) -> bool {
        while let Some(Unsent { transmit, offset }) = &mut self.unsent {
            let left = transmit.len - *offset;
            let len = transmit.segment_size.unwrap_or(left).min(left);
            let datagram = &self.send_buffer[*offset..*offset + len];
            match self.socket.try_send_to(datagram, transmit.to) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stats.send_blocked += 1;
                    return false;
                }
                Err(_) => self.stats.send_errors += 1,
            }
            *offset += len;
            if *offset == transmit.len {
                self.unsent = None;
            }
        }
        true
    }
}

/// When a socket that had no room is tried again.
const BLOCKED_RETRY: Duration = Duration::from_millis(1);
