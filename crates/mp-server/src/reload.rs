//! Reload of the configuration, at SIGHUP or by the admin API.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::config::{Config, ConfigErrors, Reload};
use crate::metrics::Metrics;
use crate::service::ServiceManager;

/// The configuration of the running server. It changes at once, when a reload succeeds.
pub(crate) type LiveConfig = watch::Receiver<Arc<Config>>;

/// Calls `apply` with each new configuration. Requires an actix system.
pub(crate) fn follow(mut live: LiveConfig, mut apply: impl FnMut(&Config) + 'static) {
    actix::spawn(async move {
        while live.changed().await.is_ok() {
            let config = Arc::clone(&live.borrow_and_update());
            apply(&config);
        }
    });
}

/// A listener for SIGHUP.
pub(crate) struct Hangup {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl Hangup {
    /// Starts to listen. The signal no longer kills the process.
    #[cfg(unix)]
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { signal: signal(SignalKind::hangup())? })
    }

    /// Does nothing: this system has no SIGHUP.
    #[cfg(not(unix))]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next signal.
    #[cfg(unix)]
    async fn next(&mut self) {
        if self.signal.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Never returns.
    #[cfg(not(unix))]
    async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}

/// The reload of the configuration. Clones refer to the same server.
#[derive(Clone, Debug)]
pub(crate) struct Reloader(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    live: watch::Sender<Arc<Config>>,
    /// Locked during a reload, so that a later one sees the settings of an earlier one.
    reloading: Mutex<()>,
    metrics: Metrics,
    service: ServiceManager,
}

impl Reloader {
    /// Returns the reload, and the configuration that it replaces.
    pub(crate) fn new(
        config: Config,
        metrics: Metrics,
        service: ServiceManager,
    ) -> (Self, LiveConfig) {
        let (live, receiver) = watch::channel(Arc::new(config));
        let reloading = Mutex::new(());
        (Self(Arc::new(Shared { live, reloading, metrics, service })), receiver)
    }

    /// Reads the configuration file again, logs the result, and replaces the configuration if it
    /// is valid.
    ///
    /// # Errors
    ///
    /// All errors of the file. The previous configuration stays in use.
    pub(crate) fn reload(&self) -> Result<Reload, ConfigErrors> {
        let Shared { live, reloading, metrics, service } = &*self.0;
        let _guard = reloading.lock().unwrap_or_else(PoisonError::into_inner);
        service.reloading();
        let current = Arc::clone(&live.borrow());
        let reloaded = current.reload_file();
        metrics.count_reload(reloaded.is_ok());
        match &reloaded {
            Ok(reload) => {
                let (applied, restart) = (list(&reload.applied()), list(&reload.needs_restart()));
                tracing::info!(applied, needs_restart = restart, "configuration reloaded");
                live.send_replace(Arc::new(reload.config.clone()));
            }
            Err(errors) => {
                for error in errors.lines() {
                    tracing::error!(error, "invalid configuration");
                }
                tracing::error!(
                    errors = errors.len(),
                    "cannot reload the configuration; the previous one stays in use"
                );
            }
        }
        service.reloaded();
        reloaded
    }
}

/// Reloads the configuration file at each signal. Never returns.
pub(crate) async fn run(mut hangup: Hangup, reloader: Reloader) {
    loop {
        hangup.next().await;
        let _ = reloader.reload(); // the result is in the log
    }
}

/// Returns names in one text; `none` if there are none.
fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
