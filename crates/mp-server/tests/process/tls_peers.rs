//! Clients that violate TLS after the handshake.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use mp_core::host::SystemClock;
use mp_tls::rustls::pki_types::ServerName;
use mp_tls::rustls::version::{TLS12, TLS13};
use mp_tls::rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use mp_tls::{ClientTlsOptions, DevelopmentCertificate};

use crate::players::connect;
use crate::server::{Server, answer_to_healthz, assert_is_healthy};

#[test]
fn bytes_after_a_close_notify_do_not_keep_the_server_busy() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["my.crt", "my.key"].map(|name| folder.path().join(name));
    let [certificate, key] = files.each_ref().map(|file| file.display().to_string());
    let made = DevelopmentCertificate::new(&["localhost"]).unwrap();
    made.write(&files[0], &files[1]).unwrap();
    for version in [&TLS12, &TLS13] {
        let mut server = Server::start(&["--tls-cert", &certificate, "--tls-key", &key]);
        let trusted = config(&made, version);
        let (mut tls, mut tcp) = handshake(&trusted, server.ws);
        tls.send_close_notify();
        let mut bytes = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut bytes).unwrap();
        }
        bytes.extend([0x17, 3, 3, 0, 0x10]);
        bytes.extend([b'A'; 30_000]);
        // One write, so that the server reads all of it at once.
        tcp.write_all(&bytes).unwrap();
        // The server closes the connection, so it has read the bytes.
        let mut rest = Vec::new();
        let _ = tcp.read_to_end(&mut rest);

        assert_is_healthy(|| {
            let (mut tls, mut tcp) = handshake(&trusted, server.ws);
            let clock = SystemClock::new();
            let asked = clock.now();
            answer_to_healthz(&mut mp_tls::rustls::Stream::new(&mut tls, &mut tcp));
            clock.now() - asked
        });

        assert_eq!(server.terminate(), Some(0));
    }
}

fn config(
    made: &DevelopmentCertificate,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let provider = ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap();
    let provider = Arc::clone(provider.client_config().unwrap().crypto_provider());
    let mut roots = RootCertStore::empty();
    roots.add(made.identity().unwrap().chain()[0].clone()).unwrap();
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn handshake(config: &Arc<ClientConfig>, to: SocketAddr) -> (ClientConnection, TcpStream) {
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut tcp = connect(to);
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp).unwrap();
    }
    (tls, tcp)
}
