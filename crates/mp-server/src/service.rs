//! [`ServiceManager`]: notifies systemd of the state of the server, as `sd_notify(3)` describes.
//!
//! | message | when |
//! |---|---|
//! | `READY=1` | players can join, and after each reload |
//! | `STATUS=…` | the number of players and rooms has changed |
//! | `WATCHDOG=1` | at least twice per `WatchdogSec=`, if the thread of the listeners responds |
//! | `RELOADING=1`, `MONOTONIC_USEC=…` | a reload begins |
//! | `STOPPING=1`, `EXTEND_TIMEOUT_USEC=…` | the server drains, for at most this time |
//!
//! Without `NOTIFY_SOCKET`, and on systems other than Unix, nothing is sent.

use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mp_rooms::RoomsStats;

use crate::rooms::{RoomsHandle, ServerEnded};

/// The connection to the service manager that has started the process, if there is one. Clones
/// share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceManager(Option<Arc<Connection>>);

#[derive(Debug)]
struct Connection {
    socket: NotifySocket,
    /// Time without `WATCHDOG=1` after which the service manager ends the process.
    watchdog: Option<Duration>,
    /// True from the start until the server stops.
    is_serving: AtomicBool,
}

impl ServiceManager {
    /// Connects to the service manager that the environment names. The error is a message.
    pub(crate) fn from_environment() -> Result<Self, String> {
        Self::new(|name| std::env::var_os(name), std::process::id())
    }

    fn new(variable: impl Fn(&str) -> Option<OsString>, process_id: u32) -> Result<Self, String> {
        let Some(address) = variable("NOTIFY_SOCKET").filter(|it| !it.is_empty()) else {
            return Ok(Self::default());
        };
        let socket = NotifySocket::new(&address)
            .map_err(|error| format!("cannot use NOTIFY_SOCKET {}: {error}", address.display()))?;
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let is_ours = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(process_id));
        let watchdog = number("WATCHDOG_USEC").filter(|&micros| is_ours && micros > 0);
        let watchdog = watchdog.map(Duration::from_micros);
        let is_serving = AtomicBool::new(false);
        Ok(Self(Some(Arc::new(Connection { socket, watchdog, is_serving }))))
    }

    /// Reports that players can join.
    pub(crate) fn ready(&self) {
        self.set_serving(true);
        self.notify("READY=1");
    }

    /// Reports that a reload begins. Without effect while the server starts or stops, which is
    /// another state.
    pub(crate) fn reloading(&self) {
        if !self.is_serving() {
            return;
        }
        match monotonic_micros() {
            Some(micros) => self.notify(&format!("RELOADING=1\nMONOTONIC_USEC={micros}")),
            None => self.notify("RELOADING=1"),
        }
    }

    /// Reports that a reload has ended, whether it has changed something or not.
    pub(crate) fn reloaded(&self) {
        if self.is_serving() {
            self.notify("READY=1");
        }
    }

    /// Reports that the server ends, after its players have left or after `drain_timeout`.
    pub(crate) fn stopping(&self, drain_timeout: Duration) {
        self.set_serving(false);
        let extension = (drain_timeout + CLOSE_TIME).as_micros();
        self.notify(&format!(
            "STOPPING=1\nSTATUS=draining for at most {} s\nEXTEND_TIMEOUT_USEC={extension}",
            drain_timeout.as_secs()
        ));
    }

    /// Reports the number of players and rooms, and that the thread of the listeners responds,
    /// until the server has ended.
    pub(crate) async fn report(self, rooms: RoomsHandle) {
        self.report_while(async || rooms.stats().await).await;
    }

    async fn report_while(&self, stats: impl AsyncFn() -> Result<RoomsStats, ServerEnded>) {
        let Some(connection) = &self.0 else { return };
        let interval = connection.watchdog.map_or(STATUS_INTERVAL, |limit| limit / 4);
        let interval = interval.clamp(INTERVAL_MIN, STATUS_INTERVAL);
        let mut reported = String::new();
        loop {
            match tokio::time::timeout(interval, stats()).await {
                Ok(Ok(RoomsStats { players, open, .. })) => {
                    if connection.watchdog.is_some() {
                        self.notify("WATCHDOG=1");
                    }
                    let status = format!("STATUS=players: {players}, rooms: {open}");
                    if status != reported {
                        self.notify(&status);
                        reported = status;
                    }
                }
                Ok(Err(ServerEnded)) => return,
                // The watchdog's time passes while the thread does not respond.
                Err(_) => {
                    tracing::debug!(?interval, "the thread of the listeners does not respond")
                }
            }
            tokio::time::sleep(interval).await;
        }
    }

    fn is_serving(&self) -> bool {
        self.0.as_ref().is_some_and(|connection| connection.is_serving.load(Ordering::Relaxed))
    }

    fn set_serving(&self, is_serving: bool) {
        if let Some(connection) = &self.0 {
            connection.is_serving.store(is_serving, Ordering::Relaxed);
        }
    }

    fn notify(&self, message: &str) {
        let Some(Connection { socket, .. }) = self.0.as_deref() else { return };
        if let Err(error) = socket.send(message) {
            tracing::debug!(%error, message, "cannot notify the service manager");
        }
    }
}

/// A socket that sends messages to the service manager.
#[cfg(unix)]
#[derive(Debug)]
struct NotifySocket {
    socket: std::os::unix::net::UnixDatagram,
    to: std::os::unix::net::SocketAddr,
}

#[cfg(unix)]
impl NotifySocket {
    /// Returns a socket for an address: a path, or `@` and a name of Linux's abstract namespace.
    fn new(address: &OsStr) -> io::Result<Self> {
        use std::os::unix::ffi::OsStrExt as _;
        use std::os::unix::net::{SocketAddr, UnixDatagram};
        let to = match address.as_bytes() {
            [b'/', ..] => SocketAddr::from_pathname(address)?,
            #[cfg(target_os = "linux")]
            [b'@', name @ ..] => {
                use std::os::linux::net::SocketAddrExt as _;
                SocketAddr::from_abstract_name(name)?
            }
            _ => return Err(io::Error::other("it is neither a path nor an abstract name")),
        };
        let socket = UnixDatagram::unbound()?;
        // A service manager that does not read must not stop the server.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, to })
    }

    fn send(&self, message: &str) -> io::Result<()> {
        self.socket.send_to_addr(message.as_bytes(), &self.to).map(drop)
    }
}

/// Stands for a socket on systems without service managers of this kind.
#[cfg(not(unix))]
#[derive(Debug)]
struct NotifySocket;

#[cfg(not(unix))]
impl NotifySocket {
    fn new(_address: &OsStr) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn send(&self, _message: &str) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the time of `CLOCK_MONOTONIC`, by which systemd orders reloads.
#[cfg(unix)]
fn monotonic_micros() -> Option<i64> {
    use nix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).ok()?;
    Some(Duration::from(time).as_micros()).and_then(|micros| micros.try_into().ok())
}

#[cfg(not(unix))]
fn monotonic_micros() -> Option<i64> {
    None
}

/// Time between two checks of the number of players.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);
/// Minimum of this time, for a short time of the watchdog.
const INTERVAL_MIN: Duration = Duration::from_millis(10);
/// Time in which a server ends after it has drained: rooms and endpoints, matchmaking, the admin
/// API and the log.
const CLOSE_TIME: Duration = Duration::from_secs(30);

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    /// Returns a service manager with further variables, its socket, and the folder of that.
    fn manager(variables: &[(&str, &str)]) -> (ServiceManager, UnixDatagram, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let variable = |name: &str| match name {
            "NOTIFY_SOCKET" => Some(path.clone().into_os_string()),
            name => variables.iter().find(|it| it.0 == name).map(|it| it.1.into()),
        };
        (ServiceManager::new(variable, 7).unwrap(), socket, folder)
    }

    /// Returns the messages that were sent since the last call.
    fn messages(socket: &UnixDatagram) -> Vec<String> {
        let mut buf = [0; 1_024];
        let next = || socket.recv(&mut buf).ok().map(|len| buf[..len].to_vec());
        let messages = std::iter::from_fn(next).map(|bytes| String::from_utf8(bytes).unwrap());
        messages.collect()
    }

    #[test]
    fn states_are_messages_of_systemd() {
        let (manager, socket, _folder) = manager(&[]);
        manager.ready();
        manager.stopping(Duration::from_secs(30));
        let sent = messages(&socket);
        manager.ready();
        assert_eq!(messages(&socket), ["READY=1"]);
        assert_eq!(
            sent,
            [
                "READY=1",
                "STOPPING=1\nSTATUS=draining for at most 30 s\nEXTEND_TIMEOUT_USEC=60000000"
            ]
        );
        manager.reloading();
        manager.reloading();
        let times: Vec<i64> = messages(&socket)
            .iter()
            .map(|it| it.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().parse().unwrap())
            .collect();
        assert!(times[0] > 0 && times[0] <= times[1], "{times:?}");
    }

    #[test]
    fn reloads_do_not_hide_that_the_server_starts_or_stops() {
        let (manager, socket, _folder) = manager(&[]);
        let reload = || {
            manager.reloading();
            manager.reloaded();
            messages(&socket).len()
        };
        assert_eq!(reload(), 0);
        manager.ready();
        assert_eq!(reload(), 3);
        manager.stopping(Duration::ZERO);
        assert_eq!(reload(), 1);
    }

    #[test]
    fn nothing_is_sent_without_a_socket_and_invalid_ones_are_named() {
        let manager = ServiceManager::new(|_| None, 7).unwrap();
        manager.ready();
        assert!(manager.0.is_none());
        let error = ServiceManager::new(|_| Some("vsock:2:1".into()), 7).unwrap_err();
        assert!(error.contains("NOTIFY_SOCKET vsock:2:1"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn abstract_names_are_sockets_of_linux() {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::net::SocketAddr;
        let name = format!("mp-server-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap());
        let variable = |it: &str| (it == "NOTIFY_SOCKET").then(|| format!("@{name}").into());
        ServiceManager::new(variable, 7).unwrap().ready();
        let socket = socket.unwrap();
        socket.set_nonblocking(true).unwrap();
        assert_eq!(messages(&socket), ["READY=1"]);
    }

    #[test]
    fn full_socket_does_not_stop_the_server() {
        let (manager, socket, _folder) = manager(&[]);
        for _ in 0..10_000 {
            manager.ready();
        }
        assert!(messages(&socket).len() < 10_000);
    }

    fn stats(players: usize) -> RoomsStats {
        let mut stats = RoomsStats::default();
        (stats.players, stats.open) = (players, 2);
        stats
    }

    #[tokio::test(start_paused = true)]
    async fn watchdog_is_fed_twice_per_limit_and_the_status_sent_once() {
        let (manager, socket, _folder) =
            manager(&[("WATCHDOG_USEC", "4000000"), ("WATCHDOG_PID", "7")]);
        let report = manager.report_while(async || Ok(stats(3)));
        let _ = tokio::time::timeout(Duration::from_millis(3_900), report).await;
        let expected =
            ["WATCHDOG=1", "STATUS=players: 3, rooms: 2", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"];
        assert_eq!(messages(&socket), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn watchdog_is_not_fed_while_the_listeners_do_not_respond() {
        let (manager, socket, _folder) = manager(&[("WATCHDOG_USEC", "4000000")]);
        let report = manager.report_while(async || std::future::pending().await);
        let _ = tokio::time::timeout(Duration::from_secs(60), report).await;
        assert!(messages(&socket).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn watchdog_of_another_process_is_not_fed() {
        let (manager, socket, _folder) =
            manager(&[("WATCHDOG_USEC", "4000000"), ("WATCHDOG_PID", "8")]);
        let report = manager.report_while(async || Ok(stats(3)));
        let _ = tokio::time::timeout(Duration::from_secs(60), report).await;
        assert_eq!(messages(&socket), ["STATUS=players: 3, rooms: 2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn reports_end_with_the_server() {
        let (manager, socket, _folder) = manager(&[("WATCHDOG_USEC", "4000000")]);
        manager.report_while(async || Err(ServerEnded)).await;
        assert!(messages(&socket).is_empty());
    }
}
