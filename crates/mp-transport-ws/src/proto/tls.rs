//! TLS over bytes: rustls does the work, here it gets them.

use std::io::{self, Read, Write};

use mp_tls::rustls::Connection;

/// One side of a TLS connection.
#[derive(Debug)]
pub(crate) struct Tls(Connection);

/// The other side speaks no TLS, or is not to be trusted. What it is told about it has been said.
#[derive(Debug)]
pub(crate) struct TlsFailed(pub(crate) String);

impl Tls {
    pub(crate) fn new(mut connection: Connection) -> Self {
        // What goes in comes out at once; the queues before it are bounded.
        connection.set_buffer_limit(None);
        Self(connection)
    }

    /// Takes in what came from the network. Its content is appended to `plain`, answers to `wire`.
    pub(crate) fn receive(
        &mut self,
        mut bytes: &[u8],
        plain: &mut Vec<u8>,
        wire: &mut Vec<u8>,
    ) -> Result<(), TlsFailed> {
        let failed = |error: &dyn ToString| TlsFailed(error.to_string());
        while !bytes.is_empty() {
            self.0.read_tls(&mut bytes).map_err(|error| failed(&error))?;
            let processed = self.0.process_new_packets();
            self.transmit(wire);
            processed.map_err(|error| failed(&error))?;
            match self.0.reader().read_to_end(plain) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(failed(&error)),
            }
        }
        Ok(())
    }

    /// Appends `plain` to `wire`, encrypted; before the handshake is done it waits within.
    pub(crate) fn send(&mut self, plain: &[u8], wire: &mut Vec<u8>) {
        // Its buffer has no bound, so it takes everything.
        let _ = self.0.writer().write_all(plain);
        self.transmit(wire);
    }

    /// Says that nothing more will come.
    pub(crate) fn close(&mut self, wire: &mut Vec<u8>) {
        self.0.send_close_notify();
        self.transmit(wire);
    }

    /// What it has to say of itself, such as the first words of a client.
    pub(crate) fn transmit(&mut self, wire: &mut Vec<u8>) {
        while self.0.wants_write() {
            if self.0.write_tls(wire).is_err() {
                return; // a Vec takes everything
            }
        }
    }
}
