//! The DTLS settings of a host, which are checked before the first datagram.
#![expect(
    clippy::exhaustive_structs,
    reason = "the arguments of Godot's function, which programs build"
)]

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dimpl::{Config, DtlsCertificate};
use mp_core::ErrorChain;
use mp_tls::rustls::pki_types::{CertificateDer, UnixTime};
use mp_tls::{CertificateStore, ClientTlsOptions, DevelopmentCertificate, Identity, TlsError};

use super::RECORD_OVERHEAD;
use crate::limits::DTLS_HANDSHAKE_TIMEOUT;
use crate::proto::MTU_MAX;

/// Encryption settings of a client (Godot: the arguments of `dtls_client_setup`).
#[derive(Clone, Debug)]
#[doc(alias = "dtls_client_setup")]
pub struct DtlsClientOptions {
    /// Name that the server's certificate must have.
    pub hostname: String,
    /// Verification of the server. Only its own certificate is checked, not others that it sends:
    /// trust the certificate itself or its issuer.
    pub tls: ClientTlsOptions,
}

/// The reason why encryption cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DtlsError {
    /// A certificate, a key, a name or the trusted certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server's certificate has a chain.
    #[error(
        "the server's certificate has a chain of {0} issuers, which ENet's DTLS cannot send; use a certificate that clients trust directly, as `mp-server cert` creates it"
    )]
    Chain(usize),
    /// Encrypted datagrams would exceed the maximum length.
    #[error("an mtu of {0} bytes is too large for DTLS; use 576 to {max}", max = MTU_WITH_DTLS_MAX)]
    Mtu(u16),
    /// The DTLS library rejects the settings.
    #[error("cannot set up DTLS")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Maximum MTU of a host with encryption.
pub const MTU_WITH_DTLS_MAX: u16 = MTU_MAX - RECORD_OVERHEAD as u16;

/// Returns an error if the MTU is too large for the overhead of DTLS.
pub(crate) const fn check_mtu(mtu: u16) -> Result<(), DtlsError> {
    if mtu > MTU_WITH_DTLS_MAX { Err(DtlsError::Mtu(mtu)) } else { Ok(()) }
}

/// The role of a host in handshakes.
pub(super) enum Role {
    Server { store: CertificateStore, certificate: DtlsCertificate },
    Client { options: DtlsClientOptions, certificate: DtlsCertificate, at: UnixTime },
}

impl Role {
    pub(super) fn server(store: CertificateStore) -> Result<Self, DtlsError> {
        let certificate = usable(&store.identity())?;
        Ok(Self::Server { store, certificate })
    }

    /// Returns the role of a client that verifies certificates as of time `at`.
    pub(super) fn client(options: DtlsClientOptions, at: UnixTime) -> Result<Self, DtlsError> {
        // Both are created again for each server. Report errors now.
        options.tls.server_name(&options.hostname)?;
        options.tls.verifier()?;
        // The library requires a certificate, although no server requests one.
        let certificate = usable(&DevelopmentCertificate::new(&["localhost"])?.identity()?)?;
        Ok(Self::Client { options, certificate, at })
    }

    pub(super) fn config(&self) -> Result<Arc<Config>, DtlsError> {
        let config = Config::builder()
            .mtu(HANDSHAKE_MTU)
            .require_client_certificate(false)
            .flight_start_rto(FIRST_RETRY)
            .flight_retries(RETRIES)
            .handshake_timeout(DTLS_HANDSHAKE_TIMEOUT)
            .build();
        config.map(Arc::new).map_err(|error| DtlsError::Setup(error.into()))
    }

    /// Returns the certificate for a new association. A server reloads it, unless the new one
    /// cannot be used.
    pub(super) fn certificate(&mut self) -> DtlsCertificate {
        match self {
            Self::Server { store, certificate } => {
                match usable(&store.identity()) {
                    Ok(current) => *certificate = current,
                    Err(error) => {
                        tracing::debug!(error = %ErrorChain::new(&error), "cannot use the new certificate; DTLS keeps the previous one")
                    }
                }
                certificate.clone()
            }
            Self::Client { certificate, .. } => certificate.clone(),
        }
    }

    /// Verifies the certificate of a peer.
    pub(super) fn verify(&self, certificate: &[u8]) -> Result<(), TlsError> {
        match self {
            Self::Server { .. } => Ok(()),
            Self::Client { options, at, .. } => {
                options.tls.verify(&[CertificateDer::from(certificate)], &options.hostname, *at)
            }
        }
    }

    pub(super) const fn is_server(&self) -> bool {
        matches!(self, Self::Server { .. })
    }
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server { store, .. } => f.debug_tuple("Server").field(store).finish(),
            Self::Client { options, .. } => f.debug_tuple("Client").field(options).finish(),
        }
    }
}

/// Checks that a server can use a certificate for DTLS: an ECDSA key on P-256 or P-384, and no
/// chain. For programs that reload a [`CertificateStore`], because a server that cannot use the new
/// certificate keeps the previous one.
///
/// # Errors
///
/// [`DtlsError::Tls`] with [`TlsError::KeyKind`], or [`DtlsError::Chain`].
pub fn check_certificate(identity: &Identity) -> Result<(), DtlsError> {
    usable(identity).map(drop)
}

/// Returns an identity in the library's form, which panics for other kinds of keys.
fn usable(identity: &Identity) -> Result<DtlsCertificate, DtlsError> {
    identity.require_ecdsa("ENet's DTLS")?;
    let [own, others @ ..] = identity.chain() else { return Err(DtlsError::Chain(0)) };
    if !others.is_empty() {
        return Err(DtlsError::Chain(others.len()));
    }
    let (certificate, private_key) = (own.to_vec(), identity.key().secret_der().to_vec());
    Ok(DtlsCertificate { certificate, private_key })
}

/// Maximum length of a handshake datagram in bytes, which all paths should support.
const HANDSHAKE_MTU: usize = 1_200;
/// Delay of the first retransmission of a flight. It doubles with each retransmission.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// Maximum number of retransmissions. The handshake times out before.
const RETRIES: usize = 7;
