//! Structured logs on standard error.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;
use crate::log_queue::LogQueue;

/// Starts logging the lines that `filter` selects. Panics are logged like everything else.
pub(crate) fn start(filter: &str, format: LogFormat) -> Result<LogQueue, String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        format!("--log {filter:?} is no filter ({error}); try info or mp_scene=debug")
    })?;
    let queue = LogQueue::start(io::stderr())
        .map_err(|error| format!("cannot start the thread of the log: {error}"))?;
    let entry = queue.clone();
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || entry.clone())
        .log_internal_errors(false);
    match format {
        LogFormat::Text => logs.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
    // The default hook writes to standard error itself, and waits for it.
    panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        match backtrace.status() {
            BacktraceStatus::Captured => tracing::error!(%panic, %backtrace, "panicked"),
            _ => tracing::error!(%panic, "panicked"),
        }
    }));
    Ok(queue)
}

/// Reports lost lines as soon as there is room for a line again.
pub(crate) async fn report_lost(queue: LogQueue) {
    let mut reported = 0;
    loop {
        tokio::time::sleep(REPORT_INTERVAL).await;
        let lost = queue.lost();
        if lost > reported {
            tracing::warn!(lines = lost - reported, "log lines were lost: standard error is slow");
            // A report that is lost as well is counted, and so is repeated.
            reported = lost;
        }
    }
}

const REPORT_INTERVAL: Duration = Duration::from_secs(5);
