//! Reloading of certificates that are replaced while the server runs.

use std::time::Duration;

use mp_core::ErrorChain;
use mp_tls::CertificateStore;

/// Reloads the certificate whenever its files have changed. Never returns.
pub(crate) async fn watch(store: CertificateStore) {
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        if !store.has_changed() {
            continue;
        }
        match store.reload() {
            Ok(()) => tracing::info!("certificate reloaded; new connections use it"),
            Err(error) => {
                tracing::error!(error = %ErrorChain::new(&error), "cannot reload the certificate; the previous one stays in use")
            }
        }
    }
}

/// Interval of checks for a new certificate. Certificate and key are written one after the other.
/// If they are read in between, they do not match; they are read again when the second file has
/// changed.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
