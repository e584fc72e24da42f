//! The signals that end the program.

use std::io;

/// Waits for SIGINT or SIGTERM, any number of times.
pub(crate) struct Shutdown {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
}

impl Shutdown {
    /// From now on the signals no longer kill the process.
    #[cfg(unix)]
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        Ok(Self { signals })
    }

    /// Elsewhere there is Ctrl-C.
    #[cfg(not(unix))]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next one; its name.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> &'static str {
        std::future::poll_fn(|cx| {
            let [interrupt, terminate] = &mut self.signals;
            if interrupt.poll_recv(cx).is_ready() {
                return std::task::Poll::Ready("SIGINT");
            }
            terminate.poll_recv(cx).map(|_| "SIGTERM")
        })
        .await
    }

    /// Waits for the next one; its name.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            // It cannot be told; the process has to be killed.
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}
