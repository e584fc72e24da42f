//! Moves of players from one room to another.

use std::fmt;

use mp_actor::MovePeerError;
use mp_core::PeerId;
use mp_rooms::{ListenerConnection, MoveRefusal, MoveTarget, RoomId, RoomName};
use tokio::sync::oneshot;

use super::handle::{RoomsHandle, ServerEnded};
use super::host::{HostEvent, RoomsHost};

/// The reason why a player has not moved to another room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MovePlayerError {
    /// The registry refuses the move. The player stays.
    Refused(MoveRefusal),
    /// The branch of one of the rooms has failed or refused the move: the player stays, or its
    /// connection has ended.
    Failed(MovePeerError),
    /// The server has ended.
    Ended,
}

impl fmt::Display for MovePlayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Failed(error) => error.fmt(f),
            Self::Ended => ServerEnded.fmt(f),
        }
    }
}

impl std::error::Error for MovePlayerError {}

impl From<ServerEnded> for MovePlayerError {
    fn from(_: ServerEnded) -> Self {
        Self::Ended
    }
}

/// A move that the registry has accepted.
#[derive(Clone, Copy, Debug)]
struct RunningMove {
    connection: ListenerConnection,
    peer: PeerId,
    from: RoomId,
    to: RoomId,
}

type MoveReply = oneshot::Sender<Result<(), MovePlayerError>>;

impl RoomsHandle {
    /// Moves a player of `room` to another room, and waits until it has arrived. Its client stays
    /// connected, and can be an unmodified Godot game: it receives despawns of the old room's
    /// nodes, and then spawns of the new room's. The templates of both rooms have `moves = true`.
    ///
    /// A [`RoomId`] is a target for rooms that are neither private nor locked; for others,
    /// [`MoveTarget`] has their code or a seat. The registry first reserves a place in the new
    /// room, or takes the seat. The player keeps its peer id, its identity
    /// ([`RoomContext::identity`](crate::RoomContext::identity) knows it in the new room before the
    /// hook [`on_peer_expected`](mp_scene::BranchBuilder::on_peer_expected) runs) and the state of
    /// its rate limits. It is not authenticated again, and may enter a room other than that of its
    /// token. The limits of calls per method start anew in each room.
    ///
    /// The move goes on if the returned future is dropped.
    ///
    /// # Errors
    ///
    /// See [`MovePlayerError`].
    pub async fn move_peer(
        &self,
        room: RoomId,
        peer: PeerId,
        to: impl Into<MoveTarget>,
    ) -> Result<(), MovePlayerError> {
        let (reply, ended) = oneshot::channel();
        let to = to.into();
        self.call(move |host| host.start_move(room, peer, to, reply)).await?;
        ended.await.unwrap_or(Err(MovePlayerError::Ended))
    }

    /// Returns whether another node of the cluster has a room of this name.
    pub(crate) async fn is_elsewhere(&self, room: &RoomName) -> bool {
        let Some(cluster) = self.cluster() else { return false };
        cluster.find(room.clone()).await.is_some_and(|node| node != cluster.node())
    }
}

impl RoomsHost {
    fn start_move(&mut self, from: RoomId, peer: PeerId, target: MoveTarget, reply: MoveReply) {
        let (now, to) = (self.now(), target.room());
        let connection = match self.rooms.start_move(now, from, peer, target) {
            Ok(connection) => connection,
            Err(refusal) => {
                let _ = reply.send(Err(MovePlayerError::Refused(refusal)));
                return;
            }
        };
        let moving = RunningMove { connection, peer, from, to };
        let (Some(source), Some(target)) = (self.branch(from), self.branch(to)) else {
            mp_core::bug!("an open room has no branch");
            return self.end_move(moving, Err(MovePeerError::Interrupted), reply);
        };
        // Before a hook of the room runs for the player.
        let identity = self.rooms.identity_of(connection).cloned();
        if let (Some(identity), Some(identities)) = (identity, self.identities(to)) {
            identities.insert(peer, connection, identity);
        }
        self.changes.mark(to);
        let events = self.events.clone();
        self.tasks.spawn(async move {
            let result = source.move_peer(peer, &target).await;
            let end = move |host: &mut Self| host.end_move(moving, result, reply);
            let _ = events.send(HostEvent::Call(Box::new(end))).await;
        });
    }

    /// Handles that a player has moved, or stays.
    fn end_move(
        &mut self,
        moving: RunningMove,
        result: Result<(), MovePeerError>,
        reply: MoveReply,
    ) {
        let RunningMove { connection, peer, from, to } = moving;
        tracing::debug!(%connection, %peer, %from, %to, ?result, "move ended");
        let (now, has_moved) = (self.now(), result.is_ok());
        let is_connected = self.rooms.end_move(now, connection, has_moved);
        if is_connected && has_moved {
            self.move_count(from, to);
        }
        // The end of a connection that is moving was recorded in the old room.
        let left = [(from, has_moved), (to, !has_moved || !is_connected)];
        for (room, _) in left.into_iter().filter(|&(_, has_left)| has_left) {
            if let Some(identities) = self.identities(room) {
                identities.remove(connection);
            }
        }
        self.changes.mark(from);
        self.changes.mark(to);
        // The caller may not wait any more.
        let _ = reply.send(result.map_err(MovePlayerError::Failed));
    }
}
