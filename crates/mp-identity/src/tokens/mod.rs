//! [`Tokens`]: players authenticate by signed tokens (JWT).

mod claims;
mod fetched;
mod issuer;
mod key;
mod key_set;
mod settings;
mod used;
mod verify;

use mp_core::{Instant, UnixSeconds};

use self::fetched::{FetchedKeys, NoWait};
pub use self::issuer::{IssueError, TokenIssuer};
pub use self::key::{KeyError, TokenAlgorithm, TokenKey};
pub use self::key_set::KeySet;
pub use self::settings::{KeySource, TokenSettings};
use self::used::UsedTokens;
use self::verify::{TokenHeader, verify};
use crate::authenticator::{Attempt, Decisions, FetchId, RequestId};
use crate::credentials::Token;
use crate::http::{HttpFailure, HttpResponse};
use crate::identity::Identity;
use crate::refusal::AuthRefusal;

/// Verification of tokens, with the keys if they are fetched.
#[derive(Debug)]
pub(crate) struct Tokens {
    settings: TokenSettings,
    /// `None`: the keys are in the settings.
    fetched: Option<FetchedKeys>,
    used: UsedTokens,
}

impl Tokens {
    pub(crate) fn new(settings: TokenSettings) -> Self {
        let fetched = match &settings.keys {
            KeySource::Keys(_) => None,
            KeySource::Url(url) => {
                let timeout = settings.fetch_timeout;
                Some(FetchedKeys::new(url.clone(), timeout, settings.max_waiting))
            }
        };
        Self { settings, fetched, used: UsedTokens::default() }
    }

    /// Verifies a token, or lets it wait until its key is fetched.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        unix: UnixSeconds,
        attempt: Attempt,
        token: Token,
        decisions: &mut Decisions,
    ) {
        if let Some(fetched) = &mut self.fetched
            && let Ok(header) = TokenHeader::read(&token)
            && fetched.keys().and_then(|keys| header.find_key(keys)).is_none()
        {
            match fetched.wait(now, attempt, token, decisions) {
                Ok(()) => {}
                Err(NoWait::TooMany) => {
                    decisions.decide(now, attempt, Err(AuthRefusal::TooManyWaiting));
                }
                Err(NoWait::TooSoon) => {
                    let refusal = self.unknown_key();
                    decisions.decide(now, attempt, Err(refusal));
                }
            }
            return;
        }
        let decision = self.verify(unix, &token);
        decisions.decide(now, attempt, decision);
    }

    pub(crate) fn cancel(&mut self, request: RequestId) {
        if let Some(fetched) = &mut self.fetched {
            fetched.cancel(request);
        }
    }

    pub(crate) fn handle_response(
        &mut self,
        now: Instant,
        unix: UnixSeconds,
        fetch: FetchId,
        response: Result<HttpResponse, HttpFailure>,
        decisions: &mut Decisions,
    ) {
        let Some(fetched) = &mut self.fetched else { return };
        for (attempt, token) in fetched.handle_response(now, fetch, response, decisions) {
            let decision = self.verify(unix, &token);
            decisions.decide(now, attempt, decision);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.fetched.as_ref().map(FetchedKeys::poll_timeout)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, decisions: &mut Decisions) {
        let Some(fetched) = &mut self.fetched else { return };
        for (attempt, _) in fetched.handle_timeout(now, decisions) {
            let refusal = self.unknown_key();
            decisions.decide(now, attempt, Err(refusal));
        }
    }

    /// Returns the number of players that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.fetched.as_ref().map_or(0, FetchedKeys::waiting)
    }

    /// Returns the number of fetches that are not answered yet.
    pub(crate) fn fetching(&self) -> usize {
        usize::from(self.fetched.as_ref().is_some_and(FetchedKeys::is_fetching))
    }

    fn verify(&mut self, unix: UnixSeconds, token: &Token) -> Result<Identity, AuthRefusal> {
        let fetched = self.fetched.as_ref().and_then(FetchedKeys::keys);
        let keys = match &self.settings.keys {
            KeySource::Keys(keys) => Some(keys),
            KeySource::Url(_) => fetched,
        };
        let Some(keys) = keys else {
            return Err(TokenHeader::read(token).err().unwrap_or(AuthRefusal::KeysUnavailable));
        };
        let verified = verify(unix, token, keys, &self.settings)?;
        if self.settings.is_single_use {
            let id = verified.id.ok_or(AuthRefusal::InvalidClaims)?;
            self.used.insert(unix, id, verified.end)?;
        }
        Ok(verified.identity)
    }

    /// Returns the reason for which a token is refused whose key is not among the fetched ones.
    fn unknown_key(&self) -> AuthRefusal {
        let has_keys = self.fetched.as_ref().is_none_or(|fetched| fetched.keys().is_some());
        if has_keys { AuthRefusal::UnknownKey } else { AuthRefusal::KeysUnavailable }
    }
}
