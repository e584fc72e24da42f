//! The signals that stop the program.

use std::io;

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
