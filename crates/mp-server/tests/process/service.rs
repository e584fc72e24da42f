//! The notifications of the server to a service manager.

use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

use crate::server::{FREE_PORTS, PATIENCE, Server, command};

/// A socket that receives notifications as systemd does.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, folder }
    }

    /// Starts a server with a configuration file and a limit of its watchdog in microseconds.
    fn start(&self, watchdog: &str) -> Server {
        std::fs::write(self.folder.path().join("mp-server.toml"), "").unwrap();
        let mut command = command();
        command.args(FREE_PORTS).current_dir(self.folder.path()).stderr(Stdio::null());
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        Server::of(command.env("WATCHDOG_USEC", watchdog).env_remove("WATCHDOG_PID"))
    }

    /// Waits for a message with this part.
    fn message_with(&self, part: &str) -> String {
        let mut buf = [0; 1_024];
        loop {
            let len = self.socket.recv(&mut buf).unwrap_or_else(|error| panic!("{part}: {error}"));
            let message = String::from_utf8(buf[..len].to_vec()).unwrap();
            if message.contains(part) {
                return message;
            }
        }
    }
}

#[test]
fn service_manager_learns_of_the_start_a_reload_and_the_end() {
    let manager = Manager::new();
    let mut server = manager.start("400000");
    let mut buf = [0; 1_024];
    let len = manager.socket.recv(&mut buf).unwrap();
    assert_eq!(&buf[..len], b"READY=1");
    manager.message_with("STATUS=players: 0, rooms: 1");
    manager.message_with("WATCHDOG=1");
    manager.message_with("WATCHDOG=1");

    server.signal("HUP");
    let reloading = manager.message_with("RELOADING=1");
    let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(micros.parse::<u64>().unwrap() > 0);
    manager.message_with("READY=1");

    assert_eq!(server.terminate(), Some(0));
    let stopping = manager.message_with("STOPPING=1");
    assert!(stopping.contains("EXTEND_TIMEOUT_USEC="), "{stopping}");
}

#[test]
fn socket_of_an_unknown_kind_is_an_error() {
    let output = command().args(FREE_PORTS).env("NOTIFY_SOCKET", "vsock:2:1").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("NOTIFY_SOCKET"));
}
