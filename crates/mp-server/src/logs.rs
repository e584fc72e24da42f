//! Structured logs on standard error.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};
use crate::log_queue::LogQueue;

/// Replaces the filter of the log. The argument is valid.
pub(crate) type SetFilter = Box<dyn Fn(&str)>;

/// Starts to log events that the filter of `config` selects, and panics.
pub(crate) fn start(config: &LogConfig) -> Result<(LogQueue, SetFilter), String> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|error| format!("{:?} is not a filter ({error})", config.filter))?;
    let queue = LogQueue::start(io::stderr())
        .map_err(|error| format!("cannot start the log thread: {error}"))?;
    let entry = queue.clone();
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || entry.clone())
        .log_internal_errors(false);
    let set_filter: SetFilter = match config.format {
        LogFormat::Text => {
            let logs = logs.with_ansi(io::stderr().is_terminal()).with_filter_reloading();
            let handle = logs.reload_handle();
            logs.init();
            Box::new(move |filter| drop(handle.reload(filter)))
        }
        LogFormat::Json => {
            let logs = logs.json().flatten_event(true).with_filter_reloading();
            let handle = logs.reload_handle();
            logs.init();
            Box::new(move |filter| drop(handle.reload(filter)))
        }
    };
    // The default hook blocks on standard error.
    panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        match backtrace.status() {
            BacktraceStatus::Captured => tracing::error!(%panic, %backtrace, "panicked"),
            _ => tracing::error!(%panic, "panicked"),
        }
    }));
    Ok((queue, set_filter))
}

/// Logs the number of lost lines at intervals. Never returns.
pub(crate) async fn report_lost(queue: LogQueue) {
    let mut reported = 0;
    loop {
        tokio::time::sleep(REPORT_INTERVAL).await;
        let lost = queue.lost();
        if lost > reported {
            tracing::warn!(lines = lost - reported, "log lines were lost: standard error is slow");
            // If the report is lost as well, it is counted, so another one follows.
            reported = lost;
        }
    }
}

const REPORT_INTERVAL: Duration = Duration::from_secs(5);
