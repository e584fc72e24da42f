//! Simulated network conditions of connections.

use super::{ConnectionRouter, Endpoint};
use crate::{
    ConditionsError, ConnectionConditions, ConnectionId, LinkSimulation, LinkStats,
    MultiplayerPeer, Rng,
};

/// The conditions that each new connection gets.
#[derive(Debug)]
pub(super) struct InitialConditions {
    conditions: ConnectionConditions,
    rng: Rng,
}

impl<P: MultiplayerPeer, R: ConnectionRouter> Endpoint<P, R> {
    /// Sets the simulated conditions of a connection, `None`: removes them. They stay with the
    /// connection when that moves to another branch, and end with it. Random numbers are drawn from
    /// generators that `rng` seeds.
    ///
    /// # Errors
    ///
    /// See [`ConditionsError`]. The previous conditions stay.
    pub fn set_conditions(
        &mut self,
        connection: ConnectionId,
        conditions: Option<ConnectionConditions>,
        rng: &mut Rng,
    ) -> Result<(), ConditionsError> {
        if !self.routes.contains_key(&connection) {
            return Err(ConditionsError::UnknownConnection);
        }
        if let Some(conditions) = &conditions {
            self.peer.link_simulation().check(conditions)?;
        }
        self.has_input = true;
        self.peer.set_conditions(connection, conditions, rng);
        Ok(())
    }

    /// Returns the simulated conditions of a connection and the statistics of its link; `None` if
    /// it has none.
    pub fn conditions(
        &self,
        connection: ConnectionId,
    ) -> Option<(ConnectionConditions, LinkStats)> {
        self.peer.conditions(connection)
    }

    /// Sets the conditions of each connection that is established from now on, as far as the
    /// transport can simulate them: of a stream, delay and rate. Its handshake has none.
    pub fn set_initial_conditions(&mut self, conditions: ConnectionConditions, rng: Rng) {
        let conditions = match self.peer.link_simulation() {
            LinkSimulation::None => return,
            LinkSimulation::Stream => conditions.of_stream(),
            LinkSimulation::Datagrams => conditions,
        };
        self.initial_conditions = Some(Box::new(InitialConditions { conditions, rng }));
    }

    /// Sets the conditions of a new connection.
    pub(super) fn apply_initial_conditions(&mut self, connection: ConnectionId) {
        if let Some(initial) = &mut self.initial_conditions {
            let InitialConditions { conditions, rng } = &mut **initial;
            self.peer.set_conditions(connection, Some(*conditions), rng);
        }
    }
}
