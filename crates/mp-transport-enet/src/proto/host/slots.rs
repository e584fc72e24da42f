//! The peers of a host by slot and by address. A slot remembers the next session id when its peer
//! is removed, so that late datagrams of the previous peer are recognized.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use mp_core::{ConnectionId, bug};

use super::PeerEntry;
use crate::proto::peer::{Peer, Sessions};

/// The slots of a host.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    /// Slots below `slots.len()` without a peer. The lowest is used first, as in ENet.
    free: BTreeSet<u16>,
    slots_max: u16,
    by_address: BTreeSet<(IpAddr, u16, u16)>,
    per_ip: BTreeMap<IpAddr, u16>,
}

#[derive(Debug)]
struct Slot {
    sessions: Sessions,
    generation: u32,
    entry: Option<Box<PeerEntry>>,
}

impl Slots {
    pub(super) const fn new(slots_max: u16) -> Self {
        Self {
            slots: Vec::new(),
            free: BTreeSet::new(),
            slots_max,
            by_address: BTreeSet::new(),
            per_ip: BTreeMap::new(),
        }
    }

    /// Returns the slot for the next peer and the sessions of its previous one. `None` if no slot
    /// is free.
    pub(super) fn vacant(&mut self) -> Option<(ConnectionId, Sessions)> {
        if self.free.is_empty() && self.slots.len() < usize::from(self.slots_max) {
            self.free.insert(self.slots.len() as u16);
            self.slots.push(Slot { sessions: Sessions::NONE, generation: 0, entry: None });
        }
        let slot = *self.free.first()?;
        let Slot { sessions, generation, .. } = self.slots[usize::from(slot)];
        Some((ConnectionId { slot: slot.into(), generation }, sessions))
    }

    /// Inserts a peer into the slot returned by [`vacant`](Self::vacant).
    pub(super) fn insert(&mut self, entry: PeerEntry) {
        let slot = entry.peer.connection().slot as u16;
        let address = entry.peer.path().remote;
        self.free.remove(&slot);
        self.by_address.insert((address.ip(), address.port(), slot));
        *self.per_ip.entry(address.ip()).or_default() += 1;
        self.slots[usize::from(slot)].entry = Some(Box::new(entry));
    }

    /// Removes the peer in a slot. The next peer there gets another connection id.
    pub(super) fn remove(&mut self, slot: u16) -> Option<Box<PeerEntry>> {
        let place = self.slots.get_mut(usize::from(slot))?;
        let entry = place.entry.take()?;
        place.sessions = entry.peer.sessions();
        place.generation = place.generation.wrapping_add(1);
        self.free.insert(slot);
        let address = entry.peer.path().remote;
        let ip = address.ip();
        self.by_address.remove(&(ip, address.port(), slot));
        match self.per_ip.get_mut(&ip) {
            Some(1) => _ = self.per_ip.remove(&ip),
            Some(count) => *count -= 1,
            None => bug!("a peer of an IP address without peers"),
        }
        Some(entry)
    }

    pub(super) fn get(&self, slot: u16) -> Option<&PeerEntry> {
        self.slots.get(usize::from(slot))?.entry.as_deref()
    }

    pub(super) fn get_mut(&mut self, slot: u16) -> Option<&mut PeerEntry> {
        self.slots.get_mut(usize::from(slot))?.entry.as_deref_mut()
    }

    /// Returns the peer of a connection, unless it was removed.
    pub(super) fn peer(&self, connection: ConnectionId) -> Option<&Peer> {
        let peer = &self.get(u16::try_from(connection.slot).ok()?)?.peer;
        (peer.connection() == connection).then_some(peer)
    }

    /// Returns the peer of a connection, unless it was removed.
    pub(super) fn peer_mut(&mut self, connection: ConnectionId) -> Option<&mut Peer> {
        Some(&mut self.connection_mut(connection)?.peer)
    }

    /// Returns the peer of a connection and its list membership, unless it was removed.
    pub(super) fn connection_mut(&mut self, connection: ConnectionId) -> Option<&mut PeerEntry> {
        let entry = self.get_mut(u16::try_from(connection.slot).ok()?)?;
        (entry.peer.connection() == connection).then_some(entry)
    }

    /// Returns the slot of the peer at `address` that connected with `connect_id`.
    pub(super) fn find(&self, address: SocketAddr, connect_id: [u8; 4]) -> Option<u16> {
        let (ip, port) = (address.ip(), address.port());
        let mut slots = self.by_address.range((ip, port, 0)..=(ip, port, u16::MAX));
        slots
            .find(|&&(.., slot)| {
                self.get(slot).is_some_and(|it| it.peer.connect_id() == connect_id)
            })
            .map(|&(.., slot)| slot)
    }

    /// Returns the slots of the peers at `address` whose slot for this host is `outgoing_id`. A
    /// remote host has one peer per slot, so all but the newest are left over from before it
    /// restarted.
    pub(super) fn at(&self, address: SocketAddr, outgoing_id: u16) -> impl Iterator<Item = u16> {
        let (ip, port) = (address.ip(), address.port());
        let slots = self.by_address.range((ip, port, 0)..=(ip, port, u16::MAX));
        let is_same = move |slot: &u16| {
            self.get(*slot).is_some_and(|it| it.peer.outgoing_id() == outgoing_id)
        };
        slots.map(|&(.., slot)| slot).filter(is_same)
    }

    /// Returns the number of peers with an IP address.
    pub(super) fn count_at(&self, ip: IpAddr) -> u16 {
        self.per_ip.get(&ip).copied().unwrap_or(0)
    }

    /// Returns the peers, lowest slot first.
    pub(super) fn entries(&self) -> impl Iterator<Item = &PeerEntry> {
        self.slots.iter().filter_map(|slot| slot.entry.as_deref())
    }

    /// Returns the peers, lowest slot first.
    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut PeerEntry> {
        self.slots.iter_mut().filter_map(|slot| slot.entry.as_deref_mut())
    }

    /// Returns the slots with a peer, lowest first.
    pub(super) fn occupied(&self) -> impl Iterator<Item = u16> + '_ {
        let slots = self.slots.iter().enumerate();
        slots.filter(|(_, slot)| slot.entry.is_some()).map(|(index, _)| index as u16)
    }
}
