//! [`RoundTrips`]: the round-trip times by which a room chooses its next host.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mp_core::PeerId;
use mp_relay::HostSeat;
use mp_scene::BranchBuilder;

use crate::RoomContext;

/// The round-trip times of a room's players, measured when the host has left. Clones are the same
/// times.
#[derive(Clone, Debug, Default)]
pub(super) struct RoundTrips(Arc<Mutex<BTreeMap<PeerId, Duration>>>);

impl RoundTrips {
    pub(super) fn of(&self, peer: PeerId) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&peer).copied()
    }

    /// Requests the times of all players when there is no host. They are known some milliseconds
    /// later.
    pub(super) fn measure_without_host(
        self,
        context: RoomContext,
        room: BranchBuilder,
    ) -> BranchBuilder {
        room.on_peer_disconnected(move |scene, _| {
            let seat = scene.multiplayer().relay_policy::<HostSeat>();
            let players = scene.peers();
            if players.is_empty() || seat.is_none_or(|seat| seat.occupant().is_some()) {
                return;
            }
            let (times, context) = (self.clone(), context.clone());
            actix::spawn(async move {
                let Ok(Some(branch)) = context.rooms().branch(context.id()).await else { return };
                let mut measured = BTreeMap::new();
                for player in players {
                    // Players who leave meanwhile have no statistics.
                    if let Some(peer) = branch.peer(player)
                        && let Ok(stats) = peer.stats().await
                        && let Some(time) = stats.connection.and_then(|it| it.round_trip_time)
                    {
                        measured.insert(player, time);
                    }
                }
                *times.0.lock().unwrap_or_else(PoisonError::into_inner) = measured;
            });
        })
    }
}
