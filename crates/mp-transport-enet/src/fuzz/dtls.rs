//! The DTLS fuzz target.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time;

use mp_core::Instant;
use mp_core::fuzz::pieces;
use mp_tls::rustls::pki_types::UnixTime;
use mp_tls::{CertificateStore, ClientTlsOptions, DevelopmentCertificate};

use crate::dtls::{Dtls, DtlsClientOptions};
use crate::proto::NetworkPath;

/// Passes pieces of the input as datagrams to a server, and to a client that waits for a reply.
/// None may contain a payload, because there are no keys.
pub fn dtls_record(data: &[u8]) {
    static CERTIFICATE: LazyLock<CertificateStore> = LazyLock::new(|| {
        let made = DevelopmentCertificate::new(&["game"]).expect("a certificate");
        CertificateStore::new(made.identity().expect("an identity"))
    });
    let server = Dtls::server(CERTIFICATE.clone(), 4, *ZERO).expect("a server");
    for mut dtls in [server, greeting_client().0] {
        let mut now = NOW;
        for piece in pieces(data) {
            let mut send = |to: NetworkPath, _: &[u8]| assert_eq!(to.remote, remote());
            let mut take = |_, payload: &[u8]| panic!("{payload:?} without keys");
            dtls.handle_datagram(now, remote(), piece, &mut send, &mut take);
            let (secured, opening) = dtls.associations();
            assert!(secured == 0 && opening <= 1, "{secured} and {opening}");
            now += time::Duration::from_millis(100);
            dtls.handle_timeout(now, &mut send);
        }
    }
}

/// Returns the first datagrams of a client, as seeds for a fuzzer.
pub fn dtls_client_hello() -> Vec<Vec<u8>> {
    greeting_client().1
}

fn greeting_client() -> (Dtls, Vec<Vec<u8>>) {
    let tls = ClientTlsOptions::new_unsafe();
    let options = DtlsClientOptions { hostname: "game".to_owned(), tls };
    let at = UnixTime::since_unix_epoch(time::Duration::from_secs(1_800_000_000));
    let mut client = Dtls::client(options, 1, *ZERO, at).expect("a client");
    let mut sent = Vec::new();
    client.encrypt(NOW, remote(), b"hello", &mut |_, bytes| sent.push(bytes.to_vec()));
    (client, sent)
}

fn remote() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 5_000))
}

const NOW: Instant = Instant::from_millis(1_000);

static ZERO: LazyLock<time::Instant> = LazyLock::new(zero);

#[expect(clippy::disallowed_methods, reason = "the origin of the library's clock")]
fn zero() -> time::Instant {
    time::Instant::now()
}
