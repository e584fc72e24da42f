//! The peers of a host by slot and by address. A slot remembers across its users which session comes next, so that late
//! datagrams of the previous user are recognised.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use mp_core::ConnectionId;

use crate::proto::peer::Peer;

/// All slots of a host.
#[derive(Debug)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    /// Slots below `slots.len()` without a peer; the lowest is used first, as in ENet.
    free: BTreeSet<u16>,
    slots_max: u16,
    by_address: BTreeSet<(IpAddr, u16, u16)>,
    per_ip: BTreeMap<IpAddr, u16>,
}

#[derive(Debug)]
struct Slot {
    sessions: Sessions,
    generation: u32,
    peer: Option<Box<Peer>>,
}

/// The sessions of a slot, 0 to 3; 0xff when there was none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sessions {
    /// In headers that arrive.
    pub(crate) incoming: u8,
    /// In headers that leave.
    pub(crate) outgoing: u8,
}

impl Sessions {
    const NONE: Self = Self { incoming: 0xff, outgoing: 0xff };

    /// The sessions of the next client of a slot, given those its CONNECT names.
    pub(crate) fn next(self, client_incoming: u8, client_outgoing: u8) -> Self {
        let next = |theirs: u8, ours: u8| {
            let from = if theirs == 0xff { ours } else { theirs };
            let session = from.wrapping_add(1) & 3;
            if session == ours { (session + 1) & 3 } else { session }
        };
        Self {
            incoming: next(client_outgoing, self.incoming),
            outgoing: next(client_incoming, self.outgoing),
        }
    }
}

impl Slots {
    pub(crate) const fn new(slots_max: u16) -> Self {
        Self {
            slots: Vec::new(),
            free: BTreeSet::new(),
            slots_max,
            by_address: BTreeSet::new(),
            per_ip: BTreeMap::new(),
        }
    }

    /// The slot that the next peer gets and the sessions its last user left, if there is room.
    pub(crate) fn vacant(&mut self) -> Option<(ConnectionId, Sessions)> {
        if self.free.is_empty() && self.slots.len() < usize::from(self.slots_max) {
            self.free.insert(self.slots.len() as u16);
            self.slots.push(Slot { sessions: Sessions::NONE, generation: 0, peer: None });
        }
        let slot = *self.free.first()?;
        let Slot { sessions, generation, .. } = self.slots[usize::from(slot)];
        Some((ConnectionId { slot: slot.into(), generation }, sessions))
    }

    /// Puts a peer into the slot that [`vacant`](Self::vacant) named.
    pub(crate) fn insert(&mut self, peer: Peer) {
        let slot = peer.connection.slot as u16;
        self.free.remove(&slot);
        self.by_address.insert((peer.address.ip(), peer.address.port(), slot));
        *self.per_ip.entry(peer.address.ip()).or_default() += 1;
        self.slots[usize::from(slot)].peer = Some(Box::new(peer));
    }

    /// Empties a slot; its next user is another connection.
    pub(crate) fn remove(&mut self, slot: u16) -> Option<Box<Peer>> {
        let entry = self.slots.get_mut(usize::from(slot))?;
        let peer = entry.peer.take()?;
        entry.sessions = peer.sessions;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.insert(slot);
        let ip = peer.address.ip();
        self.by_address.remove(&(ip, peer.address.port(), slot));
        if let Some(count) = self.per_ip.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.per_ip.remove(&ip);
            }
        }
        Some(peer)
    }

    pub(crate) fn get(&self, slot: u16) -> Option<&Peer> {
        self.slots.get(usize::from(slot))?.peer.as_deref()
    }

    pub(crate) fn get_mut(&mut self, slot: u16) -> Option<&mut Peer> {
        self.slots.get_mut(usize::from(slot))?.peer.as_deref_mut()
    }

    /// The peer of a connection, unless it has gone.
    pub(crate) fn connection(&self, connection: ConnectionId) -> Option<&Peer> {
        let peer = self.get(u16::try_from(connection.slot).ok()?)?;
        (peer.connection == connection).then_some(peer)
    }

    /// See [`connection`](Self::connection).
    pub(crate) fn connection_mut(&mut self, connection: ConnectionId) -> Option<&mut Peer> {
        let peer = self.get_mut(u16::try_from(connection.slot).ok()?)?;
        (peer.connection == connection).then_some(peer)
    }

    /// The slot of the peer at `address` that connected with `connect_id`.
    pub(crate) fn find(&self, address: SocketAddr, connect_id: [u8; 4]) -> Option<u16> {
        let (ip, port) = (address.ip(), address.port());
        let mut slots = self.by_address.range((ip, port, 0)..=(ip, port, u16::MAX));
        slots
            .find(|&&(.., slot)| self.get(slot).is_some_and(|peer| peer.connect_id == connect_id))
            .map(|&(.., slot)| slot)
    }

    /// The slots of those at `address` that have this side in their slot `outgoing_id`. A host has one peer in a slot, so all but the
    /// newest are what it was before it began anew.
    pub(crate) fn at(&self, address: SocketAddr, outgoing_id: u16) -> impl Iterator<Item = u16> {
        let (ip, port) = (address.ip(), address.port());
        let slots = self.by_address.range((ip, port, 0)..=(ip, port, u16::MAX));
        let is_same =
            move |slot: &u16| self.get(*slot).is_some_and(|peer| peer.outgoing_id == outgoing_id);
        slots.map(|&(.., slot)| slot).filter(is_same)
    }

    /// How many peers share an IP address.
    pub(crate) fn count_at(&self, ip: IpAddr) -> u16 {
        self.per_ip.get(&ip).copied().unwrap_or(0)
    }

    /// Slots with a peer, lowest first.
    pub(crate) fn occupied(&self) -> impl Iterator<Item = u16> + '_ {
        let slots = self.slots.iter().enumerate();
        slots.filter(|(_, slot)| slot.peer.is_some()).map(|(index, _)| index as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_a_slot_go_round() {
        // Godot 4.6.3 with one slot: the headers of its second client begin with 9000, those of the first with 8000.
        let mut sessions = Sessions::NONE;
        let mut seen = Vec::new();
        for _ in 0..6 {
            sessions = sessions.next(0xff, 0xff);
            seen.push((sessions.incoming, sessions.outgoing));
        }
        assert_eq!(seen, [(0, 0), (1, 1), (2, 2), (3, 3), (0, 0), (1, 1)]);
    }

    #[test]
    fn a_session_that_both_sides_knew_is_not_used_again() {
        let slot = Sessions { incoming: 1, outgoing: 2 };
        // The client's last incoming session was 3, so 0; its last outgoing one was 0, so 1, which the slot just had: 2.
        assert_eq!(slot.next(3, 0), Sessions { incoming: 2, outgoing: 0 });
        assert_eq!(slot.next(1, 0xff), Sessions { incoming: 2, outgoing: 3 });
    }
}
