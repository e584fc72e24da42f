//! The orderly end of a server.

use std::time::Duration;

use super::{RoomsHandle, ServerEnded};
use crate::rooms::host::{Load, RoomsHost};

impl RoomsHandle {
    /// Returns whether the server refuses all players because it is about to end.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn is_draining(&self) -> Result<bool, ServerEnded> {
        self.call(|host| host.rooms.is_draining()).await
    }

    /// Ends the server in order: refuses new players, waits up to `timeout` until the others have
    /// left, closes the rooms, which deliver what they have sent before, and closes the endpoints.
    /// Logs its progress. Rooms can read the time that is left
    /// ([`RoomContext::drain_deadline`](crate::RoomContext::drain_deadline)); the players of rooms
    /// with [`notify`](mp_rooms::Template::notify) receive it
    /// ([`Notice::draining`](mp_rooms::Notice)).
    pub async fn drain(&self, timeout: Duration) {
        if self.call(move |host| host.drain(timeout)).await.is_ok() {
            if !timeout.is_zero() {
                self.announce_drain(timeout);
                let _ = tokio::time::timeout(timeout, self.until_empty()).await;
            }
            let mut load = self.load.clone();
            let _ = self.call(RoomsHost::redirect_players).await;
            let redirected = load.wait_for(|load| load.elsewhere == 0);
            let _ = tokio::time::timeout(REDIRECT_TIMEOUT, redirected).await;
            let _ = self.call(RoomsHost::close_rooms).await;
            let closed = load.wait_for(|load| load.rooms == 0);
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, closed).await;
        }
        let endpoints = self.call(|host| host.endpoints()).await.unwrap_or_default();
        let closing = endpoints
            .into_iter()
            .map(|endpoint| self.tasks.spawn(async move { endpoint.close().await }));
        for closed in closing.collect::<Vec<_>>() {
            let _ = closed.await;
        }
        self.tasks.close();
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.tasks.wait()).await;
        self.stop.cancel();
        self.events.closed().await;
    }

    /// Waits until no player is left, nor a seat that a node of a cluster may move, and logs how
    /// many players are.
    async fn until_empty(&self) {
        let mut load = self.load.clone();
        loop {
            let Load { rooms, players, seats, elsewhere } = *load.borrow_and_update();
            if players + seats + elsewhere == 0 {
                return;
            }
            tracing::info!(rooms, players, elsewhere, "waiting for players to leave");
            let empty = load.wait_for(|load| load.players + load.seats + load.elsewhere == 0);
            if let Ok(empty_or_ended) = tokio::time::timeout(PROGRESS_INTERVAL, empty).await {
                return drop(empty_or_ended);
            }
        }
    }
}

/// Time between log lines while players leave.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum time in which other nodes of a cluster disconnect the players of this one.
const REDIRECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum time in which rooms close: that of branches, and one more second.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(mp_actor::limits::CLOSE_TIMEOUT.as_secs() + 1);
