//! What a host is told about DTLS, checked before the first datagram.
#![expect(
    clippy::exhaustive_structs,
    reason = "the arguments of Godot's function, which programs build"
)]

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dimpl::{Config, DtlsCertificate};
use mp_tls::rustls::pki_types::{CertificateDer, UnixTime};
use mp_tls::{CertificateStore, ClientTlsOptions, DevelopmentCertificate, Identity, TlsError};

use super::RECORD_OVERHEAD;
use crate::limits::DTLS_HANDSHAKE_TIMEOUT;
use crate::proto::MTU_MAX;

/// How a client's datagrams are encrypted (Godot: the arguments of `dtls_client_setup`).
#[derive(Clone, Debug)]
#[doc(alias = "dtls_client_setup")]
pub struct DtlsClientOptions {
    /// The name that the server's certificate must have.
    pub hostname: String,
    /// How the server is verified. Only its own certificate is looked at, not others that it sends: trust that one itself, or the
    /// authority that signed it.
    pub tls: ClientTlsOptions,
}

/// Why datagrams cannot be encrypted as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DtlsError {
    /// A certificate, a key, a name or what to trust cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A server would have to send more than one certificate.
    #[error(
        "the server's certificate comes with {0} of its authorities, which cannot be sent over ENet's DTLS; use one that clients trust themselves, as `mp-server cert` makes it"
    )]
    Chain(usize),
    /// Datagrams would be longer than any of ENet's.
    #[error("an mtu of {0} bytes leaves no room for DTLS; use 576 to {max}", max = MTU_WITH_DTLS_MAX)]
    Mtu(u16),
    /// The cryptography does not start.
    #[error("DTLS cannot be set up: {0}")]
    Setup(String),
}

/// The largest mtu of a host that encrypts.
pub const MTU_WITH_DTLS_MAX: u16 = MTU_MAX - RECORD_OVERHEAD as u16;

/// Refuses an mtu that leaves no room for what encryption adds.
pub(crate) const fn check_mtu(mtu: u16) -> Result<(), DtlsError> {
    if mtu > MTU_WITH_DTLS_MAX { Err(DtlsError::Mtu(mtu)) } else { Ok(()) }
}

/// The side of the handshake that a host is on.
pub(super) enum Role {
    Server { store: CertificateStore, certificate: DtlsCertificate },
    Client { options: DtlsClientOptions, certificate: DtlsCertificate, at: UnixTime },
}

impl Role {
    pub(super) fn server(store: CertificateStore) -> Result<Self, DtlsError> {
        let certificate = usable(&store.identity())?;
        Ok(Self::Server { store, certificate })
    }

    /// A client that judges certificates as of `at`.
    pub(super) fn client(options: DtlsClientOptions, at: UnixTime) -> Result<Self, DtlsError> {
        // Both are asked again for each server; what is wrong with them is said now.
        options.tls.server_name(&options.hostname)?;
        options.tls.verifier()?;
        // Nobody asks for a client's certificate; the library wants to have one.
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
        config.map(Arc::new).map_err(|error| DtlsError::Setup(error.to_string()))
    }

    /// The certificate for a new association. A server's may have been replaced meanwhile; one that cannot be used is not taken.
    pub(super) fn certificate(&mut self) -> DtlsCertificate {
        match self {
            Self::Server { store, certificate } => {
                match usable(&store.identity()) {
                    Ok(current) => *certificate = current,
                    Err(error) => tracing::debug!(%error, "DTLS stays with the former certificate"),
                }
                certificate.clone()
            }
            Self::Client { certificate, .. } => certificate.clone(),
        }
    }

    /// Whether a peer with this certificate is the one that is meant.
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

/// The form of an identity that the library takes; it panics when it meets another kind of key.
fn usable(identity: &Identity) -> Result<DtlsCertificate, DtlsError> {
    identity.require_ecdsa("ENet's DTLS")?;
    let [own, others @ ..] = identity.chain() else { return Err(DtlsError::Chain(0)) };
    if !others.is_empty() {
        return Err(DtlsError::Chain(others.len()));
    }
    let (certificate, private_key) = (own.to_vec(), identity.key().secret_der().to_vec());
    Ok(DtlsCertificate { certificate, private_key })
}

/// Bytes of the datagrams of a handshake: what every path carries.
const HANDSHAKE_MTU: usize = 1_200;
/// When a flight of the handshake is sent again for the first time; each wait is twice the one before.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// How often it is: until the patience of both sides ends.
const RETRIES: usize = 7;
