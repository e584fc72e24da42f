//! The peer actors of a branch.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use mp_core::PeerId;
use tokio::time::Instant;

use crate::auth::{AuthQueue, Authenticators, PeerSession};
use crate::branch_ref::{BranchCaller, Shared};
use crate::mail::control;
use crate::peer::{Disconnected, PeerActor, PeerRef};

/// The peer actors by id, kept up to date by the branch's events.
pub(crate) struct PeerActors {
    shared: Arc<Shared>,
    authenticators: Authenticators,
    entries: BTreeMap<PeerId, Entry>,
    /// Number of sessions so far.
    sessions: u64,
    /// Sessions whose authentication queue overflowed.
    overflowed: Vec<(PeerId, u64)>,
}

struct Entry {
    address: Addr<PeerActor>,
    session: u64,
    /// Time of admission; `None` while the peer authenticates.
    admitted: Option<Instant>,
    auth: Rc<AuthQueue>,
}

impl PeerActors {
    pub(crate) fn new(shared: Arc<Shared>, authenticators: Authenticators) -> Self {
        Self {
            shared,
            authenticators,
            entries: BTreeMap::new(),
            sessions: 0,
            overflowed: Vec::new(),
        }
    }

    /// Starts the actor of a peer that begins to authenticate.
    pub(crate) fn begin(&mut self, peer: PeerId, branch: BranchCaller) {
        let session = self.next_session(peer, branch);
        let auth = Rc::<AuthQueue>::default();
        let run = self.authenticators.clone().run(session.clone(), Rc::clone(&auth));
        let actor = PeerActor::authenticating(session.clone(), run);
        self.insert(session, actor, auth, None);
    }

    /// Marks a peer as connected, and starts its actor if there is none.
    pub(crate) fn admit(&mut self, peer: PeerId, branch: BranchCaller) {
        self.end_authentication(peer);
        let now = Some(Instant::now());
        if let Some(entry) = self.entries.get_mut(&peer).filter(|it| it.admitted.is_none()) {
            entry.admitted = now;
            return;
        }
        let session = self.next_session(peer, branch);
        let actor = PeerActor::admitted(session.clone());
        self.insert(session, actor, Rc::default(), now);
    }

    /// Stops the actor of a peer that disconnected.
    pub(crate) fn remove(&mut self, peer: PeerId) {
        self.end_authentication(peer);
        if let Some(entry) = self.entries.remove(&peer) {
            self.shared.peers.remove(&peer);
            control(&entry.address, Disconnected);
        }
    }

    /// Queues an AUTH packet for the authenticator of its sender.
    pub(crate) fn authenticate(&mut self, peer: PeerId, data: &Bytes) {
        let entry = self.entries.get(&peer);
        if entry.is_some_and(|entry| entry.auth.push(data.clone())) {
            return;
        }
        self.overflowed.extend(entry.map(|entry| (peer, entry.session)));
        self.count_dropped(1);
    }

    /// Returns the connected peers whose authentication queue overflowed. Call it after all signals
    /// of the turn were handled: peers that disconnected, or connected again, are left out.
    pub(crate) fn take_overflowed(&mut self) -> Vec<PeerId> {
        let overflowed = std::mem::take(&mut self.overflowed).into_iter();
        overflowed
            .filter(|&(peer, session)| self.is_current(peer, session))
            .map(|it| it.0)
            .collect()
    }

    /// Drops the AUTH packets queued for a peer that is admitted or has disconnected.
    pub(crate) fn end_authentication(&mut self, peer: PeerId) {
        if let Some(entry) = self.entries.get(&peer) {
            self.count_dropped(entry.auth.close());
        }
    }

    /// Returns whether AUTH packets are handled by an authenticator of the program.
    pub(crate) fn has_authenticator(&self) -> bool {
        self.authenticators.handles_packets()
    }

    /// Returns whether this session of a peer has not ended.
    pub(crate) fn is_current(&self, peer: PeerId, session: u64) -> bool {
        self.entries.get(&peer).is_some_and(|entry| entry.session == session)
    }

    /// Returns the time since the admission of a peer, `Some(None)` while it authenticates; `None`
    /// if there is no such peer.
    pub(crate) fn admitted_for(&self, peer: PeerId) -> Option<Option<Duration>> {
        self.entries.get(&peer).map(|entry| entry.admitted.map(|since| since.elapsed()))
    }

    /// Stops all actors when the branch has ended.
    pub(crate) fn end(&mut self) {
        while let Some((&peer, _)) = self.entries.first_key_value() {
            self.remove(peer);
        }
    }

    fn next_session(&mut self, peer: PeerId, branch: BranchCaller) -> PeerSession {
        self.sessions += 1;
        PeerSession { peer, number: self.sessions, branch }
    }

    fn insert(
        &mut self,
        session: PeerSession,
        actor: PeerActor,
        auth: Rc<AuthQueue>,
        admitted: Option<Instant>,
    ) {
        let (peer, session) = (session.peer, session.number);
        self.remove(peer);
        let address = actor.start();
        self.shared.peers.insert(peer, PeerRef::new(peer, address.clone()));
        self.entries.insert(peer, Entry { address, session, admitted, auth });
    }

    fn count_dropped(&self, packets: usize) {
        self.shared.dropped_auth_packets.fetch_add(packets as u64, Ordering::Relaxed);
    }
}
