//! Joins before the registry decides about them: their credentials.

use std::sync::Arc;

use mp_core::host::unix_now;
use mp_core::{DisconnectReason, Instant, Rejection, Route};
use mp_identity::{
    AuthRefusal, AuthRejection, AuthStats, FetchId, HttpRequest, Identity, Role, Subject,
};
use mp_rooms::{Join, JoinDecision, JoinRefusal, ListenerConnection};

use super::{HostEvent, RoomsHost};
use crate::rooms::admission::{AdmissionOutput, Applicant};
use crate::rooms::queue::Arrival;

impl RoomsHost {
    pub(super) fn arrive(&mut self, now: Instant, arrival: Arrival) {
        match arrival {
            Arrival::Join(join) => {
                if let Some(address) = join.credentials.address {
                    self.addresses.insert(join.connection, address);
                }
                match self.listeners.contains_key(&join.connection.listener) {
                    true => self.authenticate(now, join),
                    false => self.early.push(join),
                }
            }
            Arrival::Left(connection) => {
                self.addresses.remove(&connection);
                self.early.retain(|join| join.connection != connection);
                self.admission.cancel(connection);
                self.forget_elsewhere(connection);
                self.leave(now, connection);
            }
        }
    }

    /// Frees the place of a connection that has ended.
    pub(super) fn leave(&mut self, now: Instant, connection: ListenerConnection) {
        self.forget_check(connection);
        if let Some(room) = self.rooms.left(now, connection) {
            self.changes.mark(room);
            self.left(room, connection);
        }
    }

    /// Turns the credentials of a join into an identity, at once or later.
    pub(super) fn authenticate(&mut self, now: Instant, join: Join) {
        if let Some(address) = join.credentials.address
            && self.failed_joins.check(now, address).is_err()
        {
            return self.reject(join.connection, &AuthRefusal::TooManyAttempts.into());
        }
        if self.join_by_ticket(now, &join) {
            return;
        }
        if self.admit_by_key(now, &join) {
            return;
        }
        match self.rooms.has_host_key(now, &join) {
            Some(true) => {
                let identity = Identity::anonymous().with_role(Role::Host);
                return self.admit(now, join, Arc::new(identity));
            }
            // Elsewhere the token may be that of a player.
            Some(false) if self.is_open => {
                self.decide(join.connection, JoinDecision::Refuse(JoinRefusal::WrongHostKey));
                return;
            }
            _ => {}
        }
        // The registry refuses these joins of any player.
        let is_refused = match join.selection {
            _ if join.resume.is_some() => false,
            Ok(_) | Err(JoinRefusal::NoRoomSelected) => self.rooms.refusal_of_all().is_some(),
            Err(_) => true,
        };
        match is_refused {
            true => self.rooms.join(now, join),
            false => self.admission.begin_join(now, unix_now(), join),
        }
    }

    /// Counts a refused join for the address of the player, if it may have guessed a name, a code
    /// or a key.
    pub(super) fn count_failed_join(&self, connection: ListenerConnection, refusal: JoinRefusal) {
        let is_guess = matches!(
            refusal,
            JoinRefusal::UnknownRoom | JoinRefusal::WrongCode | JoinRefusal::WrongHostKey
        );
        if let Some(&address) = self.addresses.get(&connection).filter(|_| is_guess) {
            self.failed_joins.charge(self.clock.now(), address);
        }
    }

    /// Handles the decisions about credentials.
    pub(super) fn run_admission(&mut self, now: Instant) {
        loop {
            let is_banned = |subject: &Subject| self.settings.bans.is_banned(subject);
            let Some(output) = self.admission.next_output(now, is_banned) else { return };
            match output {
                AdmissionOutput::Decided(Applicant::Call(call), decision) => {
                    call.run(self, decision);
                }
                AdmissionOutput::Decided(Applicant::Join(join), Ok(identity)) => {
                    self.admit(now, join, identity);
                }
                AdmissionOutput::Decided(Applicant::Join(join), Err(rejection)) => {
                    self.reject(join.connection, &rejection);
                }
                AdmissionOutput::Fetch(fetch, request) => self.fetch(fetch, request),
            }
        }
    }

    /// Returns whether a player is banned by its subject.
    pub(in crate::rooms) fn is_banned(&self, identity: &Identity) -> bool {
        identity.subject().is_some_and(|subject| self.settings.bans.is_banned(subject))
    }

    /// Sends an HTTP request of the authenticator.
    pub(super) fn fetch(&self, fetch: FetchId, request: HttpRequest) {
        let Some(http) = self.http.clone() else {
            return mp_core::bug!("a request of a method without HTTP");
        };
        let events = self.events.clone();
        self.tasks.spawn(async move {
            let response = http.send(request).await;
            let _ = events.send(HostEvent::Fetched(fetch, response)).await;
        });
    }

    /// Rejects a connection whose credentials are refused.
    pub(in crate::rooms) fn reject(
        &self,
        connection: ListenerConnection,
        rejection: &AuthRejection,
    ) {
        tracing::debug!(%connection, reason = %rejection.reason(), "authentication refused");
        let Some(listening) = self.listeners.get(&connection.listener) else { return };
        let route = Route::RejectWith {
            reason: DisconnectReason::Rejected(Rejection::from(rejection.reason())),
            code: rejection.code().into(),
            text: rejection.text().into(),
        };
        listening.endpoint.decide(connection.connection, route);
    }

    /// Returns statistics of authentication.
    pub(in crate::rooms) fn auth_stats(&self) -> AuthStats {
        self.admission.stats().auth
    }
}
