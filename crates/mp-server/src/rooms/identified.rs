//! [`IdentifiedCall`]: calls of the rooms on behalf of players who authenticate.

use std::fmt;
use std::sync::Arc;

use mp_core::host::unix_now;
use mp_identity::{AuthRejection, Credentials, Identity};
use tokio::sync::oneshot;

use super::admission::Applicant;
use super::handle::{RoomsHandle, ServerEnded};
use super::host::RoomsHost;

/// A call that waits until its player is identified or refused.
pub(super) struct IdentifiedCall(Box<Call>);

type Call = dyn FnOnce(&mut RoomsHost, Result<Arc<Identity>, AuthRejection>) + Send;

impl IdentifiedCall {
    /// Calls the rooms.
    pub(super) fn run(self, host: &mut RoomsHost, decision: Result<Arc<Identity>, AuthRejection>) {
        (self.0)(host, decision);
    }
}

impl fmt::Debug for IdentifiedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentifiedCall")
    }
}

impl RoomsHandle {
    /// Authenticates a player, and then runs `call` with its identity in the task that owns the
    /// rooms. If the caller no longer waits, nothing is called; a refusal counts nevertheless.
    pub(super) async fn call_as<R: Send + 'static>(
        &self,
        credentials: Credentials,
        call: impl FnOnce(&mut RoomsHost, &Arc<Identity>) -> R + Send + 'static,
    ) -> Result<Result<R, AuthRejection>, ServerEnded> {
        let (reply, response) = oneshot::channel();
        let call: Box<Call> = Box::new(move |host, decision| {
            if !reply.is_closed() {
                drop(reply.send(decision.map(|identity| call(host, &identity))));
            }
        });
        let call = Applicant::Call(IdentifiedCall(call));
        self.call(move |host| {
            let now = host.now();
            host.admission.begin(now, unix_now(), credentials, call);
        })
        .await?;
        response.await.map_err(|_| ServerEnded)
    }
}
