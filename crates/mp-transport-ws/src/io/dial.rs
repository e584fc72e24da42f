//! Connecting to a name with several addresses (Happy Eyeballs, RFC 8305): address families
//! alternate, and the next address is tried when one has failed or not answered for a while.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use mp_core::interleave_families;

use crate::limits::{ADDRESSES_MAX, CONNECT_ATTEMPT_DELAY};

/// Connects to the first of `addresses` that answers. Blocks, with one thread per attempt; each
/// attempt takes at most `timeout`.
pub(super) fn dial(
    addresses: impl Iterator<Item = SocketAddr>,
    timeout: Duration,
) -> io::Result<(TcpStream, SocketAddr)> {
    let mut addresses = interleave_families(addresses).into_iter().peekable();
    let (done, attempts) = mpsc::sync_channel(ADDRESSES_MAX);
    let mut last = no_address();
    let mut pending = 0;
    loop {
        if let Some(address) = addresses.next() {
            let done = done.clone();
            let attempt = move || {
                // Sending fails if another attempt was faster.
                let stream = TcpStream::connect_timeout(&address, timeout);
                let _ = done.send(stream.map(|stream| (stream, address)));
            };
            std::thread::Builder::new().name("connect".to_owned()).spawn(attempt)?;
            pending += 1;
        } else if pending == 0 {
            return Err(last);
        }
        // Each attempt ends after `timeout`.
        let wait = if addresses.peek().is_some() { CONNECT_ATTEMPT_DELAY } else { timeout * 2 };
        match attempts.recv_timeout(wait) {
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(error)) => {
                last = error;
                pending -= 1;
            }
            Err(RecvTimeoutError::Timeout) if addresses.peek().is_some() => {}
            Err(_) => return Err(ErrorKind::TimedOut.into()),
        }
    }
}

/// Connects like [`dial`], in tokio. An attempt ends when the system abandons it, or when the
/// future is dropped.
#[cfg(feature = "tokio")]
pub(super) async fn dial_async(
    addresses: impl Iterator<Item = SocketAddr>,
) -> io::Result<tokio::net::TcpStream> {
    use tokio::task::JoinSet;
    use tokio::time::timeout;

    let mut addresses = interleave_families(addresses).into_iter().peekable();
    let mut attempts = JoinSet::new();
    let mut last = no_address();
    loop {
        if let Some(address) = addresses.next() {
            attempts.spawn(tokio::net::TcpStream::connect(address));
        }
        let next = match addresses.peek() {
            Some(_) => timeout(CONNECT_ATTEMPT_DELAY, attempts.join_next()).await,
            None => Ok(attempts.join_next().await),
        };
        match next {
            Ok(Some(Ok(Ok(stream)))) => return Ok(stream),
            Ok(Some(Ok(Err(error)))) => last = error,
            Ok(Some(Err(error))) => last = io::Error::other(error),
            Ok(None) => return Err(last),
            Err(_) => {}
        }
    }
}

/// Returns the error of a failed name lookup, with the name.
pub(super) fn not_resolved(host: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot resolve {host}: {error}"))
}

fn no_address() -> io::Error {
    io::Error::new(ErrorKind::NotFound, "the name has no address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_an_answering_address_fails_with_the_last_error() {
        // Not a port that was bound and closed: a test beside this one could get it.
        let closed = SocketAddr::from(([127, 0, 0, 1], 1));
        let error = dial([closed, closed].into_iter(), Duration::from_secs(3)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let error = dial([].into_iter(), Duration::from_secs(3)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    /// Duration of an attempt at an address that does not answer.
    #[cfg(target_os = "linux")]
    const ATTEMPT: Duration = Duration::from_secs(60);

    /// A listener whose queue is full, so that Linux ignores further attempts to connect.
    #[cfg(target_os = "linux")]
    struct Silent {
        address: SocketAddr,
        _sockets: Vec<socket2::Socket>,
    }

    #[cfg(target_os = "linux")]
    impl Silent {
        fn new() -> Self {
            use socket2::{Domain, Socket, Type};
            let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let listener = socket();
            listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
            listener.listen(0).unwrap();
            let address = listener.local_addr().unwrap();
            let mut sockets = vec![listener];
            for _ in 0..4 {
                let client = socket();
                client.set_nonblocking(true).unwrap();
                let _ = client.connect(&address);
                sockets.push(client);
            }
            Self { address: address.as_socket().unwrap(), _sockets: sockets }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_address_that_does_not_answer_delays_the_next_by_a_moment() {
        let silent = Silent::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let answering = listener.local_addr().unwrap();
        let clock = mp_core::host::SystemClock::new();
        let addresses = [silent.address, silent.address, answering];
        let (_stream, address) = dial(addresses.into_iter(), ATTEMPT).unwrap();
        assert_eq!(address, answering);
        let elapsed = clock.now() - mp_core::Instant::ZERO;
        assert!(elapsed >= CONNECT_ATTEMPT_DELAY * 2, "{elapsed:?}");
        // The earlier attempts do not block it.
        assert!(elapsed < ATTEMPT, "{elapsed:?}");
    }

    #[cfg(all(target_os = "linux", feature = "tokio"))]
    #[test]
    fn an_address_that_does_not_answer_delays_the_next_by_a_moment_in_tokio() {
        let silent = Silent::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let answering = listener.local_addr().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dialing = dial_async([silent.address, answering].into_iter());
            let stream = tokio::time::timeout(ATTEMPT, dialing).await.unwrap().unwrap();
            assert_eq!(stream.peer_addr().unwrap(), answering);
        });
    }
}
