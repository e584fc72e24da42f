//! Reasons and announcements for the players of rooms.

use std::time::Duration;

use mp_actor::BranchRef;
use mp_core::{Channel, PeerId, Target, TransferMode};
use mp_rooms::{Notice, NoticeText, RoomId};
use mp_scene::Scene;
use tokio::task::JoinSet;

use super::handle::{RoomsHandle, ServerEnded};
use super::host::RoomsHost;

/// The players that an announcement was sent to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announced {
    /// Rooms that have sent it, also those without players.
    pub rooms: usize,
    /// Players of these rooms.
    pub players: usize,
}

impl RoomsHandle {
    /// Disconnects a player of a room, as [`kick`](Self::kick) does. If the room's template has
    /// [`notify`](mp_rooms::Template::notify), the player receives `text` before, with the code
    /// `kicked`. Returns false if there is no such player.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn kick_with_reason(
        &self,
        room: RoomId,
        peer: PeerId,
        text: NoticeText,
    ) -> Result<bool, ServerEnded> {
        self.call(move |host| host.kick(room, peer, Some(text))).await
    }

    /// Sends a text to the players of a room, as a raw packet with the code `announcement`
    /// ([`Notice`]). Returns their number; `None` if there is no such open room, if its template
    /// does not have [`notify`](mp_rooms::Template::notify), or if the room has not responded
    /// within 5 s.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn announce(
        &self,
        room: RoomId,
        text: &NoticeText,
    ) -> Result<Option<usize>, ServerEnded> {
        let branch = self.call(move |host| host.notified_branch(room)).await?;
        let Some(branch) = branch else { return Ok(None) };
        Ok(send(branch, Notice::announcement(text)).await)
    }

    /// Sends a text to the players of all rooms whose templates have
    /// [`notify`](mp_rooms::Template::notify), as [`announce`](Self::announce) does.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn announce_to_all(&self, text: &NoticeText) -> Result<Announced, ServerEnded> {
        self.send_to_all(Notice::announcement(text)).await
    }

    /// Starts to announce that the rooms are closed after a time.
    pub(super) fn announce_drain(&self, close_after: Duration) {
        let handle = self.clone();
        self.tasks.spawn(async move {
            let notice = Notice::draining(close_after);
            if let Ok(Announced { rooms, players }) = handle.send_to_all(notice).await
                && players > 0
            {
                tracing::info!(rooms, players, "players were notified of the shutdown");
            }
        });
    }

    /// Sends a notice to the players of all rooms that have notices.
    async fn send_to_all(&self, notice: Notice) -> Result<Announced, ServerEnded> {
        let mut sending = JoinSet::new();
        for branch in self.call(|host| host.notified_branches()).await? {
            sending.spawn(send(branch, notice.clone()));
        }
        let mut announced = Announced::default();
        for players in sending.join_all().await.into_iter().flatten() {
            announced.rooms += 1;
            announced.players += players;
        }
        Ok(announced)
    }
}

impl RoomsHost {
    /// Returns the branch of an open room whose players receive notices.
    fn notified_branch(&self, room: RoomId) -> Option<BranchRef> {
        self.branch(room).filter(|_| self.notifies(room))
    }

    fn notified_branches(&self) -> Vec<BranchRef> {
        self.rooms.list().filter_map(|room| self.notified_branch(room.id)).collect()
    }
}

/// Sends a notice to the players of a room. Returns their number; `None` if the room has ended, or
/// has not responded in time, in which case it sends the notice later.
async fn send(branch: BranchRef, notice: Notice) -> Option<usize> {
    let sent = branch.with(move |scene| send_to_players(scene, &notice));
    tokio::time::timeout(ROOM_TIMEOUT, sent).await.ok()?.ok()
}

fn send_to_players(scene: &mut Scene, notice: &Notice) -> usize {
    let players = scene.peers().len();
    let (all, mode) = (Target::All, TransferMode::Reliable);
    match players > 0 && scene.send_bytes(notice.data(), all, mode, Channel(0)).is_ok() {
        true => players,
        false => 0,
    }
}

/// Time that a room has to send a notice.
const ROOM_TIMEOUT: Duration = Duration::from_secs(5);
