//! The packets of the host.

use bytes::Bytes;
use mp_core::{Packet, PeerId, Target};
use mp_scene::codec::{DecodeError, Limits, godot};
use mp_scene::{Codec, ConfirmedNode, PacketKind, RelayContext, RelayDecision, SceneMessage};

use super::HostSeat;
use super::succession::Succession;
use crate::ids::AnnouncedPath;
use crate::limits::ANNOUNCED_NODES_MAX;

/// The result of a SPAWN for a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announcement {
    /// The guest receives it.
    New,
    /// The guest has the node from an earlier host.
    Kept,
    Dropped,
}

impl HostSeat {
    pub(super) fn receive_from_host(
        &mut self,
        cx: &mut RelayContext<'_>,
        host: PeerId,
        packet: &Packet,
    ) -> RelayDecision {
        if self.is_outdated(&packet.payload) {
            self.stats.outdated_packets += 1;
            return RelayDecision::Handled;
        }
        if Codec::default().kind(&packet.payload) != Some(PacketKind::Relay) {
            return self.receive_for_room(cx, host, &packet.payload, || RelayDecision::Pass);
        }
        let message = Codec::default().decode(&packet.payload, &Limits::default());
        let Ok(SceneMessage::Relay { peer, inner }) = message else {
            return RelayDecision::Malformed;
        };
        let kind = Codec::default().kind(&inner);
        if matches!(kind, None | Some(PacketKind::Auth | PacketKind::Sys | PacketKind::Relay)) {
            return RelayDecision::Malformed;
        }
        let target = Target::from_raw(peer);
        match target {
            Target::Peer(guest) if self.guests.contains_key(&guest) => {
                if self.forward_to_guest(cx, guest, packet, &inner).is_err() {
                    return RelayDecision::Malformed;
                }
            }
            // As in Godot, a client that sends to itself gets the packet back.
            Target::Peer(peer) if peer == host => {
                cx.forward(host, &[host], (packet.mode, packet.channel), &inner);
            }
            Target::Peer(_) => self.stats.stray_packets += 1,
            Target::All | Target::AllExcept(_) => {
                let guests = self.guests.keys().copied();
                let guests: Vec<_> = guests.filter(|&guest| target.includes(guest)).collect();
                for guest in guests {
                    if self.forward_to_guest(cx, guest, packet, &inner).is_err() {
                        return RelayDecision::Malformed;
                    }
                }
                if target.includes(PeerId::SERVER) {
                    let content = inner.clone();
                    let to_program = || RelayDecision::Inner(content);
                    return self.receive_for_room(cx, host, &inner, to_program);
                }
            }
        }
        RelayDecision::Handled
    }

    /// Handles a packet of the host for peer 1, which is the room itself: the copy of what the host
    /// sends to all peers. `to_program` is the decision for bytes of the program.
    fn receive_for_room(
        &mut self,
        cx: &mut RelayContext<'_>,
        host: PeerId,
        packet: &Bytes,
        to_program: impl FnOnce() -> RelayDecision,
    ) -> RelayDecision {
        match Codec::default().kind(packet) {
            Some(PacketKind::Raw) => return to_program(),
            Some(PacketKind::Path) => {}
            _ => return RelayDecision::Handled,
        }
        match Codec::default().decode(packet, &Limits::default()) {
            Ok(SceneMessage::SimplifyPath { id, checksum, path }) => {
                let path = AnnouncedPath::new(path, checksum);
                self.ids.add_path(&mut self.room_ids, &mut self.stats, id, path);
                // Without the confirmation the host would send the path in each call to all.
                let (node, checksum_ok) = (ConfirmedNode::Id(id), true);
                cx.send_message(
                    PeerId::SERVER,
                    host,
                    &SceneMessage::ConfirmPath { node, checksum_ok },
                );
                RelayDecision::Handled
            }
            Ok(SceneMessage::ConfirmPath { node: ConfirmedNode::Id(id), .. })
                if self.confirm_announcement(cx, id) || self.confirm_promotion(id) =>
            {
                RelayDecision::Handled
            }
            // The branch itself announces paths, with which it probes silent connections.
            Ok(_) => RelayDecision::Pass,
            Err(_) => RelayDecision::Malformed,
        }
    }

    /// Forwards a packet of the host to a guest as a packet of peer 1, with the room's ids.
    fn forward_to_guest(
        &mut self,
        cx: &mut RelayContext<'_>,
        guest: PeerId,
        packet: &Packet,
        inner: &Bytes,
    ) -> Result<(), DecodeError> {
        let kind = Codec::default().kind(inner);
        let mut is_kept = false;
        match kind {
            Some(PacketKind::Path) => {
                let message = Codec::default().decode(inner, &Limits::default())?;
                if let SceneMessage::SimplifyPath { id, checksum, path } = message {
                    let path = AnnouncedPath::new(path, checksum);
                    self.ids.add_path(&mut self.room_ids, &mut self.stats, id, path);
                    self.ids.add_receiver(id, guest);
                }
            }
            Some(PacketKind::Spawn) => match self.announce_node(cx, guest, inner)? {
                Announcement::New => {}
                Announcement::Kept => is_kept = true,
                Announcement::Dropped => return Ok(()),
            },
            Some(PacketKind::Despawn) if !self.has_node(guest, godot::despawn_id(inner)?) => {
                self.stats.unknown_ids += 1;
                return Ok(());
            }
            _ => {}
        }
        let Some(state) = self.guests.get_mut(&guest) else { return Ok(()) };
        let mut ids = self.ids.map(&mut self.stats, state.clock_mut());
        if let Some(mapped) = godot::map_ids(inner, &mut ids)? {
            self.record(kind, &mapped);
            if !is_kept {
                cx.forward(PeerId::SERVER, &[guest], (packet.mode, packet.channel), &mapped);
            }
        }
        if kind == Some(PacketKind::Despawn) {
            self.withdraw_node(guest, godot::despawn_id(inner)?);
        }
        Ok(())
    }

    /// Records a packet for a guest in the cache.
    fn record(&mut self, kind: Option<PacketKind>, mapped: &Bytes) {
        let Some(Succession { cache, .. }) = &mut self.succession else { return };
        match kind {
            Some(PacketKind::Spawn) => {
                if let Ok((_, id, _)) = godot::spawn_ids(mapped) {
                    cache.record_spawn(id, mapped);
                }
            }
            Some(PacketKind::Sync) => cache.record_sync(mapped, &self.ids),
            Some(PacketKind::Delta) => cache.record_delta(mapped, &self.ids),
            _ => {}
        }
    }

    /// Records that a node is announced to a guest.
    fn announce_node(
        &mut self,
        cx: &mut RelayContext<'_>,
        guest: PeerId,
        spawn: &Bytes,
    ) -> Result<Announcement, DecodeError> {
        let (spawner, net_id, synchronizers) = godot::spawn_ids(spawn)?;
        if !self.ids.has_path(spawner) {
            self.stats.unknown_ids += 1;
            return Ok(Announcement::Dropped);
        }
        let known = self.ids.node(net_id);
        let Some(state) = self.guests.get(&guest) else { return Ok(Announcement::Dropped) };
        if known.is_some_and(|id| state.has_node_of_host(id)) {
            // The guest refuses it.
            return Ok(Announcement::New);
        }
        let identity = match self.succession {
            Some(_) if known.is_none() => Some(godot::spawn_identity(spawn)?),
            _ => None,
        };
        let earlier = identity.as_ref().and_then(|identity| {
            self.find_earlier_node(cx, spawner, identity, synchronizers.len())
        });
        let earlier = earlier.as_ref().map(|(id, synchronizers)| (*id, &synchronizers[..]));
        let added = (self.announced_nodes < ANNOUNCED_NODES_MAX)
            .then(|| self.ids.add_node(&mut self.room_ids, net_id, &synchronizers, earlier));
        let Some(id) = added.flatten() else {
            self.stats.refused_announcements += 1;
            return Ok(Announcement::Dropped);
        };
        if let (Some(identity), Some(Succession { cache, .. })) = (identity, &mut self.succession) {
            match self.ids.announced(spawner) {
                Some(path) => {
                    let synchronizers = self.ids.synchronizers(&synchronizers);
                    cache.insert(id, path.clone(), &identity, synchronizers);
                }
                None => cache.set_incomplete(),
            }
        }
        let Some(state) = self.guests.get_mut(&guest) else { return Ok(Announcement::Dropped) };
        if state.add_node(id) {
            self.stats.kept_nodes += 1;
            return Ok(Announcement::Kept);
        }
        self.announced_nodes += 1;
        Ok(Announcement::New)
    }

    fn has_node(&self, guest: PeerId, net_id: u32) -> bool {
        let id = self.ids.node(net_id);
        id.is_some_and(|id| self.guests.get(&guest).is_some_and(|guest| guest.has_node(id)))
    }

    fn withdraw_node(&mut self, guest: PeerId, net_id: u32) {
        let Some(id) = self.ids.node(net_id) else { return };
        let removed = self.guests.get_mut(&guest).and_then(|guest| guest.remove_node(id));
        if let Some(is_of_host) = removed {
            self.forget_node(id, is_of_host);
        }
    }

    /// Forgets that a guest has a node, which the present host has announced or another.
    pub(super) fn forget_node(&mut self, id: u32, is_of_host: bool) {
        self.announced_nodes -= 1;
        if is_of_host
            && self.ids.remove_node(&mut self.stats, id)
            && let Some(Succession { cache, .. }) = &mut self.succession
        {
            cache.remove(id);
        }
    }
}
