//! Rooms that come from other nodes and go to them, and what the cluster knows of rooms.

use mp_actor::{BranchRef, RemoteEndpoint};
use mp_rooms::{RoomId, RoomName};

use super::RoomsHost;
use crate::cluster::{ToNode, is_guest};

impl RoomsHost {
    /// Creates a room of a node that has died.
    pub(crate) fn open_claimed(&mut self, room: RoomName, template: &RoomName) {
        if let Err(refusal) = self.rooms.create_restored(room.clone(), template) {
            tracing::warn!(%room, %refusal, "the room of another node is not created anew");
        }
        self.settle(room);
    }

    /// Closes a room that another node has now.
    pub(crate) fn close_lost(&mut self, room: &RoomName) {
        if let Some(id) = self.rooms.find_by_name(room) {
            self.rooms.close(id);
        }
    }

    /// Closes a room that goes on on another node, with its players.
    pub(crate) fn moved_away(&mut self, name: &RoomName) {
        let Some(id) = self.rooms.find_by_name(name) else { return };
        let now = self.now();
        for player in self.rooms.players_of(now, id) {
            let connection = player.connection;
            if player.kept_for.is_none()
                && !is_guest(connection.listener)
                && let Some(cluster) = &mut self.cluster
            {
                cluster.elsewhere.insert(connection);
            }
            if let Some(room) = self.rooms.release_player(now, connection) {
                self.left(room, connection);
            }
        }
        self.rooms.close(id);
    }

    /// Reports that a call of the cluster about a room was handled.
    pub(in crate::rooms::host) fn settle(&self, name: RoomName) {
        let exists = self.rooms.find_by_name(&name).is_some();
        self.notify_cluster(|| ToNode::Settled { name, exists });
    }

    /// Reports that a room has opened. `restored`: endpoints of other nodes with which it goes on.
    pub(in crate::rooms::host) fn notify_opened(
        &mut self,
        room: RoomId,
        branch: &BranchRef,
        restored: Vec<RemoteEndpoint>,
    ) {
        let name = self.rooms.get(room).map(|info| info.name);
        if let (Some(cluster), Some(name)) = (&mut self.cluster, name) {
            cluster.names.insert(room, name.clone());
            cluster.handle.send(ToNode::Opened { room, name, branch: branch.clone(), restored });
        }
    }

    /// Reports that players have joined or left a room.
    pub(in crate::rooms::host) fn notify_changed(&self, room: RoomId) {
        if let Some(cluster) = &self.cluster {
            cluster.notify_changed(room);
        }
    }

    /// Reports that a room has ended that had opened.
    pub(in crate::rooms::host) fn notify_ended(&mut self, room: RoomId) {
        if let Some(cluster) = &mut self.cluster
            && let Some(name) = cluster.names.remove(&room)
        {
            let exists = self.rooms.find_by_name(&name).is_some();
            cluster.handle.send(ToNode::Ended { room, name, exists });
        }
    }

    /// Reports that a room of this name could not be created.
    pub(in crate::rooms::host) fn notify_failed(&self, room: RoomId, name: Option<RoomName>) {
        if let Some(name) = name {
            let exists = self.rooms.find_by_name(&name).is_some();
            self.notify_cluster(|| ToNode::Ended { room, name, exists });
        }
    }
}
