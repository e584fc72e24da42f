//! Settings of the call-out.

use std::time::Duration;

use crate::credentials::Token;
use crate::http::HttpUrl;
use crate::limits::FETCH_TIMEOUT;

/// Settings of the call-out: the operator's service that decides, and the limits of requests to it.
#[derive(Clone, Debug)]
pub struct CallOutSettings {
    pub(super) url: HttpUrl,
    pub(super) authorization: Option<Token>,
    pub(super) timeout: Duration,
    pub(super) max_concurrent: usize,
    pub(super) max_queued: usize,
    pub(super) breaker_failures: u32,
    pub(super) breaker_pause: Duration,
}

impl CallOutSettings {
    /// Returns the defaults for a service.
    pub fn new(url: HttpUrl) -> Self {
        Self {
            url,
            authorization: None,
            timeout: FETCH_TIMEOUT,
            max_concurrent: 64,
            max_queued: 256,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(10),
        }
    }

    /// Sets the secret by which the service recognizes this server, as `authorization: Bearer
    /// SECRET`. Default: none.
    #[must_use]
    pub fn authorization(self, secret: Token) -> Self {
        Self { authorization: Some(secret), ..self }
    }

    /// Sets the time after which a request has failed, and the maximum time that a player waits
    /// before its request is sent. Default: 3 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets the maximum number of requests at once, at least 1. Default: 64.
    #[must_use]
    pub fn max_concurrent(self, max_concurrent: usize) -> Self {
        Self { max_concurrent: max_concurrent.max(1), ..self }
    }

    /// Sets the maximum number of players that wait because there are too many requests. Further
    /// ones are refused. Default: 256.
    #[must_use]
    pub fn max_queued(self, max_queued: usize) -> Self {
        Self { max_queued, ..self }
    }

    /// Sets the number of failures in a row, at least 1, after which players are refused without a
    /// request for `pause`. Then one request at a time is sent, until one succeeds. Default: 5
    /// failures, 10 s.
    #[must_use]
    pub fn breaker(self, failures: u32, pause: Duration) -> Self {
        Self { breaker_failures: failures.max(1), breaker_pause: pause, ..self }
    }
}
