//! Settings of signed tokens.

use std::time::Duration;

use super::key_set::KeySet;
use crate::http::HttpUrl;
use crate::limits::FETCH_TIMEOUT;

/// The keys by which tokens are verified.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum KeySource {
    /// These keys.
    Keys(KeySet),
    /// The JWK set at this URL. It is fetched at the start, every hour, and at most once a minute
    /// when a token names an unknown key. If a fetch fails, the last set stays in use.
    Url(HttpUrl),
}

/// Settings of signed tokens (JWT).
#[derive(Clone, Debug)]
pub struct TokenSettings {
    pub(super) keys: KeySource,
    pub(super) audience: String,
    pub(super) issuer: Option<String>,
    pub(super) leeway: Duration,
    pub(super) is_single_use: bool,
    pub(super) fetch_timeout: Duration,
    pub(super) max_waiting: usize,
}

impl TokenSettings {
    /// Default audience.
    pub const AUDIENCE: &str = "mp-server";

    /// Returns the defaults for tokens that are signed with one of `keys`.
    pub fn new(keys: KeySource) -> Self {
        Self {
            keys,
            audience: Self::AUDIENCE.to_owned(),
            issuer: None,
            leeway: Duration::from_secs(30),
            is_single_use: false,
            fetch_timeout: FETCH_TIMEOUT,
            max_waiting: 1_024,
        }
    }

    /// Sets the name of this server, which the claim `aud` of each token must contain. Default:
    /// [`AUDIENCE`](Self::AUDIENCE).
    #[must_use]
    pub fn audience(self, audience: &str) -> Self {
        Self { audience: audience.to_owned(), ..self }
    }

    /// Sets the issuer that the claim `iss` of each token must name. Default: any.
    #[must_use]
    pub fn issuer(self, issuer: &str) -> Self {
        Self { issuer: Some(issuer.to_owned()), ..self }
    }

    /// Sets the tolerated difference of the issuer's clock and this server's, in whole seconds: for
    /// so long tokens are accepted before `nbf` and after `exp`. Default: 30 s.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self { leeway, ..self }
    }

    /// Sets whether each token needs an id (`jti`), and is accepted once. A token is used when it
    /// is accepted, even if no room admits the player. Default: no.
    #[must_use]
    pub fn single_use(self, is_single_use: bool) -> Self {
        Self { is_single_use, ..self }
    }

    /// Sets the time after which a fetch of keys has failed. Default: 3 s.
    #[must_use]
    pub fn fetch_timeout(self, fetch_timeout: Duration) -> Self {
        Self { fetch_timeout, ..self }
    }

    /// Sets the maximum number of players that wait for a fetch of keys. Further ones are refused.
    /// Default: 1,024.
    #[must_use]
    pub fn max_waiting(self, max_waiting: usize) -> Self {
        Self { max_waiting, ..self }
    }
}
