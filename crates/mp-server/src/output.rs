//! Writing to standard output and standard error, which may be closed, full or blocked.

use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Writes `text`. Waits at most one second.
///
/// A separate thread writes, because a pipe that is not read must not block the program.
///
/// # Errors
///
/// Returns the writer's error, or [`TimedOut`](io::ErrorKind::TimedOut).
pub(crate) fn print(mut to: impl Write + Send + 'static, text: String) -> io::Result<()> {
    let (done, written) = mpsc::sync_channel(1);
    let write = move || {
        let result = to.write_all(text.as_bytes()).and_then(|()| to.flush());
        let _ = done.send(result);
    };
    thread::Builder::new().name("output".to_owned()).spawn(write)?;
    written.recv_timeout(TIMEOUT).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Maximum delay of the program by a reader of its output.
const TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_written_whole_and_errors_are_returned() {
        let (reader, writer) = io::pipe().unwrap();
        print(writer, "hello\n".to_owned()).unwrap();
        assert_eq!(io::read_to_string(reader).unwrap(), "hello\n");

        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let error = print(writer, "hello\n".to_owned()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn unread_pipe_times_out() {
        let (_reader, writer) = io::pipe().unwrap();
        let error = print(writer, "x".repeat(1 << 20)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
