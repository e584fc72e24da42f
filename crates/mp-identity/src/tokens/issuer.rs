//! [`TokenIssuer`]: issues signed tokens, for trying and for tests.

use jsonwebtoken::{EncodingKey, Header};
use mp_core::UnixSeconds;

use super::claims::{Audience, TokenClaims};
use super::key::{KeyError, TokenAlgorithm, check_secret, contains};
use super::settings::TokenSettings;
use crate::claims::{IdentityClaims, NumericDate};
use crate::credentials::{InvalidToken, Token};
use crate::identity::Identity;

/// Issues signed tokens. In production the operator's own service issues them, with a library for
/// JWT; this one is for trying and for tests. `Debug` does not show the key.
///
/// Signatures with ES256 use the randomness of the operating system. The others are reproducible.
///
/// ```
/// use mp_identity::{Identity, Subject, TokenIssuer};
///
/// let issuer = TokenIssuer::secret(b"a secret of at least 32 bytes ...")?;
/// let kay = Identity::new(Subject::new("kay")?).with_room("arena")?;
/// let now = 1_800_000_000;
/// let token = issuer.issue(now, &kay.with_expires(Some(now + 3_600)), None)?;
/// assert_eq!(token.as_str().split('.').count(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenIssuer {
    algorithm: TokenAlgorithm,
    key: EncodingKey,
    key_id: Option<String>,
    audience: String,
    issuer: Option<String>,
}

impl TokenIssuer {
    /// Returns an issuer with a secret, for HS256.
    ///
    /// # Errors
    ///
    /// Same as [`TokenKey::secret`](super::TokenKey::secret).
    pub fn secret(secret: &[u8]) -> Result<Self, KeyError> {
        check_secret(secret)?;
        let key = EncodingKey::from_secret(secret).map_err(|_| KeyError::Unsupported)?;
        Ok(Self::new(TokenAlgorithm::Hs256, key))
    }

    /// Returns an issuer with the private key in a PEM text (PKCS #8, `-----BEGIN PRIVATE
    /// KEY-----`): Ed25519 for EdDSA, or ECDSA on P-256 for ES256.
    ///
    /// # Errors
    ///
    /// If the text has no private key, or one of another type.
    pub fn private_pem(pem: &[u8]) -> Result<Self, KeyError> {
        if !contains(pem, b"-----BEGIN PRIVATE KEY-----") {
            return Err(KeyError::NoPrivateKey);
        }
        let issuer = match EncodingKey::from_ed_pem(pem) {
            Ok(key) => Self::new(TokenAlgorithm::EdDsa, key),
            Err(_) => {
                let key = EncodingKey::from_ec_pem(pem).map_err(|_| KeyError::Unsupported)?;
                Self::new(TokenAlgorithm::Es256, key)
            }
        };
        // The key is parsed when it signs; one of another curve fails then.
        issuer.sign(&"").map_err(|_| KeyError::Unsupported)?;
        Ok(issuer)
    }

    /// Sets the id of the key in the header (`kid`). Default: none.
    #[must_use]
    pub fn key_id(self, id: &str) -> Self {
        Self { key_id: Some(id.to_owned()), ..self }
    }

    /// Sets the server that the tokens are for (`aud`). Default: [`TokenSettings::AUDIENCE`].
    #[must_use]
    pub fn audience(self, audience: &str) -> Self {
        Self { audience: audience.to_owned(), ..self }
    }

    /// Sets the name of the issuer (`iss`). Default: none.
    #[must_use]
    pub fn issuer(self, issuer: &str) -> Self {
        Self { issuer: Some(issuer.to_owned()), ..self }
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> TokenAlgorithm {
        self.algorithm
    }

    /// Issues a token for an identity at the time `unix`. `id` is the id of the token (`jti`),
    /// which servers require that accept each token once.
    ///
    /// # Errors
    ///
    /// [`IssueError`].
    pub fn issue(
        &self,
        unix: UnixSeconds,
        identity: &Identity,
        id: Option<&str>,
    ) -> Result<Token, IssueError> {
        if identity.subject().is_none() {
            return Err(IssueError::NoSubject);
        }
        if identity.expires().is_none() {
            return Err(IssueError::NoExpiry);
        }
        let claims = TokenClaims {
            iss: self.issuer.clone(),
            aud: Some(Audience::One(self.audience.clone())),
            nbf: None,
            iat: Some(NumericDate(unix)),
            jti: id.map(str::to_owned),
            identity: IdentityClaims::from(identity),
        };
        Ok(Token::new(&self.sign(&claims)?)?)
    }

    fn new(algorithm: TokenAlgorithm, key: EncodingKey) -> Self {
        let audience = TokenSettings::AUDIENCE.to_owned();
        Self { algorithm, key, key_id: None, audience, issuer: None }
    }

    fn sign(&self, claims: &impl serde::Serialize) -> Result<String, IssueError> {
        let mut header = Header::new(self.algorithm.of_jsonwebtoken());
        header.kid.clone_from(&self.key_id);
        jsonwebtoken::encode(&header, claims, &self.key)
            .map_err(|error| IssueError::Sign(error.into()))
    }
}

/// The reason why no token is issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The identity is anonymous.
    #[error("the identity has no subject")]
    NoSubject,
    /// The identity does not expire.
    #[error("the identity does not expire; tokens must")]
    NoExpiry,
    /// The token would be too long.
    #[error("the identity is too long for a token")]
    TooLong(#[from] InvalidToken),
    /// Signing has failed.
    #[error("cannot sign the token")]
    Sign(#[source] Box<dyn std::error::Error + Send + Sync>),
}
