//! [`CallOut`]: the operator's service decides, by an HTTP request for each player.

mod breaker;
mod exchange;
mod settings;

use std::collections::{BTreeMap, VecDeque};

use mp_core::Instant;

use self::breaker::{BreakerState, CircuitBreaker};
use self::exchange::{decision, request};
pub use self::settings::CallOutSettings;
use crate::authenticator::{Attempt, Decisions, FetchId, RequestId};
use crate::credentials::Credentials;
use crate::http::{HttpFailure, HttpResponse};
use crate::refusal::AuthRefusal;

/// Requests to the operator's service, and the players that wait for them.
#[derive(Debug)]
pub(crate) struct CallOut {
    settings: CallOutSettings,
    breaker: CircuitBreaker,
    /// Requests that are not answered yet. All have the same timeout, so that the first one is the
    /// first to time out.
    running: BTreeMap<FetchId, Running>,
    queue: VecDeque<Queued>,
}

#[derive(Debug)]
struct Running {
    attempt: Attempt,
    deadline: Instant,
}

#[derive(Debug)]
struct Queued {
    attempt: Attempt,
    credentials: Credentials,
    deadline: Instant,
}

impl CallOut {
    pub(crate) fn new(settings: CallOutSettings) -> Self {
        let breaker = CircuitBreaker::new(settings.breaker_failures, settings.breaker_pause);
        Self { settings, breaker, running: BTreeMap::new(), queue: VecDeque::new() }
    }

    /// Sends a request about a player, or lets it wait.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        attempt: Attempt,
        credentials: Credentials,
        decisions: &mut Decisions,
    ) {
        if self.running.len() < self.concurrent_max(now) {
            self.start(now, attempt, &credentials, decisions);
        } else if self.breaker.state(now) != BreakerState::Closed {
            decisions.decide(now, attempt, Err(AuthRefusal::CallOutUnavailable));
        } else if self.queue.len() < self.settings.max_queued {
            let deadline = now + self.settings.timeout;
            self.queue.push_back(Queued { attempt, credentials, deadline });
        } else {
            decisions.decide(now, attempt, Err(AuthRefusal::TooManyWaiting));
        }
    }

    /// Forgets a player. A request that was sent still counts until it is answered, and its address
    /// if it is refused.
    pub(crate) fn cancel(&mut self, request: RequestId) {
        self.queue.retain(|it| it.attempt.request != Some(request));
        for running in self.running.values_mut() {
            if running.attempt.request == Some(request) {
                running.attempt.request = None;
            }
        }
    }

    pub(crate) fn handle_response(
        &mut self,
        now: Instant,
        fetch: FetchId,
        response: Result<HttpResponse, HttpFailure>,
        decisions: &mut Decisions,
    ) {
        let Some(Running { attempt, .. }) = self.running.remove(&fetch) else { return };
        match response.and_then(|response| decision(&response)) {
            Ok(decision) => {
                self.breaker.succeed();
                decisions.decide(now, attempt, decision);
            }
            Err(failure) => self.fail(now, attempt, failure, decisions),
        }
        self.advance(now, decisions);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let running = self.running.values().next().map(|it| it.deadline);
        let queued = self.queue.front().map(|it| it.deadline);
        running.into_iter().chain(queued).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, decisions: &mut Decisions) {
        while let Some(first) = self.running.first_entry()
            && first.get().deadline <= now
        {
            let attempt = first.remove().attempt;
            self.fail(now, attempt, HttpFailure::TimedOut, decisions);
        }
        while self.queue.front().is_some_and(|it| it.deadline <= now)
            && let Some(Queued { attempt, .. }) = self.queue.pop_front()
        {
            decisions.decide(now, attempt, Err(AuthRefusal::TooManyWaiting));
        }
        self.advance(now, decisions);
    }

    /// Returns the number of players that wait.
    pub(crate) fn waiting(&self) -> usize {
        let running = self.running.values().filter(|it| it.attempt.request.is_some());
        self.queue.len() + running.count()
    }

    /// Returns the number of requests that are not answered yet.
    pub(crate) fn fetching(&self) -> usize {
        self.running.len()
    }

    fn concurrent_max(&self, now: Instant) -> usize {
        match self.breaker.state(now) {
            BreakerState::Closed => self.settings.max_concurrent,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 0,
        }
    }

    fn start(
        &mut self,
        now: Instant,
        attempt: Attempt,
        credentials: &Credentials,
        decisions: &mut Decisions,
    ) {
        let fetch = decisions.fetch(request(&self.settings, credentials));
        let deadline = now + self.settings.timeout;
        self.running.insert(fetch, Running { attempt, deadline });
    }

    fn fail(
        &mut self,
        now: Instant,
        attempt: Attempt,
        failure: HttpFailure,
        decisions: &mut Decisions,
    ) {
        self.breaker.fail(now);
        decisions.stats.fetch_failures.count(failure);
        decisions.decide(now, attempt, Err(AuthRefusal::CallOutUnavailable));
    }

    /// Sends the requests of players that wait, or refuses the players if the service fails.
    fn advance(&mut self, now: Instant, decisions: &mut Decisions) {
        if self.breaker.state(now) != BreakerState::Closed {
            for queued in self.queue.drain(..) {
                decisions.decide(now, queued.attempt, Err(AuthRefusal::CallOutUnavailable));
            }
        }
        while self.running.len() < self.concurrent_max(now)
            && let Some(Queued { attempt, credentials, .. }) = self.queue.pop_front()
        {
            self.start(now, attempt, &credentials, decisions);
        }
    }
}
