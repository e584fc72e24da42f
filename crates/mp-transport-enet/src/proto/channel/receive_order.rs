//! The order of packets received on a channel. Packets wait here for earlier packets and for
//! missing fragments.

use mp_core::bug;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use bytes::Bytes;

use super::Outcome;
use super::assembly::Assembly;
use super::receive_budget::{Delivery, Intake};
use super::window::{SequencePosition, position};
use crate::limits::ENTRY_OVERHEAD;
use crate::proto::PacketFlags;
use crate::proto::command::Fragment;

/// The receiving half of a channel.
#[derive(Debug, Default)]
pub(crate) struct ReceiveOrder {
    /// Sequence number of the last reliable command delivered. It does not wrap around.
    reliable: u64,
    /// Sequence number of the last unreliable packet delivered since then.
    unreliable: u16,
    /// Reliable packets with a missing fragment or a missing packet before them.
    pending: BTreeMap<u64, PendingPacket>,
    /// Unreliable packets with a missing fragment or a missing reliable packet before them.
    pending_unreliable: BTreeMap<(u64, u16), PendingPacket>,
}

#[derive(Debug)]
enum PendingPacket {
    Whole(Bytes),
    Fragments(Assembly),
}

impl ReceiveOrder {
    /// Returns the position of a reliable sequence number relative to the last packet delivered.
    pub(crate) const fn position(&self, sequence: u16) -> SequencePosition {
        position(sequence, self.reliable as u16)
    }

    /// Handles a received reliable packet.
    pub(crate) fn reliable(
        &mut self,
        sequence: u16,
        payload: &[u8],
        delivery: &mut Delivery<'_, '_>,
    ) -> Outcome {
        let number = match self.position(sequence) {
            SequencePosition::Ahead(0) | SequencePosition::Old => return Outcome::Accepted,
            SequencePosition::Beyond => return Outcome::Deferred,
            SequencePosition::Ahead(ahead) => self.reliable + u64::from(ahead),
        };
        let Intake { has_capacity, accepted } = delivery.intake();
        if self.pending.contains_key(&number) {
            return accepted;
        }
        if !has_capacity {
            return Outcome::Deferred;
        }
        if number == self.reliable + 1 && accepted == Outcome::Accepted {
            self.reliable = number;
            let payload = delivery.datagram.packet(payload);
            delivery.deliver(PacketFlags::RELIABLE, payload);
            self.advance(true, delivery);
        } else {
            // A copy, so that the packet does not keep the memory of its datagram.
            let entry = PendingPacket::Whole(Bytes::copy_from_slice(payload));
            if !delivery.reserve(entry.cost(), number, false) {
                return Outcome::Deferred;
            }
            self.pending.insert(number, entry);
        }
        accepted
    }

    /// Handles a received fragment of a reliable packet.
    pub(crate) fn reliable_fragment(
        &mut self,
        sequence: u16,
        fragment: &Fragment<'_>,
        delivery: &mut Delivery<'_, '_>,
    ) -> Outcome {
        if fragment.count > 1 << 16
            || sequence != fragment.start.wrapping_add(fragment.number as u16)
        {
            return Outcome::Malformed;
        }
        let number = match self.position(fragment.start) {
            SequencePosition::Ahead(0) | SequencePosition::Old => return Outcome::Accepted,
            SequencePosition::Beyond => return Outcome::Deferred,
            SequencePosition::Ahead(ahead) => self.reliable + u64::from(ahead),
        };
        let Intake { has_capacity, accepted } = delivery.intake();
        if self.position(sequence) == SequencePosition::Beyond || !has_capacity {
            // Fragments that were received before are acknowledged again.
            return match self.pending.get(&number) {
                Some(PendingPacket::Fragments(fragments)) if fragments.cost(fragment).is_none() => {
                    Outcome::Accepted
                }
                _ => Outcome::Deferred,
            };
        }
        let is_next = number == self.reliable + 1;
        match self.pending.get_mut(&number) {
            Some(PendingPacket::Fragments(fragments)) => {
                if !fragments.fits(fragment) {
                    return Outcome::Malformed;
                }
                let Some(cost) = fragments.cost(fragment) else { return accepted };
                if !delivery.reserve(cost, number, is_next) {
                    return Outcome::Deferred;
                }
                fragments.insert(fragment);
            }
            Some(PendingPacket::Whole(_)) => return Outcome::Malformed,
            None => {
                let Some(mut fragments) = Assembly::new(fragment, delivery.packet_bytes_max())
                else {
                    return Outcome::Malformed;
                };
                let cost = fragments.held() + fragments.cost(fragment).unwrap_or(0);
                if !delivery.reserve(cost, number, is_next) {
                    return Outcome::Deferred;
                }
                fragments.insert(fragment);
                self.pending.insert(number, PendingPacket::Fragments(fragments));
            }
        }
        if is_next && accepted == Outcome::Accepted {
            self.advance(false, delivery);
        }
        accepted
    }

    /// Delivers the reliable packets that were completed while the connection was paused.
    pub(crate) fn resume(&mut self, delivery: &mut Delivery<'_, '_>) {
        self.advance(false, delivery);
    }

    /// Handles a received unreliable packet.
    pub(crate) fn unreliable(
        &mut self,
        reliable: u16,
        sequence: u16,
        payload: &[u8],
        delivery: &mut Delivery<'_, '_>,
    ) {
        let Some(key) = self.unreliable_key(reliable, sequence, delivery) else { return };
        if key.0 == self.reliable {
            let payload = delivery.datagram.packet(payload);
            self.deliver_unreliable(key, PacketFlags::UNRELIABLE, payload, delivery);
            return;
        }
        let entry = PendingPacket::Whole(Bytes::copy_from_slice(payload));
        if self.pending_unreliable.contains_key(&key)
            || !self.make_room(entry.cost(), key, delivery)
        {
            delivery.dropped();
            return;
        }
        delivery.reserve_unreliable(entry.cost());
        self.pending_unreliable.insert(key, entry);
    }

    /// Handles a received fragment of an unreliable packet.
    pub(crate) fn unreliable_fragment(
        &mut self,
        reliable: u16,
        fragment: &Fragment<'_>,
        delivery: &mut Delivery<'_, '_>,
    ) -> Outcome {
        let Some(key) = self.unreliable_key(reliable, fragment.start, delivery) else {
            return Outcome::Accepted;
        };
        let cost = match self.pending_unreliable.get(&key) {
            Some(PendingPacket::Fragments(fragments)) if fragments.fits(fragment) => {
                match fragments.cost(fragment) {
                    Some(cost) => cost,
                    None => return Outcome::Accepted,
                }
            }
            Some(_) => return Outcome::Malformed,
            None => {
                let Some(fragments) = Assembly::new(fragment, delivery.packet_bytes_max()) else {
                    return Outcome::Malformed;
                };
                let cost = fragments.held();
                if !self.make_room(cost, key, delivery) {
                    delivery.dropped();
                    return Outcome::Accepted;
                }
                delivery.reserve_unreliable(cost);
                let piece = fragments.cost(fragment).unwrap_or(0);
                self.pending_unreliable.insert(key, PendingPacket::Fragments(fragments));
                piece
            }
        };
        if !self.make_room(cost, key, delivery) {
            self.drop_unreliable(key, delivery);
            return Outcome::Accepted;
        }
        delivery.reserve_unreliable(cost);
        let Entry::Occupied(mut entry) = self.pending_unreliable.entry(key) else {
            bug!("a packet is gone before its fragment was added");
            return Outcome::Accepted;
        };
        match entry.get_mut() {
            PendingPacket::Fragments(fragments) => fragments.insert(fragment),
            PendingPacket::Whole(_) => bug!("a fragment is added to a whole packet"),
        }
        if entry.get().is_complete() && key.0 == self.reliable {
            let waiting = entry.remove();
            delivery.release_unreliable(waiting.cost());
            let flags = waiting.unreliable_flags();
            self.deliver_unreliable(key, flags, waiting.into_payload(), delivery);
        }
        Outcome::Accepted
    }

    /// Drops the pending unreliable packets.
    pub(crate) fn shed_unreliable(&mut self, delivery: &mut Delivery<'_, '_>) {
        while let Some((key, _)) = self.pending_unreliable.first_key_value() {
            self.drop_unreliable(*key, delivery);
        }
    }

    /// Delivers the reliable packets that are complete and next in order. If there was one, or if
    /// `was_delivered`, also delivers the unreliable packets that follow it, whose numbers restart
    /// at 1.
    fn advance(&mut self, mut was_delivered: bool, delivery: &mut Delivery<'_, '_>) {
        while let Some(first) = self.pending.first_entry() {
            if *first.key() != self.reliable + 1 || !first.get().is_complete() {
                break;
            }
            let (number, entry) = first.remove_entry();
            delivery.release(entry.cost(), number);
            self.reliable += entry.sequences();
            delivery.deliver(PacketFlags::RELIABLE, entry.into_payload());
            was_delivered = true;
        }
        if was_delivered {
            self.unreliable = 0;
            self.release_unreliable(delivery);
        }
    }

    fn release_unreliable(&mut self, delivery: &mut Delivery<'_, '_>) {
        let current = self.reliable;
        while let Some((&key, _)) = self.pending_unreliable.first_key_value() {
            if key.0 >= current {
                break;
            }
            self.drop_unreliable(key, delivery);
        }
        let mut ready = self.pending_unreliable.range((current, 0)..=(current, u16::MAX));
        let Some(last) = ready.rfind(|(_, entry)| entry.is_complete()).map(|(&key, _)| key) else {
            return;
        };
        while let Some(first) = self.pending_unreliable.first_entry() {
            if *first.key() > last {
                break;
            }
            let (key, entry) = first.remove_entry();
            delivery.release_unreliable(entry.cost());
            if entry.is_complete() {
                self.unreliable = key.1;
                delivery.deliver(entry.unreliable_flags(), entry.into_payload());
            } else {
                delivery.dropped();
            }
        }
    }

    /// Returns the key of an unreliable packet. `None` if the packet is late or the queue is full;
    /// it is counted as dropped then.
    fn unreliable_key(
        &self,
        reliable: u16,
        sequence: u16,
        delivery: &mut Delivery<'_, '_>,
    ) -> Option<(u64, u16)> {
        let key = match self.position(reliable) {
            SequencePosition::Ahead(ahead) => Some((self.reliable + u64::from(ahead), sequence)),
            SequencePosition::Old | SequencePosition::Beyond => None,
        };
        let is_late = key.is_none_or(|(reliable, sequence)| {
            reliable == self.reliable && sequence <= self.unreliable
        });
        if is_late || !delivery.has_capacity() {
            delivery.dropped();
            return None;
        }
        key
    }

    /// Delivers a complete packet, and drops incomplete ones before it.
    fn deliver_unreliable(
        &mut self,
        key: (u64, u16),
        flags: PacketFlags,
        payload: Bytes,
        delivery: &mut Delivery<'_, '_>,
    ) {
        self.unreliable = key.1;
        delivery.deliver(flags, payload);
        while let Some((&first, _)) = self.pending_unreliable.first_key_value() {
            if first > key {
                break;
            }
            self.drop_unreliable(first, delivery);
        }
    }

    /// Makes `cost` bytes available by dropping packets older than `key`. Returns whether that
    /// sufficed.
    fn make_room(&mut self, cost: usize, key: (u64, u16), delivery: &mut Delivery<'_, '_>) -> bool {
        while !delivery.has_unreliable_room(cost) {
            let Some((&first, _)) = self.pending_unreliable.first_key_value() else { return false };
            if first >= key {
                return false;
            }
            self.drop_unreliable(first, delivery);
        }
        true
    }

    fn drop_unreliable(&mut self, key: (u64, u16), delivery: &mut Delivery<'_, '_>) {
        match self.pending_unreliable.remove(&key) {
            Some(entry) => {
                delivery.release_unreliable(entry.cost());
                delivery.dropped();
            }
            None => bug!("a packet is dropped that does not wait"),
        }
    }
}

impl PendingPacket {
    const fn is_complete(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Fragments(fragments) => fragments.is_complete(),
        }
    }

    const fn cost(&self) -> usize {
        match self {
            Self::Whole(payload) => payload.len() + ENTRY_OVERHEAD,
            Self::Fragments(fragments) => fragments.held(),
        }
    }

    fn sequences(&self) -> u64 {
        match self {
            Self::Whole(_) => 1,
            Self::Fragments(fragments) => u64::from(fragments.count()),
        }
    }

    const fn unreliable_flags(&self) -> PacketFlags {
        match self {
            Self::Whole(_) => PacketFlags::UNRELIABLE,
            Self::Fragments(_) => PacketFlags::UNRELIABLE_FRAGMENT,
        }
    }

    fn into_payload(self) -> Bytes {
        match self {
            Self::Whole(payload) => payload,
            Self::Fragments(fragments) => fragments.into_payload(),
        }
    }
}
