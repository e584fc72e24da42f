//! Simulated link conditions of players.

use mp_core::{ConditionsError, ConnectionConditions, LinkStats, PeerId, Rng};
use mp_rooms::RoomId;

use super::handle::{RoomsHandle, ServerEnded};

impl RoomsHandle {
    /// Sets the simulated conditions of a player's connection, `None`: removes them. They stay with
    /// the connection when the player moves to another room.
    pub(crate) async fn set_link(
        &self,
        room: RoomId,
        peer: PeerId,
        conditions: Option<ConnectionConditions>,
        rng: Rng,
    ) -> Result<Result<(), ConditionsError>, ServerEnded> {
        let unknown = Err(ConditionsError::UnknownConnection);
        let found = self.call(move |host| host.connection_of(room, peer)).await?;
        let Some((endpoint, connection)) = found else { return Ok(unknown) };
        let set = endpoint.set_conditions(connection, conditions, rng).await;
        // A connection ends with its endpoint.
        Ok(set.unwrap_or(unknown))
    }

    /// Returns the simulated conditions of a player's connection and the statistics of its link:
    /// the defaults if it has none. `None` if there is no such player.
    pub(crate) async fn link(
        &self,
        room: RoomId,
        peer: PeerId,
    ) -> Result<Option<(ConnectionConditions, LinkStats)>, ServerEnded> {
        let found = self.call(move |host| host.connection_of(room, peer)).await?;
        let Some((endpoint, connection)) = found else { return Ok(None) };
        let link = endpoint.conditions(connection).await;
        Ok(link.ok().map(Option::unwrap_or_default))
    }
}
