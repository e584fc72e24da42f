//! [`Authenticator`]: decides who a player is, by one method.

mod decisions;
mod failures;
mod output;

use mp_core::{Instant, UnixSeconds};

pub(crate) use self::decisions::{Attempt, Decisions};
use self::failures::FailureLimiter;
pub use self::output::{AuthOutput, AuthStats, FetchId, RequestId};
use crate::call_out::{CallOut, CallOutSettings};
use crate::credentials::{Credentials, Token};
use crate::http::{HttpFailure, HttpResponse};
use crate::identity::Identity;
use crate::limits::FAILURES_PER_MINUTE;
use crate::refusal::AuthRefusal;
#[cfg(feature = "tokens")]
use crate::tokens::{TokenSettings, Tokens};

/// The way in which players authenticate.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AuthMethod {
    /// Every player is accepted, as [`Identity::anonymous`]. Tokens are ignored.
    Open,
    /// Players whose token is this secret are accepted, as [`Identity::anonymous`].
    SharedSecret(Token),
    /// Players whose token is signed with one of the operator's keys are accepted.
    #[cfg(feature = "tokens")]
    Tokens(TokenSettings),
    /// The operator's service decides, by an HTTP request for each player.
    CallOut(CallOutSettings),
}

/// Decides who a player is, by one [`AuthMethod`]. It does no I/O: its host passes the time and the
/// responses to HTTP requests, and takes the outputs after each call.
///
/// ```text
///  begin, cancel, handle_response, handle_timeout ─► Authenticator ─► next_output: Decided, Fetch
/// ```
///
/// Each attempt that begins is decided once, unless it is cancelled. Attempts after too many failed
/// ones of the same address are refused without a check; [`FAILURES_PER_MINUTE`] is the default
/// limit.
///
/// ```
/// use mp_core::Instant;
/// use mp_identity::{AuthMethod, AuthOutput, Authenticator, Credentials, RequestId, Token};
///
/// let secret = Token::new("open sesame")?;
/// let mut authenticator = Authenticator::new(AuthMethod::SharedSecret(secret.clone()));
/// let credentials = Credentials { token: Some(secret), ..Credentials::default() };
/// let (now, unix) = (Instant::ZERO, 1_800_000_000);
/// authenticator.begin(now, unix, RequestId(7), credentials);
/// let Some(AuthOutput::Decided { request, decision }) = authenticator.next_output() else {
///     panic!("a secret is checked at once");
/// };
/// assert!(request == RequestId(7) && decision.is_ok());
/// # Ok::<(), mp_identity::InvalidToken>(())
/// ```
#[derive(Debug)]
pub struct Authenticator {
    method: Method,
    decisions: Decisions,
}

/// The state of an [`AuthMethod`].
#[derive(Debug)]
enum Method {
    Open,
    SharedSecret(Token),
    #[cfg(feature = "tokens")]
    Tokens(Tokens),
    CallOut(CallOut),
}

impl Authenticator {
    /// Returns an authenticator that limits failed attempts to [`FAILURES_PER_MINUTE`] per address.
    pub fn new(method: AuthMethod) -> Self {
        let method = match method {
            AuthMethod::Open => Method::Open,
            AuthMethod::SharedSecret(secret) => Method::SharedSecret(secret),
            #[cfg(feature = "tokens")]
            AuthMethod::Tokens(settings) => Method::Tokens(Tokens::new(settings)),
            AuthMethod::CallOut(settings) => Method::CallOut(CallOut::new(settings)),
        };
        let decisions = Decisions::new(FailureLimiter::new(FAILURES_PER_MINUTE));
        Self { method, decisions }
    }

    /// Sets the number of failed attempts per minute, and at once, of an IPv4 address or an IPv6
    /// network of 64 bits. 0: no limit.
    #[must_use]
    pub fn with_failures_per_minute(self, failures: u32) -> Self {
        Self { decisions: Decisions::new(FailureLimiter::new(failures)), ..self }
    }

    /// Begins to authenticate a player. `now` is monotonic, `unix` is the wall clock's time.
    pub fn begin(
        &mut self,
        now: Instant,
        unix: UnixSeconds,
        request: RequestId,
        credentials: Credentials,
    ) {
        #[cfg(not(feature = "tokens"))]
        let _ = unix;
        let attempt = Attempt { request: Some(request), address: credentials.address };
        let decisions = &mut self.decisions;
        if let Method::Open = self.method {
            return decisions.decide(now, attempt, Ok::<_, AuthRefusal>(Identity::anonymous()));
        }
        if !decisions.allows(now, attempt) {
            return decisions.decide(now, attempt, Err(AuthRefusal::TooManyAttempts));
        }
        let Some(token) = credentials.token.clone() else {
            return decisions.decide(now, attempt, Err(AuthRefusal::MissingToken));
        };
        match &mut self.method {
            Method::Open => {}
            Method::SharedSecret(secret) => {
                let is_right = token == *secret;
                let decision = is_right.then(Identity::anonymous).ok_or(AuthRefusal::WrongSecret);
                decisions.decide(now, attempt, decision);
            }
            #[cfg(feature = "tokens")]
            Method::Tokens(tokens) => tokens.begin(now, unix, attempt, token, decisions),
            Method::CallOut(call_out) => call_out.begin(now, attempt, credentials, decisions),
        }
    }

    /// Cancels an attempt, because the player has left. There is no decision, unless it is among
    /// the outputs already. If the operator's service refuses the player later, the failure counts
    /// for its address.
    pub fn cancel(&mut self, request: RequestId) {
        match &mut self.method {
            Method::Open | Method::SharedSecret(_) => {}
            #[cfg(feature = "tokens")]
            Method::Tokens(tokens) => tokens.cancel(request),
            Method::CallOut(call_out) => call_out.cancel(request),
        }
    }

    /// Returns the next output. The host takes all outputs after each call of another method.
    pub fn next_output(&mut self) -> Option<AuthOutput> {
        self.decisions.next_output()
    }

    /// Handles the response to a request. Responses to requests that timed out are ignored.
    pub fn handle_response(
        &mut self,
        now: Instant,
        unix: UnixSeconds,
        fetch: FetchId,
        response: Result<HttpResponse, HttpFailure>,
    ) {
        #[cfg(not(feature = "tokens"))]
        let _ = unix;
        match &mut self.method {
            Method::Open | Method::SharedSecret(_) => {}
            #[cfg(feature = "tokens")]
            Method::Tokens(tokens) => {
                tokens.handle_response(now, unix, fetch, response, &mut self.decisions);
            }
            Method::CallOut(call_out) => {
                call_out.handle_response(now, fetch, response, &mut self.decisions);
            }
        }
    }

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) is due. `None`: never.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.method {
            Method::Open | Method::SharedSecret(_) => None,
            #[cfg(feature = "tokens")]
            Method::Tokens(tokens) => tokens.poll_timeout(),
            Method::CallOut(call_out) => call_out.poll_timeout(),
        }
    }

    /// Handles the timeouts that are due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.method {
            Method::Open | Method::SharedSecret(_) => {}
            #[cfg(feature = "tokens")]
            Method::Tokens(tokens) => tokens.handle_timeout(now, &mut self.decisions),
            Method::CallOut(call_out) => call_out.handle_timeout(now, &mut self.decisions),
        }
    }

    /// Returns statistics.
    pub fn stats(&self) -> AuthStats {
        let (waiting, fetching) = match &self.method {
            Method::Open | Method::SharedSecret(_) => (0, 0),
            #[cfg(feature = "tokens")]
            Method::Tokens(tokens) => (tokens.waiting(), tokens.fetching()),
            Method::CallOut(call_out) => (call_out.waiting(), call_out.fetching()),
        };
        let failed_addresses = self.decisions.failed_addresses();
        AuthStats { waiting, fetching, failed_addresses, ..self.decisions.stats }
    }
}
