//! Nodes and traffic of rooms, and the controls of a recording that a room shows.

use std::time::Duration;

use mp_record::{WatchControl, WatchSeat};
use mp_rooms::RoomId;
use mp_scene::{Inspection, Scene, TrafficReport, TrafficViewer};

use super::handle::{RoomsHandle, ServerEnded};

/// A copy of what a room contains and has sent and received.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoomInspection {
    pub(crate) nodes: Inspection,
    /// `None` while the room has no viewer.
    pub(crate) traffic: Option<TrafficReport>,
}

impl RoomsHandle {
    /// Starts to count the traffic of a room by method, node and property, until the viewer is
    /// dropped. `None` if there is no such open room, or if it has not responded within 5 s.
    pub(crate) async fn view_traffic(
        &self,
        room: RoomId,
    ) -> Result<Option<TrafficViewer>, ServerEnded> {
        self.ask_room(room, |scene| scene.multiplayer_mut().view_traffic()).await
    }

    /// Returns a copy of at most `nodes_max` nodes of a room, and of its traffic. `None` as in
    /// [`view_traffic`](Self::view_traffic).
    pub(crate) async fn inspect(
        &self,
        room: RoomId,
        nodes_max: usize,
    ) -> Result<Option<RoomInspection>, ServerEnded> {
        let inspect = move |scene: &mut Scene| RoomInspection {
            nodes: scene.inspect(nodes_max),
            traffic: scene.multiplayer().traffic(),
        };
        self.ask_room(room, inspect).await
    }

    /// Returns the controls of the recording that a room shows, if it does. The outer `None` as in
    /// [`view_traffic`](Self::view_traffic).
    pub(crate) async fn watch_control(
        &self,
        room: RoomId,
    ) -> Result<Option<Option<WatchControl>>, ServerEnded> {
        let control = |scene: &mut Scene| {
            let seat = scene.multiplayer().relay_policy::<WatchSeat>();
            seat.map(|seat| seat.control().clone())
        };
        self.ask_room(room, control).await
    }

    /// Runs a function on the thread of a room, and waits for its result.
    async fn ask_room<R: Send + 'static>(
        &self,
        room: RoomId,
        ask: impl FnOnce(&mut Scene) -> R + Send + 'static,
    ) -> Result<Option<R>, ServerEnded> {
        let Some(branch) = self.branch(room).await? else { return Ok(None) };
        let asked = tokio::time::timeout(ROOM_TIMEOUT, branch.with(ask)).await;
        Ok(asked.ok().and_then(Result::ok))
    }
}

/// Time that a room has to respond.
const ROOM_TIMEOUT: Duration = Duration::from_secs(5);
