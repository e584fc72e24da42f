//! The whole state of a seat between two turns, for recordings.

use std::collections::BTreeMap;

use bytes::Bytes;
use mp_core::PeerId;
use mp_core::serde::list_of_at_most;
use mp_scene::CheckpointError;
use serde::{Deserialize, Serialize};

use super::HostSeat;
use super::guest::{Guest, GuestState};
use super::succession::{Phase, Succession};
use crate::cache::{CacheState, StateCache};
use crate::ids::{HostIds, HostIdsState, RoomIdsState};
use crate::limits::CHECKPOINT_GUESTS_MAX;

#[derive(Debug, Serialize, Deserialize)]
struct State {
    occupant: Option<PeerId>,
    #[serde(deserialize_with = "list_of_at_most::<_, _, CHECKPOINT_GUESTS_MAX>")]
    guests: Vec<(PeerId, GuestState)>,
    #[serde(deserialize_with = "list_of_at_most::<_, _, CHECKPOINT_GUESTS_MAX>")]
    unannounced: Vec<(u32, PeerId)>,
    ids: HostIdsState,
    room_ids: RoomIdsState,
    joined: u64,
    succession: Option<(Phase, CacheState)>,
}

impl HostSeat {
    pub(super) fn encode_checkpoint(&self) -> Option<Vec<u8>> {
        let succession = self.succession.as_ref();
        let state = State {
            occupant: self.occupant,
            guests: self.guests.iter().map(|(&peer, guest)| (peer, guest.state())).collect(),
            unannounced: self.unannounced.iter().map(|(&id, &peer)| (id, peer)).collect(),
            ids: self.ids.state(),
            room_ids: self.room_ids.state(),
            joined: self.joined,
            succession: succession.map(|it| (it.phase, it.cache.state())),
        };
        postcard::to_stdvec(&state).ok()
    }

    pub(super) fn decode_checkpoint(&mut self, bytes: &[u8]) -> Result<(), CheckpointError> {
        let (state, rest) = postcard::take_from_bytes::<State>(bytes)
            .map_err(|_| CheckpointError("the state of its host is malformed"))?;
        if !rest.is_empty() || state.joined > JOINED_MAX {
            return Err(CheckpointError("the state of its host is impossible"));
        }
        let mut guests = BTreeMap::new();
        for (peer, guest) in state.guests {
            guests.insert(peer, Guest::restore(guest)?);
        }
        let mut viewers: BTreeMap<u32, usize> = BTreeMap::new();
        for id in guests.values().flat_map(Guest::nodes_of_host) {
            *viewers.entry(id).or_default() += 1;
        }
        match (&mut self.succession, state.succession) {
            (Some(Succession { phase, cache, .. }), Some((restored, nodes))) => {
                (*phase, *cache) = (restored, StateCache::restore(nodes)?);
            }
            (None, None) => {}
            _ => return Err(CheckpointError("its host is replaced, or not, when it leaves")),
        }
        let keeps_paths = self.succession.is_some();
        self.ids = HostIds::restore(state.ids, keeps_paths, &viewers)?;
        self.room_ids.restore(state.room_ids);
        self.announced_nodes = guests.values().map(Guest::node_count).sum();
        self.occupant = state.occupant;
        self.unannounced = state.unannounced.into_iter().collect();
        self.joined = state.joined;
        self.guests = guests;
        Ok(())
    }
}

/// Maximum number of guests so far that is restored, far from an overflow.
const JOINED_MAX: u64 = 1 << 48;

/// Returns copies of packets.
pub(super) fn copied(packets: &[Bytes]) -> Vec<Vec<u8>> {
    packets.iter().map(|packet| packet.to_vec()).collect()
}
