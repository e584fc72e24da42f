//! The signals and requests that stop the program.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// Name of the signal with which service managers stop a program.
pub(crate) const SIGTERM: &str = "SIGTERM";

/// A listener for SIGINT and SIGTERM.
pub(crate) struct Shutdown {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
}

impl Shutdown {
    /// Starts to listen. The signals no longer kill the process.
    #[cfg(unix)]
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        Ok(Self { signals })
    }

    /// Starts to listen for Ctrl-C, on systems other than Unix.
    #[cfg(not(unix))]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next signal and returns its name.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> &'static str {
        std::future::poll_fn(|cx| {
            let [interrupt, terminate] = &mut self.signals;
            if interrupt.poll_recv(cx).is_ready() {
                return std::task::Poll::Ready("SIGINT");
            }
            terminate.poll_recv(cx).map(|_| SIGTERM)
        })
        .await
    }

    /// Waits for the next signal and returns its name.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            // Ctrl-C cannot be received; the process has to be killed.
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}

/// Requests of operators to end the server. Clones refer to the same server.
#[derive(Clone, Debug)]
pub(crate) struct DrainRequests(Arc<watch::Sender<Option<Duration>>>);

impl DrainRequests {
    /// Returns requests of which there is none yet.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Requests that the server ends when its players have left, or after `timeout`. Returns false
    /// if there was a request already.
    pub(crate) fn request(&self, timeout: Duration) -> bool {
        self.0.send_if_modified(|request| {
            let is_first = request.is_none();
            request.get_or_insert(timeout);
            is_first
        })
    }

    /// Waits for the request, and returns the maximum time until the players have left.
    pub(crate) async fn next(&self) -> Duration {
        let mut requests = self.0.subscribe();
        let request = requests.wait_for(Option::is_some).await;
        request.map(|timeout| *timeout).ok().flatten().unwrap_or_default()
    }
}
