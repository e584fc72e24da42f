//! Announces guests to each other, once the host has announced its nodes to the newest one.
//!
//! A Godot server sends a new client its nodes before any other client can send to it. The host is
//! notified of a new guest as late as the other guests, which could announce their own
//! synchronizers below nodes that the new guest does not have yet. Godot refuses such an
//! announcement and never repeats it. So the room sends the host a path after ADD_PEER: packets
//! that the host has sent to the guest by then precede its confirmation.

use mp_core::PeerId;
use mp_scene::{RelayContext, SceneMessage};

use super::HostSeat;

/// Checksum of a node without RPC methods, such as the root of a Godot game.
const NO_METHODS: &[u8; 32] = b"d41d8cd98f00b204e9800998ecf8427e";

impl HostSeat {
    /// Announces a guest to the host, and asks the host to confirm that it has handled it.
    pub(super) fn announce_to_host(
        &mut self,
        cx: &mut RelayContext<'_>,
        host: PeerId,
        guest: PeerId,
    ) {
        cx.send_message(PeerId::SERVER, host, &SceneMessage::AddPeer(guest));
        let id = self.ask_host(cx, host);
        self.unannounced.insert(id, guest);
    }

    /// Sends the host a path, which it confirms after it has handled all packets before it. Returns
    /// the path id.
    pub(super) fn ask_host(&mut self, cx: &mut RelayContext<'_>, host: PeerId) -> u32 {
        let id = self.room_ids.next_path();
        let (checksum, path) = (*NO_METHODS, ".".to_owned());
        cx.send_message(PeerId::SERVER, host, &SceneMessage::SimplifyPath { id, checksum, path });
        id
    }

    /// Handles that the host has confirmed a path id. Returns false if it is not one of
    /// [`announce_to_host`](Self::announce_to_host).
    pub(super) fn confirm_announcement(&mut self, cx: &mut RelayContext<'_>, id: u32) -> bool {
        let Some(guest) = self.unannounced.remove(&id) else { return false };
        self.announce_to_guests(cx, guest);
        true
    }

    /// Announces a guest to the other guests, and these to it. Does nothing if it has left.
    pub(super) fn announce_to_guests(&mut self, cx: &mut RelayContext<'_>, guest: PeerId) {
        let others: Vec<PeerId> = self.announced_guests().collect();
        let Some(state) = self.guests.get_mut(&guest) else { return };
        state.set_announced();
        for other in others {
            cx.send_message(PeerId::SERVER, other, &SceneMessage::AddPeer(guest));
            cx.send_message(PeerId::SERVER, guest, &SceneMessage::AddPeer(other));
        }
    }

    /// Returns the guests that were announced to each other.
    pub(super) fn announced_guests(&self) -> impl Iterator<Item = PeerId> {
        self.guests.iter().filter(|(_, state)| state.is_announced()).map(|(&guest, _)| guest)
    }

    /// Returns whether a guest was announced to the other guests.
    pub(super) fn is_announced(&self, guest: PeerId) -> bool {
        self.guests.get(&guest).is_some_and(|state| state.is_announced())
    }
}
