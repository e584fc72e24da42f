//! TCP of the standard library, polled at an interval.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, ToSocketAddrs};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;

use super::bind::{BindError, listen, set_timeout, tune};
use super::dial::{dial, not_resolved};
use super::{ByteStream, StreamSource, is_shortage};

/// TCP without a runtime: a listener, or an attempt to connect.
#[derive(Debug)]
pub struct Tcp(Source);

#[derive(Debug)]
enum Source {
    Listener(TcpListener),
    /// Name lookup and connecting block, so a thread does both.
    Dialing(Option<JoinHandle<Dialed>>),
}

type Dialed = io::Result<(std::net::TcpStream, SocketAddr)>;

impl Tcp {
    /// Listens on `address`; with port 0 the system chooses a free port.
    ///
    /// # Errors
    ///
    /// Returns an error if the address cannot be bound.
    pub fn listen(address: SocketAddr) -> Result<Self, BindError> {
        listen(address).map(Source::Listener).map(Self)
    }

    /// Starts to connect to `host`, a name or an IP address. Its addresses are tried in turn, the
    /// next one when the previous one has failed or not answered for
    /// [`CONNECT_ATTEMPT_DELAY`](crate::limits::CONNECT_ATTEMPT_DELAY). Each attempt takes at most
    /// `timeout`.
    ///
    /// # Errors
    ///
    /// Returns an error if no thread can be started.
    pub fn dial(host: &str, port: u16, timeout: Duration) -> io::Result<Self> {
        let host = host.to_owned();
        let dial = move || {
            let found = (host.as_str(), port).to_socket_addrs();
            dial(found.map_err(|error| not_resolved(&host, &error))?, timeout)
        };
        let thread = std::thread::Builder::new().name("connect".to_owned()).spawn(dial)?;
        Ok(Self(Source::Dialing(Some(thread))))
    }
}

impl StreamSource for Tcp {
    type Stream = TcpStream;

    fn poll_stream(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (stream, address) = match &mut self.0 {
            Source::Listener(listener) => match listener.accept() {
                Err(error) if is_temporary(&error) => return Poll::Pending,
                accepted => accepted?,
            },
            Source::Dialing(thread) => {
                let Some(thread) = thread.take_if(|thread| thread.is_finished()) else {
                    return Poll::Pending;
                };
                thread.join().map_err(|_| io::Error::other("the connecting thread panicked"))??
            }
        };
        stream.set_nonblocking(true)?;
        tune(&stream);
        Poll::Ready(Ok((TcpStream(stream), address)))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Source::Listener(listener) => listener.local_addr(),
            Source::Dialing(_) => Err(ErrorKind::NotConnected.into()),
        }
    }
}

/// A TCP connection of the standard library.
#[derive(Debug)]
pub struct TcpStream(std::net::TcpStream);

#[cfg(all(test, target_os = "linux"))]
impl TcpStream {
    pub(crate) fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.0)
    }
}

impl ByteStream for TcpStream {
    fn poll_read(&mut self, _cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        pending_if_temporary(self.0.read(buf))
    }

    fn poll_write(&mut self, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        pending_if_temporary(self.0.write(bytes))
    }

    fn shutdown(&mut self) {
        // Fails if the remote host has disconnected; reading reports that.
        let _ = self.0.shutdown(Shutdown::Write);
    }

    fn set_no_delay(&mut self, no_delay: bool) {
        let _ = SockRef::from(&self.0).set_tcp_nodelay(no_delay);
    }

    fn set_timeout(&mut self, timeout: Duration) -> bool {
        set_timeout(&self.0, timeout)
    }
}

fn pending_if_temporary(done: io::Result<usize>) -> Poll<io::Result<usize>> {
    match done {
        // A shortage of memory may be over at the next poll.
        Err(error) if is_temporary(&error) || is_shortage(&error) => Poll::Pending,
        done => Poll::Ready(done),
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
