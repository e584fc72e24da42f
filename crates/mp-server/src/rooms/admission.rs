//! [`Admission`]: joins whose players authenticate.

use std::collections::BTreeMap;
use std::sync::Arc;

use mp_core::{Instant, UnixSeconds};
use mp_identity::{
    AuthOutput, AuthRejection, AuthStats, Authenticator, FetchId, HttpFailure, HttpRequest,
    HttpResponse, Identity, RequestId,
};
use mp_rooms::{Join, ListenerConnection};

/// The joins whose players authenticate, without I/O. Each join is decided once, unless its
/// connection leaves. Their number is bounded by that of undecided connections.
#[derive(Debug)]
pub(super) struct Admission {
    authenticator: Authenticator,
    joins: BTreeMap<RequestId, Join>,
    requests: BTreeMap<ListenerConnection, RequestId>,
    next_request: u64,
}

/// A decision about a join, or an HTTP request on which decisions depend.
#[derive(Debug)]
pub(super) enum AdmissionOutput {
    /// The player is known, and may join if the registry agrees.
    Identified(Join, Arc<Identity>),
    /// The player is refused.
    Refused(ListenerConnection, AuthRejection),
    /// The request is to be sent. Its result follows as
    /// [`handle_response`](Admission::handle_response).
    Fetch(FetchId, HttpRequest),
}

impl Admission {
    pub(super) fn new(authenticator: Authenticator) -> Self {
        let (joins, requests) = (BTreeMap::new(), BTreeMap::new());
        Self { authenticator, joins, requests, next_request: 0 }
    }

    /// Begins to authenticate the player of a join.
    pub(super) fn begin(&mut self, now: Instant, unix: UnixSeconds, mut join: Join) {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        let credentials = std::mem::take(&mut join.credentials);
        self.requests.insert(join.connection, request);
        self.joins.insert(request, join);
        self.authenticator.begin(now, unix, request, credentials);
    }

    /// Cancels the join of a connection that has ended, if it is not decided.
    pub(super) fn cancel(&mut self, connection: ListenerConnection) {
        if let Some(request) = self.requests.remove(&connection) {
            self.joins.remove(&request);
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

    /// Removes and returns the oldest output.
    pub(super) fn next_output(&mut self) -> Option<AdmissionOutput> {
        loop {
            let (request, decision) = match self.authenticator.next_output()? {
                AuthOutput::Decided { request, decision } => (request, decision),
                AuthOutput::Fetch { fetch, http } => {
                    return Some(AdmissionOutput::Fetch(fetch, http));
                }
            };
            // A decision may be among the outputs already when its connection ends.
            let Some(join) = self.joins.remove(&request) else { continue };
            self.requests.remove(&join.connection);
            return Some(match decision {
                Ok(identity) => AdmissionOutput::Identified(join, Arc::new(identity)),
                Err(rejection) => AdmissionOutput::Refused(join.connection, rejection),
            });
        }
    }

    pub(super) fn stats(&self) -> AuthStats {
        self.authenticator.stats()
    }
}

#[cfg(test)]
mod tests {
    use mp_core::ConnectionId;
    use mp_identity::{AuthMethod, Credentials, Token};
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
            admission.begin(Instant::ZERO, 0, join(slot, token));
        }
        let first = admission.next_output();
        let Some(AdmissionOutput::Identified(first, _)) = first else { panic!("{first:?}") };
        assert_eq!(first, join(0, None));
        for (slot, code) in [(1, "wrong_secret"), (2, "missing_token")] {
            let output = admission.next_output();
            let Some(AdmissionOutput::Refused(of, why)) = output else { panic!("{output:?}") };
            assert_eq!((of, why.code()), (join(slot, None).connection, code));
        }
        assert!(admission.next_output().is_none());
        assert!(admission.joins.is_empty() && admission.requests.is_empty());
    }

    #[test]
    fn connection_that_has_left_is_not_decided() {
        let mut admission = by_secret();
        admission.begin(Instant::ZERO, 0, join(0, Some("sesame")));
        admission.cancel(join(0, None).connection);
        assert!(admission.next_output().is_none());
        assert!(admission.joins.is_empty() && admission.requests.is_empty());
    }
}
