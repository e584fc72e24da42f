//! Requests for certificates of an authority.

use std::fmt;

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};

use crate::TlsError;

/// A request for a certificate (PKCS #10) with a new key: ECDSA on P-256. `Debug` does not show the
/// key.
pub struct CertificateRequest {
    request: Vec<u8>,
    key: String,
}

impl CertificateRequest {
    /// Creates a key, and a request for a certificate for hosts with these names or IP addresses.
    ///
    /// # Errors
    ///
    /// If there is no name, or one is neither a host name nor an IP address.
    pub fn new(names: &[impl AsRef<str>]) -> Result<Self, TlsError> {
        let names: Vec<String> = names.iter().map(|name| name.as_ref().to_owned()).collect();
        if names.is_empty() {
            return Err(TlsError::Name { name: String::new() });
        }
        for name in &names {
            crate::client::server_name(name)?;
        }
        let setup = |error: rcgen::Error| TlsError::Setup(error.into());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(setup)?;
        let mut params = CertificateParams::new(names).map_err(setup)?;
        // Authorities ignore it, and some refuse names in it that are not among the others.
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&key).map_err(setup)?;
        Ok(Self { request: request.der().to_vec(), key: key.serialize_pem() })
    }

    /// Returns the request in DER.
    pub fn der(&self) -> &[u8] {
        &self.request
    }

    /// Returns the private key as PEM text (PKCS #8).
    pub fn key_pem(&self) -> &str {
        &self.key
    }
}

impl fmt::Debug for CertificateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.request.len();
        f.debug_struct("CertificateRequest").field("len", &len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_names_and_hide_the_key() {
        let made = CertificateRequest::new(&["game.example", "eu.game.example"]).unwrap();
        let has = |name: &str| made.der().windows(name.len()).any(|it| it == name.as_bytes());
        assert!(has("game.example") && has("eu.game.example"));
        assert!(made.key_pem().contains("PRIVATE KEY"));
        assert!(!format!("{made:?}").contains("PRIVATE"));
        let none: [&str; 0] = [];
        assert!(CertificateRequest::new(&none).is_err());
        assert!(CertificateRequest::new(&["no name"]).is_err());
    }
}
