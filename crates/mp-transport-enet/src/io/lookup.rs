//! Resolving host names.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread::{self, JoinHandle};

/// A lookup of a host name by the operating system, in its own thread. The functions of the
/// operating system block, for many seconds if a name server does not reply.
#[derive(Debug)]
pub(crate) struct Lookup {
    host: String,
    thread: Option<JoinHandle<io::Result<Vec<SocketAddr>>>>,
}

impl Lookup {
    /// Starts to resolve `host`.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub(crate) fn start(host: &str, port: u16) -> io::Result<Self> {
        let host = host.to_owned();
        let name = host.clone();
        let look_up = move || Ok((name.as_str(), port).to_socket_addrs()?.collect());
        let thread = thread::Builder::new().name("lookup".to_owned()).spawn(look_up)?;
        Ok(Self { host, thread: Some(thread) })
    }

    /// Returns the addresses in the order of the system's preference. `None` while the lookup is in
    /// progress, and after its result was returned.
    pub(crate) fn poll(&mut self) -> Option<io::Result<Vec<SocketAddr>>> {
        let thread = self.thread.take_if(|thread| thread.is_finished())?;
        let panicked = |_| Err(io::Error::other("the lookup thread panicked"));
        Some(thread.join().unwrap_or_else(panicked))
    }

    /// Returns the name.
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
                assert!(lookup.poll().is_none(), "the result must be returned once");
                return addresses;
            }
            thread::yield_now();
        }
    }

    #[test]
    fn a_name_is_resolved_with_its_port() {
        let addresses = look_up("localhost").unwrap();
        assert!(!addresses.is_empty());
        for address in addresses {
            assert!(address.ip().is_loopback() && address.port() == 7_777, "{address}");
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_an_error() {
        // Not a valid name, so that no name server is queried.
        look_up("no name").unwrap_err();
    }
}
