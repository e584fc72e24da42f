//! TLS on byte buffers, by rustls.

use std::io::{self, Read, Write};
use std::sync::Arc;

use mp_tls::rustls::pki_types::ServerName;
use mp_tls::rustls::{
    ClientConfig, ClientConnection, Connection, Error, ServerConfig, ServerConnection,
};
use mp_tls::{CertificateStore, ClientTlsOptions, TlsError};

/// TLS settings of a server.
#[derive(Debug)]
pub(crate) struct TlsServer(Arc<ServerConfig>);

impl TlsServer {
    pub(crate) fn new(certificate: &CertificateStore) -> Result<Self, TlsError> {
        certificate.server_config().map(Self)
    }

    /// Starts TLS on an accepted connection.
    pub(crate) fn accept(&self) -> Result<Tls, Error> {
        ServerConnection::new(Arc::clone(&self.0)).map(|accepted| Tls::new(accepted.into()))
    }
}

/// TLS settings of a client, for one server.
#[derive(Debug)]
pub(crate) struct TlsClient(Arc<ClientConfig>, ServerName<'static>);

impl TlsClient {
    pub(crate) fn new(options: &ClientTlsOptions, host: &str) -> Result<Self, TlsError> {
        Ok(Self(options.client_config()?, options.server_name(host)?))
    }

    /// Starts TLS on the connection to the server.
    pub(crate) fn connect(self) -> Result<Tls, Error> {
        ClientConnection::new(self.0, self.1).map(|connected| Tls::new(connected.into()))
    }
}

/// One side of a TLS connection.
#[derive(Debug)]
pub(crate) struct Tls(Connection);

/// The reason why TLS failed. The alert is written already.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsFailure {
    /// Malformed records or an untrusted certificate.
    #[error("TLS rejected a record")]
    Rejected(#[from] Error),
    /// A buffer of rustls was not read or written.
    #[error("TLS cannot buffer a record")]
    Buffer(#[from] io::Error),
    /// The record is longer than rustls buffers.
    #[error("TLS accepts no more bytes")]
    Full,
}

/// State of the receiving direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsInput {
    /// The remote peer may send more.
    Open,
    /// The remote peer has sent close_notify, which ends its stream like the end of TCP. Further
    /// bytes are ignored.
    Closed,
}

impl Tls {
    fn new(mut connection: Connection) -> Self {
        // Written bytes are encrypted immediately; the queues before TLS are bounded.
        connection.set_buffer_limit(None);
        Self(connection)
    }

    /// Decrypts received bytes. Appends their content to `plain` and responses to `wire`.
    pub(crate) fn receive(
        &mut self,
        mut bytes: &[u8],
        plain: &mut Vec<u8>,
        wire: &mut Vec<u8>,
    ) -> Result<TlsInput, TlsFailure> {
        while !bytes.is_empty() {
            let accepted = self.0.read_tls(&mut bytes)?;
            let processed = self.0.process_new_packets();
            self.transmit(wire);
            let state = processed?;
            match self.0.reader().read_to_end(plain) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if state.peer_has_closed() {
                return Ok(TlsInput::Closed);
            }
            if accepted == 0 {
                return Err(TlsFailure::Full);
            }
        }
        Ok(TlsInput::Open)
    }

    /// Encrypts `plain` and appends it to `wire`. Before the handshake is complete, rustls keeps
    /// it.
    pub(crate) fn send(&mut self, plain: &[u8], wire: &mut Vec<u8>) {
        if let Err(error) = self.0.writer().write_all(plain) {
            mp_core::bug!("the buffer of TLS has no bound, but accepts no more: {error}");
        }
        self.transmit(wire);
    }

    /// Appends close_notify to `wire`.
    pub(crate) fn close(&mut self, wire: &mut Vec<u8>) {
        self.0.send_close_notify();
        self.transmit(wire);
    }

    /// Appends pending records to `wire`, such as a client's ClientHello.
    pub(crate) fn transmit(&mut self, wire: &mut Vec<u8>) {
        // A `Vec` accepts everything; a write of 0 bytes means that rustls has no more records.
        while self.0.wants_write() && matches!(self.0.write_tls(wire), Ok(len) if len > 0) {}
    }
}

#[cfg(test)]
mod tests {
    use mp_tls::DevelopmentCertificate;
    use mp_tls::rustls::SupportedProtocolVersion;
    use mp_tls::rustls::version::{TLS12, TLS13};

    use super::*;

    /// A client and a server after their handshake.
    fn pair(version: &'static SupportedProtocolVersion) -> [Tls; 2] {
        let made = DevelopmentCertificate::new(&["game"]).unwrap();
        let store = CertificateStore::new(made.identity().unwrap());
        let provider = Arc::clone(store.server_config().unwrap().crypto_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(store));
        let trusting = ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap();
        let client = trusting.client_config().unwrap();
        let name = ServerName::try_from("game").unwrap();
        let mut client = Tls::new(ClientConnection::new(client, name).unwrap().into());
        let mut server = Tls::new(ServerConnection::new(Arc::new(server)).unwrap().into());
        let (mut to_server, mut to_client, mut plain) = (Vec::new(), Vec::new(), Vec::new());
        client.transmit(&mut to_server);
        while !to_server.is_empty() || !to_client.is_empty() {
            server.receive(&to_server, &mut plain, &mut to_client).unwrap();
            to_server.clear();
            client.receive(&to_client, &mut plain, &mut to_server).unwrap();
            to_client.clear();
        }
        for side in [&client, &server] {
            assert!(!side.0.is_handshaking());
            assert_eq!(side.0.protocol_version(), Some(version.version));
        }
        [client, server]
    }

    #[test]
    fn bytes_after_a_close_notify_are_ignored_and_end_the_input() {
        for version in [&TLS12, &TLS13] {
            for closer in [0, 1] {
                let mut pair = pair(version);
                let mut bytes = Vec::new();
                pair[closer].send(b"last words", &mut bytes);
                pair[closer].close(&mut bytes);
                bytes.extend([b'A'; 8_192]);
                let (mut plain, mut wire) = (Vec::new(), Vec::new());
                for _ in 0..2 {
                    let input = pair[1 - closer].receive(&bytes, &mut plain, &mut wire);
                    assert_eq!(input.unwrap(), TlsInput::Closed, "{version:?}");
                }
                assert_eq!(plain, b"last words");
            }
        }
    }

    #[test]
    fn a_record_longer_than_any_fails_instead_of_waiting_for_its_end() {
        for version in [&TLS12, &TLS13] {
            let [_, mut server] = pair(version);
            let bytes = [&[0x17, 3, 3, 0xFF, 0xFF][..], &[b'A'; 65_535]].concat();
            assert!(server.receive(&bytes, &mut Vec::new(), &mut Vec::new()).is_err());
        }
    }
}
