//! Registry of the programs of a world, built from the journal alone.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::PeerId;
use mp_scene::Signal;

use crate::journal::{Fact, FactKind, RunId};
use crate::net::{SERVER_SLOT, SlotId};

/// Registry of all programs that have ever run.
#[derive(Debug, Default)]
pub struct Programs {
    records: BTreeMap<RunId, ProgramRecord>,
    clients: BTreeMap<PeerId, RunId>,
    server: Option<RunId>,
}

/// State of a program, running or ended.
#[derive(Debug)]
pub struct ProgramRecord {
    /// Peer id.
    pub id: PeerId,
    /// Slot that the program runs in.
    pub slot: SlotId,
    /// True if the program has the password.
    pub has_credentials: bool,
    /// True while the program runs.
    pub is_alive: bool,
    /// Peers that were announced to the program and have not left.
    pub known_peers: BTreeSet<PeerId>,
}

impl Programs {
    /// Updates the registry by a fact.
    pub(crate) fn observe(&mut self, fact: &Fact) {
        if let FactKind::Started { slot, id, has_credentials } = fact.kind {
            let known_peers = BTreeSet::new();
            let record = ProgramRecord { id, slot, has_credentials, is_alive: true, known_peers };
            self.records.insert(fact.run, record);
            if slot == SERVER_SLOT {
                self.server = Some(fact.run);
            } else {
                self.clients.insert(id, fact.run);
            }
        }
        let Some(record) = self.records.get_mut(&fact.run) else { return };
        match &fact.kind {
            FactKind::Ended(_) => {
                record.is_alive = false;
                record.known_peers.clear();
            }
            FactKind::Signal(Signal::PeerConnected(peer)) => {
                record.known_peers.insert(*peer);
            }
            // `disconnect_peer` emits no signal.
            FactKind::Signal(Signal::PeerDisconnected(peer)) | FactKind::Kicked(peer) => {
                record.known_peers.remove(peer);
            }
            FactKind::Signal(Signal::ServerDisconnected) => record.known_peers.clear(),
            _ => {}
        }
    }

    /// Returns the record of a program, or `None` for an unknown run.
    pub fn record(&self, run: RunId) -> Option<&ProgramRecord> {
        self.records.get(&run)
    }

    /// Returns the client with an id, or the newest server.
    pub fn run_of(&self, id: PeerId) -> Option<RunId> {
        if id.is_server() { self.server } else { self.clients.get(&id).copied() }
    }

    /// Returns whether both programs run and each has the other as a connected peer.
    pub fn know_each_other(&self, one: RunId, other: RunId) -> bool {
        let (Some(one), Some(other)) = (self.record(one), self.record(other)) else { return false };
        one.is_alive
            && other.is_alive
            && one.known_peers.contains(&other.id)
            && other.known_peers.contains(&one.id)
    }

    /// Returns whether no client has ever had this id.
    pub(crate) fn is_unused(&self, id: PeerId) -> bool {
        !self.clients.contains_key(&id)
    }
}
