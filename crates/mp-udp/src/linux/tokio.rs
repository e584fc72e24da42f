//! A tokio socket that can pause its wake-ups.
//!
//! It registers for readability only. Each sent datagram that leaves the send buffer makes the
//! socket writable, which would wake the thread for each of them. A full send buffer is rare, and a
//! timer tries again.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mp_core::Readiness;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdRegisterError};

use crate::{BindError, DatagramSocket, NetworkPath, SendBatch, UdpSocket};

/// A UDP socket that wakes its task.
#[derive(Debug)]
pub struct TokioUdpSocket {
    /// `None` only during a transition between the two states.
    socket: Option<Socket>,
    /// Timer that ends pauses. Created by the first pause.
    alarm: Option<AsyncFd<Alarm>>,
    is_paused: bool,
}

#[derive(Debug)]
enum Socket {
    /// Received datagrams wake the task.
    Watched(AsyncFd<UdpSocket>),
    /// Received datagrams do not wake the task.
    Unwatched(UdpSocket),
}

#[derive(Debug)]
struct Alarm(TimerFd);

impl AsRawFd for Alarm {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Registers a descriptor with the runtime for readability.
#[expect(deprecated, reason = "the descriptors given here are their owner's until it is dropped")]
fn watch<T: AsRawFd>(owner: T) -> Result<AsyncFd<T>, AsyncFdRegisterError<T>> {
    AsyncFd::try_with_interest(owner, Interest::READABLE)
}

impl TokioUdpSocket {
    /// Returns a socket bound to `address`. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::bind`].
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::new(UdpSocket::bind(address)?, address)
    }

    /// Returns a socket that can send to `server`, see [`UdpSocket::bind_for`]. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::bind_for`].
    pub fn bind_for(server: SocketAddr, local_port: u16) -> Result<Self, BindError> {
        Self::new(UdpSocket::bind_for(server, local_port)?, server)
    }

    /// Wraps a socket that was bound to `address`, which errors name. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// The runtime cannot register the socket.
    pub fn new(socket: UdpSocket, address: SocketAddr) -> Result<Self, BindError> {
        let mut socket =
            Self { socket: Some(Socket::Unwatched(socket)), alarm: None, is_paused: false };
        socket.watch().map_err(|source| BindError { address, source })?;
        Ok(socket)
    }

    /// Registers the socket: received datagrams wake the task.
    fn watch(&mut self) -> io::Result<()> {
        let Some(Socket::Unwatched(socket)) =
            self.socket.take_if(|socket| matches!(socket, Socket::Unwatched(_)))
        else {
            return Ok(());
        };
        let (socket, watched) = match watch(socket) {
            Ok(socket) => (Socket::Watched(socket), Ok(())),
            Err(error) => {
                let (socket, error) = error.into_parts();
                (Socket::Unwatched(socket), Err(error))
            }
        };
        self.socket = Some(socket);
        watched
    }

    /// Deregisters the socket: received datagrams do not wake the task.
    fn unwatch(&mut self) {
        self.socket = self.socket.take().map(|socket| match socket {
            Socket::Watched(socket) => Socket::Unwatched(socket.into_inner()),
            unwatched => unwatched,
        });
    }

    /// Deregisters the socket and wakes the task after `pause`.
    fn try_pause(&mut self, pause: Duration) -> io::Result<()> {
        if self.alarm.is_none() {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let alarm = Alarm(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?);
            self.alarm = Some(watch(alarm)?);
        }
        if let Some(alarm) = &self.alarm {
            let in_pause = Expiration::OneShot(TimeSpec::from_duration(pause));
            alarm.get_ref().0.set(in_pause, TimerSetTimeFlags::empty())?;
        }
        self.unwatch();
        self.is_paused = true;
        Ok(())
    }

    fn socket(&mut self) -> io::Result<&mut UdpSocket> {
        match &mut self.socket {
            Some(Socket::Watched(socket)) => Ok(socket.get_mut()),
            Some(Socket::Unwatched(socket)) => Ok(socket),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Receives if the runtime has seen the socket readable, or if it is not registered.
    fn receive<R>(&mut self, run: impl FnOnce(&mut UdpSocket) -> io::Result<R>) -> io::Result<R> {
        match &mut self.socket {
            Some(Socket::Watched(socket)) => socket.try_io_mut(Interest::READABLE, run),
            _ => run(self.socket()?),
        }
    }

    /// Returns ready when there is no pause or it has expired.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.is_paused
            && let Some(alarm) = &self.alarm
        {
            let Ok(mut guard) = ready!(alarm.poll_read_ready(cx)) else { break };
            // Reading the timer clears it. An empty read means that the timer has not fired.
            let has_rung = guard.try_io(|alarm| Ok(alarm.get_ref().0.wait()?));
            if matches!(has_rung, Ok(Ok(()))) {
                guard.clear_ready();
                break;
            }
        }
        self.is_paused = false;
        Poll::Ready(())
    }
}

impl DatagramSocket for TokioUdpSocket {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket()?.try_send_to(datagram, to)
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(|socket| socket.try_recv_from(buf))
    }

    fn try_send_batch(&mut self, batch: &mut SendBatch) -> io::Result<()> {
        self.socket()?.try_send_batch(batch)
    }

    fn try_recv_batch(
        &mut self,
        most: usize,
        take: &mut dyn FnMut(NetworkPath, &[u8]),
    ) -> io::Result<bool> {
        // `WouldBlock` clears tokio's readiness. The socket is known to be drained here, so this
        // saves a system call.
        let drained = self.receive(|socket| match socket.try_recv_batch(most, take) {
            Ok(true) => Err(io::ErrorKind::WouldBlock.into()),
            other => other,
        });
        match drained {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            other => other,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.socket {
            Some(Socket::Watched(socket)) => socket.get_ref().local_addr(),
            Some(Socket::Unwatched(socket)) => socket.local_addr(),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn readiness(&self) -> Readiness {
        Readiness::Waker
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>, _wants_to_send: bool) -> Poll<()> {
        if self.is_paused {
            return self.poll_pause(cx);
        }
        if self.watch().is_err() {
            // The runtime cannot register the socket now: poll the socket after a short pause
            // instead.
            let is_paused = self.try_pause(RETRY).is_ok();
            return if is_paused { self.poll_pause(cx) } else { Poll::Ready(()) };
        }
        match &self.socket {
            // Ready on an error, too: receiving returns it.
            Some(Socket::Watched(socket)) => socket.poll_read_ready(cx).map(drop),
            _ => Poll::Pending,
        }
    }

    fn handle_timeout(&mut self, now: mp_core::Instant) {
        if let Ok(socket) = self.socket() {
            socket.handle_timeout(now);
        }
    }

    fn pause(&mut self, pause: Duration) -> bool {
        self.try_pause(pause).is_ok()
    }
}

/// Delay before a socket that cannot be registered is polled.
const RETRY: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::Ipv4Addr;

    use tokio::time::{Instant, timeout};

    use super::*;

    fn run<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let test = async {
            timeout(Duration::from_secs(120), test)
                .await
                .expect("the task was not woken within 120 s")
        };
        runtime.block_on(test)
    }

    async fn ready(socket: &mut TokioUdpSocket) {
        poll_fn(|cx| socket.poll_ready(cx, false)).await;
    }

    fn take(socket: &mut TokioUdpSocket) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        assert!(
            socket.try_recv_batch(100, &mut |_, bytes| datagrams.push(bytes.to_vec())).unwrap()
        );
        datagrams
    }

    #[test]
    fn received_datagrams_wake_the_task_each_time() {
        run(async {
            let mut socket = TokioUdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
            let other = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            for number in 0..100_u8 {
                other.send_to(&[number], socket.local_addr().unwrap()).unwrap();
                ready(&mut socket).await;
                assert_eq!(take(&mut socket), [[number]]);
            }
        });
    }

    #[test]
    fn received_datagrams_wake_the_task_only_after_a_pause() {
        run(async {
            let mut socket = TokioUdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
            let other = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            for number in 0..10_u8 {
                let (pause, began) = (Duration::from_millis(5), Instant::now());
                assert!(socket.pause(pause));
                other.send_to(&[number], socket.local_addr().unwrap()).unwrap();
                ready(&mut socket).await;
                assert!(began.elapsed() >= pause, "woken after {:?}", began.elapsed());
                assert_eq!(take(&mut socket), [[number]]);

                other.send_to(b"again", socket.local_addr().unwrap()).unwrap();
                ready(&mut socket).await;
                assert_eq!(take(&mut socket), [b"again"]);
            }
        });
    }

    #[test]
    fn datagrams_received_during_a_pause_wake_the_task_after_it() {
        run(async {
            let mut socket = TokioUdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
            let other = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            assert!(socket.pause(Duration::from_millis(1)));
            other.send_to(b"early", socket.local_addr().unwrap()).unwrap();
            ready(&mut socket).await;
            ready(&mut socket).await;
            assert_eq!(take(&mut socket), [b"early"]);
        });
    }

    #[test]
    fn capacity_to_send_does_not_wake_the_task() {
        run(async {
            let mut socket = TokioUdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
            let other = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            for _ in 0..100 {
                socket.try_send_to(b"hello", other.local_addr().unwrap()).unwrap();
                other.recv_from(&mut [0; 10]).unwrap();
            }
            let woken = timeout(Duration::from_millis(20), ready(&mut socket)).await;
            assert!(woken.is_err(), "woken without a datagram");
        });
    }
}
