//! The proxy over ENet.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use mp_core::host::SystemClock;
use mp_core::{CloseMode, ConnectionId, DisconnectReason, ErrorChain, MultiplayerPeer};
use mp_transport_enet::io::{DatagramSocket, TokioUdpSocket};
use mp_transport_enet::limits::DATAGRAMS_PER_POLL;
use mp_transport_enet::{ClientOptions, DtlsClientOptions, EnetMultiplayerPeer, ServerOptions};
use tokio::time::{Instant as Deadline, sleep};

use super::forwarder::{DialServer, Forwarder, ProxyPeer};
use super::{ProxyError, ProxyOptions, ProxyStats, SharedObserver};
use crate::{Direction, WireDatagram};

/// A proxy with a bound UDP socket.
pub(super) struct EnetProxy {
    forwarder: Forwarder<EnetMultiplayerPeer<TokioUdpSocket>>,
    datagrams: Option<ObservedDatagrams>,
}

/// The datagrams of a turn, and their observer. The transport requires an observer that may change
/// its thread, which that of the proxy may not.
struct ObservedDatagrams {
    queue: Receiver<WireDatagram>,
    observer: Box<dyn FnMut(WireDatagram)>,
    dropped: Arc<AtomicU64>,
}

impl ObservedDatagrams {
    fn report(&mut self) {
        self.queue.try_iter().for_each(&mut self.observer);
    }
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
        Ok(Self { forwarder: Forwarder::new(listener, max_clients, dial), datagrams: None })
    }

    pub(super) fn observe_datagrams(&mut self, observer: Box<dyn FnMut(WireDatagram)>) {
        let (observed, queue) = sync_channel(DATAGRAMS_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        self.forwarder.listener_mut().host().tap_datagrams(move |datagram| {
            let (client, bytes) = (datagram.remote, Bytes::copy_from_slice(datagram.bytes));
            let direction = match datagram.is_sent {
                true => Direction::ToClient,
                false => Direction::ToServer,
            };
            if observed.try_send(WireDatagram { client, direction, bytes }).is_err() {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        self.datagrams = Some(ObservedDatagrams { queue, observer, dropped });
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
        let (forwarder, datagrams) = (&mut self.forwarder, &mut self.datagrams);
        poll_fn(|cx| {
            for _ in 0..TURNS_MAX {
                if stop.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                let now = clock.now();
                forwarder.turn(now, &mut *observer.borrow_mut());
                if let Some(datagrams) = datagrams {
                    datagrams.report();
                }
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
        let mut stats = forwarder.stats();
        if let Some(datagrams) = datagrams {
            datagrams.report();
            stats.unobserved = datagrams.dropped.load(Ordering::Relaxed);
        }
        stats
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

/// Maximum number of datagrams of a turn that are observed.
const DATAGRAMS_MAX: usize = 8 * DATAGRAMS_PER_POLL;
/// Longest time between two turns.
const TURN_INTERVAL_MAX: Duration = Duration::from_secs(1);
/// Maximum number of consecutive turns.
const TURNS_MAX: usize = 8;
