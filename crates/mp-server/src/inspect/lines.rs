//! Lines on standard output, which a separate thread writes.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// A queue of lines for standard output. A reader that is slow or stopped, such as a pager, does
/// not delay the packets: lines beyond [`LINES_MAX`] are dropped and counted.
#[derive(Debug)]
pub(super) struct LineQueue {
    /// `None` after the last line.
    lines: Option<SyncSender<String>>,
    dropped: u64,
}

/// The thread that writes the lines.
#[derive(Debug)]
pub(super) struct LineWriter {
    /// Sent when all lines are written.
    done: Receiver<()>,
    /// Sent if a line cannot be written.
    failed: oneshot::Receiver<io::Error>,
}

impl LineQueue {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<(Self, LineWriter)> {
        let (lines, queued) = sync_channel::<String>(LINES_MAX);
        let (all_written, done) = sync_channel(1);
        let (fails, failed) = oneshot::channel();
        let write = move || {
            let mut out = io::stdout().lock();
            for line in queued {
                if let Err(error) = out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
                    let _ = fails.send(error);
                    return;
                }
            }
            let _ = all_written.send(());
        };
        thread::Builder::new().name("output".to_owned()).spawn(write)?;
        Ok((Self { lines: Some(lines), dropped: 0 }, LineWriter { done, failed }))
    }

    /// Queues a line.
    pub(super) fn push(&mut self, line: String) {
        let queued = self.lines.as_ref().map(|lines| lines.try_send(line));
        if let Some(Err(TrySendError::Full(_))) = queued {
            self.dropped += 1;
        }
    }

    /// Ends the thread after the lines that are queued.
    pub(super) fn close(&mut self) {
        self.lines = None;
    }

    /// Returns the number of lines that were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl LineWriter {
    /// Waits until a line cannot be written.
    pub(super) async fn failed(&mut self) -> io::Error {
        match (&mut self.failed).await {
            Ok(error) => error,
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits until the lines are written, at most [`END_TIMEOUT`].
    pub(super) fn finish(self) {
        let _ = self.done.recv_timeout(END_TIMEOUT);
    }
}

/// Maximum number of queued lines.
const LINES_MAX: usize = 8_192;
/// Maximum delay of the end of the program by a slow reader.
const END_TIMEOUT: Duration = Duration::from_secs(2);
