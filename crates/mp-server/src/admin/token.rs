//! [`Token`]: who may do what over the admin API.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConstantTimeEq};
use utoipa::ToSchema;

/// A part of the admin API that a token may use.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scope {
    /// Reads the status, the rooms, and their players.
    Read,
    /// Creates, changes and closes rooms.
    Rooms,
    /// Kicks and bans players.
    Peers,
    /// Drains the server, reloads its configuration, and reads it.
    Server,
}

impl Scope {
    /// All scopes.
    pub(crate) const ALL: [Self; 4] = [Self::Read, Self::Rooms, Self::Peers, Self::Server];

    /// Returns the name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Rooms => "rooms",
            Self::Peers => "peers",
            Self::Server => "server",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scope {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        Self::ALL.into_iter().find(|scope| scope.name() == text).ok_or(InvalidToken)
    }
}

/// The name, the scopes and the SHA-256 of a token. Its text is `NAME:SCOPES:SECRET`, where the
/// secret is `sha256:` and 64 hexadecimal digits, or the token itself.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    name: String,
    scopes: Vec<Scope>,
    hash: [u8; HASH_SIZE],
}

/// A text is not that of a token, or of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidToken;

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scopes = Scope::ALL.map(Scope::name).join(", ");
        write!(f, "must be NAME:SCOPES:SECRET, with the scopes {scopes}")
    }
}

impl std::error::Error for InvalidToken {}

impl Token {
    /// Makes a token. Returns it, and the secret, which is not stored anywhere. `None` if the name
    /// is not valid, there is no scope, or the system has no randomness.
    pub(crate) fn generate(name: &str, scopes: &[Scope]) -> Option<(Self, String)> {
        let secret = random_text()?;
        let token = Self::new(name, scopes, hash(&secret))?;
        Some((token, secret))
    }

    fn new(name: &str, scopes: &[Scope], hash: [u8; HASH_SIZE]) -> Option<Self> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_name = (1..=NAME_MAX).contains(&name.len()) && name.chars().all(is_part);
        let mut scopes = scopes.to_vec();
        scopes.sort_unstable();
        scopes.dedup();
        (is_name && !scopes.is_empty()).then(|| Self { name: name.to_owned(), scopes, hash })
    }

    /// Returns the name of its owner.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns what its owner may do.
    pub(crate) fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Returns whether `secret` is that of the token, in a time that does not depend on it.
    fn is_of(&self, hash: &[u8; HASH_SIZE]) -> Choice {
        self.hash.ct_eq(hash)
    }

    /// Returns the token of `tokens` with this secret. Compares with all of them.
    pub(crate) fn find<'t>(tokens: &'t [Self], secret: &str) -> Option<&'t Self> {
        let hash = hash(secret);
        let mut found = None;
        for token in tokens {
            if token.is_of(&hash).into() {
                found = Some(token);
            }
        }
        found
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let (name, rest) = text.split_once(':').ok_or(InvalidToken)?;
        let (scopes, secret) = rest.split_once(':').ok_or(InvalidToken)?;
        let scopes = scopes.split('+').map(str::parse).collect::<Result<Vec<_>, _>>()?;
        let hash = match secret.strip_prefix(HASHED) {
            Some(digits) => {
                let hash = HEXLOWER_PERMISSIVE.decode(digits.as_bytes());
                hash.ok().and_then(|hash| hash.try_into().ok()).ok_or(InvalidToken)?
            }
            None if is_secret(secret) => hash(secret),
            None => return Err(InvalidToken),
        };
        Self::new(name, &scopes, hash).ok_or(InvalidToken)
    }
}

/// The token with the SHA-256 of its secret.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scopes = self.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join("+");
        write!(f, "{}:{scopes}:{HASHED}{}", self.name, HEXLOWER.encode(&self.hash))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.name)
    }
}

/// Returns a text of 32 random bytes; `None` if the system has no randomness.
pub(super) fn random_text() -> Option<String> {
    Some(BASE64URL_NOPAD.encode(&mp_core::host::os_seed().ok()?))
}

/// Returns whether two secrets are equal, in a time that does not depend on where they differ.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    hash(a).ct_eq(&hash(b)).into()
}

/// Returns whether a text can be sent as bearer token and is not easily guessed.
fn is_secret(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    (SECRET_MIN..=SECRET_MAX).contains(&text.len()) && text.bytes().all(is_part)
}

fn hash(text: &str) -> [u8; HASH_SIZE] {
    let mut hash = [0; HASH_SIZE];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

/// Size of a SHA-256 in bytes.
const HASH_SIZE: usize = 32;
/// Begin of a secret that is a SHA-256.
const HASHED: &str = "sha256:";
/// Maximum length of the name of a token.
const NAME_MAX: usize = 64;
/// Minimum length of a token that an operator has made up.
const SECRET_MIN: usize = 16;
/// Maximum length of a token.
const SECRET_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_token_is_found_by_its_secret_and_stored_without_it() {
        let (token, secret) = Token::generate("ops", &[Scope::Rooms, Scope::Read]).unwrap();
        let text = token.to_string();
        assert!(text.starts_with("ops:read+rooms:sha256:") && !text.contains(&secret), "{text}");
        let stored = [text.parse::<Token>().unwrap(), "b:read:0123456789abcdef".parse().unwrap()];
        assert_eq!(Token::find(&stored, &secret), Some(&token));
        assert_eq!(Token::find(&stored, "0123456789abcdef").unwrap().name(), "b");
        assert_eq!(Token::find(&stored, &secret[1..]), None);
        assert_eq!(Token::find(&stored, ""), None);
    }

    #[test]
    fn invalid_tokens_are_refused() {
        let digits = "0".repeat(64);
        assert!(format!("a:read:sha256:{digits}").parse::<Token>().is_ok());
        for wrong in [
            String::new(),
            "a:read".to_owned(),
            format!("a:read:sha256:{}", &digits[1..]),
            format!("a:write:sha256:{digits}"),
            format!("a::sha256:{digits}"),
            format!(":read:sha256:{digits}"),
            format!("a b:read:sha256:{digits}"),
            "a:read:0123456789abcde".to_owned(),
            "a:read:0123456789 abcdef".to_owned(),
        ] {
            assert_eq!(wrong.parse::<Token>(), Err(InvalidToken), "{wrong}");
        }
    }

    #[test]
    fn debug_text_has_no_hash() {
        let token = "a:read:0123456789abcdef".parse::<Token>().unwrap();
        assert_eq!(format!("{token:?}"), "Token(a)");
    }
}
