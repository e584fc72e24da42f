//! [`TokenKey`]: a key that verifies tokens, with its only algorithm.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey};

use crate::limits::{KEY_ID_BYTES_MAX, SECRET_BYTES_MIN};

/// The algorithm of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenAlgorithm {
    /// HMAC with SHA-256: who verifies tokens can issue them, too.
    Hs256,
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl TokenAlgorithm {
    /// Returns the name in headers of tokens: `HS256`, `EdDSA` or `ES256`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }

    pub(super) fn of_jsonwebtoken(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::EdDsa => Algorithm::EdDSA,
            Self::Es256 => Algorithm::ES256,
        }
    }
}

impl fmt::Display for TokenAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key that verifies tokens. Its algorithm belongs to it: a token whose header names another one
/// is refused. `Debug` does not show the key.
#[derive(Clone)]
pub struct TokenKey {
    id: Option<String>,
    algorithm: TokenAlgorithm,
    key: DecodingKey,
}

impl TokenKey {
    /// Returns the key of a secret of at least [`SECRET_BYTES_MIN`] bytes, for HS256. A shorter one
    /// could be guessed from a single token.
    ///
    /// # Errors
    ///
    /// If the secret is too short, or the PEM text of a key, which is not secret if the key is
    /// public.
    pub fn secret(secret: &[u8]) -> Result<Self, KeyError> {
        check_secret(secret)?;
        let key = DecodingKey::from_secret(secret).map_err(|_| KeyError::Unsupported)?;
        Ok(Self { id: None, algorithm: TokenAlgorithm::Hs256, key })
    }

    /// Returns the public key in a PEM text (`-----BEGIN PUBLIC KEY-----`): Ed25519 for EdDSA, or
    /// ECDSA on P-256 for ES256.
    ///
    /// # Errors
    ///
    /// If the text has no public key, or one of another type.
    pub fn public_pem(pem: &[u8]) -> Result<Self, KeyError> {
        if contains(pem, b"PRIVATE KEY-----") {
            return Err(KeyError::IsPrivate);
        }
        if !contains(pem, b"-----BEGIN PUBLIC KEY-----") {
            return Err(KeyError::NoPublicKey);
        }
        if let Ok(key) = DecodingKey::from_ed_pem(pem) {
            return Self::ed25519(None, key);
        }
        Self::p256(None, DecodingKey::from_ec_pem(pem).map_err(|_| KeyError::Unsupported)?)
    }

    /// Returns the key with an id, by which tokens name it (`kid`).
    #[must_use]
    pub fn with_id(self, id: &str) -> Self {
        Self { id: Some(id.to_owned()), ..self }
    }

    /// Returns the id.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> TokenAlgorithm {
        self.algorithm
    }

    pub(super) fn decoding_key(&self) -> &DecodingKey {
        &self.key
    }

    pub(super) fn ed25519(id: Option<String>, key: DecodingKey) -> Result<Self, KeyError> {
        Self::checked(id, TokenAlgorithm::EdDsa, key, |bytes| bytes.len() == 32)
    }

    pub(super) fn p256(id: Option<String>, key: DecodingKey) -> Result<Self, KeyError> {
        // An uncompressed point. P-384 keys are longer.
        Self::checked(id, TokenAlgorithm::Es256, key, |bytes| bytes.len() == 65 && bytes[0] == 4)
    }

    fn checked(
        id: Option<String>,
        algorithm: TokenAlgorithm,
        key: DecodingKey,
        is_valid: impl Fn(&[u8]) -> bool,
    ) -> Result<Self, KeyError> {
        let has_valid_id = id.as_ref().is_none_or(|id| id.len() <= KEY_ID_BYTES_MAX);
        let is_valid = has_valid_id && key.try_get_as_bytes().is_ok_and(is_valid);
        if is_valid { Ok(Self { id, algorithm, key }) } else { Err(KeyError::Unsupported) }
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// Checks the secret of a key for HS256.
pub(super) fn check_secret(secret: &[u8]) -> Result<(), KeyError> {
    if contains(secret, b"-----BEGIN") {
        return Err(KeyError::IsPem);
    }
    if secret.len() < SECRET_BYTES_MIN {
        return Err(KeyError::ShortSecret { len: secret.len() });
    }
    Ok(())
}

pub(super) fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The reason why a key or a set of keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The secret is too short.
    #[error(
        "the secret has {len} bytes; use at least {SECRET_BYTES_MIN} random ones, for example of \
         `openssl rand -base64 32`"
    )]
    ShortSecret {
        /// Length of the secret in bytes.
        len: usize,
    },
    /// The secret is a PEM text.
    #[error("the secret is the PEM text of a key; configure it as a key instead of a secret")]
    IsPem,
    /// A private key is used where a public key is needed.
    #[error("the file has a private key; to verify tokens use the public key that belongs to it")]
    IsPrivate,
    /// There is no public key.
    #[error("there is no public key; expected PEM text with \"-----BEGIN PUBLIC KEY-----\"")]
    NoPublicKey,
    /// There is no private key.
    #[error(
        "there is no private key; expected unencrypted PEM text with \
         \"-----BEGIN PRIVATE KEY-----\""
    )]
    NoPrivateKey,
    /// The type of the key is not supported, or the key is damaged.
    #[error("the key is neither an Ed25519 nor an ECDSA P-256 key")]
    Unsupported,
    /// The set of keys is malformed.
    #[error("there is no JWK set; expected JSON such as {{\"keys\": [...]}}")]
    NoJwks,
    /// The set of keys is too large.
    #[error("the JWK set is too large; the maximum is {most} {unit}")]
    TooLarge {
        /// The limit.
        most: usize,
        /// Unit of the limit.
        unit: &'static str,
    },
}
