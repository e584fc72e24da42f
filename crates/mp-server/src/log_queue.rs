//! The queue between log lines and standard error, which keeps the room from blocking on its log.
//!
//! `tracing-appender` has such a queue, but prints with `println!` when a flush at the end fails,
//! which may block or panic.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

/// The sending end of the queue. Each write is one line, which is dropped and counted if the queue
/// is full.
#[derive(Clone, Debug)]
pub(crate) struct LogQueue {
    entries: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// Reports that all previous entries have been written.
    Flush(SyncSender<()>),
}

impl LogQueue {
    /// Creates a queue of at most [`LINES_MAX`] lines and starts the thread that writes them to
    /// `to`.
    ///
    /// # Errors
    ///
    /// Returns an error if the thread cannot be started.
    pub(crate) fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        let (entries, queued) = sync_channel(LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        let write = move || write_all(&queued, to, &counter);
        thread::Builder::new().name("log".to_owned()).spawn(write)?;
        Ok(Self { entries, lost })
    }

    /// Returns the number of lines dropped since the start, because the queue was full or standard
    /// error accepted nothing.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Waits until the queued lines are written, at most [`FLUSH_TIMEOUT`].
    pub(crate) fn flush_bounded(&self) {
        let (done, flushed) = sync_channel(1);
        for _ in 0..FLUSH_TIMEOUT.as_millis() / RETRY.as_millis() {
            match self.entries.try_send(Entry::Flush(done.clone())) {
                Ok(()) => {
                    let _ = flushed.recv_timeout(FLUSH_TIMEOUT);
                    return;
                }
                Err(TrySendError::Full(_)) => thread::sleep(RETRY),
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }
}

impl Write for LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut kept = line[..line.len().min(LINE_BYTES_MAX)].to_vec();
        if kept.len() < line.len() {
            // The next line must not continue this one.
            kept[LINE_BYTES_MAX - 1] = b'\n';
        }
        if self.entries.try_send(Entry::Line(kept)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(queued: &Receiver<Entry>, mut to: impl Write, lost: &AtomicU64) {
    for entry in queued {
        match entry {
            Entry::Line(line) => {
                if write_line(&mut to, &line).is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            Entry::Flush(done) => {
                let _ = done.try_send(());
            }
        }
    }
}

/// Writes a line. A full non-blocking pipe is retried for up to [`FLUSH_TIMEOUT`].
fn write_line(to: &mut impl Write, mut line: &[u8]) -> io::Result<()> {
    let mut retries = FLUSH_TIMEOUT.as_millis() / RETRY.as_millis();
    while !line.is_empty() {
        match to.write(line) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => line = &line[len..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && retries > 0 => {
                retries -= 1;
                thread::sleep(RETRY);
            }
            Err(error) => return Err(error),
        }
    }
    to.flush()
}

/// Maximum number of queued lines. Further ones are dropped and counted.
const LINES_MAX: usize = 2_048;
/// Maximum length of a line in bytes, so that the queue holds at most 16 MiB.
const LINE_BYTES_MAX: usize = 8 * 1_024;
/// Maximum delay of the program's exit by its log.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// Interval of retries at a full pipe or queue.
const RETRY: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_in_order_before_a_flush_ends() {
        let (reader, writer) = io::pipe().unwrap();
        let mut queue = LogQueue::start(writer).unwrap();
        queue.write_all(b"one\n").unwrap();
        queue.write_all(b"two\n").unwrap();
        queue.flush_bounded();
        assert_eq!(queue.lost(), 0);
        drop(queue);
        assert_eq!(io::read_to_string(reader).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn cut_line_still_ends() {
        let (reader, writer) = io::pipe().unwrap();
        let mut queue = LogQueue::start(writer).unwrap();
        let long = "x".repeat(LINE_BYTES_MAX);
        queue.write_all(format!("{long}\n").as_bytes()).unwrap();
        queue.write_all(b"next\n").unwrap();
        queue.flush_bounded();
        drop(queue);
        let kept = &long[1..];
        assert_eq!(io::read_to_string(reader).unwrap(), format!("{kept}\nnext\n"));
    }

    #[test]
    fn unread_pipe_loses_lines_without_delay() {
        let (_reader, writer) = io::pipe().unwrap();
        let mut queue = LogQueue::start(writer).unwrap();
        let lines = 10 * LINES_MAX as u64;
        for _ in 0..lines {
            queue.write_all(&[b'x'; 1_024]).unwrap();
        }
        // A pipe holds 64 KiB, the queue its maximum, and the thread one line.
        assert!(queue.lost() >= lines - LINES_MAX as u64 - 100, "{}", queue.lost());
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut queue = LogQueue::start(writer).unwrap();
        queue.write_all(b"one\n").unwrap();
        // A busy machine may run the thread later than a flush waits for it.
        while queue.lost() == 0 {
            queue.flush_bounded();
        }
        assert_eq!(queue.lost(), 1);
    }
}
