//! Peers that are not sent anything for a while, because they are loading a level, say.

use std::collections::VecDeque;

use bytes::Bytes;
use mp_core::{DisconnectReason, PeerId, Prefix};

use super::send::Travel;
use super::{Route, SceneMultiplayer};
use crate::limits::{PAUSED_BYTES_MAX, PAUSED_PACKETS_MAX};

/// What waits for a peer that is paused. Only reliable packets do; bounds: [`PAUSED_PACKETS_MAX`] and [`PAUSED_BYTES_MAX`], beyond which the
/// peer is disconnected.
#[derive(Debug, Default)]
pub(super) struct Paused {
    packets: VecDeque<(Travel, Prefix, Bytes)>,
    bytes: usize,
    /// Number of packets in front of the last call.
    call: Option<usize>,
}

impl Paused {
    /// Packets that are queued.
    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Notes that the packet after those that are queued now is a call.
    pub(super) fn note_call(&mut self) {
        self.call = Some(self.packets.len());
    }
}

impl SceneMultiplayer {
    /// Sends `peer` nothing until it is [resumed](Self::resume_peer): calls, announcements and raw packets that are reliable wait for it,
    /// unreliable ones are dropped and counted, and properties are skipped. When more than 8 MiB or 16,384 packets wait, the peer is
    /// disconnected. One that is unknown or paused already is left as it is.
    ///
    /// Its answers go on to arrive, so that it can say when it has loaded.
    pub fn pause_peer(&mut self, peer: PeerId) {
        if self.peers.contains(peer) {
            self.paused.entry(peer).or_default();
        }
    }

    /// Sends `peer` what waited for it, and from the next tick on properties as they are then.
    pub fn resume_peer(&mut self, peer: PeerId) {
        let Some(paused) = self.paused.remove(&peer) else { return };
        for (travel, prefix, payload) in paused.packets {
            self.send_to(peer, travel, prefix, payload);
        }
    }

    /// Whether `peer` is paused.
    pub fn is_paused(&self, peer: PeerId) -> bool {
        self.paused.contains_key(&peer)
    }

    /// Keeps a packet for a peer when it is paused; whether it is.
    pub(super) fn hold_for_paused(
        &mut self,
        peer: PeerId,
        travel: Travel,
        prefix: Prefix,
        payload: &Bytes,
    ) -> bool {
        let Some(paused) = self.paused.get_mut(&peer) else { return false };
        if !travel.mode.is_reliable() {
            self.stats.paused_drops += 1;
            return true;
        }
        paused.bytes += payload.len();
        let packet = (travel, prefix, payload.clone());
        match &mut paused.call {
            Some(call) if self.in_front_of_calls => {
                paused.packets.insert(*call, packet);
                *call += 1;
            }
            _ => paused.packets.push_back(packet),
        }
        if paused.packets.len() > PAUSED_PACKETS_MAX || paused.bytes > PAUSED_BYTES_MAX {
            tracing::debug!(%peer, "too much waits for a paused peer");
            self.paused.remove(&peer);
            if let Some(Route::Link(endpoint, connection)) = self.peers.route(peer) {
                self.disconnect(endpoint, connection, DisconnectReason::QueueFull);
            }
        }
        true
    }
}
