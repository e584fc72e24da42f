//! [`Acme`]: certificates from an authority by the protocol ACME (RFC 8555), such as Let's Encrypt.
//!
//! ```text
//!  renew: at the start, and after 2/3 of the validity
//!    │ account, order ──► authority ── GET /.well-known/acme-challenge/TOKEN ──► acme.address
//!    ▼
//!  Storage: one PEM file ──► CertificateStore
//! ```
//!
//! All of it runs on a thread of its own. A server without a certificate yet starts with a
//! self-signed one, so that an authority that is down does not keep it from serving ENet.

mod challenges;
mod http;
mod order;
mod schedule;
mod storage;

use std::sync::Arc;
use std::time::Duration;

use mp_core::ErrorChain;
use mp_core::host::unix_now;
use mp_tls::{CertificateStore, DevelopmentCertificate};

use self::challenges::Challenges;
pub(crate) use self::http::AuthorityClient;
use self::schedule::{BackOff, renewal_time};
pub(crate) use self::storage::Storage;
use crate::config::{AcmeConfig, Config};
use crate::http::{HttpLimits, HttpListener, HttpServer};
use crate::metrics::Metrics;

/// The thread that requests certificates and answers the authority. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Acme {
    _http: HttpServer,
}

impl Acme {
    /// Opens the port for the authority, and starts to request certificates for `store`; `None` if
    /// the settings have no domains. The error is a message.
    pub(crate) fn start(
        config: &Config,
        store: Option<&CertificateStore>,
        metrics: Metrics,
    ) -> Result<Option<Self>, String> {
        let Some((config, store)) = config.acme.clone().zip(store.cloned()) else {
            return Ok(None);
        };
        let address = config.address.socket_addr();
        let listener = HttpListener::bind(address).map_err(|error| {
            format!(
                "cannot bind TCP {address} for the authority of certificates: {error}; permit it \
                 (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE), or set acme.address to the \
                 address to which a proxy passes port 80"
            )
        })?;
        let started = |error: std::io::Error| format!("cannot start the thread of ACME: {error}");
        let http = HttpServer::start().map_err(started)?;
        let challenges = Challenges::default();
        let limits = HttpLimits { connections: 64, body_size: 0, ..HttpLimits::default() };
        http.serve(listener, challenges.router(), limits).map_err(started)?;
        http.spawn(renew(config, store, challenges, metrics));
        Ok(Some(Self { _http: http }))
    }
}

/// Returns the store of the certificate, which is self-signed until there is one of the authority.
///
/// # Errors
///
/// If the folder cannot be created. The error is a message.
pub(crate) fn certificate_store(config: &AcmeConfig) -> Result<CertificateStore, String> {
    let storage = Storage::new(config);
    storage.create_folders()?;
    let file = storage.certificate_file();
    if let Ok(store) = CertificateStore::from_files(file, file) {
        return Ok(store);
    }
    tracing::warn!(domains = ?config.domains, "no certificate yet; connections use a self-signed one, which players do not trust, until the authority has issued one");
    let made = DevelopmentCertificate::new(&config.domains).and_then(|made| made.identity());
    let made = made.map_err(|error| ErrorChain::new(&error).to_string())?;
    Ok(CertificateStore::from_future_files(made, file, file))
}

/// Requests a certificate whenever the current one is due. Never returns.
async fn renew(
    config: Arc<AcmeConfig>,
    store: CertificateStore,
    challenges: Challenges,
    metrics: Metrics,
) {
    let storage = Storage::new(&config);
    let mut back_off = BackOff::default();
    loop {
        let pause = until_due(&storage, &config);
        if !pause.is_zero() {
            // The clock of the machine may change, or the file.
            tokio::time::sleep(pause.min(CHECK_INTERVAL)).await;
            continue;
        }
        let mut result = order::obtain(&config, &storage, &challenges)
            .await
            .and_then(|()| store.reload().map_err(|error| ErrorChain::new(&error).to_string()));
        if result.is_ok() && until_due(&storage, &config).is_zero() {
            // Otherwise, certificates would be requested without a pause.
            result = Err("the new certificate is due already; check the clock: timedatectl".into());
        }
        metrics.count_certificate_request(result.is_ok());
        match result {
            Ok(()) => {
                back_off.reset();
                tracing::info!(domains = ?config.domains, authority = config.directory_url(), "certificate issued; new connections use it");
            }
            Err(error) => {
                let pause = back_off.next_pause();
                tracing::error!(%error, domains = ?config.domains, retry_in = ?pause, "no certificate");
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Returns the time until a certificate has to be requested.
fn until_due(storage: &Storage, config: &AcmeConfig) -> Duration {
    let due = storage.certificate().ok().and_then(|it| renewal_time(&it, &config.domains));
    Duration::from_secs(due.unwrap_or_default().saturating_sub(unix_now()))
}

/// Maximum time between two checks whether a certificate is due.
const CHECK_INTERVAL: Duration = Duration::from_secs(3_600);
