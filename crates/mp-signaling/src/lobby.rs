//! A lobby, its members and its host.

use std::collections::BTreeMap;

use mp_core::{Instant, PeerId};

use crate::server::SocketId;

/// A lobby.
#[derive(Debug)]
pub(crate) struct Lobby {
    host: Host,
    is_mesh: bool,
    /// Members by their id, which other members see, in the order of ids. Does not include a server
    /// that hosts. `order` has the order in which they joined.
    members: BTreeMap<PeerId, SocketId>,
    order: Vec<PeerId>,
    /// Time at which a sealed lobby ends.
    ends: Option<Instant>,
    capacity: usize,
}

/// The owner of id 1 in a lobby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// The member that created the lobby.
    Member,
    /// This server.
    Server,
}

impl Lobby {
    pub(crate) fn new(host: Host, is_mesh: bool, capacity: usize) -> Self {
        let (members, order) = (BTreeMap::new(), Vec::new());
        Self { host, is_mesh, members, order, ends: None, capacity }
    }

    pub(crate) const fn host(&self) -> Host {
        self.host
    }

    pub(crate) const fn is_mesh(&self) -> bool {
        self.is_mesh
    }

    pub(crate) const fn is_sealed(&self) -> bool {
        self.ends.is_some()
    }

    pub(crate) const fn ends(&self) -> Option<Instant> {
        self.ends
    }

    pub(crate) fn seal(&mut self, ends: Instant) {
        self.ends = Some(ends);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.members.len() >= self.capacity
    }

    pub(crate) fn insert(&mut self, peer: PeerId, socket: SocketId) {
        if self.members.insert(peer, socket).is_none() {
            self.order.push(peer);
        }
    }

    pub(crate) fn remove(&mut self, peer: PeerId) {
        self.members.remove(&peer);
        self.order.retain(|&member| member != peer);
    }

    pub(crate) fn contains(&self, peer: PeerId) -> bool {
        self.members.contains_key(&peer)
    }

    pub(crate) fn socket(&self, peer: PeerId) -> Option<SocketId> {
        self.members.get(&peer).copied()
    }

    /// Returns the members in the order in which they joined.
    pub(crate) fn members(&self) -> impl Iterator<Item = (PeerId, SocketId)> {
        self.order.iter().filter_map(|&peer| Some((peer, self.socket(peer)?)))
    }

    /// Returns the members that a new member connects to: all in a mesh, otherwise only the host.
    pub(crate) fn neighbours(&self) -> impl Iterator<Item = (PeerId, SocketId)> {
        let is_mesh = self.is_mesh;
        self.members().filter(move |(peer, _)| is_mesh || peer.is_server())
    }
}
