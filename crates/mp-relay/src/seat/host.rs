//! The packets of the host.

use bytes::Bytes;
use mp_core::{Packet, PeerId, Target};
use mp_scene::codec::{DecodeError, Limits, godot};
use mp_scene::{Codec, ConfirmedNode, PacketKind, RelayContext, RelayDecision, SceneMessage};

use super::HostSeat;
use crate::limits::ANNOUNCED_NODES_MAX;

impl HostSeat {
    pub(super) fn receive_from_host(
        &mut self,
        cx: &mut RelayContext<'_>,
        host: PeerId,
        packet: &Packet,
    ) -> RelayDecision {
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
            Ok(SceneMessage::SimplifyPath { id, .. }) => {
                self.ids.add_path(&mut self.room_ids, &mut self.stats, id);
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
                if self.confirm_announcement(cx, id) =>
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
        match Codec::default().kind(inner) {
            Some(PacketKind::Path) => {
                let message = Codec::default().decode(inner, &Limits::default())?;
                if let SceneMessage::SimplifyPath { id, .. } = message {
                    self.ids.add_path(&mut self.room_ids, &mut self.stats, id);
                }
            }
            Some(PacketKind::Spawn) if !self.announce_node(guest, inner)? => return Ok(()),
            Some(PacketKind::Despawn) if !self.has_node(guest, godot::despawn_id(inner)?) => {
                self.stats.unknown_ids += 1;
                return Ok(());
            }
            _ => {}
        }
        if let Some(mapped) = godot::map_ids(inner, &mut self.ids.map(&mut self.stats))? {
            cx.forward(PeerId::SERVER, &[guest], (packet.mode, packet.channel), &mapped);
        }
        if Codec::default().kind(inner) == Some(PacketKind::Despawn) {
            self.withdraw_node(guest, godot::despawn_id(inner)?);
        }
        Ok(())
    }

    /// Records that a node is announced to a guest. Returns false if the SPAWN is dropped.
    fn announce_node(&mut self, guest: PeerId, spawn: &Bytes) -> Result<bool, DecodeError> {
        let (spawner, net_id, synchronizers) = godot::spawn_ids(spawn)?;
        if !self.ids.has_path(spawner) {
            self.stats.unknown_ids += 1;
            return Ok(false);
        }
        let Some(guest) = self.guests.get_mut(&guest) else { return Ok(false) };
        if guest.has_node(net_id) {
            // The guest refuses it.
            return Ok(true);
        }
        if self.announced_nodes >= ANNOUNCED_NODES_MAX
            || !self.ids.add_node(&mut self.room_ids, net_id, &synchronizers)
        {
            self.stats.refused_announcements += 1;
            return Ok(false);
        }
        guest.add_node(net_id);
        self.announced_nodes += 1;
        Ok(true)
    }

    fn has_node(&self, guest: PeerId, net_id: u32) -> bool {
        self.guests.get(&guest).is_some_and(|guest| guest.has_node(net_id))
    }

    fn withdraw_node(&mut self, guest: PeerId, net_id: u32) {
        let was_announced =
            self.guests.get_mut(&guest).is_some_and(|guest| guest.remove_node(net_id));
        if was_announced {
            self.ids.remove_node(net_id);
            self.announced_nodes -= 1;
        }
    }
}
