//! Looking up the addresses of a host name.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread::{self, JoinHandle};

/// A lookup of a host name by the operating system. It runs in a thread of its own because the
/// system's functions block, for many seconds when a name server does not answer.
#[derive(Debug)]
pub(crate) struct Lookup {
    host: String,
    thread: Option<JoinHandle<io::Result<Vec<SocketAddr>>>>,
}

impl Lookup {
    /// Starts to look up `host`.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub(crate) fn start(host: &str, port: u16) -> io::Result<Self> {
        let host = host.to_owned();
        let name = host.clone();
        let look_up = move || Ok((name.as_str(), port).to_socket_addrs()?.collect());
        let thread = thread::Builder::new().name("lookup".to_owned()).spawn(look_up)?;
        Ok(Self { host, thread: Some(thread) })
    }

    /// Returns the name's addresses, in the order of the system's preference; `None` while they are
    /// not known, and after they were returned.
    pub(crate) fn poll(&mut self) -> Option<io::Result<Vec<SocketAddr>>> {
        let thread = self.thread.take_if(|thread| thread.is_finished())?;
        let panicked = |_| Err(io::Error::other("the thread of the lookup has panicked"));
        Some(thread.join().unwrap_or_else(panicked))
    }

    /// The name.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(host: &str) -> io::Result<Vec<SocketAddr>> {
        let mut lookup = Lookup::start(host, 7_777).unwrap();
        loop {
            if let Some(addresses) = lookup.poll() {
                assert!(lookup.poll().is_none(), "it is returned once");
                return addresses;
            }
            thread::yield_now();
        }
    }

    #[test]
    fn a_name_is_looked_up_with_its_port() {
        let addresses = look_up("localhost").unwrap();
        assert!(!addresses.is_empty());
        for address in addresses {
            assert!(address.ip().is_loopback() && address.port() == 7_777, "{address}");
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_an_error() {
        // Not a name at all, so that no name server is asked.
        look_up("no name").unwrap_err();
    }
}
