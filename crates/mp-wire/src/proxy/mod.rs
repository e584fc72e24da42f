//! The proxy: sockets around [`forwarder`] (ENet) and [`web_socket`].

mod enet;
mod forwarder;
mod options;
mod web_socket;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use self::enet::EnetProxy;
pub use self::options::{ProxyError, ProxyOptions, ProxyTarget};
use self::web_socket::WebSocketProxy;
use crate::{WireDatagram, WireEvent};

/// Counters of a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyStats {
    /// Clients that were accepted.
    pub clients: u64,
    /// Clients that were rejected, because there were too many.
    pub rejected: u64,
    /// Connections whose handshake failed: of DTLS or TLS, for example because the client does not
    /// trust the certificate of the proxy, or of HTTP.
    pub failed_handshakes: u64,
    /// Packets that were not passed on: unreliable ones of a client whose connection to the server
    /// was not established yet, and those that a transport did not accept.
    pub dropped: u64,
    /// Datagrams that the observer did not receive, because there were too many in one turn.
    pub unobserved: u64,
}

/// A proxy whose socket is bound.
#[derive(Debug)]
pub struct Proxy {
    kind: ProxyKind,
}

#[derive(Debug)]
enum ProxyKind {
    Enet(Box<EnetProxy>),
    WebSocket(WebSocketProxy),
}

/// The receiver of a proxy's events, which the tasks of its connections share.
type SharedObserver<'o> = Rc<RefCell<dyn FnMut(WireEvent) + 'o>>;

impl Proxy {
    /// Binds the socket for clients, and resolves the name of the server. Requires a tokio runtime.
    ///
    /// # Errors
    ///
    /// If an address cannot be used, or a certificate is invalid.
    pub async fn bind(options: ProxyOptions) -> Result<Self, ProxyError> {
        let server = options.target.resolve().await?;
        let kind = match options.target.is_web_socket {
            false => ProxyKind::Enet(Box::new(EnetProxy::bind(options, server)?)),
            true => ProxyKind::WebSocket(WebSocketProxy::bind(options, server).await?),
        };
        Ok(Self { kind })
    }

    /// Returns the address on which it accepts clients.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.kind {
            ProxyKind::Enet(proxy) => proxy.local_addr(),
            ProxyKind::WebSocket(proxy) => proxy.local_addr(),
        }
    }

    /// Reports the datagrams of clients over ENet to `observer`, in addition to the events. Over
    /// WebSocket it receives none.
    pub fn observe_datagrams(&mut self, observer: impl FnMut(WireDatagram) + 'static) {
        if let ProxyKind::Enet(proxy) = &mut self.kind {
            proxy.observe_datagrams(Box::new(observer));
        }
    }

    /// Passes packets on until `stop` is ready, then closes all connections. `observer` receives
    /// each event in order, and must not block for long.
    pub async fn run(
        self,
        observer: impl FnMut(WireEvent) + 'static,
        stop: impl Future<Output = ()>,
    ) -> ProxyStats {
        let observer: SharedObserver<'static> = Rc::new(RefCell::new(observer));
        match self.kind {
            ProxyKind::Enet(proxy) => proxy.run(observer, stop).await,
            ProxyKind::WebSocket(proxy) => proxy.run(observer, stop).await,
        }
    }
}
