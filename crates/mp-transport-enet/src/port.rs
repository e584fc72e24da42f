//! The way between a host and its socket: datagrams in and out, many at a time.

use std::io::ErrorKind;
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::Instant;

#[cfg(feature = "dtls")]
use crate::io::DtlsSocket;
use crate::io::{DatagramSocket, SendBatch};
use crate::limits::SEND_BATCH_BYTES;
use crate::pacing::Pacing;
use crate::proto::{Host, MTU_MAX};

/// What a host's datagrams pass on their way to its socket.
#[cfg(feature = "dtls")]
pub(crate) type Layers<S> = DtlsSocket<S>;
/// What a host's datagrams pass on their way to its socket: nothing.
#[cfg(not(feature = "dtls"))]
pub(crate) type Layers<S> = S;

/// A socket and what waits to be sent on it.
#[derive(Debug)]
pub(crate) struct Port<S: DatagramSocket> {
    pub(crate) socket: Layers<S>,
    batch: SendBatch,
    /// Most datagrams taken in at a time.
    datagrams_max: usize,
    /// Whether the socket may hold more than was taken in last.
    has_more: bool,
    pacing: Pacing,
    stats: SocketStats,
}

/// Figures of a peer's socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// Times the socket had no room; what waited was sent later.
    pub send_blocked: u64,
    /// Datagrams that the socket refused; reliable data in them is sent again.
    pub send_errors: u64,
    /// Errors while receiving.
    pub receive_errors: u64,
    /// Datagrams longer than any of ENet's, ignored.
    pub oversized: u64,
}

impl<S: DatagramSocket> Port<S> {
    pub(crate) fn new(socket: S, datagrams_max: usize, flush_interval: Duration) -> Self {
        #[cfg(feature = "dtls")]
        let socket = DtlsSocket::new(socket);
        Self {
            socket,
            batch: SendBatch::with_capacity(SEND_BATCH_BYTES),
            datagrams_max: datagrams_max.max(1),
            has_more: false,
            pacing: Pacing::new(flush_interval),
            stats: SocketStats::default(),
        }
    }

    /// The socket itself, under all layers.
    #[cfg(feature = "dtls")]
    pub(crate) const fn socket_mut(&mut self) -> &mut S {
        self.socket.inner_mut()
    }

    /// The socket itself.
    #[cfg(not(feature = "dtls"))]
    pub(crate) const fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    /// Takes in what the socket has, within its bound, unless the socket rests; lets it rest when it is busy.
    pub(crate) fn receive(&mut self, now: Instant, host: &mut Host) {
        if self.pacing.is_resting(now) {
            return;
        }
        self.socket.handle_timeout(now);
        let received = self.receive_all(now, host);
        let rest = self.pacing.looked(now, received as u64, host.connected_peers());
        self.rest(now, rest);
    }

    /// Has arrivals wait for so long, if the socket can.
    fn rest(&mut self, now: Instant, rest: Option<Duration>) {
        if let Some(rest) = rest.filter(|_| !self.has_more)
            && self.socket.pause(rest)
        {
            self.pacing.rest(now + rest);
        }
    }

    /// Returns how many datagrams there were.
    fn receive_all(&mut self, now: Instant, host: &mut Host) -> usize {
        let mut left = self.datagrams_max;
        self.has_more = true;
        while left > 0 {
            let (stats, before) = (&mut self.stats, left);
            let drained = self.socket.try_recv_batch(left, &mut |from, datagram| {
                left -= 1;
                if datagram.len() > usize::from(MTU_MAX) {
                    stats.oversized += 1;
                } else {
                    host.handle_datagram(now, from, datagram);
                }
            });
            match drained {
                Ok(true) => {
                    self.has_more = false;
                    break;
                }
                // Nothing for the host among as many as there may be: the rest is for the next turn.
                Ok(false) if left == before => break,
                Ok(false) => {}
                // Some systems report here that an earlier datagram did not arrive.
                Err(_) => {
                    self.stats.receive_errors += 1;
                    left -= 1;
                }
            }
        }
        self.datagrams_max - left
    }

    /// How long what is queued may wait for company.
    pub(crate) const fn flush_interval(&self) -> Duration {
        self.pacing.interval()
    }

    /// Nothing will be taken in any more.
    pub(crate) const fn stop_receiving(&mut self) {
        self.has_more = false;
        self.pacing.stop();
    }

    /// Sends what the host has to send, as far as the socket has room; nothing while a rest holds it back.
    pub(crate) fn send(&mut self, now: Instant, host: &mut Host) {
        if self.pacing.holds_back(now) {
            return;
        }
        self.socket.handle_timeout(now);
        host.end_turn(now);
        let (sent_before, asked_before) = (host.stats().datagrams_sent, host.peers_asked());
        self.send_all(now, host);
        let sent = host.stats().datagrams_sent - sent_before;
        if sent > 0 {
            let asked = host.peers_asked() - asked_before;
            let rest = self.pacing.sent(now, sent, asked, host.connected_peers());
            self.rest(now, rest);
        }
    }

    fn send_all(&mut self, now: Instant, host: &mut Host) {
        let datagram_len_max = host.settings().mtu.into();
        loop {
            let mut transmit = None;
            while let Some(room) = self.batch.room(datagram_len_max) {
                transmit = host.poll_transmit(now, room);
                let Some(transmit) = transmit else { break };
                self.batch.push(transmit);
            }
            if !self.send_batch() || transmit.is_none() {
                return;
            }
        }
    }

    /// When the next turn is due without a word from the socket, after one at `now`.
    pub(crate) fn poll_timeout(&self, now: Instant, host: &Host) -> Option<Instant> {
        if self.has_more {
            Some(now)
        } else if self.is_blocked() {
            Some(now + BLOCKED_RETRY)
        } else if self.pacing.is_resting(now) {
            // The socket says when the rest is over, and what is due meanwhile is done then.
            None
        } else {
            let host = host.poll_timeout().map(|due| due.max(self.pacing.next_flush()));
            [host, self.socket.poll_timeout()].into_iter().flatten().min()
        }
    }

    /// See [`DatagramSocket::poll_ready`].
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let wants_to_send = self.is_blocked();
        let is_ready = self.socket.poll_ready(cx, wants_to_send);
        if is_ready.is_pending() {
            self.pacing.sleeps();
        }
        is_ready
    }

    /// Whether datagrams wait because the socket had no room.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.batch.is_empty()
    }

    pub(crate) const fn stats(&self) -> SocketStats {
        self.stats
    }

    /// Whether all that waited went.
    fn send_batch(&mut self) -> bool {
        while let Err(error) = self.socket.try_send_batch(&mut self.batch) {
            if error.kind() == ErrorKind::WouldBlock {
                self.stats.send_blocked += 1;
                return false;
            }
            self.stats.send_errors += 1;
            self.batch.pop_front();
        }
        true
    }
}

/// When a socket that had no room is tried again.
const BLOCKED_RETRY: Duration = Duration::from_millis(1);
