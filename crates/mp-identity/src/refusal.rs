//! Reasons for which a player is refused.

use std::fmt;

use mp_core::Reason as _;

use crate::limits::{CODE_BYTES_MAX, TEXT_BYTES_MAX};

mp_core::reasons! {
    /// The reason for which a player is refused. The text can be shown to the player.
    pub enum AuthRefusal {
        /// The player sends no token.
        MissingToken = "missing_token" => "this server requires a token",
        /// The token is no signed token: three parts in base64url, the first two of JSON.
        MalformedToken = "malformed_token" => "the token is malformed",
        /// The token's signature is valid, but a required claim is missing, or one is invalid.
        InvalidClaims = "invalid_claims" => "the token has missing or invalid claims",
        /// The token's algorithm is not that of its key.
        WrongAlgorithm = "wrong_algorithm" => "the token is signed with another algorithm",
        /// The server does not have the key of the token.
        UnknownKey = "unknown_key" => "the token is signed with an unknown key",
        /// The token's signature is invalid.
        WrongSignature = "wrong_signature" => "the token's signature is invalid",
        /// The token is for another server (`aud`).
        WrongAudience = "wrong_audience" => "the token is for another server",
        /// The token is of another issuer (`iss`).
        WrongIssuer = "wrong_issuer" => "the token is of another issuer",
        /// The token has expired (`exp`).
        Expired = "expired" => "the token has expired",
        /// The token is not valid yet (`nbf`).
        NotYetValid = "not_yet_valid" => "the token is not valid yet",
        /// The token was used before (`jti`), and may be used once.
        AlreadyUsed = "already_used" => "the token was used before",
        /// The token may be used once, and the server cannot remember more tokens.
        TooManyUsed = "too_many_used" => "too many tokens are in use; try again later",
        /// The secret is wrong.
        WrongSecret = "wrong_secret" => "the secret is wrong",
        /// The operator's service refuses the player.
        CallOutRefused = "call_out_refused" => "the game's service refused the login",
        /// The operator's service does not answer.
        CallOutUnavailable = "call_out_unavailable" =>
            "the game's service is not available; try again later",
        /// The server has no keys, because they could not be fetched.
        KeysUnavailable = "keys_unavailable" =>
            "the server cannot verify tokens now; try again later",
        /// Too many attempts from the player's address have failed.
        TooManyAttempts = "too_many_attempts" => "too many failed attempts; try again later",
        /// Too many players wait for their authentication.
        TooManyWaiting = "too_many_waiting" =>
            "too many players wait for authentication; try again later",
        /// The player is banned by its subject.
        Banned = "banned" => "you are banned from this server",
        /// The player is connected already, and the server allows one connection per player.
        AlreadyConnected = "already_connected" => "you are connected already",
    }
}

impl AuthRefusal {
    /// Returns whether the credentials are wrong, as those of an attacker who guesses. Such
    /// attempts count for the address.
    pub(crate) fn is_guess(self) -> bool {
        matches!(
            self,
            Self::MalformedToken
                | Self::WrongAlgorithm
                | Self::UnknownKey
                | Self::WrongSignature
                | Self::WrongSecret
                | Self::CallOutRefused
        )
    }
}

/// The refusal of a player: the reason, with the code and the text of the operator's service if it
/// has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthRejection {
    reason: AuthRefusal,
    code: Option<String>,
    text: Option<String>,
}

impl AuthRejection {
    /// Returns the refusal by the operator's service. A code that has other characters than ASCII
    /// letters, digits, `-`, `_` and `.` is dropped. A text loses its control characters, and is
    /// cut at [`TEXT_BYTES_MAX`].
    pub(crate) fn by_service(code: Option<String>, text: Option<String>) -> Self {
        let is_allowed = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
        let code = code.filter(|code| {
            (1..=CODE_BYTES_MAX).contains(&code.len()) && code.bytes().all(is_allowed)
        });
        let text = text.map(|text| {
            let mut bytes = 0;
            let fits = |letter: &char| {
                bytes += letter.len_utf8();
                bytes <= TEXT_BYTES_MAX
            };
            text.chars().filter(|it| !it.is_control()).take_while(fits).collect::<String>()
        });
        let text = text.filter(|text| !text.trim().is_empty());
        Self { reason: AuthRefusal::CallOutRefused, code, text }
    }

    /// Returns the reason.
    pub fn reason(&self) -> AuthRefusal {
        self.reason
    }

    /// Returns the code for the game: that of the operator's service, or the reason's label.
    pub fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_else(|| self.reason.label())
    }

    /// Returns the text for the player: that of the operator's service, or the reason's.
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_else(|| self.reason.text())
    }
}

impl From<AuthRefusal> for AuthRejection {
    fn from(reason: AuthRefusal) -> Self {
        Self { reason, code: None, text: None }
    }
}

impl fmt::Display for AuthRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for AuthRejection {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_names() {
        mp_core::testing::assert_labels_are_names::<AuthRefusal>();
    }

    #[test]
    fn code_and_text_are_the_services_or_the_reasons() {
        let own = AuthRejection::from(AuthRefusal::Expired);
        assert_eq!((own.code(), own.text()), ("expired", "the token has expired"));

        let service = |code: &str, text: &str| {
            AuthRejection::by_service(Some(code.to_owned()), Some(text.to_owned()))
        };
        let banned = service("banned.cheat", "Banned\n until\u{7f} May");
        assert_eq!((banned.code(), banned.text()), ("banned.cheat", "Banned until May"));
        for code in ["", "a b", "ä", "a\"", &"x".repeat(CODE_BYTES_MAX + 1)] {
            let refused = service(code, " ");
            let expected = ("call_out_refused", "the game's service refused the login");
            assert_eq!((refused.code(), refused.text()), expected, "{code:?}");
        }
        let long = service("a", &"ä".repeat(TEXT_BYTES_MAX));
        assert_eq!(long.text(), "ä".repeat(TEXT_BYTES_MAX / 2));
    }
}
