//! How a client verifies its server.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::identity::certificates;
use crate::{TlsError, provider};

/// How a client verifies its server: Godot's `TLSOptions.client(trusted_chain, common_name_override)` and
/// `TLSOptions.client_unsafe(trusted_chain)`.
///
/// | | chain | name |
/// |---|---|---|
/// | `new()` | the system's certificates | the host's |
/// | `.trusted_chain(pem)` | those in `pem` instead | |
/// | `.common_name_override(name)` | | `name` instead |
/// | `new_unsafe()` | not looked at | not looked at |
/// | `new_unsafe().trusted_chain(pem)` | those in `pem` | not looked at |
#[derive(Clone, Debug, Default)]
#[doc(alias = "TLSOptions")]
pub struct ClientTlsOptions {
    trusted: Option<Vec<CertificateDer<'static>>>,
    common_name: Option<ServerName<'static>>,
    is_unsafe: bool,
}

impl ClientTlsOptions {
    /// The server must have a certificate for its host's name, and somebody whom this system trusts must vouch for it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Anybody who answers is taken for the server. Whoever can redirect the traffic can read and change it: for tests, and for
    /// networks that nobody else is on.
    #[doc(alias = "client_unsafe")]
    pub fn new_unsafe() -> Self {
        Self { is_unsafe: true, ..Self::default() }
    }

    /// Trusts the certificates of a PEM text, and nobody else: a self-signed certificate itself, or the authority behind it.
    ///
    /// # Errors
    ///
    /// When there is no certificate in it.
    pub fn trusted_chain(mut self, pem: &str) -> Result<Self, TlsError> {
        self.trusted = Some(certificates(pem.as_bytes(), "the chain to trust")?);
        Ok(self)
    }

    /// Expects a certificate for `name`, whatever the host is called. The server is also told this name (SNI).
    ///
    /// # Errors
    ///
    /// When it is no host name or IP address.
    pub fn common_name_override(mut self, name: &str) -> Result<Self, TlsError> {
        self.common_name = Some(server_name(name)?);
        Ok(self)
    }

    /// Whether names are not looked at.
    pub fn is_unsafe(&self) -> bool {
        self.is_unsafe
    }

    /// The name that the certificate of the server at `host` must have.
    ///
    /// # Errors
    ///
    /// When `host` is no host name or IP address, and nothing overrides it.
    pub fn server_name(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        match &self.common_name {
            Some(name) => Ok(name.clone()),
            None => server_name(host),
        }
    }

    /// What decides, for those who do not use [`client_config`](Self::client_config): DTLS.
    ///
    /// # Errors
    ///
    /// When the system has no certificates to trust and none were given, or those cannot be used.
    pub fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        let roots = match &self.trusted {
            Some(trusted) => given_roots(trusted)?,
            None if self.is_unsafe => return Ok(Arc::new(Unsafe { chain: None })),
            None => system_roots()?,
        };
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| TlsError::Setup(error.to_string()))?;
        Ok(if self.is_unsafe { Arc::new(Unsafe { chain: Some(verifier) }) } else { verifier })
    }

    /// Whether `chain`, the server's own certificate first, is to be trusted at `now` as that of `host`. It says nothing of
    /// whether the other side has the key.
    ///
    /// # Errors
    ///
    /// [`TlsError::Untrusted`] when not; as [`verifier`](Self::verifier) and [`server_name`](Self::server_name) otherwise.
    pub fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        host: &str,
        now: UnixTime,
    ) -> Result<(), TlsError> {
        let Some((own, others)) = chain.split_first() else {
            return Err(TlsError::Untrusted("there is none".to_owned()));
        };
        let name = self.server_name(host)?;
        let verified = self.verifier()?.verify_server_cert(own, others, &name, &[], now);
        verified.map(drop).map_err(|error| TlsError::Untrusted(error.to_string()))
    }

    /// The configuration of a rustls client. TLS 1.2 and 1.3, no certificate of the client's own.
    ///
    /// # Errors
    ///
    /// As [`verifier`](Self::verifier).
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Setup(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier()?)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}

pub(crate) fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name { name: name.to_owned() })
}

fn given_roots(trusted: &[CertificateDer<'static>]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.clone()).map_err(|error| TlsError::Certificate {
            from: "the chain to trust".to_owned(),
            why: error.to_string(),
        })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system may list some that are too old to be understood; the others still count.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
        return Err(TlsError::NoSystemRoots { why });
    }
    Ok(roots)
}

/// Does not look at names, and at the chain only when there is something to hold it against.
#[derive(Debug)]
struct Unsafe {
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Unsafe {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(own, others, name, ocsp, now) {
            // The name is looked at last: all else is right.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
