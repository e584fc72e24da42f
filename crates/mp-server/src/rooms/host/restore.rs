//! Rooms that go on from the state that another node of the cluster has stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use mp_actor::{BranchRef, RemoteEndpoint, RemoteWake};
use mp_core::EndpointId;
use mp_core::host::SystemClock;
use mp_rooms::{Code, Metadata, RestoredPlayer, RestoredSeat, RoomId, RoomName};
use mp_scene::{Branch, BuildError, Handover, Snapshot};

use super::RoomsHost;
use crate::rooms::handle::RoomsHandle;
use crate::rooms::identities::Identities;

/// A room as the registry knows it.
#[derive(Debug)]
pub(crate) struct RoomDescription {
    pub(crate) template: RoomName,
    pub(crate) code: Option<Code>,
    pub(crate) is_locked: bool,
    pub(crate) max_players: u16,
    pub(crate) players: Vec<RestoredPlayer>,
    /// `None`: that of the template.
    pub(crate) metadata: Option<Metadata>,
    pub(crate) seats: Vec<RestoredSeat>,
}

/// The state from which a room goes on.
#[derive(Debug)]
pub(crate) struct RoomRestore {
    pub(crate) name: RoomName,
    pub(crate) description: RoomDescription,
    pub(crate) branch: BranchRestore,
    /// True if the other node has moved the room here: this one offers its tickets.
    pub(crate) is_moved: bool,
    /// Notified of messages for the endpoints of other nodes.
    pub(crate) wake: Arc<RemoteWake>,
}

/// The state from which a branch goes on.
#[derive(Debug)]
pub(crate) enum BranchRestore {
    Nothing,
    /// The peers of a relay, and the endpoints that stand for those of the other node.
    Peers(Handover, BTreeMap<EndpointId, EndpointId>),
    Program(Snapshot),
}

/// A room that is being restored.
#[derive(Debug)]
pub(super) struct Restoring {
    branch: BranchRestore,
    players: Vec<RestoredPlayer>,
    endpoints: Vec<EndpointId>,
    wake: Arc<RemoteWake>,
}

impl RoomsHandle {
    /// Returns an open room as the registry knows it; `None` if there is no such room.
    pub(crate) async fn describe(&self, room: RoomId) -> Option<RoomDescription> {
        self.call(move |host| host.describe(room)).await.ok().flatten()
    }
}

impl RoomsHost {
    fn describe(&self, id: RoomId) -> Option<RoomDescription> {
        self.running.get(&id)?;
        let info = self.rooms.get(id)?;
        Some(RoomDescription {
            template: info.template,
            code: self.rooms.code_of(id).cloned(),
            is_locked: info.is_locked,
            max_players: info.max_players,
            players: self.rooms.players_of(self.now(), id),
            metadata: Some(info.metadata),
            seats: self.rooms.seats_of(self.now(), id),
        })
    }

    /// Opens a room of another node with its players, and goes on from its state.
    pub(crate) fn open_restored(&mut self, restore: RoomRestore) {
        let RoomRestore { name, description, branch, is_moved, wake } = restore;
        let room = name.clone();
        match self.rooms.create_restored(name.clone(), &description.template) {
            Ok(id) => {
                let now = self.now();
                let mut players = description.players;
                players.retain(|player| self.rooms.restore_player(now, id, player.clone()));
                for seat in description.seats {
                    self.rooms.restore_seat(now, id, seat, is_moved);
                }
                self.rooms.set_code(id, description.code);
                self.rooms.set_locked(id, description.is_locked);
                self.rooms.set_max_players(id, description.max_players);
                if let Some(metadata) = description.metadata {
                    self.rooms.set_metadata(id, metadata);
                }
                let endpoints = match &branch {
                    BranchRestore::Peers(_, endpoints) => endpoints.values().copied().collect(),
                    BranchRestore::Nothing | BranchRestore::Program(_) => Vec::new(),
                };
                let restoring = Restoring { branch, players, endpoints, wake };
                self.restoring.insert(id, restoring);
            }
            Err(refusal) => {
                tracing::warn!(%room, %refusal, "the room of another node does not go on here");
            }
        }
        self.settle(name);
    }
}

impl Restoring {
    /// Returns the state for the branch, and adds the identities of the players.
    pub(super) fn begin(&mut self, identities: &Identities) -> BranchRestore {
        for RestoredPlayer { connection, peer, identity, .. } in &self.players {
            if let Some(peer) = peer {
                identities.insert(*peer, *connection, Arc::clone(identity));
            }
        }
        std::mem::replace(&mut self.branch, BranchRestore::Nothing)
    }

    /// Attaches the endpoints of other nodes to the branch, before it has other players.
    pub(super) fn attach(&self, branch: &BranchRef) -> Vec<RemoteEndpoint> {
        let attach = |&id: &_| branch.attach_restored(id, Arc::clone(&self.wake));
        self.endpoints.iter().map(attach).collect()
    }

    /// Returns the number of players.
    pub(super) fn players(&self) -> usize {
        self.players.len()
    }
}

impl BranchRestore {
    /// Restores the state in a new branch. A state of the program that cannot be restored is
    /// logged, and the game begins anew.
    ///
    /// # Errors
    ///
    /// If the peers of a relay cannot be restored.
    pub(super) fn apply(self, branch: &mut Branch) -> Result<(), BuildError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Peers(handover, endpoints) => {
                // The clock of the branch begins with its actor.
                let now = SystemClock::new().now();
                let endpoint_of = |id| endpoints.get(&id).copied();
                let restored = branch.restore_handover(now, &handover, endpoint_of);
                restored.map_err(|error| BuildError::Setup {
                    root_path: "/root".to_owned(),
                    source: error.into(),
                })
            }
            Self::Program(snapshot) => {
                if let Err(error) = branch.restore(&snapshot) {
                    let error = mp_core::ErrorChain::new(&error);
                    tracing::warn!(%error, "the state of a room cannot be restored; the game begins anew");
                }
                Ok(())
            }
        }
    }
}
