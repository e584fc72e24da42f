//! The state of a game without a host: kept, and restored.

use mp_core::{DisconnectReason, PeerId};
use mp_scene::{RelayContext, Snapshot, SnapshotContent, SnapshotError};

use super::succession::{Phase, Succession};
use super::{HOST_LEFT, HostSeat};
use crate::cache::{STATE_VERSION, StateCache};

impl HostSeat {
    /// Returns the state that a guest would receive that joins without a host; `None` if there is
    /// none, or it exceeds the limit.
    pub(super) fn state(&mut self) -> Option<Snapshot> {
        let guests: Vec<PeerId> = self.announced_guests().collect();
        let Succession { cache, phase, .. } = self.succession.as_mut()?;
        let has_host = self.occupant.is_some();
        if has_host && !guests.is_empty() {
            let has_node = |guest, id| self.guests.get(&guest).is_some_and(|it| it.has_node(id));
            cache.publish(&guests, &self.ids, has_node);
        } else if has_host && *phase == Phase::Playing {
            return None;
        }
        Snapshot::new(SnapshotContent::HostedGame, STATE_VERSION, cache.encode()?).ok()
    }

    /// Restores a state. The next client that can be the host becomes it.
    pub(super) fn restore_state(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let other = SnapshotError::OtherContent(snapshot.content());
        let Some(Succession { cache, phase, .. }) = &mut self.succession else { return Err(other) };
        if snapshot.content() != SnapshotContent::HostedGame {
            return Err(other);
        }
        if snapshot.version() != STATE_VERSION {
            let (found, supported) = (snapshot.version(), STATE_VERSION);
            return Err(SnapshotError::UnknownVersion { found, supported });
        }
        *cache = StateCache::decode(snapshot.state(), &mut self.room_ids)?;
        *phase = Phase::Waiting { is_due: false };
        self.stats.restored_games += 1;
        Ok(())
    }

    /// Ends the game of the guests, of whom none can be the host. Its state is kept if the settings
    /// say so.
    pub(super) fn abandon_game(&mut self, cx: &mut RelayContext<'_>) {
        let keeps = self.succession.as_ref().is_some_and(|it| it.settings.keeps_state());
        let Some(snapshot) = keeps.then(|| self.state()).flatten() else {
            return self.end_game(cx);
        };
        tracing::debug!(bytes = snapshot.state().len(), "the state of the game is kept");
        for &guest in self.guests.keys() {
            cx.disconnect(guest, DisconnectReason::Rejected(HOST_LEFT));
        }
        self.stats.kept_games += 1;
        self.wait_for_host();
        if let Some(Succession { settings, .. }) = &mut self.succession {
            settings.save(snapshot);
        }
    }

    /// Returns whether a game is kept whose new host has not announced its nodes yet.
    pub(super) fn is_taking_over(&self) -> bool {
        self.succession.as_ref().is_some_and(|Succession { settings, phase, .. }| {
            settings.keeps_state() && matches!(phase, Phase::Promoted { .. } | Phase::TakingOver(_))
        })
    }

    /// Forgets all players, and keeps the state for the next host.
    pub(super) fn wait_for_host(&mut self) {
        self.forget_players();
        if let Some(Succession { phase, .. }) = &mut self.succession {
            *phase = Phase::Waiting { is_due: false };
        }
    }
}
