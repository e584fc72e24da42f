//! The proxy over ENet.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::{CloseMode, ConnectionId, DisconnectReason, ErrorChain, MultiplayerPeer};
use mp_transport_enet::io::{DatagramSocket, TokioUdpSocket};
use mp_transport_enet::{ClientOptions, DtlsClientOptions, EnetMultiplayerPeer, ServerOptions};
use tokio::time::{Instant as Deadline, sleep};

use super::forwarder::{DialServer, Forwarder, ProxyPeer};
use super::{ProxyError, ProxyOptions, ProxyStats, SharedObserver};

/// A proxy with a bound UDP socket.
pub(super) struct EnetProxy {
    forwarder: Forwarder<EnetMultiplayerPeer<TokioUdpSocket>>,
}

impl EnetProxy {
    pub(super) fn bind(options: ProxyOptions, server: SocketAddr) -> Result<Self, ProxyError> {
        let address = options.listen;
        let mut listen = ServerOptions::default()
            .max_clients(options.max_clients)
            .compression(options.compression)
            .flush_interval(Duration::ZERO);
        if let Some(certificate) = options.certificate.clone() {
            listen = listen.dtls(certificate);
        }
        let listener = EnetMultiplayerPeer::create_async_server(address, listen);
        let listener = listener.map_err(|source| ProxyError::Listen { address, source })?;
        let max_clients = options.max_clients;
        let dial: DialServer = Box::new(move |id| {
            let mut client =
                ClientOptions::default().unique_id(id).compression(options.compression);
            if options.target.is_secure {
                let (hostname, tls) = (options.target.host.clone(), options.trust.clone());
                client = client.dtls(DtlsClientOptions { hostname, tls });
            }
            let peer = EnetMultiplayerPeer::create_async_client(server, client);
            match peer {
                Ok(peer) => Ok(Box::new(peer) as Box<dyn ProxyPeer>),
                Err(error) => Err(ErrorChain::new(&error).to_string()),
            }
        });
        Ok(Self { forwarder: Forwarder::new(listener, max_clients, dial) })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.forwarder.listener().local_addr()
    }

    pub(super) async fn run(
        mut self,
        observer: SharedObserver<'static>,
        stop: impl Future<Output = ()>,
    ) -> ProxyStats {
        let clock = SystemClock::new();
        let (mut stop, mut timer) = (pin!(stop), pin!(sleep(Duration::ZERO)));
        let forwarder = &mut self.forwarder;
        poll_fn(|cx| {
            for _ in 0..TURNS_MAX {
                if stop.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                let now = clock.now();
                forwarder.turn(now, &mut *observer.borrow_mut());
                let wait = forwarder.poll_timeout(now).map_or(TURN_INTERVAL_MAX, |due| due - now);
                if wait.is_zero() || forwarder.poll_ready(cx).is_ready() {
                    continue;
                }
                timer.as_mut().reset(Deadline::now() + wait.min(TURN_INTERVAL_MAX));
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
            // Other tasks of the thread are due as well.
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        forwarder.stop(clock.now(), &mut *observer.borrow_mut());
        forwarder.stats()
    }
}

impl<S: DatagramSocket> ProxyPeer for EnetMultiplayerPeer<S> {
    fn close_with(&mut self, connection: ConnectionId, code: u32) {
        match self.peer(connection) {
            Some(mut peer) if code != 0 => peer.peer_disconnect_later(code),
            _ => self.disconnect(connection, DisconnectReason::Kicked, CloseMode::Drain),
        }
    }

    fn failure(&mut self) -> Option<String> {
        let untrusted = self.host().dtls().and_then(|dtls| dtls.untrusted());
        untrusted.map(|error| ErrorChain::new(error).to_string())
    }
}

impl fmt::Debug for EnetProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnetProxy").finish_non_exhaustive()
    }
}

/// Longest time between two turns.
const TURN_INTERVAL_MAX: Duration = Duration::from_secs(1);
/// Maximum number of consecutive turns.
const TURNS_MAX: usize = 8;
