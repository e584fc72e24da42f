//! TCP of tokio, which wakes its task.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::Readiness;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::task::unconstrained;

use super::bind::{BindError, listen, set_timeout, tune};
use super::dial::{dial_async, not_resolved};
use super::{ByteStream, StreamSource, is_shortage};

/// TCP in tokio: a listener, or an attempt to connect.
pub struct TokioTcp(Source);

enum Source {
    Listener(TcpListener),
    Dialing(Option<Dialing>),
}

type Dialing = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

impl TokioTcp {
    /// Listens on `address` like [`Tcp::listen`](super::Tcp::listen). Requires a tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns an error if the address cannot be bound.
    pub fn listen(address: SocketAddr) -> Result<Self, BindError> {
        let listener = TcpListener::from_std(listen(address)?);
        let listener = listener.map_err(|source| BindError { address, source })?;
        Ok(Self(Source::Listener(listener)))
    }

    /// Starts to connect to `host`, a name or an IP address, like [`Tcp::dial`](super::Tcp::dial).
    /// Must be polled within a tokio runtime with I/O and time.
    pub fn dial(host: &str, port: u16) -> Self {
        let host = host.to_owned();
        let dialing = Box::pin(async move {
            let found = lookup_host((host.as_str(), port)).await;
            dial_async(found.map_err(|error| not_resolved(&host, &error))?).await
        });
        Self(Source::Dialing(Some(dialing)))
    }
}

impl fmt::Debug for TokioTcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Listener(listener) => listener.fmt(f),
            Source::Dialing(_) => f.write_str("TokioTcp"),
        }
    }
}

impl StreamSource for TokioTcp {
    type Stream = TokioTcpStream;

    fn poll_stream(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TokioTcpStream, SocketAddr)>> {
        let (stream, address) = match &mut self.0 {
            Source::Listener(listener) => match poll_once(cx, |cx| listener.poll_accept(cx)) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(accepted) => accepted?,
            },
            Source::Dialing(None) => return Poll::Pending,
            Source::Dialing(Some(dialing)) => match dialing.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(dialed) => {
                    self.0 = Source::Dialing(None);
                    let stream = dialed?;
                    let address = stream.peer_addr()?;
                    (stream, address)
                }
            },
        };
        tune(&stream);
        Poll::Ready(Ok((TokioTcpStream(stream), address)))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Source::Listener(listener) => listener.local_addr(),
            Source::Dialing(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn readiness(&self) -> Readiness {
        Readiness::Waker
    }
}

/// A TCP connection of tokio.
#[derive(Debug)]
pub struct TokioTcpStream(TcpStream);

impl ByteStream for TokioTcpStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        let stream = &mut self.0;
        let read = poll_once(cx, |cx| Pin::new(&mut *stream).poll_read(cx, &mut buf));
        retry_if_short(cx, read).map(|read| read.map(|()| buf.filled().len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = &mut self.0;
        let written = poll_once(cx, |cx| Pin::new(&mut *stream).poll_write(cx, bytes));
        retry_if_short(cx, written)
    }

    fn shutdown(&mut self) {
        // Fails if the remote host has disconnected; reading reports that.
        let _ = SockRef::from(&self.0).shutdown(std::net::Shutdown::Write);
    }

    fn set_no_delay(&mut self, no_delay: bool) {
        let _ = self.0.set_nodelay(no_delay);
    }

    fn set_timeout(&mut self, timeout: Duration) -> bool {
        set_timeout(&self.0, timeout)
    }
}

/// Turns an error for lack of memory into `Pending` and wakes the task, to retry in the next turn.
fn retry_if_short<T>(cx: &Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
    match done {
        Poll::Ready(Err(error)) if is_shortage(&error) => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        done => done,
    }
}

/// Polls `attempt` once, outside tokio's cooperative budget. tokio would suspend a task after 128
/// operations; a turn has limits of its own for all connections.
fn poll_once<T>(cx: &mut Context<'_>, attempt: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    pin!(unconstrained(poll_fn(attempt))).poll(cx)
}
