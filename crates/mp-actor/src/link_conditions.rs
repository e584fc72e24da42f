//! Simulated network conditions of the connections of a [`SharedEndpoint`].

use actix::prelude::*;
use mp_core::{
    ConditionsError, ConnectionConditions, ConnectionId, ConnectionRouter, LinkStats,
    MultiplayerPeer, Rng,
};

use crate::endpoint::EndpointActor;
use crate::error::CallError;
use crate::mail::control_to;
use crate::shared_endpoint::SharedEndpoint;
use crate::turn::after_input;

/// A request to an endpoint about conditions of its connections.
#[derive(Clone, Debug, Message)]
#[rtype(result = "ConditionsResponse")]
pub(crate) enum ConditionsRequest {
    /// Sets those of a connection.
    Set(ConnectionId, Option<ConnectionConditions>, Rng),
    /// Returns those of a connection.
    Get(ConnectionId),
    /// Sets those of each new connection.
    SetInitial(ConnectionConditions, Rng),
}

type ConditionsResponse = Result<Option<(ConnectionConditions, LinkStats)>, ConditionsError>;

impl SharedEndpoint {
    /// Sets the simulated conditions of a connection, `None`: removes them. See
    /// [`Endpoint::set_conditions`](mp_core::Endpoint::set_conditions).
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] if the endpoint has ended. See [`ConditionsError`] for the others.
    pub async fn set_conditions(
        &self,
        connection: ConnectionId,
        conditions: Option<ConnectionConditions>,
        rng: Rng,
    ) -> Result<Result<(), ConditionsError>, CallError> {
        let request = ConditionsRequest::Set(connection, conditions, rng);
        let response = self.conditions.send(request).await.map_err(|_| CallError::Ended)?;
        Ok(response.map(|_| ()))
    }

    /// Returns the simulated conditions of a connection and the statistics of its link; `None` if
    /// it has none.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] if the endpoint has ended.
    pub async fn conditions(
        &self,
        connection: ConnectionId,
    ) -> Result<Option<(ConnectionConditions, LinkStats)>, CallError> {
        let request = ConditionsRequest::Get(connection);
        let response = self.conditions.send(request).await.map_err(|_| CallError::Ended)?;
        Ok(response.unwrap_or_default())
    }

    /// Sets the conditions of each connection that is established from now on. See
    /// [`Endpoint::set_initial_conditions`](mp_core::Endpoint::set_initial_conditions).
    pub fn set_initial_conditions(&self, conditions: ConnectionConditions, rng: Rng) {
        control_to(&self.conditions, ConditionsRequest::SetInitial(conditions, rng));
    }
}

impl<P, R> Handler<ConditionsRequest> for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Result = ConditionsResponse;

    fn handle(
        &mut self,
        request: ConditionsRequest,
        ctx: &mut Context<Self>,
    ) -> ConditionsResponse {
        match request {
            ConditionsRequest::Set(connection, conditions, mut rng) => {
                self.endpoint_mut().set_conditions(connection, conditions, &mut rng)?;
                after_input(self, ctx);
                Ok(None)
            }
            ConditionsRequest::Get(connection) => Ok(self.endpoint_mut().conditions(connection)),
            ConditionsRequest::SetInitial(conditions, rng) => {
                self.endpoint_mut().set_initial_conditions(conditions, rng);
                Ok(None)
            }
        }
    }
}
