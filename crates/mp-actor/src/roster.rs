//! The actors of a branch's peers: who is there.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::prelude::*;
use bytes::Bytes;
use mp_core::PeerId;

use crate::auth::{AuthQueue, Authenticators, Presence};
use crate::branch_ref::{BranchCaller, Shared};
use crate::mail::control;
use crate::peer::{Admitted, Gone, PeerActor, PeerRef};

/// It follows the branch's events.
pub(crate) struct Roster {
    shared: Arc<Shared>,
    authenticators: Authenticators,
    entries: BTreeMap<PeerId, Entry>,
    /// How many there have been.
    presences: u64,
    /// Presences of whom more AUTH packets came than can wait.
    flooding: Vec<(PeerId, u64)>,
}

struct Entry {
    address: Addr<PeerActor>,
    presence: u64,
    is_admitted: bool,
    auth: Rc<AuthQueue>,
}

impl Roster {
    pub(crate) fn new(shared: Arc<Shared>, authenticators: Authenticators) -> Self {
        Self {
            shared,
            authenticators,
            entries: BTreeMap::new(),
            presences: 0,
            flooding: Vec::new(),
        }
    }

    /// A peer begins to authenticate itself.
    pub(crate) fn begin(&mut self, peer: PeerId, branch: BranchCaller) {
        let presence = self.next_presence(peer, branch);
        let auth = Rc::<AuthQueue>::default();
        let run = self.authenticators.clone().run(presence.clone(), Rc::clone(&auth));
        let actor = PeerActor::authenticating(presence.clone(), run);
        self.insert(presence, actor, auth, false);
    }

    /// A peer takes part.
    pub(crate) fn admit(&mut self, peer: PeerId, branch: BranchCaller) {
        self.end_authentication(peer);
        if let Some(entry) = self.entries.get_mut(&peer).filter(|entry| !entry.is_admitted) {
            entry.is_admitted = true;
            control(&entry.address, Admitted);
            return;
        }
        let presence = self.next_presence(peer, branch);
        let actor = PeerActor::admitted(presence.clone());
        self.insert(presence, actor, Rc::default(), true);
    }

    /// A peer has left.
    pub(crate) fn remove(&mut self, peer: PeerId) {
        self.end_authentication(peer);
        if let Some(entry) = self.entries.remove(&peer) {
            self.shared.peers.remove(&peer);
            control(&entry.address, Gone);
        }
    }

    /// Hands an AUTH packet to the authenticator of its sender, in time.
    pub(crate) fn authenticate(&mut self, peer: PeerId, data: &Bytes) {
        let entry = self.entries.get(&peer);
        if entry.is_some_and(|entry| entry.auth.offer(data.clone())) {
            return;
        }
        self.flooding.extend(entry.map(|entry| (peer, entry.presence)));
        self.count_dropped(1);
    }

    /// Those of whom more came than can wait. To be asked when all signals were seen: who has left meanwhile, or has come again,
    /// is not among them.
    pub(crate) fn take_flooding(&mut self) -> Vec<PeerId> {
        let flooding = std::mem::take(&mut self.flooding).into_iter();
        flooding
            .filter(|&(peer, presence)| self.is_present(peer, presence))
            .map(|it| it.0)
            .collect()
    }

    /// Drops what waits for a peer's authenticator: it is admitted, or has left.
    pub(crate) fn end_authentication(&mut self, peer: PeerId) {
        if let Some(entry) = self.entries.get(&peer) {
            self.count_dropped(entry.auth.close());
        }
    }

    /// Whether AUTH packets are for an authenticator of the program's.
    pub(crate) fn has_authenticator(&self) -> bool {
        self.authenticators.take_packets()
    }

    /// Whether this presence of a peer has not ended.
    pub(crate) fn is_present(&self, peer: PeerId, presence: u64) -> bool {
        self.entries.get(&peer).is_some_and(|entry| entry.presence == presence)
    }

    /// The branch has ended.
    pub(crate) fn end(&mut self) {
        while let Some((&peer, _)) = self.entries.first_key_value() {
            self.remove(peer);
        }
    }

    fn next_presence(&mut self, peer: PeerId, branch: BranchCaller) -> Presence {
        self.presences += 1;
        Presence { peer, number: self.presences, branch }
    }

    fn insert(
        &mut self,
        presence: Presence,
        actor: PeerActor,
        auth: Rc<AuthQueue>,
        is_admitted: bool,
    ) {
        let (peer, presence) = (presence.peer, presence.number);
        self.remove(peer);
        let address = actor.start();
        self.shared.peers.insert(peer, PeerRef::new(peer, address.clone()));
        self.entries.insert(peer, Entry { address, presence, is_admitted, auth });
    }

    fn count_dropped(&self, packets: usize) {
        self.shared.dropped_auth_packets.fetch_add(packets as u64, Ordering::Relaxed);
    }
}
