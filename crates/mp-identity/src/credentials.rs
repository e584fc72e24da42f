//! [`Credentials`]: the data by which a player authenticates.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;

use crate::limits::TOKEN_BYTES_MAX;

/// A secret text: a signed token, a password, or the ticket of a session. It has 1 to
/// [`TOKEN_BYTES_MAX`] bytes. `Debug` does not show it, and the time of a comparison depends only
/// on the lengths.
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// Returns the token `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`].
    pub fn new(text: &str) -> Result<Self, InvalidToken> {
        if text.is_empty() || text.len() > TOKEN_BYTES_MAX {
            return Err(InvalidToken { len: text.len() });
        }
        Ok(Self(text.into()))
    }

    /// Returns the token as text. Do not log it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// A text that is no [`Token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token has {len} bytes; use 1 to {TOKEN_BYTES_MAX}")]
#[non_exhaustive]
pub struct InvalidToken {
    /// Length of the text in bytes.
    pub len: usize,
}

/// The data by which a player authenticates. Default: none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "programs construct it")]
pub struct Credentials {
    /// The token that the player has sent.
    pub token: Option<Token>,
    /// The address of the player. Failed attempts are limited by it.
    pub address: Option<IpAddr>,
    /// The room that the player selects. Only the operator's service uses it, to decide.
    pub room: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_bounded_compared_whole_and_not_shown() {
        let token = |text: &str| Token::new(text).unwrap();
        assert_eq!(token("1234"), token("1234"));
        for other in ["123", "12345", "1235", "0234"] {
            assert_ne!(token("1234"), token(other));
        }
        let credentials = Credentials { token: Some(token("1234")), ..Credentials::default() };
        assert!(!format!("{credentials:?}").contains("1234"));
        assert_eq!(Token::new(""), Err(InvalidToken { len: 0 }));
        let len = TOKEN_BYTES_MAX + 1;
        assert_eq!(Token::new(&"x".repeat(len)), Err(InvalidToken { len }));
    }
}
