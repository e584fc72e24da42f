//! The change of hosts: when the host has left, a guest takes its place.
//!
//! | step | packets |
//! |---|---|
//! | the host leaves | none: the game is paused for the grace |
//! | a guest joins meanwhile | the nodes and properties of the cache to it |
//! | a guest is promoted | DEL_PEER of it to the others; to it: DEL_PEER of the others, a path, ADD_PEER of the others and their paths, the message of the game, a path |
//! | it confirms the first path | its packets are those of the host from now on; earlier ones are dropped |
//! | it announces a node again | none, if the guest has the node |
//! | [`TAKE_OVER`] after it has confirmed the second path | DESPAWN of the nodes that it has not announced to a guest |
//!
//! DEL_PEER and ADD_PEER make the new host's `SceneMultiplayer` announce its paths again, and
//! forget those of the others, which they have announced to peer 1.

use bytes::Bytes;
use mp_core::{DisconnectReason, Instant, PeerId, Rejection};
use mp_scene::codec::Limits;
use mp_scene::codec::godot::SpawnIdentity;
use mp_scene::{Codec, ConfirmedNode, RelayContext, SceneMessage};
use serde::{Deserialize, Serialize};

use super::guest::Guest;
use super::{HostSeat, INTERNAL};
use crate::cache::StateCache;
use crate::ids::HostIds;
use crate::limits::TAKE_OVER;
use crate::migration::Migration;

/// The reason with which a guest is rejected that joins without a host, if the room does not know
/// all nodes of the game.
pub const STATE_UNAVAILABLE: Rejection =
    Rejection::new("state_unavailable", "the room has no host, and the game is too large to join");

/// The settings and the state of a room that outlives its host.
#[derive(Debug)]
pub(super) struct Succession {
    pub(super) settings: Migration,
    pub(super) cache: StateCache,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// There is a host, or there was none yet.
    Playing,
    /// The host has left. `None`: the end of the grace is not known yet.
    Paused(Option<Instant>),
    /// There is a state of a game and no host. The next client that can be the host becomes it.
    Waiting {
        /// True if a guest has joined since the last choice.
        is_due: bool,
    },
    /// A guest was promoted, and confirms the path `start` and then `end`.
    Promoted { start: u32, end: u32, has_started: bool },
    /// The new host has received its message. `None`: the end of its [`TAKE_OVER`] is not known
    /// yet.
    TakingOver(Option<Instant>),
}

impl Succession {
    pub(super) fn new(settings: Migration) -> Self {
        Self { settings, cache: StateCache::default(), phase: Phase::Playing }
    }

    /// Handles the end of the session: a state that no client has begun to host stays.
    pub(super) fn clear(&mut self) {
        if let Phase::Waiting { is_due } = &mut self.phase {
            *is_due = false;
        } else {
            self.cache = StateCache::default();
            self.phase = Phase::Playing;
        }
    }

    /// Returns whether the game has no host, but may go on.
    pub(super) fn is_paused(&self) -> bool {
        matches!(self.phase, Phase::Paused(_) | Phase::Waiting { .. })
    }

    /// Returns the end of the grace, or of the time in which the new host takes over.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Paused(end) | Phase::TakingOver(end) => end,
            _ => None,
        }
    }
}

impl HostSeat {
    /// Pauses the game: the host has left.
    pub(super) fn pause(&mut self, cx: &mut RelayContext<'_>) {
        let announced: Vec<PeerId> = self.announced_guests().collect();
        let Some(succession) = &mut self.succession else { return };
        tracing::debug!(guests = self.guests.len(), "the host has left");
        self.occupant = None;
        self.unannounced.clear();
        let has_node = |guest, id| self.guests.get(&guest).is_some_and(|it| it.has_node(id));
        succession.cache.publish(&announced, &self.ids, has_node);
        succession.phase = Phase::Paused(None);
        self.ids = HostIds::with_paths();
        self.guests.values_mut().for_each(Guest::change_host);
        let late = self.guests.iter().filter(|(_, guest)| !guest.is_announced());
        for guest in late.map(|(&guest, _)| guest).collect::<Vec<_>>() {
            self.admit_late(cx, guest);
        }
    }

    /// Gives a guest that has joined without a host the nodes and properties that all guests have.
    pub(super) fn admit_late(&mut self, cx: &mut RelayContext<'_>, guest: PeerId) {
        let Some(succession) = &mut self.succession else { return };
        let Some(state) = self.guests.get_mut(&guest) else { return };
        if let Phase::Waiting { is_due } = &mut succession.phase {
            *is_due = true;
        }
        if succession.cache.is_incomplete() {
            self.stats.rejected_guests += 1;
            return cx.disconnect(guest, DisconnectReason::Rejected(STATE_UNAVAILABLE));
        }
        let time = state.clock_mut().next();
        state.clock_mut().change_host();
        let replay = succession.cache.replay(&mut self.room_ids, time, |id| state.has_node(id));
        for id in &replay.nodes {
            state.add_node_of_room(*id);
        }
        self.announced_nodes += replay.nodes.len();
        self.stats.late_guests += 1;
        self.stats.withheld_nodes += replay.withheld as u64;
        for packet in &replay.packets {
            cx.forward(PeerId::SERVER, &[guest], INTERNAL, packet);
        }
        self.announce_to_guests(cx, guest);
    }

    /// Handles the end of the grace, and of the time in which the new host takes over.
    pub(super) fn process_succession(&mut self, cx: &mut RelayContext<'_>, now: Instant) {
        let Some(Succession { settings, phase, .. }) = &mut self.succession else { return };
        let (end, duration) = match phase {
            Phase::Paused(end) => (end, settings.grace_of()),
            Phase::TakingOver(end) => (end, TAKE_OVER),
            Phase::Waiting { is_due } => {
                if std::mem::take(is_due)
                    && let Some(guest) = self.choose_host()
                {
                    self.promote(cx, guest);
                }
                return;
            }
            _ => return,
        };
        if now < *end.get_or_insert(now + duration) {
            return;
        }
        if self.occupant.is_some() {
            return self.end_take_over(cx);
        }
        match self.choose_host() {
            Some(guest) => self.promote(cx, guest),
            None => self.abandon_game(cx),
        }
    }

    /// Returns the guest that is the next host.
    fn choose_host(&mut self) -> Option<PeerId> {
        let mut guests: Vec<PeerId> = self.announced_guests().collect();
        guests.sort_by_key(|guest| self.guests.get(guest).map(Guest::number));
        self.succession.as_mut()?.settings.choose(&guests)
    }

    /// Makes a guest the host.
    fn promote(&mut self, cx: &mut RelayContext<'_>, host: PeerId) {
        tracing::debug!(peer = %host, "the guest hosts the room");
        let Some(guest) = self.guests.remove(&host) else { return };
        self.announced_nodes -= guest.into_nodes().len();
        self.occupant = Some(host);
        self.stats.hosts += 1;
        self.stats.promotions += 1;
        self.despawn_uncached(cx);
        let others: Vec<PeerId> = self.announced_guests().collect();
        for &other in &others {
            cx.send_message(PeerId::SERVER, other, &SceneMessage::DelPeer(host));
            cx.send_message(PeerId::SERVER, host, &SceneMessage::DelPeer(other));
        }
        let start = self.ask_host(cx, host);
        self.announce_all_to_host(cx, host, &others);
        if let Some(succession) = &self.succession {
            cx.send_message(PeerId::SERVER, host, succession.settings.message());
        }
        let end = self.ask_host(cx, host);
        if let Some(succession) = &mut self.succession {
            succession.cache.change_host();
            succession.phase = Phase::Promoted { start, end, has_started: false };
        }
    }

    /// Announces guests, and the paths that they have announced to peer 1, to a new host.
    pub(super) fn announce_all_to_host(
        &mut self,
        cx: &mut RelayContext<'_>,
        host: PeerId,
        guests: &[PeerId],
    ) {
        let keeps_paths = self.succession.is_some();
        for &guest in guests {
            cx.send_message(PeerId::SERVER, host, &SceneMessage::AddPeer(guest));
            let Some(state) = self.guests.get_mut(&guest) else { continue };
            for path in state.paths() {
                cx.forward(guest, &[host], INTERNAL, path);
            }
            if !keeps_paths {
                state.forget_paths();
            }
        }
    }

    /// Removes the nodes from the guests that the cache does not know: a new host's announcement
    /// could not be matched with them.
    fn despawn_uncached(&mut self, cx: &mut RelayContext<'_>) {
        let Some(Succession { cache, .. }) = &self.succession else { return };
        let mut gone = Vec::new();
        for (&guest, state) in &self.guests {
            let nodes = state.nodes_of_others().into_iter();
            gone.extend(nodes.filter(|&id| !cache.has_node(id)).map(|id| (guest, id)));
        }
        self.despawn(cx, gone);
    }

    /// Removes nodes from guests, the newest first.
    fn despawn(&mut self, cx: &mut RelayContext<'_>, mut nodes: Vec<(PeerId, u32)>) {
        if let Some(Succession { cache, .. }) = &self.succession {
            nodes.sort_by_key(|&(_, id)| std::cmp::Reverse(cache.order(id)));
        }
        for (guest, id) in nodes {
            let Some(state) = self.guests.get_mut(&guest) else { continue };
            if let Some(is_of_host) = state.remove_node(id) {
                self.stats.lost_nodes += 1;
                cx.send_message(PeerId::SERVER, guest, &SceneMessage::Despawn(id));
                self.forget_node(id, is_of_host);
            }
        }
    }

    /// Returns whether the occupant has sent a packet before it was the host.
    pub(super) fn is_outdated(&self, packet: &Bytes) -> bool {
        let Some(Succession { phase: Phase::Promoted { start, has_started: false, .. }, .. }) =
            self.succession
        else {
            return false;
        };
        match Codec::default().decode(packet, &Limits::default()) {
            Ok(SceneMessage::ConfirmPath { node: ConfirmedNode::Id(id), .. }) => id != start,
            _ => true,
        }
    }

    /// Handles that a promoted guest has confirmed a path id. Returns false if it is not one of its
    /// promotion.
    pub(super) fn confirm_promotion(&mut self, confirmed: u32) -> bool {
        let Some(Succession { phase, .. }) = &mut self.succession else { return false };
        let Phase::Promoted { start, end, has_started } = phase else { return false };
        if confirmed == *start {
            *has_started = true;
            return true;
        }
        if confirmed != *end {
            return false;
        }
        *phase = Phase::TakingOver(None);
        true
    }

    /// Removes the nodes that the new host has not announced from the guests.
    fn end_take_over(&mut self, cx: &mut RelayContext<'_>) {
        let mut gone = Vec::new();
        for (&guest, state) in &self.guests {
            gone.extend(state.nodes_of_others().into_iter().map(|id| (guest, id)));
        }
        self.despawn(cx, gone);
        if let Some(Succession { cache, phase, .. }) = &mut self.succession {
            *phase = Phase::Playing;
            cache.retain(|id| self.ids.has_node(id));
        }
    }

    /// Returns the net ids of an earlier host's node, and of its synchronizers, that a new host
    /// announces again. Another node with its name is removed from all guests.
    pub(super) fn find_earlier_node(
        &mut self,
        cx: &mut RelayContext<'_>,
        spawner: u32,
        identity: &SpawnIdentity,
        synchronizers: usize,
    ) -> Option<(u32, Vec<u32>)> {
        let cache = &self.succession.as_ref()?.cache;
        let (id, known) = cache.find(self.ids.announced(spawner)?.path(), &identity.name)?;
        if self.ids.has_node(id) {
            return None;
        }
        if known.len() == synchronizers && cache.is_from(id, &identity.source) {
            return Some((id, known.to_vec()));
        }
        let owners = self.guests.iter().filter(|(_, guest)| guest.has_node(id));
        let owners: Vec<_> = owners.map(|(&guest, _)| (guest, id)).collect();
        self.despawn(cx, owners);
        self.succession.as_mut()?.cache.remove(id);
        None
    }
}
