//! Certificates that are replaced while the server runs.

use std::time::Duration;

use mp_core::ErrorChain;
use mp_tls::CertificateStore;

/// Takes new files whenever they have been written.
pub(crate) async fn watch(store: CertificateStore) {
    loop {
        tokio::time::sleep(LOOK).await;
        if !store.has_changed() {
            continue;
        }
        match store.reload() {
            Ok(()) => tracing::info!("new players get the new certificate"),
            Err(error) => {
                tracing::error!(error = %ErrorChain::new(&error), "the old certificate stays in use")
            }
        }
    }
}

/// How soon a new certificate is noticed. Whoever renews writes two files one after the other: what is read in between does not
/// fit together, and is read again when the second one has been written.
const LOOK: Duration = Duration::from_secs(5);
