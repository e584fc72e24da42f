//! [`FetchedKeys`]: a JWK set that is fetched by URL, and the players that wait for it.

use std::collections::VecDeque;
use std::time::Duration;

use mp_core::Instant;

use super::key_set::KeySet;
use crate::authenticator::{Attempt, Decisions, FetchId, RequestId};
use crate::credentials::Token;
use crate::http::{HttpFailure, HttpMethod, HttpRequest, HttpResponse, HttpUrl};
use crate::limits::{
    JWKS_INTERVAL_MIN, JWKS_REFRESH_INTERVAL, JWKS_RETRY_INTERVAL, RESPONSE_BYTES_MAX,
};

/// A JWK set that is fetched by URL.
#[derive(Debug)]
pub(super) struct FetchedKeys {
    url: HttpUrl,
    timeout: Duration,
    waiting_max: usize,
    /// The last set that was fetched.
    keys: Option<KeySet>,
    /// The fetch that is not answered yet, and the time at which it has failed.
    running: Option<(FetchId, Instant)>,
    /// Earliest time of a fetch because of an unknown key.
    next_on_demand: Instant,
    /// Time of the next fetch in any case.
    next: Instant,
    waiting: VecDeque<(Attempt, Token)>,
}

/// The reason why a player cannot wait for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoWait {
    /// The set was fetched a short time ago.
    TooSoon,
    /// Too many players wait.
    TooMany,
}

impl FetchedKeys {
    pub(super) fn new(url: HttpUrl, timeout: Duration, waiting_max: usize) -> Self {
        Self {
            url,
            timeout,
            waiting_max,
            keys: None,
            running: None,
            next_on_demand: Instant::ZERO,
            next: Instant::ZERO,
            waiting: VecDeque::new(),
        }
    }

    /// Returns the last set that was fetched.
    pub(super) fn keys(&self) -> Option<&KeySet> {
        self.keys.as_ref()
    }

    /// Lets a player wait for the next set, and fetches it.
    pub(super) fn wait(
        &mut self,
        now: Instant,
        attempt: Attempt,
        token: Token,
        decisions: &mut Decisions,
    ) -> Result<(), NoWait> {
        if self.running.is_none() && now < self.next_on_demand {
            return Err(NoWait::TooSoon);
        }
        if self.waiting.len() >= self.waiting_max {
            return Err(NoWait::TooMany);
        }
        self.waiting.push_back((attempt, token));
        if self.running.is_none() {
            self.fetch(now, decisions);
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self, request: RequestId) {
        self.waiting.retain(|(attempt, _)| attempt.request != Some(request));
    }

    /// Handles a response. Returns the players that waited for it.
    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        fetch: FetchId,
        response: Result<HttpResponse, HttpFailure>,
        decisions: &mut Decisions,
    ) -> VecDeque<(Attempt, Token)> {
        if self.running.is_none_or(|(running, _)| running != fetch) {
            return VecDeque::new();
        }
        match response.and_then(|response| read(&response)) {
            Ok(keys) => {
                self.keys = Some(keys);
                self.running = None;
                self.next_on_demand = now + JWKS_INTERVAL_MIN;
                self.next = now + JWKS_REFRESH_INTERVAL;
                std::mem::take(&mut self.waiting)
            }
            Err(failure) => self.fail(failure, decisions),
        }
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        self.running.map_or(self.next, |(_, deadline)| deadline)
    }

    /// Handles the timeouts that are due. Returns the players that waited for a fetch that has
    /// timed out.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        decisions: &mut Decisions,
    ) -> VecDeque<(Attempt, Token)> {
        match self.running {
            Some((_, deadline)) if deadline <= now => self.fail(HttpFailure::TimedOut, decisions),
            None if self.next <= now => {
                self.fetch(now, decisions);
                VecDeque::new()
            }
            _ => VecDeque::new(),
        }
    }

    /// Returns the number of players that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Returns whether a fetch is not answered yet.
    pub(super) fn is_fetching(&self) -> bool {
        self.running.is_some()
    }

    fn fetch(&mut self, now: Instant, decisions: &mut Decisions) {
        let mut http = HttpRequest::new(HttpMethod::Get, self.url.clone());
        http.headers = vec![("accept", "application/jwk-set+json, application/json".to_owned())];
        http.timeout = self.timeout;
        self.running = Some((decisions.fetch(http), now + self.timeout));
        let has_keys = self.keys.is_some();
        let interval = if has_keys { JWKS_INTERVAL_MIN } else { JWKS_RETRY_INTERVAL };
        // A fetch that fails is repeated after this interval.
        self.next_on_demand = now + interval.max(self.timeout);
        self.next = self.next_on_demand;
    }

    fn fail(
        &mut self,
        failure: HttpFailure,
        decisions: &mut Decisions,
    ) -> VecDeque<(Attempt, Token)> {
        decisions.stats.fetch_failures.count(failure);
        self.running = None;
        std::mem::take(&mut self.waiting)
    }
}

fn read(response: &HttpResponse) -> Result<KeySet, HttpFailure> {
    if response.body.len() > RESPONSE_BYTES_MAX {
        return Err(HttpFailure::TooLarge);
    }
    if response.status != 200 {
        return Err(HttpFailure::UnexpectedStatus);
    }
    KeySet::from_jwks(&response.body).map_err(|_| HttpFailure::MalformedBody)
}
