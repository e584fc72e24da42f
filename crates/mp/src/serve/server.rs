//! [`Server`]: a handle to a running server.

use std::net::SocketAddr;
use std::ops::Deref;

use mp_actor::{BranchRef, EndReason};

/// A handle to a running server: its branch, which it dereferences to, and the addresses of its
/// transports. Clones refer to the same server, which closes when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Server {
    branch: BranchRef,
    pub(super) enet: Option<SocketAddr>,
    pub(super) websocket: Option<SocketAddr>,
    pub(super) webrtc: Option<SocketAddr>,
}

impl Server {
    pub(super) const fn new(branch: BranchRef) -> Self {
        Self { branch, enet: None, websocket: None, webrtc: None }
    }

    /// Returns the address of the ENet transport, with the port that the operating system chose.
    pub const fn enet_addr(&self) -> Option<SocketAddr> {
        self.enet
    }

    /// Returns the address of the WebSocket transport.
    pub const fn websocket_addr(&self) -> Option<SocketAddr> {
        self.websocket
    }

    /// Returns the address of the WebRTC transport.
    pub const fn webrtc_addr(&self) -> Option<SocketAddr> {
        self.webrtc
    }

    /// Returns the branch.
    pub const fn branch(&self) -> &BranchRef {
        &self.branch
    }

    /// Waits for Ctrl-C or, on Unix, SIGTERM, and [closes](BranchRef::close) the server. Also
    /// returns when the branch ends for another reason.
    ///
    /// After the first call Ctrl-C no longer ends the process by itself.
    pub async fn close_on_ctrl_c(&self) -> EndReason {
        tokio::select! {
            () = stop_signal() => self.branch.close().await,
            ended = self.branch.closed() => ended,
        }
    }
}

impl Deref for Server {
    type Target = BranchRef;

    fn deref(&self) -> &BranchRef {
        &self.branch
    }
}

/// Waits for Ctrl-C or SIGTERM. Never returns if the process cannot handle signals.
async fn stop_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
