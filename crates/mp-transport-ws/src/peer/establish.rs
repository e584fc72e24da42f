//! Establishing connections: a server accepts them, a client connects once.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use mp_core::{ConnectionId, ConnectionOrigin, ConnectionStatus, Instant, MaskedUrl};

use super::{Role, WebSocketMultiplayerPeer};
use crate::connection_io::ConnectionIo;
use crate::io::{StreamSource, is_of_one_connection, is_shortage};
use crate::limits::{ACCEPT_RETRY, ACCEPT_WARNING_INTERVAL, ACCEPTS_PER_POLL};
use crate::proto::connection::Connection;
use crate::proto::response::SentRequest;
use crate::proto::tls::{TlsClient, TlsServer};
use crate::proto::url::Url;

/// State of a server that accepts connections.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) tls: Option<TlsServer>,
    pub(super) max_half_open: usize,
    /// Connections whose handshake may be incomplete, oldest first.
    pub(super) handshakes: VecDeque<ConnectionId>,
    /// Time of the next attempt to accept after a failure.
    pub(super) retry: Option<Instant>,
    /// Earliest time of the next warning that accepting fails.
    pub(super) next_warning: Instant,
}

impl Acceptor {
    /// Delays accepting after an error that does not concern a single connection.
    fn fail(&mut self, now: Instant, error: &io::Error, accept_errors: u64) {
        self.retry = Some(now + ACCEPT_RETRY);
        if now < self.next_warning {
            return;
        }
        self.next_warning = now + ACCEPT_WARNING_INTERVAL;
        let hint = match is_shortage(error) {
            true => "; raise the limit of open files (ulimit -n) or lower the number of clients",
            false => "",
        };
        tracing::warn!(accept_errors, "cannot accept connections: {error}{hint}");
    }
}

/// A client's attempt to connect.
#[derive(Debug)]
pub(super) struct ConnectAttempt {
    pub(super) url: Url,
    pub(super) sent: (SentRequest, Vec<u8>),
    pub(super) tls: Option<TlsClient>,
    pub(super) deadline: Option<Instant>,
}

impl<S: StreamSource> WebSocketMultiplayerPeer<S> {
    /// Accepts pending connections of a server, at most [`ACCEPTS_PER_POLL`] of each listener.
    pub(super) fn accept(&mut self, now: Instant) {
        if let Role::Server(acceptor) = &mut self.role {
            if acceptor.retry.is_some_and(|at| now < at) {
                return;
            }
            acceptor.retry = None;
        }
        self.accept_from(now, false);
        self.accept_from(now, true);
    }

    /// Accepts pending connections of the listener, or of that of text sessions.
    fn accept_from(&mut self, now: Instant, text_only: bool) {
        let mut cx = Context::from_waker(&self.source_waker);
        for _ in 0..ACCEPTS_PER_POLL {
            let source = if text_only { &mut self.text_source } else { &mut self.source };
            let Some(source) = source else { return };
            match source.poll_stream(&mut cx) {
                Poll::Pending => return,
                Poll::Ready(Ok((stream, address))) => {
                    self.stats.accepted += 1;
                    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
                    self.admit(now, stream, address, text_only);
                    cx = Context::from_waker(&self.source_waker);
                }
                // The remote host aborted this connection; accept the next one.
                Poll::Ready(Err(error)) if is_of_one_connection(&error) => {}
                Poll::Ready(Err(error)) => {
                    self.stats.accept_errors += 1;
                    if let Role::Server(acceptor) = &mut self.role {
                        acceptor.fail(now, &error, self.stats.accept_errors);
                    }
                    return;
                }
            }
        }
        self.source_waker.wake_by_ref();
    }

    fn admit(&mut self, now: Instant, stream: S::Stream, address: SocketAddr, text_only: bool) {
        let Role::Server(acceptor) = &mut self.role else {
            mp_core::bug!("a client accepts a connection");
            return;
        };
        // Behind proxies, the client's address is in its request.
        let gate =
            self.session.gate.as_ref().filter(|_| !self.session.rules.is_proxy(address.ip()));
        if gate.is_some_and(|gate| gate.check_ban(address.ip()).is_err()) {
            tracing::debug!(%address, "connection of a banned address closed");
            return;
        }
        let tls = match acceptor.tls.as_ref().map(TlsServer::accept).transpose() {
            Ok(tls) => tls,
            Err(error) => {
                tracing::debug!(%error, "cannot create a TLS session");
                return;
            }
        };
        let waits =
            |id: &ConnectionId| self.connections.get(*id).is_some_and(|entry| entry.is_handshaking);
        while acceptor.handshakes.front().is_some_and(|first| !waits(first)) {
            acceptor.handshakes.pop_front();
        }
        let is_full = self.connections.handshaking() >= acceptor.max_half_open;
        let oldest = if is_full { acceptor.handshakes.pop_front() } else { None };
        let id = self.connections.next_id();
        let connection = Connection::accepted(id, address, tls, now, text_only, &self.session);
        let slot = id.slot as usize;
        let entry = ConnectionIo::new(
            connection,
            stream,
            self.ready_list.waker(slot),
            &self.session.settings,
        );
        acceptor.handshakes.push_back(id);
        self.connections.insert(entry);
        // Poll the connection in this turn: bytes may be received already, and the poll registers
        // its waker.
        self.ready.push_back(slot);
        if let Some(oldest) = oldest {
            self.stats.replaced += 1;
            self.connections.remove(oldest.slot as usize);
        }
    }

    /// Starts the handshake of a client once its socket is connected.
    pub(super) fn join(&mut self, now: Instant) {
        let Some(source) = &mut self.source else { return };
        let mut cx = Context::from_waker(&self.source_waker);
        let Poll::Ready(dialed) = source.poll_stream(&mut cx) else { return };
        self.source = None;
        let Role::Client(attempt) = &mut self.role else {
            mp_core::bug!("a server dials");
            return;
        };
        let Some(attempt) = attempt.take() else {
            mp_core::bug!("a client that has connected or failed dials");
            return;
        };
        let (stream, address) = match dialed {
            Ok(connected) => connected,
            Err(error) => {
                let url = attempt.url.to_string();
                let url = MaskedUrl(&url);
                tracing::debug!(%url, %error, "cannot connect to the server");
                self.connect_error = Some(error);
                self.session.status = ConnectionStatus::Disconnected;
                return;
            }
        };
        let ConnectAttempt { url, sent, tls, deadline } = *attempt;
        let tls = match tls.map(TlsClient::connect).transpose() {
            Ok(tls) => tls,
            Err(error) => {
                tracing::debug!(%error, "cannot create a TLS session");
                self.session.status = ConnectionStatus::Disconnected;
                return;
            }
        };
        let origin = ConnectionOrigin::Url { address, url: url.to_string().into() };
        let id = self.connections.next_id();
        let deadline = deadline.unwrap_or(now);
        let connection = Connection::dialed(id, origin, tls, sent, deadline, &self.session);
        let slot = id.slot as usize;
        let waker = self.ready_list.waker(slot);
        self.connections.insert(ConnectionIo::new(
            connection,
            stream,
            waker,
            &self.session.settings,
        ));
        self.ready.push_back(slot);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use mp_core::MultiplayerPeer;
    use mp_core::host::SystemClock;

    use crate::io::Tcp;
    use crate::limits::{KEEPALIVE_PROBES, TCP_TIMEOUT};
    use crate::{ClientOptions, ServerOptions, WebSocketMultiplayerPeer};

    fn connected(tcp_timeout: Option<Duration>) -> [WebSocketMultiplayerPeer<Tcp>; 2] {
        let (mut for_server, mut for_client) = (ServerOptions::default(), ClientOptions::default());
        if let Some(timeout) = tcp_timeout {
            for_server = for_server.tcp_timeout(timeout);
            for_client = for_client.tcp_timeout(timeout);
        }
        let any = "127.0.0.1:0".parse().unwrap();
        let server = WebSocketMultiplayerPeer::create_server(any, for_server).unwrap();
        let url = format!("ws://{}", server.local_addr().unwrap());
        let client = WebSocketMultiplayerPeer::create_client(&url, for_client).unwrap();
        let clock = SystemClock::new();
        let mut peers = [server, client];
        while peers.iter().any(|peer| peer.connections.slots().next().is_none()) {
            peers.iter_mut().for_each(|peer| peer.poll(clock.now()));
            assert!(
                clock.now() < mp_core::Instant::from_millis(120_000),
                "the client does not connect"
            );
            std::thread::yield_now();
        }
        peers
    }

    #[test]
    fn tcp_timeout_is_30_seconds_by_default() {
        assert_eq!(TCP_TIMEOUT, Duration::from_secs(30));
        for mut peer in connected(None) {
            let socket = peer.connections.at(0).unwrap().stream().socket();
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(TCP_TIMEOUT));
            assert!(socket.keepalive().unwrap());
            let (first, others) =
                (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap());
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_PROBES);
            assert_eq!(first + others * KEEPALIVE_PROBES, TCP_TIMEOUT);
        }
    }

    #[test]
    fn the_tcp_timeout_is_an_option() {
        for (option, set) in [(Duration::from_secs(3), 3), (Duration::ZERO, 0)] {
            for mut peer in connected(Some(option)) {
                let socket = peer.connections.at(0).unwrap().stream().socket();
                let timeout = socket.tcp_user_timeout().unwrap().unwrap_or_default();
                assert_eq!(timeout, Duration::from_secs(set));
                assert_eq!(socket.keepalive().unwrap(), set > 0);
            }
        }
    }
}
