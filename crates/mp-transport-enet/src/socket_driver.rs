//! Transfer of datagrams between a host and its socket, many at a time.

use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::Instant;
use mp_udp::ShapedSocket;

#[cfg(feature = "dtls")]
use crate::io::DtlsSocket;
use crate::io::{DatagramSocket, ReceiveFailure, SendBatch, SendFailure};
use crate::limits::SEND_BATCH_BYTES;
use crate::pacing::Pacing;
use crate::proto::{Host, MTU_MAX};
use crate::tap::Tap;

/// The socket of a host, with link conditions below the encryption.
#[cfg(feature = "dtls")]
pub(crate) type Layers<S> = DtlsSocket<ShapedSocket<S>>;
/// The socket of a host, with link conditions.
#[cfg(not(feature = "dtls"))]
pub(crate) type Layers<S> = ShapedSocket<S>;

/// A socket, and the datagrams that are queued for it.
#[derive(Debug)]
pub(crate) struct SocketDriver<S: DatagramSocket> {
    pub(crate) socket: Layers<S>,
    batch: SendBatch,
    /// Maximum number of datagrams received in a turn.
    datagrams_max: usize,
    /// `true` if the socket may have more datagrams to receive.
    has_more: bool,
    pacing: Pacing,
    stats: SocketStats,
    pub(crate) tap: Tap,
}

/// Statistics of a peer's socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// Times that the socket was blocked. The datagrams were sent later.
    pub send_blocked: u64,
    /// Datagrams that the socket rejected. Reliable data in them is retransmitted.
    pub send_errors: u64,
    /// Errors while receiving.
    pub receive_errors: u64,
    /// Datagrams ignored because they exceed ENet's maximum length.
    pub oversized: u64,
}

impl<S: DatagramSocket> SocketDriver<S> {
    pub(crate) fn new(socket: S, datagrams_max: usize, flush_interval: Duration) -> Self {
        let socket = ShapedSocket::new(socket);
        #[cfg(feature = "dtls")]
        let socket = DtlsSocket::new(socket);
        Self {
            socket,
            batch: SendBatch::with_capacity(SEND_BATCH_BYTES),
            datagrams_max: datagrams_max.max(1),
            has_more: false,
            pacing: Pacing::new(flush_interval),
            stats: SocketStats::default(),
            tap: Tap::default(),
        }
    }

    /// Returns the underlying socket.
    pub(crate) const fn socket_mut(&mut self) -> &mut S {
        self.link_mut().inner_mut()
    }

    /// Returns the layer of link conditions.
    #[cfg(feature = "dtls")]
    pub(crate) const fn link_mut(&mut self) -> &mut ShapedSocket<S> {
        self.socket.inner_mut()
    }

    /// Returns the layer of link conditions.
    #[cfg(not(feature = "dtls"))]
    pub(crate) const fn link_mut(&mut self) -> &mut ShapedSocket<S> {
        &mut self.socket
    }

    /// Returns the layer of link conditions.
    #[cfg(feature = "dtls")]
    pub(crate) const fn link(&self) -> &ShapedSocket<S> {
        self.socket.inner()
    }

    /// Returns the layer of link conditions.
    #[cfg(not(feature = "dtls"))]
    pub(crate) const fn link(&self) -> &ShapedSocket<S> {
        &self.socket
    }

    /// Receives datagrams up to the limit, unless polling is delayed. Starts a coalescing delay if
    /// that helps.
    pub(crate) fn receive(&mut self, now: Instant, host: &mut Host) {
        if self.pacing.is_delaying(now) {
            return;
        }
        self.socket.handle_timeout(now);
        let (received, is_broken) = self.receive_all(now, host);
        let delay = self.pacing.polled(now, received as u64, host.connected_peers());
        self.delay_polling(now, if is_broken { Some(BROKEN_RETRY) } else { delay });
    }

    /// Pauses wake-ups for the given time, if the socket supports it.
    fn delay_polling(&mut self, now: Instant, delay: Option<Duration>) {
        if let Some(delay) = delay.filter(|_| !self.has_more)
            && self.socket.pause(delay)
        {
            self.pacing.start_delay(now + delay);
        }
    }

    /// Returns the number of datagrams received, and whether receiving failed.
    fn receive_all(&mut self, now: Instant, host: &mut Host) -> (usize, bool) {
        let mut left = self.datagrams_max;
        self.has_more = true;
        while left > 0 {
            let (stats, tap, before) = (&mut self.stats, &mut self.tap, left);
            let drained = self.socket.try_recv_batch(left, &mut |from, datagram| {
                left -= 1;
                if datagram.len() > usize::from(MTU_MAX) {
                    stats.oversized += 1;
                } else {
                    tap.received(from.remote, datagram);
                    host.handle_datagram(now, from, datagram);
                }
            });
            match drained {
                Ok(true) => {
                    self.has_more = false;
                    break;
                }
                // None of the datagrams was for the host. The others are received in the next turn.
                Ok(false) if left == before => break,
                Ok(false) => {}
                Err(error) => match ReceiveFailure::from(&error) {
                    ReceiveFailure::Drained => {
                        self.has_more = false;
                        break;
                    }
                    ReceiveFailure::Undelivered => {
                        self.stats.receive_errors += 1;
                        left = left.saturating_sub(1);
                    }
                    ReceiveFailure::Broken => {
                        self.stats.receive_errors += 1;
                        self.has_more = false;
                        return (self.datagrams_max - left, true);
                    }
                },
            }
        }
        (self.datagrams_max - left, false)
    }

    /// Returns the maximum coalescing delay of queued packets.
    pub(crate) const fn flush_interval(&self) -> Duration {
        self.pacing.interval()
    }

    /// Stops receiving and coalescing.
    pub(crate) const fn stop_receiving(&mut self) {
        self.has_more = false;
        self.pacing.stop();
    }

    /// Sends what the host has queued, as far as the socket accepts it, unless sending is delayed.
    pub(crate) fn send(&mut self, now: Instant, host: &mut Host) {
        if self.pacing.delays_sending(now) {
            return;
        }
        self.socket.handle_timeout(now);
        host.end_turn(now);
        let (sent_before, ack_eliciting_before) =
            (host.stats().datagrams_sent, host.ack_eliciting_sent());
        self.send_all(now, host);
        let sent = host.stats().datagrams_sent - sent_before;
        if sent > 0 {
            let ack_eliciting = host.ack_eliciting_sent() - ack_eliciting_before;
            let delay = self.pacing.sent(now, sent, ack_eliciting, host.connected_peers());
            self.delay_polling(now, delay);
        }
    }

    fn send_all(&mut self, now: Instant, host: &mut Host) {
        let datagram_len_max = host.settings().mtu.into();
        loop {
            let mut transmit = None;
            while let Some(room) = self.batch.room(datagram_len_max) {
                transmit = host.poll_transmit(now, room);
                let Some(transmit) = transmit else { break };
                self.tap.sent(&transmit, room);
                self.batch.push(transmit);
            }
            if !self.send_batch() || transmit.is_none() {
                return;
            }
        }
    }

    /// Returns the time at which the next turn is due without input, after one at `now`.
    pub(crate) fn poll_timeout(&self, now: Instant, host: &Host) -> Option<Instant> {
        if self.has_more {
            Some(now)
        } else if self.is_blocked() {
            Some(now + BLOCKED_RETRY)
        } else if self.pacing.is_delaying(now) {
            // The socket wakes the task after the delay, and what is due before is done then.
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
            self.pacing.fall_asleep();
        }
        is_ready
    }

    /// Returns whether datagrams are queued because the socket is blocked.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.batch.is_empty()
    }

    pub(crate) const fn stats(&self) -> SocketStats {
        self.stats
    }

    /// Sends the batch. Returns whether all of it was sent.
    fn send_batch(&mut self) -> bool {
        while let Err(error) = self.socket.try_send_batch(&mut self.batch) {
            let failure = SendFailure::from(&error);
            if failure == SendFailure::Blocked {
                self.stats.send_blocked += 1;
                return false;
            }
            self.stats.send_errors += 1;
            self.batch.pop_front();
            if failure == SendFailure::NoMemory {
                self.stats.send_blocked += 1;
                return self.batch.is_empty();
            }
        }
        true
    }
}

/// Delay before a blocked socket is tried again.
const BLOCKED_RETRY: Duration = Duration::from_millis(1);
/// Delay before a socket that failed to receive is polled again.
const BROKEN_RETRY: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};
    use std::net::SocketAddr;

    use mp_core::Rng;

    use super::*;
    use crate::proto::HostSettings;

    /// A socket whose calls fail as configured.
    #[derive(Debug, Default)]
    struct Failing {
        /// The error of sending a datagram to port 1.
        send: Option<ErrorKind>,
        receive: Option<ErrorKind>,
        sent: Vec<u16>,
        receive_calls: usize,
    }

    impl DatagramSocket for Failing {
        fn try_send_to(&mut self, _: &[u8], to: SocketAddr) -> io::Result<()> {
            if let Some(error) = self.send.filter(|_| to.port() == 1) {
                return Err(error.into());
            }
            self.sent.push(to.port());
            Ok(())
        }

        fn try_recv_from(&mut self, _: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
            self.receive_calls += 1;
            Err(self.receive.unwrap_or(ErrorKind::WouldBlock).into())
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(([127, 0, 0, 1], 9).into())
        }
    }

    const NOW: Instant = Instant::from_millis(1);

    fn driver(socket: Failing) -> (SocketDriver<Failing>, Host) {
        let host = Host::new(HostSettings::default(), Rng::seed_from_u64(1));
        (SocketDriver::new(socket, 1_000, Duration::ZERO), host)
    }

    #[test]
    fn an_unreachable_destination_does_not_block_the_others() {
        for error in
            [ErrorKind::HostUnreachable, ErrorKind::PermissionDenied, ErrorKind::NetworkDown]
        {
            let (mut driver, mut host) =
                driver(Failing { send: Some(error), ..Failing::default() });
            for port in [1, 2, 1, 3] {
                host.connect(([127, 0, 0, 1], port).into(), 1, 0).unwrap();
            }
            driver.send(NOW, &mut host);
            assert_eq!(driver.socket_mut().sent, [2, 3], "{error}");
            assert!(!driver.is_blocked());
            assert_eq!(driver.stats().send_errors, 2);
        }
    }

    #[test]
    fn without_memory_datagrams_are_delayed_but_none_blocks_the_others_forever() {
        let (mut driver, mut host) =
            driver(Failing { send: Some(ErrorKind::OutOfMemory), ..Failing::default() });
        for port in [1, 2] {
            host.connect(([127, 0, 0, 1], port).into(), 1, 0).unwrap();
        }
        driver.send(NOW, &mut host);
        assert!(driver.is_blocked() && driver.socket_mut().sent.is_empty());
        assert_eq!(driver.poll_timeout(NOW, &host), Some(NOW + BLOCKED_RETRY));
        driver.send(NOW + BLOCKED_RETRY, &mut host);
        assert_eq!(driver.socket_mut().sent, [2]);
        assert_eq!((driver.stats().send_errors, driver.stats().send_blocked), (1, 1));
    }

    #[test]
    fn a_socket_that_fails_to_receive_is_polled_once_per_turn() {
        let (mut driver, mut host) =
            driver(Failing { receive: Some(ErrorKind::NetworkDown), ..Failing::default() });
        driver.receive(NOW, &mut host);
        assert_eq!(driver.socket_mut().receive_calls, 1);
        assert_eq!(driver.stats().receive_errors, 1);
        assert_ne!(driver.poll_timeout(NOW, &host), Some(NOW));
    }

    #[test]
    fn reports_of_undelivered_datagrams_are_bounded_per_turn() {
        let (mut driver, mut host) =
            driver(Failing { receive: Some(ErrorKind::ConnectionRefused), ..Failing::default() });
        driver.receive(NOW, &mut host);
        assert_eq!(driver.socket_mut().receive_calls, 1_000);
        assert_eq!(driver.stats().receive_errors, 1_000);
    }
}
