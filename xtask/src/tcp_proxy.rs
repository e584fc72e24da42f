//! [`TcpProxy`]: a path to a server on which all packets can be lost for a while.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A TCP proxy. While it is [cut](Self::cut), it passes on nothing, no end of a connection either;
/// afterwards it does, as TCP, which repeats what was lost. Connections that are opened meanwhile
/// are lost.
pub(crate) struct TcpProxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Port of the server.
    server: AtomicU16,
    condition: Mutex<Condition>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Condition {
    #[default]
    Open,
    Cut,
    Ended,
}

impl TcpProxy {
    /// Starts a proxy of a port of this machine.
    ///
    /// # Errors
    ///
    /// Returns the error of the socket.
    pub(crate) fn start(server: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State { server: AtomicU16::new(server), ..State::default() });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                match shared.condition() {
                    Condition::Open => forward(client, &shared),
                    Condition::Cut => {
                        let shared = Arc::clone(&shared);
                        thread::spawn(move || {
                            shared.wait();
                            drop(client);
                        });
                    }
                    Condition::Ended => return,
                }
            }
        });
        Ok(Self { port, state })
    }

    /// Returns the port of the proxy.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Passes new connections to another port from now on: that of a server that was restarted.
    pub(crate) fn set_server(&self, server: u16) {
        self.state.server.store(server, Ordering::Relaxed);
    }

    /// Loses all packets from now on.
    pub(crate) fn cut(&self) {
        self.state.set(Condition::Cut);
    }

    /// Passes packets on again.
    pub(crate) fn restore(&self) {
        self.state.set(Condition::Open);
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.state.set(Condition::Ended);
        // Wakes the thread that accepts connections.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl State {
    fn condition(&self) -> Condition {
        *self.lock()
    }

    fn set(&self, condition: Condition) {
        *self.lock() = condition;
        self.changed.notify_all();
    }

    /// Waits while packets are lost.
    fn wait(&self) {
        let is_cut = |condition: &mut Condition| *condition == Condition::Cut;
        drop(self.changed.wait_while(self.lock(), is_cut));
    }

    fn lock(&self) -> MutexGuard<'_, Condition> {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes on both directions of a connection, if the server accepts it.
fn forward(client: TcpStream, state: &Arc<State>) {
    let connect = || -> io::Result<[(TcpStream, TcpStream); 2]> {
        let port = state.server.load(Ordering::Relaxed);
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        Ok([(client.try_clone()?, server.try_clone()?), (server, client)])
    };
    for (from, to) in connect().into_iter().flatten() {
        let state = Arc::clone(state);
        thread::spawn(move || pass(from, to, &state));
    }
}

/// Passes on one direction until it ends.
fn pass(mut from: TcpStream, mut to: TcpStream, state: &State) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        state.wait();
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passes_while_the_proxy_is_cut_and_everything_afterwards() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = TcpProxy::start(server.local_addr().unwrap().port()).unwrap();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
        let (mut accepted, _) = server.accept().unwrap();
        client.write_all(b"a").unwrap();
        let mut buffer = [0; 3];
        accepted.read_exact(&mut buffer[..1]).unwrap();
        proxy.cut();
        client.write_all(b"bc").unwrap();
        drop(client);
        accepted.set_nonblocking(true).unwrap();
        let blocked = accepted.read(&mut buffer).unwrap_err();
        assert_eq!(blocked.kind(), io::ErrorKind::WouldBlock);
        accepted.set_nonblocking(false).unwrap();
        proxy.restore();
        accepted.read_exact(&mut buffer[1..]).unwrap();
        assert_eq!((&buffer, accepted.read(&mut [0]).unwrap()), (b"abc", 0));
    }
}
