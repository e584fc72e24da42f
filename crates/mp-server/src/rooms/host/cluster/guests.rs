//! Players of other nodes in rooms of this one.

use mp_cluster::{PlayerTicket, RemoteJoin};
use mp_core::{DisconnectReason, Rejection};
use mp_identity::{AuthRefusal, Role};
use mp_rooms::{Join, JoinRefusal, ListenerConnection, ListenerId, Notice, Removal, RoomName};

use super::{RoomsHost, key_identity};
use crate::cluster::{REDIRECTED, ToNode};

impl RoomsHost {
    /// Lets a player of another node join a room. The decision follows as for players of this node.
    pub(crate) fn guest_joins(&mut self, guest: ListenerConnection, join: RemoteJoin) {
        let room = join.selection.room.clone();
        if let Err(reason) = self.enter_guest(guest, join) {
            if let Some(socket) = self.socket_of(guest.listener) {
                socket.reject(guest, reason);
            }
            self.settle(room);
        }
    }

    fn enter_guest(
        &mut self,
        guest: ListenerConnection,
        join: RemoteJoin,
    ) -> Result<(), DisconnectReason> {
        let RemoteJoin { claimed_id, selection, mut identity, host_key, ticket, .. } = join;
        let now = self.now();
        // A node that repeats a connection is not to be trusted.
        let waits = self.cluster.as_ref().is_some_and(|cluster| cluster.checks.contains(guest));
        if waits || self.rooms.has_place(guest) {
            return Err(DisconnectReason::Refused);
        }
        if let Some(hash) = host_key {
            let is_key = self.rooms.has_host_key_hash(now, &selection, &hash);
            if is_key == Some(false) && (self.is_open || identity.role() == Role::Host) {
                return Err(JoinRefusal::WrongHostKey.disconnect_reason());
            }
            identity = key_identity(is_key);
        }
        let of_seat = match ticket {
            Some(PlayerTicket::Seat(ticket)) => self.rooms.identity_of_seat(ticket),
            _ => None,
        };
        if self.is_banned(of_seat.unwrap_or(&identity)) {
            return Err(DisconnectReason::Rejected(Rejection::from(AuthRefusal::Banned)));
        }
        let room = selection.room.clone();
        self.join_with(Join::new(guest, claimed_id, Ok(selection)), identity, room, ticket);
        Ok(())
    }

    /// Handles that connections of a room that another node had are here. Those without a ticket
    /// of this node receive one.
    pub(crate) fn guests_returned(&mut self, guests: &[(RoomName, ListenerConnection)]) {
        let now = self.now();
        for (room, guest) in guests {
            let identity = self.rooms.identity_of(*guest);
            if identity.is_some_and(|identity| self.is_banned(identity)) {
                // It was banned when no node had the room.
                self.rooms.disconnect(now, *guest, Removal::Banned);
                continue;
            }
            self.report_join(*guest);
            let of = self.rooms.find_by_name(room).zip(self.rooms.peer_of(*guest));
            if let Some((room, peer)) = of.filter(|_| !self.rooms.has_ticket(*guest)) {
                self.offer_resume(room, peer);
            }
        }
    }

    /// Handles the end of a connection of another node.
    pub(crate) fn guest_left(&mut self, guest: ListenerConnection) {
        self.leave(self.now(), guest);
    }

    /// Disconnects the players of an endpoint of another node, which is about to end. They receive
    /// the addresses of other nodes, and the ticket with which they resume their sessions.
    pub(crate) fn redirect_guests(&mut self, listener: ListenerId) {
        for (guest, room) in self.rooms.connections_of(listener) {
            let servers = self.servers_for(guest);
            let peer = self.rooms.peer_of(guest);
            let ticket = peer.and_then(|peer| self.new_ticket(room, guest, peer));
            let notice = match ticket {
                Some((ticket, time)) => Some(Notice::reconnect(&ticket, time, &servers)),
                None => self.notifies(room).then(|| Notice::rejoin(&servers)),
            };
            let notice = notice.map(|notice| notice.packet(guest.connection));
            self.notify_cluster(|| ToNode::Remove { guest, reason: REDIRECTED, notice });
        }
    }
}
