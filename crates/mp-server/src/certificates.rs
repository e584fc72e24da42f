//! Reloading of certificates that are replaced while the server runs.

use std::time::Duration;

use mp_core::ErrorChain;
use mp_tls::{CertificateStore, TlsError};
use mp_transport_enet::dtls::{DtlsError, check_certificate};

use crate::metrics::Metrics;

/// Reloads the certificate whenever its files have changed. `has_dtls`: ENet uses it, too. Never
/// returns.
pub(crate) async fn watch(store: CertificateStore, has_dtls: bool, metrics: Metrics) {
    loop {
        let expiry = store.identity().not_after().filter(|_| !store.is_placeholder());
        metrics.set_certificate_expiry(expiry);
        tokio::time::sleep(CHECK_INTERVAL).await;
        if !store.has_changed() {
            continue;
        }
        match reload(&store, has_dtls) {
            Ok(()) => tracing::info!("certificate reloaded; new connections use it"),
            Err(Failure::Invalid(error)) => {
                tracing::error!(error = %ErrorChain::new(&error), "cannot reload the certificate; the previous one stays in use")
            }
            Err(Failure::WithoutDtls(error)) => {
                tracing::error!(error = %ErrorChain::new(&error), "certificate reloaded, but not for ENet's DTLS, which keeps the previous one")
            }
        }
    }
}

/// The reason why a certificate was not reloaded.
#[derive(Debug)]
enum Failure {
    /// The files are not valid.
    Invalid(TlsError),
    /// It was reloaded for WebSocket only.
    WithoutDtls(DtlsError),
}

fn reload(store: &CertificateStore, has_dtls: bool) -> Result<(), Failure> {
    store.reload().map_err(Failure::Invalid)?;
    match has_dtls {
        true => check_certificate(&store.identity()).map_err(Failure::WithoutDtls),
        false => Ok(()),
    }
}

/// Interval of checks for a new certificate. Certificate and key are written one after the other.
/// If they are read in between, they do not match; they are read again when the second file has
/// changed.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use mp_tls::{DevelopmentCertificate, KeyKind};
    use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};

    use super::*;

    #[test]
    fn a_new_certificate_with_an_rsa_key_is_used_for_websocket_and_reported_for_dtls() {
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key] = ["my.crt", "my.key"].map(|name| folder.path().join(name));
        DevelopmentCertificate::new(&["localhost"]).unwrap().write(&certificate, &key).unwrap();
        let store = CertificateStore::from_files(&certificate, &key).unwrap();
        assert!(reload(&store, true).is_ok());

        let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&certificate, params.self_signed(&rsa).unwrap().pem()).unwrap();
        std::fs::write(&key, rsa.serialize_pem()).unwrap();
        assert!(store.has_changed());
        let Err(Failure::WithoutDtls(error)) = reload(&store, true) else {
            panic!("DTLS accepts an RSA key")
        };
        let error = error.to_string();
        for part in ["my.key", "RSA", "mp-server cert"] {
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(store.identity().key_kind(), KeyKind::Rsa);
        assert!(reload(&store, false).is_ok());
    }
}
