//! [`Admission`]: joins and requests whose players authenticate.

use std::collections::BTreeMap;
use std::sync::Arc;

use mp_core::{DurationHistogram, Instant, UnixSeconds};
use mp_identity::{
    AuthOutput, AuthRefusal, AuthRejection, AuthStats, Authenticator, Credentials, FetchId,
    HttpFailure, HttpRequest, HttpResponse, Identity, RequestId, Subject,
};
use mp_rooms::{Join, ListenerConnection};

use super::identified::IdentifiedCall;

/// The applicants who authenticate, without I/O. Each is decided once, unless its connection
/// leaves. Their number is bounded by that of undecided connections, and by the number of players
/// for whom the authenticator lets requests wait.
#[derive(Debug)]
pub(super) struct Admission {
    authenticator: Authenticator,
    /// Applicants with the times at which they began.
    applicants: BTreeMap<RequestId, (Applicant, Instant)>,
    requests: BTreeMap<ListenerConnection, RequestId>,
    next_request: u64,
    /// Players with valid credentials who are banned.
    banned: u64,
    durations: DurationHistogram,
}

/// Statistics of authentication.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AdmissionStats {
    /// Decisions. Banned players are refused.
    pub(crate) auth: AuthStats,
    /// Times from a player's credentials to the decision.
    pub(crate) durations: DurationHistogram,
}

/// A player who authenticates, and its purpose.
#[derive(Debug)]
pub(super) enum Applicant {
    /// Its connection joins a room.
    Join(Join),
    /// It requests something else, without a connection.
    Call(IdentifiedCall),
}

/// A decision about a player, or an HTTP request on which decisions depend.
#[derive(Debug)]
pub(super) enum AdmissionOutput {
    /// The player is known, or refused.
    Decided(Applicant, Result<Arc<Identity>, AuthRejection>),
    /// The request is to be sent. Its result follows as
    /// [`handle_response`](Admission::handle_response).
    Fetch(FetchId, HttpRequest),
}

impl Admission {
    pub(super) fn new(authenticator: Authenticator) -> Self {
        Self {
            authenticator,
            applicants: BTreeMap::new(),
            requests: BTreeMap::new(),
            next_request: 0,
            banned: 0,
            durations: DurationHistogram::default(),
        }
    }

    /// Begins to authenticate the player of a join.
    pub(super) fn begin_join(&mut self, now: Instant, unix: UnixSeconds, mut join: Join) {
        let credentials = std::mem::take(&mut join.credentials);
        self.begin(now, unix, credentials, Applicant::Join(join));
    }

    /// Begins to authenticate a player.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        unix: UnixSeconds,
        credentials: Credentials,
        applicant: Applicant,
    ) {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        if let Applicant::Join(join) = &applicant {
            self.requests.insert(join.connection, request);
        }
        self.applicants.insert(request, (applicant, now));
        self.authenticator.begin(now, unix, request, credentials);
    }

    /// Cancels the join of a connection that has ended, if it is not decided.
    pub(super) fn cancel(&mut self, connection: ListenerConnection) {
        if let Some(request) = self.requests.remove(&connection) {
            self.applicants.remove(&request);
            self.authenticator.cancel(request);
        }
    }

    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        unix: UnixSeconds,
        fetch: FetchId,
        response: Result<HttpResponse, HttpFailure>,
    ) {
        self.authenticator.handle_response(now, unix, fetch, response);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.authenticator.handle_timeout(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.authenticator.poll_timeout()
    }

    /// Removes and returns the oldest output. Players of whom `is_banned` returns true are refused.
    pub(super) fn next_output(
        &mut self,
        now: Instant,
        is_banned: impl Fn(&Subject) -> bool,
    ) -> Option<AdmissionOutput> {
        loop {
            let (request, decision) = match self.authenticator.next_output()? {
                AuthOutput::Decided { request, decision } => (request, decision),
                AuthOutput::Fetch { fetch, http } => {
                    return Some(AdmissionOutput::Fetch(fetch, http));
                }
            };
            // A decision may be among the outputs already when its connection ends.
            let Some((applicant, since)) = self.applicants.remove(&request) else { continue };
            if let Applicant::Join(join) = &applicant {
                self.requests.remove(&join.connection);
            }
            self.durations.record(now - since);
            let decision = match decision {
                Ok(identity) if identity.subject().is_some_and(&is_banned) => {
                    self.banned += 1;
                    Err(AuthRefusal::Banned.into())
                }
                decision => decision.map(Arc::new),
            };
            return Some(AdmissionOutput::Decided(applicant, decision));
        }
    }

    pub(super) fn stats(&self) -> AdmissionStats {
        let mut auth = self.authenticator.stats();
        auth.accepted -= self.banned;
        auth.refused.add(AuthRefusal::Banned, self.banned);
        AdmissionStats { auth, durations: self.durations }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mp_core::ConnectionId;
    use mp_identity::{
        AuthMethod, Credentials, KeySource, Token, TokenIssuer, TokenKey, TokenSettings,
    };
    use mp_rooms::{JoinRefusal, ListenerId};

    use super::*;

    fn join(slot: u32, token: Option<&str>) -> Join {
        let connection = ConnectionId { slot, generation: 0 };
        let connection = ListenerConnection { listener: ListenerId(0), connection };
        let token = token.map(|token| Token::new(token).unwrap());
        let credentials = Credentials { token, ..Credentials::default() };
        Join { credentials, ..Join::new(connection, None, Err(JoinRefusal::NoRoomSelected)) }
    }

    fn by_secret() -> Admission {
        let secret = Token::new("sesame").unwrap();
        Admission::new(Authenticator::new(AuthMethod::SharedSecret(secret)))
    }

    #[test]
    fn each_join_is_decided_once_and_without_its_credentials() {
        let mut admission = by_secret();
        for (slot, token) in [(0, Some("sesame")), (1, Some("other")), (2, None)] {
            admission.begin_join(Instant::ZERO, 0, join(slot, token));
        }
        let mut next = || match admission.next_output(Instant::ZERO, |_| false) {
            Some(AdmissionOutput::Decided(Applicant::Join(join), decision)) => (join, decision),
            output => panic!("{output:?}"),
        };
        let (first, decision) = next();
        assert!(first == join(0, None) && decision.is_ok());
        for (slot, code) in [(1, "wrong_secret"), (2, "missing_token")] {
            let (of, decision) = next();
            assert_eq!((of, decision.unwrap_err().code()), (join(slot, None), code));
        }
        assert!(admission.next_output(Instant::ZERO, |_| false).is_none());
        assert!(admission.applicants.is_empty() && admission.requests.is_empty());
    }

    #[test]
    fn connection_that_has_left_is_not_decided() {
        let mut admission = by_secret();
        admission.begin_join(Instant::ZERO, 0, join(0, Some("sesame")));
        admission.cancel(join(0, None).connection);
        assert!(admission.next_output(Instant::ZERO, |_| false).is_none());
        assert!(admission.applicants.is_empty() && admission.requests.is_empty());
    }

    #[test]
    fn banned_player_is_refused_and_counted_and_each_decision_has_a_duration() {
        let issuer = TokenIssuer::secret(&[7; 32]).unwrap();
        let key = TokenKey::secret(&[7; 32]).unwrap();
        let tokens = TokenSettings::new(KeySource::Keys(key.into()));
        let mut admission = Admission::new(Authenticator::new(AuthMethod::Tokens(tokens)));
        let second = Instant::ZERO + Duration::from_secs(1);
        for (slot, subject) in [(0, "kay"), (1, "mallory")] {
            let identity = Identity::new(Subject::new(subject).unwrap()).with_expires(Some(60));
            let token = issuer.issue(0, &identity, None).unwrap();
            admission.begin_join(Instant::ZERO, 0, join(slot, Some(token.as_str())));
        }
        let mut next = || admission.next_output(second, |subject| subject.as_str() == "mallory");
        assert!(matches!(next(), Some(AdmissionOutput::Decided(_, Ok(_)))));
        let Some(AdmissionOutput::Decided(_, Err(why))) = next() else {
            panic!("mallory is admitted");
        };
        assert_eq!(why.reason(), AuthRefusal::Banned);
        let AdmissionStats { auth, durations } = admission.stats();
        assert_eq!((auth.accepted, auth.refused.get(AuthRefusal::Banned)), (1, 1));
        assert_eq!((durations.count(), durations.sum()), (2, Duration::from_secs(2)));
    }
}
