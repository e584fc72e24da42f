//! The identity of a server: a certificate chain and the private key of its first certificate.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};

use crate::TlsError;

/// A certificate chain, the server's own certificate first, and its private key. Cloning is cheap.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    key: Arc<PrivateKeyDer<'static>>,
    kind: KeyKind,
    /// Source of the key, for messages.
    from: String,
}

/// The type of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// ECDSA on NIST's P-256, which all clients support.
    EcdsaP256,
    /// ECDSA on NIST's P-384.
    EcdsaP384,
    /// ECDSA on another curve.
    Ecdsa,
    /// Ed25519.
    Ed25519,
    /// RSA.
    Rsa,
}

impl Identity {
    /// Reads the chain and the key from PEM files. Both may be the same file.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or parsed, or the key does not belong to the certificate.
    pub fn from_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.as_ref(), key.as_ref());
        let (chain, private) = (read(certificate)?, read(key)?);
        let names = [certificate, key].map(|path| path.display().to_string());
        Self::named(&chain, &private, names)
    }

    /// Parses the chain and the key from PEM texts. Both may be the same text.
    ///
    /// # Errors
    ///
    /// Same as [`from_files`](Self::from_files).
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, TlsError> {
        let names = ["the certificate PEM", "the key PEM"].map(str::to_owned);
        Self::named(certificate.as_bytes(), key.as_bytes(), names)
    }

    pub(crate) fn named(
        certificate: &[u8],
        key: &[u8],
        names: [String; 2],
    ) -> Result<Self, TlsError> {
        let [certificate_name, key_name] = names;
        let chain = certificates(certificate, &certificate_name)?;
        let no_key = |source| TlsError::NoKey { from: key_name.clone(), source };
        let der = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
            let encrypted = String::from_utf8_lossy(key).contains("ENCRYPTED");
            no_key(if encrypted { "it is encrypted".into() } else { Malformed(error).into() })
        })?;
        let signer = crate::provider()
            .key_provider
            .load_private_key(der.clone_key())
            .map_err(|error| no_key(error.into()))?;
        let kind = KeyKind::of(&*signer);
        let certified = CertifiedKey::new(chain, signer);
        certified.keys_match().map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::Mismatch { certificate: certificate_name.clone(), key: key_name.clone() }
            }
            error => {
                let from = certificate_name.clone();
                TlsError::Certificate { from, source: error.into() }
            }
        })?;
        Ok(Self { certified: Arc::new(certified), key: Arc::new(der), kind, from: key_name })
    }

    /// Returns the certificates in DER, the server's own first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    /// Returns the private key in DER, in the encoding of its file: PKCS #8, SEC 1 or PKCS #1.
    pub fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// Returns the time from which the server's own certificate is valid, in seconds of Unix time;
    /// `None` if its validity cannot be read.
    pub fn not_before(&self) -> Option<u64> {
        crate::expiry::validity(self.chain().first()?).map(|(not_before, _)| not_before)
    }

    /// Returns the time at which the server's own certificate expires, in seconds of Unix time;
    /// `None` if its validity cannot be read.
    pub fn not_after(&self) -> Option<u64> {
        crate::expiry::validity(self.chain().first()?).map(|(_, not_after)| not_after)
    }

    /// Returns whether the server's own certificate is for `host`, a name or an IP address, as
    /// clients check it.
    pub fn is_for(&self, host: &str) -> bool {
        let own = self.chain().first().and_then(|own| ParsedCertificate::try_from(own).ok());
        let name = crate::client::server_name(host).ok();
        own.zip(name).is_some_and(|(own, name)| verify_server_name(&own, &name).is_ok())
    }

    /// Returns the type of the private key.
    pub fn key_kind(&self) -> KeyKind {
        self.kind
    }

    /// Checks that the key is an ECDSA key on P-256 or P-384, for a `user` that supports no others.
    ///
    /// # Errors
    ///
    /// [`TlsError::KeyKind`] for other keys.
    pub fn require_ecdsa(&self, user: &'static str) -> Result<(), TlsError> {
        match self.kind {
            KeyKind::EcdsaP256 | KeyKind::EcdsaP384 => Ok(()),
            kind => Err(TlsError::KeyKind { from: self.from.clone(), kind, user }),
        }
    }

    pub(crate) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the key, which must not be logged.
        let certificates = self.chain().len();
        f.debug_struct("Identity")
            .field("certificates", &certificates)
            .field("key", &self.kind)
            .finish()
    }
}

impl KeyKind {
    fn of(key: &dyn SigningKey) -> Self {
        let can = |scheme| key.choose_scheme(&[scheme]).is_some();
        match key.algorithm() {
            SignatureAlgorithm::ED25519 => Self::Ed25519,
            SignatureAlgorithm::RSA => Self::Rsa,
            _ if can(SignatureScheme::ECDSA_NISTP256_SHA256) => Self::EcdsaP256,
            _ if can(SignatureScheme::ECDSA_NISTP384_SHA384) => Self::EcdsaP384,
            _ => Self::Ecdsa,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EcdsaP256 => "ECDSA P-256",
            Self::EcdsaP384 => "ECDSA P-384",
            Self::Ecdsa => "ECDSA",
            Self::Ed25519 => "Ed25519",
            Self::Rsa => "RSA",
        })
    }
}

/// Parses all certificates of a PEM text. Fails if there is none.
pub(crate) fn certificates(
    pem: &[u8],
    from: &str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = parsed.map_err(|error| TlsError::Certificate {
        from: from.to_owned(),
        source: Malformed(error).into(),
    })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { from: from.to_owned() });
    }
    Ok(chain)
}

pub(crate) fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|source| TlsError::Read { file: file.to_owned(), source })
}

/// The error of PEM text, in words that need no knowledge of PEM.
#[derive(Debug, thiserror::Error)]
#[error("{}", match .0 {
    pem::Error::NoItemsFound => "no key found",
    pem::Error::Base64Decode(_) => "invalid base64",
    pem::Error::MissingSectionEnd { .. } => "it is truncated",
    _ => "invalid PEM",
})]
struct Malformed(#[source] pem::Error);
