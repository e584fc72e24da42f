//! Verification of a server by a client.

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

/// Settings by which a client verifies its server: Godot's `TLSOptions.client(trusted_chain,
/// common_name_override)` and `TLSOptions.client_unsafe(trusted_chain)`.
///
/// | | chain | name |
/// |---|---|---|
/// | `new()` | the system's certificates | the host's |
/// | `.trusted_chain(pem)` | those in `pem` instead | |
/// | `.common_name_override(name)` | | `name` instead |
/// | `new_unsafe()` | not checked | not checked |
/// | `new_unsafe().trusted_chain(pem)` | those in `pem` | not checked |
#[derive(Clone, Debug, Default)]
#[doc(alias = "TLSOptions")]
pub struct ClientTlsOptions {
    trusted: Option<Vec<CertificateDer<'static>>>,
    common_name: Option<ServerName<'static>>,
    is_unsafe: bool,
}

impl ClientTlsOptions {
    /// Returns settings that require a certificate for the host's name, issued by an authority that
    /// the system trusts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns settings that accept any server. An attacker who can redirect the traffic can read
    /// and change it, so use them only for tests and on isolated networks.
    #[doc(alias = "client_unsafe")]
    pub fn new_unsafe() -> Self {
        Self { is_unsafe: true, ..Self::default() }
    }

    /// Trusts only the certificates of a PEM text: a self-signed certificate, or the authority that
    /// issued the server's.
    ///
    /// # Errors
    ///
    /// If the text has no certificate, or an invalid one.
    pub fn trusted_chain(mut self, pem: &str) -> Result<Self, TlsError> {
        self.trusted = Some(certificates(pem.as_bytes(), "the trusted chain")?);
        Ok(self)
    }

    /// Expects a certificate for `name` instead of the host's name. The client also sends this name
    /// to the server (SNI).
    ///
    /// # Errors
    ///
    /// If it is not a host name or IP address.
    pub fn common_name_override(mut self, name: &str) -> Result<Self, TlsError> {
        self.common_name = Some(server_name(name)?);
        Ok(self)
    }

    /// Returns whether names are not checked.
    pub fn is_unsafe(&self) -> bool {
        self.is_unsafe
    }

    /// Returns the name that the certificate of the server at `host` must have.
    ///
    /// # Errors
    ///
    /// If `host` is not a host name or IP address, and no name overrides it.
    pub fn server_name(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        match &self.common_name {
            Some(name) => Ok(name.clone()),
            None => server_name(host),
        }
    }

    /// Returns the certificate verifier, for protocols that do not use
    /// [`client_config`](Self::client_config), such as DTLS.
    ///
    /// # Errors
    ///
    /// If the system has no trusted certificates and none were given, or the given ones are
    /// invalid.
    pub fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        let roots = match &self.trusted {
            Some(trusted) => given_roots(trusted)?,
            None if self.is_unsafe => return Ok(Arc::new(Unsafe { chain: None })),
            None => system_roots()?,
        };
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| TlsError::Setup(error.into()))?;
        Ok(if self.is_unsafe { Arc::new(Unsafe { chain: Some(verifier) }) } else { verifier })
    }

    /// Verifies `chain`, the server's own certificate first, for `host` at time `now`. Does not
    /// check that the remote peer has the private key.
    ///
    /// # Errors
    ///
    /// [`TlsError::Untrusted`] if verification fails; otherwise the errors of
    /// [`verifier`](Self::verifier) and [`server_name`](Self::server_name).
    pub fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        host: &str,
        now: UnixTime,
    ) -> Result<(), TlsError> {
        let Some((own, others)) = chain.split_first() else {
            return Err(TlsError::Untrusted(Error::NoCertificatesPresented));
        };
        let name = self.server_name(host)?;
        let verified = self.verifier()?.verify_server_cert(own, others, &name, &[], now);
        verified.map(drop).map_err(TlsError::Untrusted)
    }

    /// Returns the configuration of a rustls client: TLS 1.2 and 1.3, without a client certificate.
    ///
    /// # Errors
    ///
    /// Same as [`verifier`](Self::verifier).
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Setup(error.into()))?
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
            from: "the trusted chain".to_owned(),
            source: error.into(),
        })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems may list certificates that rustls cannot parse; skip them.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(TlsError::NoSystemRoots { source: found.errors.into_iter().next() });
    }
    Ok(roots)
}

/// A verifier that does not check names, and checks the chain only if a trusted one was given.
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
            // The name is checked last, so everything else is valid.
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
