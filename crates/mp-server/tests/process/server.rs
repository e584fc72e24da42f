//! The program as a child process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use mp_core::host::SystemClock;

use crate::players::connect;

/// Time after which a wait fails: longer than any step takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Time within which `/healthz` responds.
pub(crate) const HEALTHZ_TIME: Duration = Duration::from_millis(100);
/// Arguments that let the system choose the ports.
pub(crate) const FREE_PORTS: [&str; 6] =
    ["--enet", "127.0.0.1:0", "--ws", "127.0.0.1:0", "--webrtc", "127.0.0.1:0"];

/// A running server, killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) enet: SocketAddr,
    pub(crate) ws: SocketAddr,
    pub(crate) banner: String,
    stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts a server with `args` on free ports.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::of(command().args(FREE_PORTS).args(args).stderr(Stdio::piped()))
    }

    /// Starts `command` and waits until it has printed its addresses.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("--help") {
            assert!(stdout.read_line(&mut banner).unwrap() > 0, "the server ended: {banner}");
        }
        let after = |place: &str| {
            let address = banner.split(place).nth(1).and_then(|rest| rest.split(',').next());
            address.unwrap_or_else(|| panic!("{banner}")).parse().unwrap()
        };
        let (enet, ws) = (after("UDP "), after("TCP "));
        Self { child, enet, ws, banner, stdout }
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Returns its standard error if that is a pipe.
    pub(crate) fn stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().unwrap()
    }

    /// Writes a line to its standard input, which must be a pipe.
    pub(crate) fn write_line(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Returns its standard output after the banner.
    pub(crate) fn stdout(&mut self) -> &mut BufReader<ChildStdout> {
        &mut self.stdout
    }

    /// Sends the signal `name`, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until the server has exited.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let clock = SystemClock::new();
        let limit = clock.now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(clock.now() < limit, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends SIGTERM. Returns the exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.wait().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the command of the program, without settings from the environment.
pub(crate) fn command() -> Command {
    without_settings(Command::new(env!("CARGO_BIN_EXE_mp-server")))
}

/// Returns a command that runs the program, without settings from the environment of the test.
pub(crate) fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MP_") {
            command.env_remove(name);
        }
    }
    // Tests run at the same time, and the port is the same for all.
    command.env("MP_ADMIN__ADDRESS", "off");
    // Players of most tests stay until the server disconnects them.
    command.env("MP_SHUTDOWN__DRAIN_TIMEOUT", "0");
    command
}

/// Requests `/healthz`. Returns the time until it responds with 200.
pub(crate) fn ask_healthz(ws: SocketAddr) -> Duration {
    let clock = SystemClock::new();
    let asked = clock.now();
    answer_to_healthz(&mut connect(ws));
    clock.now() - asked
}

/// Requests `/healthz` on `stream`, which must respond with 200.
pub(crate) fn answer_to_healthz(stream: &mut (impl Read + Write)) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

/// Checks that `/healthz` responds in time. A busy machine delays some responses.
pub(crate) fn assert_is_healthy(mut ask: impl FnMut() -> Duration) {
    let times: Vec<_> = (0..10).map(|_| ask()).collect();
    assert!(times.iter().any(|&time| time < HEALTHZ_TIME), "{times:?}");
}
