//! Key pairs that sign and verify tokens.

use std::fmt;
use std::fs;
use std::path::Path;

use rcgen::{KeyPair, PKCS_ED25519};

use crate::TlsError;
use crate::development::write_new;

/// A new Ed25519 key pair, for tokens that are signed by EdDSA. `Debug` does not show the private
/// key.
pub struct SigningKeyPair {
    private: String,
    public: String,
}

impl SigningKeyPair {
    /// Creates a key pair.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness available; none is expected.
    pub fn new() -> Result<Self, TlsError> {
        let pair = KeyPair::generate_for(&PKCS_ED25519);
        let pair = pair.map_err(|error| TlsError::Setup(error.into()))?;
        Ok(Self { private: pair.serialize_pem(), public: pair.public_key_pem() })
    }

    /// Returns the private key as PEM text (PKCS #8), which signs.
    pub fn private_pem(&self) -> &str {
        &self.private
    }

    /// Returns the public key as PEM text, which verifies.
    pub fn public_pem(&self) -> &str {
        &self.public
    }

    /// Writes the keys to two new files. Only the owner can read that of the private key.
    ///
    /// # Errors
    ///
    /// If one of the files exists or cannot be written. Neither is written then.
    pub fn write(
        &self,
        private: impl AsRef<Path>,
        public: impl AsRef<Path>,
    ) -> Result<(), TlsError> {
        write_new(private.as_ref(), &self.private, 0o600)?;
        let written = write_new(public.as_ref(), &self.public, 0o644);
        if written.is_err() {
            // A private key without its public key would be taken for that of an older file.
            let _ = fs::remove_file(private);
        }
        written
    }
}

impl fmt::Debug for SigningKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_are_written_or_neither() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let pair = SigningKeyPair::new().unwrap();
        pair.write(path("a.key"), path("a.pub")).unwrap();
        assert_eq!(fs::read_to_string(path("a.key")).unwrap(), pair.private_pem());
        assert_eq!(fs::read_to_string(path("a.pub")).unwrap(), pair.public_pem());

        let other = SigningKeyPair::new().unwrap();
        assert!(other.write(path("a.key"), path("b.pub")).is_err() && !path("b.pub").exists());
        let error = other.write(path("b.key"), path("a.pub")).unwrap_err();
        assert!(error.to_string().contains("a.pub"), "{error}");
        assert!(!path("b.key").exists());
        assert_eq!(fs::read_to_string(path("a.pub")).unwrap(), pair.public_pem());
    }

    #[cfg(unix)]
    #[test]
    fn private_key_is_readable_by_its_owner_only_and_not_shown() {
        use std::os::unix::fs::MetadataExt as _;

        let folder = tempfile::tempdir().unwrap();
        let (private, public) = (folder.path().join("a.key"), folder.path().join("a.pub"));
        let pair = SigningKeyPair::new().unwrap();
        pair.write(&private, public).unwrap();
        assert_eq!(fs::metadata(private).unwrap().mode() & 0o777, 0o600);
        let text = format!("{pair:?}");
        assert!(text.contains("PUBLIC KEY") && !text.contains("PRIVATE"), "{text}");
    }
}
