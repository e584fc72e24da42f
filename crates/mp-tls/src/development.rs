//! Self-signed certificates for development.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};

use crate::{Identity, TlsError};

/// A self-signed certificate and its key: ECDSA on P-256, which TLS (WebSocket), DTLS (ENet) and
/// Godot support. It is valid from 1975 to 4096, so that it does not expire.
///
/// Only clients that were given the certificate trust it. Give them
/// [`certificate_pem`](Self::certificate_pem), never the key.
#[derive(Debug)]
pub struct DevelopmentCertificate {
    certificate: String,
    key: String,
}

impl DevelopmentCertificate {
    /// Creates a certificate for hosts with these names or IP addresses. The first one is also the
    /// common name: clients that reach the server under another name pass it to
    /// [`common_name_override`](crate::ClientTlsOptions::common_name_override).
    ///
    /// # Errors
    ///
    /// If there is no name, or one is neither a host name nor an IP address.
    pub fn new(names: &[impl AsRef<str>]) -> Result<Self, TlsError> {
        let names: Vec<String> = names.iter().map(|name| name.as_ref().to_owned()).collect();
        for name in &names {
            crate::client::server_name(name)?;
        }
        let Some(first) = names.first().cloned() else {
            return Err(TlsError::Name { name: String::new() });
        };
        let setup = |error: rcgen::Error| TlsError::Setup(error.into());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(setup)?;
        let mut params = CertificateParams::new(names).map_err(setup)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, first);
        let certificate = params.self_signed(&key).map_err(setup)?;
        Ok(Self { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Returns the certificate as PEM text.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// Returns the private key as PEM text (PKCS #8).
    pub fn key_pem(&self) -> &str {
        &self.key
    }

    /// Returns certificate and key as an identity.
    ///
    /// # Errors
    ///
    /// Same as [`Identity::from_pem`]; none is expected.
    pub fn identity(&self) -> Result<Identity, TlsError> {
        Identity::from_pem(&self.certificate, &self.key)
    }

    /// Writes certificate and key to two new files. Only the owner can read the key file. Godot
    /// loads certificates from files that end in `.crt` and keys from files that end in `.key`.
    ///
    /// # Errors
    ///
    /// If one of the files exists or cannot be written.
    pub fn write(
        &self,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<(), TlsError> {
        write_new(certificate.as_ref(), &self.certificate, 0o644)?;
        write_new(key.as_ref(), &self.key, 0o600)
    }
}

/// Writes a new file with these permissions.
///
/// # Errors
///
/// If the file exists or cannot be written.
pub(crate) fn write_new(file: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options.open(file).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| TlsError::Write { file: file.to_owned(), source })
}
