//! An [`Authenticator`] under virtual time.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod keys;

use std::net::IpAddr;
use std::time::Duration;

use mp_core::{Instant, UnixSeconds};
use mp_identity::{
    AuthMethod, AuthOutput, AuthRefusal, AuthRejection, AuthStats, Authenticator, Credentials,
    FetchId, HttpFailure, HttpRequest, HttpResponse, Identity, RequestId, Token,
};

/// The wall clock's time at the start of each test.
pub(crate) const START: UnixSeconds = 1_800_000_000;

/// An authenticator with its clocks, its decisions and its requests that are not answered.
pub(crate) struct Bench {
    pub(crate) authenticator: Authenticator,
    pub(crate) now: Instant,
    pub(crate) decided: Vec<(u64, Result<Identity, AuthRejection>)>,
    pub(crate) fetches: Vec<(FetchId, HttpRequest)>,
    next_request: u64,
}

impl Bench {
    pub(crate) fn new(method: AuthMethod) -> Self {
        Self::of(Authenticator::new(method))
    }

    pub(crate) fn of(authenticator: Authenticator) -> Self {
        let (decided, fetches) = (Vec::new(), Vec::new());
        let now = Instant::from_millis(1_000);
        Self { authenticator, now, decided, fetches, next_request: 0 }
    }

    pub(crate) fn unix(&self) -> UnixSeconds {
        START + (self.now - Instant::from_millis(1_000)).as_secs()
    }

    /// Begins an attempt with `token` from an address. Returns its number.
    pub(crate) fn begin_from(&mut self, address: &str, token: &str) -> u64 {
        let address: IpAddr = address.parse().unwrap();
        let token = Some(Token::new(token).unwrap());
        self.begin_with(Credentials { token, address: Some(address), room: None })
    }

    pub(crate) fn begin_with(&mut self, credentials: Credentials) -> u64 {
        let number = self.next_request;
        self.next_request += 1;
        let unix = self.unix();
        self.authenticator.begin(self.now, unix, RequestId(number), credentials);
        self.take_outputs();
        number
    }

    pub(crate) fn begin(&mut self, token: &str) -> u64 {
        self.begin_from("192.0.2.1", token)
    }

    /// Begins an attempt that is decided at once.
    pub(crate) fn decide(&mut self, token: &str) -> Result<Identity, AuthRefusal> {
        let number = self.begin(token);
        self.decision(number).expect("the attempt is decided at once")
    }

    /// Takes the decision of an attempt, if there is one.
    pub(crate) fn decision(&mut self, number: u64) -> Option<Result<Identity, AuthRefusal>> {
        self.rejection(number).map(|it| it.map_err(|rejection| rejection.reason()))
    }

    pub(crate) fn rejection(&mut self, number: u64) -> Option<Result<Identity, AuthRejection>> {
        let index = self.decided.iter().position(|it| it.0 == number)?;
        Some(self.decided.remove(index).1)
    }

    /// Answers the oldest request.
    pub(crate) fn answer(&mut self, status: u16, body: &str) {
        self.respond(Ok(HttpResponse { status, body: body.into() }));
    }

    pub(crate) fn respond(&mut self, response: Result<HttpResponse, HttpFailure>) {
        let (fetch, _) = self.fetches.remove(0);
        self.respond_to(fetch, response);
    }

    pub(crate) fn respond_to(
        &mut self,
        fetch: FetchId,
        response: Result<HttpResponse, HttpFailure>,
    ) {
        let unix = self.unix();
        self.authenticator.handle_response(self.now, unix, fetch, response);
        self.take_outputs();
    }

    /// Lets time pass. Timeouts fire when they are due.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.authenticator.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.authenticator.handle_timeout(self.now);
            self.take_outputs();
            let next = self.authenticator.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "the timeout is handled: {next:?}");
        }
        self.now = end;
    }

    pub(crate) fn stats(&self) -> AuthStats {
        self.authenticator.stats()
    }

    pub(crate) fn take_outputs(&mut self) {
        while let Some(output) = self.authenticator.next_output() {
            match output {
                AuthOutput::Decided { request, decision } => {
                    assert!(self.decided.iter().all(|it| it.0 != request.0), "decided twice");
                    self.decided.push((request.0, decision));
                }
                AuthOutput::Fetch { fetch, http } => self.fetches.push((fetch, http)),
            }
        }
    }
}

pub(crate) fn refused<T>(refusal: AuthRefusal) -> Option<Result<T, AuthRefusal>> {
    Some(Err(refusal))
}

/// Seconds.
pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Milliseconds.
pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
