//! [`Decisions`]: the part that all methods of authentication share.

use std::collections::VecDeque;
use std::net::IpAddr;

use mp_core::Instant;

use super::failures::FailureLimiter;
use super::output::{AuthOutput, AuthStats, FetchId, RequestId};
use crate::http::HttpRequest;
use crate::identity::Identity;
use crate::refusal::AuthRejection;

/// A player that authenticates, and its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// `None`: the attempt is cancelled. Its decision is counted, but is no output.
    pub(crate) request: Option<RequestId>,
    pub(crate) address: Option<IpAddr>,
}

/// Outputs that the host has not taken yet, statistics, and the limit of failed attempts.
#[derive(Debug)]
pub(crate) struct Decisions {
    outputs: VecDeque<AuthOutput>,
    failures: FailureLimiter,
    pub(crate) stats: AuthStats,
    next_fetch: u64,
}

impl Decisions {
    pub(super) fn new(failures: FailureLimiter) -> Self {
        let (outputs, stats) = (VecDeque::new(), AuthStats::default());
        Self { outputs, failures, stats, next_fetch: 0 }
    }

    /// Returns whether the address of a player may make an attempt.
    pub(super) fn allows(&mut self, now: Instant, attempt: Attempt) -> bool {
        self.failures.allows(now, attempt.address)
    }

    /// Completes an attempt, and counts it.
    pub(crate) fn decide(
        &mut self,
        now: Instant,
        attempt: Attempt,
        decision: Result<Identity, impl Into<AuthRejection>>,
    ) {
        let decision = decision.map_err(Into::into);
        match &decision {
            Ok(_) => self.stats.accepted += 1,
            Err(rejection) => {
                let reason = rejection.reason();
                self.stats.refused.count(reason);
                if reason.is_guess() {
                    self.failures.count(now, attempt.address);
                }
            }
        }
        if let Some(request) = attempt.request {
            self.outputs.push_back(AuthOutput::Decided { request, decision });
        }
    }

    /// Asks the host to send a request.
    pub(crate) fn fetch(&mut self, http: HttpRequest) -> FetchId {
        let fetch = FetchId(self.next_fetch);
        self.next_fetch += 1;
        self.stats.fetches += 1;
        self.outputs.push_back(AuthOutput::Fetch { fetch, http });
        fetch
    }

    pub(super) fn next_output(&mut self) -> Option<AuthOutput> {
        self.outputs.pop_front()
    }

    pub(super) fn failed_addresses(&self) -> usize {
        self.failures.len()
    }
}
