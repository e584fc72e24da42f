//! The proxy over WebSocket: it passes on the bytes of TCP connections and reads their messages.

mod connection;
mod head;
mod tap;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use mp_core::host::SystemClock;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, LocalSet};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use self::connection::ProxyConnection;
use super::{ProxyError, ProxyOptions, ProxyStats, ProxyTarget, SharedObserver};

/// A proxy with a bound TCP port.
pub(super) struct WebSocketProxy {
    listener: TcpListener,
    settings: Rc<Settings>,
    max_clients: usize,
}

/// Settings of all connections.
struct Settings {
    target: ProxyTarget,
    server: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    connector: Option<(TlsConnector, mp_tls::rustls::pki_types::ServerName<'static>)>,
}

impl WebSocketProxy {
    pub(super) async fn bind(
        options: ProxyOptions,
        server: SocketAddr,
    ) -> Result<Self, ProxyError> {
        let address = options.listen;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| ProxyError::Bind { address, source })?;
        let acceptor = match options.certificate {
            Some(certificate) => Some(TlsAcceptor::from(certificate.server_config()?)),
            None => None,
        };
        let connector = match options.target.is_secure {
            true => {
                let name = options.trust.server_name(&options.target.host)?;
                Some((TlsConnector::from(options.trust.client_config()?), name))
            }
            false => None,
        };
        let settings = Rc::new(Settings { target: options.target, server, acceptor, connector });
        Ok(Self { listener, settings, max_clients: usize::from(options.max_clients) })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub(super) async fn run(
        self,
        observer: SharedObserver<'static>,
        stop: impl Future<Output = ()>,
    ) -> ProxyStats {
        let stats = Rc::new(RefCell::new(ProxyStats::default()));
        let tasks = LocalSet::new();
        tasks.run_until(self.accept_until(observer, Rc::clone(&stats), stop)).await;
        stats.take()
    }

    async fn accept_until(
        self,
        observer: SharedObserver<'static>,
        stats: Rc<RefCell<ProxyStats>>,
        stop: impl Future<Output = ()>,
    ) {
        let clock = SystemClock::new();
        let (stopping, is_stopped) = tokio::sync::watch::channel(false);
        let mut stop = pin!(stop);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                () = &mut stop => break,
            };
            let Ok((stream, address)) = accepted else {
                // For example too many open files.
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            };
            if connections.len() >= self.max_clients {
                stats.borrow_mut().rejected += 1;
                continue;
            }
            let connection = ProxyConnection::new(
                Rc::clone(&self.settings),
                Rc::clone(&observer),
                Rc::clone(&stats),
                clock,
            );
            connections.spawn_local(connection.run(stream, address, is_stopped.clone()));
        }
        drop(self.listener);
        let _ = stopping.send(true);
        while connections.join_next().await.is_some() {}
    }
}

impl std::fmt::Debug for WebSocketProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebSocketProxy").finish_non_exhaustive()
    }
}

fn set_no_delay(stream: &TcpStream) {
    // Without it packets are only slower.
    let _ = stream.set_nodelay(true);
}

/// Pause after an error of accepting a connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
