//! Players who resume their session after their connection was lost.

use std::time::Duration;

use mp_core::{Channel, PeerId, Rng, TransferMode};
use mp_rooms::{ListenerConnection, Notice, ResumeTicket, RoomId, Ticket};

use super::RoomsHost;
use crate::rooms::handle::RoomsHandle;

impl RoomsHandle {
    /// Starts to send a player of a room a ticket with which it can resume its session. To be
    /// called by the room, when the player has joined or resumed.
    pub(in crate::rooms) fn offer_resume(&self, room: RoomId, peer: PeerId) {
        let handle = self.clone();
        actix::spawn(async move {
            // Fails if the server ends.
            let _ = handle.call(move |host| host.offer_resume(room, peer)).await;
        });
    }

    /// Records that the branch of a room cannot keep players.
    pub(in crate::rooms) fn disable_resume(&self, room: RoomId) {
        let handle = self.clone();
        actix::spawn(async move {
            // Fails if the server ends.
            let _ = handle.call(move |host| host.rooms.set_resume(room, None)).await;
        });
    }
}

impl RoomsHost {
    /// Sends a player of a room a ticket, in place of an earlier one.
    pub(super) fn offer_resume(&mut self, room: RoomId, peer: PeerId) {
        let Some(connection) = self.rooms.connection_of(room, peer) else { return };
        let Some(branch) = self.branch(room) else { return };
        let Some((ticket, time)) = self.new_ticket(room, connection, peer) else { return };
        let servers = self.servers_for(connection);
        let notice = Notice::resume(&ticket, time, &servers);
        self.tasks.spawn(async move {
            let send = move |scene: &mut mp_scene::Scene| {
                let (mode, channel) = (TransferMode::Reliable, Channel(0));
                // Fails if the player has left.
                let _ = scene.send_bytes(notice.data(), peer, mode, channel);
            };
            let _ = branch.with(send).await;
        });
    }

    /// Replaces the ticket of a player. Returns it, and the time for which its place is kept;
    /// `None` if the room keeps no places.
    pub(super) fn new_ticket(
        &mut self,
        room: RoomId,
        connection: ListenerConnection,
        peer: PeerId,
    ) -> Option<(ResumeTicket, Duration)> {
        let ticket = self.draw_ticket(peer)?;
        let time = self.rooms.offer_resume(room, connection, ticket.hash())?;
        Some((ticket, time))
    }

    /// Draws a ticket; `None` if the operating system provides no random numbers.
    pub(in crate::rooms) fn draw_ticket(&mut self, peer: PeerId) -> Option<ResumeTicket> {
        self.draw_secret().map(|secret| ResumeTicket::new(secret, peer))
    }

    /// Draws the secret of a ticket; `None` as [`draw_ticket`](Self::draw_ticket).
    pub(in crate::rooms) fn draw_secret(&mut self) -> Option<Ticket> {
        if self.ticket_rng.is_none() {
            let seed = mp_core::host::os_seed();
            let seed = seed.inspect_err(|error| tracing::error!(%error, "no random numbers"));
            self.ticket_rng = Some(Rng::from_seed(seed.ok()?));
        }
        self.ticket_rng.as_mut().map(Ticket::random)
    }

    /// Handles that a player whose place was kept has left.
    pub(super) fn end_keep(&mut self, room: RoomId, connection: ListenerConnection, peer: PeerId) {
        self.changes.mark(room);
        self.left(room, connection);
        if let Some(branch) = self.branch(room) {
            self.tasks.spawn(async move {
                // Fails if the room ends.
                let _ = branch.with(move |scene| scene.multiplayer_mut().end_keep(peer)).await;
            });
        }
    }
}
