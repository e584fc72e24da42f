//! Calls between nodes, the bans that they share, and players who join rooms of several.

use mp_cluster::bus::Bus;
use mp_cluster::directory::{Directory, OperationId, OperationOutcome, Unavailable};
use mp_cluster::{BanEvent, ClusterNodeId, NodeCall, NodeReply, NodeRequest, PlayerJoin, home};
use mp_core::Instant;
use mp_identity::Subject;
use mp_rooms::RoomName;
use tokio::sync::oneshot;

use super::Driver;
use super::joins::CALLS_MAX;
use crate::cluster::handle::RemoteRequest;

impl<B: Bus, D: Directory + 'static> Driver<B, D> {
    /// Sends a call to another node. If there are too many, the caller receives no reply.
    pub(super) fn call_node(
        &mut self,
        to: ClusterNodeId,
        call: NodeCall,
        reply: oneshot::Sender<NodeReply>,
    ) {
        if let Some(request) = self.node_calls.begin(to, reply) {
            self.requests.calls_sent += 1;
            self.send(to, &NodeRequest::Call(request, call));
        }
    }

    /// Passes a call of another node to the rooms, which reply.
    pub(super) fn handle_call(&mut self, from: RemoteRequest, call: NodeCall) {
        self.requests.calls_received += 1;
        if self.calls.len() >= CALLS_MAX {
            self.requests.overflowed += 1;
            return;
        }
        self.call(move |host| host.handle_node_call(from, call));
    }

    /// Looks for the node of a room.
    pub(super) fn find(&mut self, room: RoomName, reply: oneshot::Sender<ClusterNodeId>) {
        if self.finders.len() < FINDERS_MAX || self.finders.contains_key(&room) {
            self.finders.entry(room.clone()).or_default().push(reply);
            self.claims.find(room);
        }
    }

    /// Reports the node of a room to those who look for it; `None`: it was not found.
    pub(super) fn found(&mut self, room: &RoomName, node: Option<ClusterNodeId>) {
        for finder in self.finders.remove(room).unwrap_or_default() {
            if let Some(node) = node {
                let _ = finder.send(node);
            }
        }
    }

    /// Forgets those who look no longer.
    pub(super) fn forget_finders(&mut self) {
        self.finders.retain(|_, finders| {
            finders.retain(|finder| !finder.is_closed());
            !finders.is_empty()
        });
    }

    /// Reports that a room of this node has admitted a player to the player's home.
    pub(super) fn report_join(&mut self, player: Subject, number: u64) {
        match home(self.claims.members(), &player) {
            Some(home) if home != self.node => {
                self.send(home, &NodeRequest::PlayerJoined { player, number });
            }
            _ => self.player_joined(player, PlayerJoin { node: self.node, number }),
        }
    }

    /// Handles that a player was admitted whose home is this node.
    pub(super) fn player_joined(&mut self, player: Subject, join: PlayerJoin) {
        let Some(PlayerJoin { node, number }) = self.homes.joined(player.clone(), join) else {
            return;
        };
        if node == self.node {
            self.player_elsewhere(player, number);
        } else {
            self.send(node, &NodeRequest::PlayerElsewhere { player, number });
        }
    }

    /// Handles that a player was admitted elsewhere, after its join with this number.
    pub(super) fn player_elsewhere(&mut self, player: Subject, number: u64) {
        if self.calls.len() >= CALLS_MAX {
            self.requests.overflowed += 1;
        } else {
            self.call(move |host| host.replace_player(&player, number));
        }
    }

    /// Handles the result of an operation on the bans of the cluster.
    pub(super) fn handle_bans(
        &mut self,
        now: Instant,
        id: OperationId,
        result: Result<OperationOutcome, Unavailable>,
    ) {
        match self.bans.handle_result(now, id, result) {
            Some(BanEvent::Written) => {
                self.requests.bans_written += 1;
                let here = self.node;
                let others = self.claims.members().keys().copied().filter(|node| *node != here);
                for node in others.collect::<Vec<_>>() {
                    self.send(node, &NodeRequest::BansChanged);
                }
            }
            Some(BanEvent::Read(records)) => {
                self.requests.bans_read += 1;
                self.tasks.merge_bans(self.rooms.clone(), records);
            }
            Some(_) => mp_core::bug!("unknown event of bans"),
            None => {}
        }
    }
}

/// Rooms that are looked for at the same time.
const FINDERS_MAX: usize = 4_096;
