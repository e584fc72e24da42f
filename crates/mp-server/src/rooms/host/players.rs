//! Players of the rooms: admitted, moved, disconnected.

use std::time::Duration;

use mp_actor::SharedEndpoint;
use mp_core::{ConnectionId, Instant, PeerId};
use mp_rooms::{
    JoinDecision, JoinRefusal, ListenerConnection, Notice, NoticeText, Removal, RoomId,
};

use super::RoomsHost;
use super::cluster::socket_of;
use crate::bans::BanTarget;
use crate::rooms::identities::Identities;

/// Numbers of players that joined and left since the last report.
#[derive(Default)]
pub(super) struct Traffic {
    joined: u64,
    left: u64,
    /// Time of the next report, if there is something to report.
    pub(super) due: Option<Instant>,
    reported: Option<Instant>,
}

impl Traffic {
    /// Schedules a report if there is something to report: at once, or [`REPORT_INTERVAL`] after
    /// the last one.
    pub(super) fn schedule(&mut self, now: Instant) {
        if self.joined + self.left > 0 && self.due.is_none() {
            let earliest = self.reported.map(|at| at + REPORT_INTERVAL);
            self.due = Some(earliest.map_or(now, |earliest| earliest.max(now)));
        }
    }
}

impl RoomsHost {
    /// Returns the endpoint and the connection of a player.
    pub(in crate::rooms) fn connection_of(
        &self,
        room: RoomId,
        peer: PeerId,
    ) -> Option<(SharedEndpoint, ConnectionId)> {
        let of = self.rooms.connection_of(room, peer)?;
        let listening = self.listeners.get(&of.listener)?;
        Some((listening.endpoint.clone(), of.connection))
    }

    /// Returns the identities of a room's players.
    pub(in crate::rooms) fn identities(&self, room: RoomId) -> Option<&Identities> {
        self.shared.get(&room).map(|shared| &shared.identities)
    }

    /// Counts that a player has moved from one room to another.
    pub(in crate::rooms) fn move_count(&mut self, from: RoomId, to: RoomId) {
        if let Some(running) = self.running.get_mut(&from) {
            running.players -= 1;
            self.placement.left(running.thread, 1);
        }
        if let Some(running) = self.running.get_mut(&to) {
            running.players += 1;
            self.placement.joined(running.thread);
        }
    }

    /// Records that a player has left a room.
    pub(super) fn left(&mut self, room: RoomId, connection: ListenerConnection) {
        self.traffic.left += 1;
        if let Some(shared) = self.shared.get(&room) {
            shared.identities.remove(connection);
        }
        if let Some(running) = self.running.get_mut(&room) {
            running.players -= 1;
            self.placement.left(running.thread, 1);
        }
        self.notify_changed(room);
    }

    /// Returns whether the players of a room receive notices.
    pub(in crate::rooms) fn notifies(&self, room: RoomId) -> bool {
        self.shared.get(&room).is_some_and(|shared| shared.notify)
    }

    /// Disconnects a player who has left the registry.
    pub(super) fn disconnect(
        &mut self,
        connection: ListenerConnection,
        room: Option<RoomId>,
        removal: Removal,
        text: Option<&NoticeText>,
    ) {
        tracing::debug!(%connection, %removal, "player disconnected");
        let mut notice = None;
        if let Some(room) = room {
            if self.notifies(room) {
                notice = Some(Notice::removal(removal, text).packet(connection.connection));
            }
            self.left(room, connection);
        }
        if let Some(socket) = self.socket_of(connection.listener) {
            socket.disconnect(connection, removal, text, notice);
        }
    }

    /// Disconnects a player of a room. `text` is for the player, in place of the reason's. Returns
    /// false if there is none.
    pub(in crate::rooms) fn kick(
        &mut self,
        room: RoomId,
        peer: PeerId,
        text: Option<NoticeText>,
    ) -> bool {
        self.rooms.kick(self.clock.now(), room, peer, text)
    }

    /// Disconnects the banned players of rooms. `text` is for them, in place of the reason's.
    /// Returns the number of their connections.
    pub(in crate::rooms) fn disconnect_banned(
        &mut self,
        target: &BanTarget,
        text: Option<&NoticeText>,
    ) -> usize {
        let (now, banned) = (self.clock.now(), Removal::Banned);
        let prefix = match target {
            BanTarget::Player(subject) => {
                return self.rooms.disconnect_player(now, subject, banned, text);
            }
            BanTarget::Address(prefix) => prefix,
        };
        let of_prefix = self.addresses.iter().filter(|(_, address)| prefix.contains(**address));
        let mut connections: Vec<_> = of_prefix.map(|(&connection, _)| connection).collect();
        let rooms = &mut self.rooms;
        connections.retain(|&it| rooms.disconnect_with(now, it, banned, text.cloned()));
        connections.len()
    }

    pub(super) fn decide(&mut self, connection: ListenerConnection, decision: JoinDecision) {
        let socket = socket_of(&self.listeners, self.cluster.as_ref(), connection.listener);
        let Some(socket) = socket else { return };
        let identity = self.rooms.identity_of(connection).cloned();
        let player = self.rooms.peer_of(connection).zip(identity);
        let (room, resumed) = match decision {
            JoinDecision::Admit(room) => (room, None),
            JoinDecision::Resume { room, peer, of } => (room, Some((peer, of))),
            JoinDecision::Refuse(refusal) => {
                tracing::debug!(%connection, %refusal, "join refused");
                self.count_failed_join(connection, refusal);
                return socket.reject(connection, refusal.disconnect_reason());
            }
            _ => return mp_core::bug!("unknown decision of the registry"),
        };
        match self.running.get_mut(&room) {
            Some(running) => {
                let shared = self.shared.get(&room);
                let identities = shared.map(|shared| &shared.identities);
                if let (Some((_, before)), Some(identities)) = (resumed, identities) {
                    identities.remove(before);
                }
                if let (Some((peer, identity)), Some(identities)) = (player, identities) {
                    identities.insert(peer, connection, identity);
                }
                self.changes.mark(room);
                if let Some(cluster) = &self.cluster {
                    cluster.notify_changed(room);
                }
                if let Some((peer, _)) = resumed {
                    tracing::debug!(%connection, %peer, "session resumed");
                    return socket.resume(connection, &running.branch, peer);
                }
                self.traffic.joined += 1;
                running.players += 1;
                self.placement.joined(running.thread);
                socket.assign(connection, &running.branch);
            }
            None => {
                socket.reject(connection, JoinRefusal::RoomClosed.disconnect_reason());
            }
        }
    }

    /// Logs how many players joined and left, at most once per second.
    pub(super) fn report(&mut self, now: Instant) {
        if self.traffic.due.is_none_or(|due| now < due) {
            return;
        }
        let Traffic { joined, left, .. } = std::mem::take(&mut self.traffic);
        self.traffic.reported = Some(now);
        let players = self.rooms.players();
        tracing::info!(players, joined, left, "players");
    }
}

/// Minimum time between log lines about players who join and leave.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
