//! The order of packets received on a channel. Packets wait here for earlier packets and for
//! missing fragments.

use mp_core::bug;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use bytes::Bytes;

use super::Outcome;
use super::assembly::Assembly;
use super::inbound::{Intake, Sink};
use super::window::{Place, place};
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
    waiting: BTreeMap<u64, Waiting>,
    /// Unreliable packets with a missing fragment or a missing reliable packet before them.
    unreliable_waiting: BTreeMap<(u64, u16), Waiting>,
}

#[derive(Debug)]
enum Waiting {
    Whole(Bytes),
    Pieces(Assembly),
}

impl ReceiveOrder {
    /// Returns the position of a reliable sequence number relative to the last packet delivered.
    pub(crate) const fn place(&self, sequence: u16) -> Place {
        place(sequence, self.reliable as u16)
    }

    /// Handles a received reliable packet.
    pub(crate) fn reliable(
        &mut self,
        sequence: u16,
        payload: &[u8],
        sink: &mut Sink<'_, '_>,
    ) -> Outcome {
        let number = match self.place(sequence) {
            Place::Ahead(0) | Place::Old => return Outcome::Taken,
            Place::Beyond => return Outcome::Withheld,
            Place::Ahead(ahead) => self.reliable + u64::from(ahead),
        };
        let Intake { has_room, accepted } = sink.intake();
        if self.waiting.contains_key(&number) {
            return accepted;
        }
        if !has_room {
            return Outcome::Withheld;
        }
        if number == self.reliable + 1 && accepted == Outcome::Taken {
            self.reliable = number;
            let payload = sink.source.packet(payload);
            sink.deliver(PacketFlags::RELIABLE, payload);
            self.advance(true, sink);
        } else {
            // A copy, so that the packet does not keep the memory of its datagram.
            let entry = Waiting::Whole(Bytes::copy_from_slice(payload));
            if !sink.reserve(entry.cost(), number, false) {
                return Outcome::Withheld;
            }
            self.waiting.insert(number, entry);
        }
        accepted
    }

    /// Handles a received fragment of a reliable packet.
    pub(crate) fn reliable_fragment(
        &mut self,
        sequence: u16,
        fragment: &Fragment<'_>,
        sink: &mut Sink<'_, '_>,
    ) -> Outcome {
        if fragment.count > 1 << 16
            || sequence != fragment.start.wrapping_add(fragment.number as u16)
        {
            return Outcome::Refused;
        }
        let number = match self.place(fragment.start) {
            Place::Ahead(0) | Place::Old => return Outcome::Taken,
            Place::Beyond => return Outcome::Withheld,
            Place::Ahead(ahead) => self.reliable + u64::from(ahead),
        };
        let Intake { has_room, accepted } = sink.intake();
        if self.place(sequence) == Place::Beyond || !has_room {
            // Fragments that were received before are acknowledged again.
            return match self.waiting.get(&number) {
                Some(Waiting::Pieces(pieces)) if pieces.cost(fragment).is_none() => Outcome::Taken,
                _ => Outcome::Withheld,
            };
        }
        let is_next = number == self.reliable + 1;
        match self.waiting.get_mut(&number) {
            Some(Waiting::Pieces(pieces)) => {
                if !pieces.fits(fragment) {
                    return Outcome::Refused;
                }
                let Some(cost) = pieces.cost(fragment) else { return accepted };
                if !sink.reserve(cost, number, is_next) {
                    return Outcome::Withheld;
                }
                pieces.insert(fragment);
            }
            Some(Waiting::Whole(_)) => return Outcome::Refused,
            None => {
                let Some(mut pieces) = Assembly::new(fragment, sink.packet_bytes_max()) else {
                    return Outcome::Refused;
                };
                let cost = pieces.held() + pieces.cost(fragment).unwrap_or(0);
                if !sink.reserve(cost, number, is_next) {
                    return Outcome::Withheld;
                }
                pieces.insert(fragment);
                self.waiting.insert(number, Waiting::Pieces(pieces));
            }
        }
        if is_next && accepted == Outcome::Taken {
            self.advance(false, sink);
        }
        accepted
    }

    /// Delivers the reliable packets that were completed while the connection was paused.
    pub(crate) fn resume(&mut self, sink: &mut Sink<'_, '_>) {
        self.advance(false, sink);
    }

    /// Handles a received unreliable packet.
    pub(crate) fn unreliable(
        &mut self,
        reliable: u16,
        sequence: u16,
        payload: &[u8],
        sink: &mut Sink<'_, '_>,
    ) {
        let Some(key) = self.unreliable_key(reliable, sequence, sink) else { return };
        if key.0 == self.reliable {
            let payload = sink.source.packet(payload);
            self.deliver_unreliable(key, PacketFlags::UNRELIABLE, payload, sink);
            return;
        }
        let entry = Waiting::Whole(Bytes::copy_from_slice(payload));
        if self.unreliable_waiting.contains_key(&key) || !self.make_room(entry.cost(), key, sink) {
            sink.dropped();
            return;
        }
        sink.reserve_unreliable(entry.cost());
        self.unreliable_waiting.insert(key, entry);
    }

    /// Handles a received fragment of an unreliable packet.
    pub(crate) fn unreliable_fragment(
        &mut self,
        reliable: u16,
        fragment: &Fragment<'_>,
        sink: &mut Sink<'_, '_>,
    ) -> Outcome {
        let Some(key) = self.unreliable_key(reliable, fragment.start, sink) else {
            return Outcome::Taken;
        };
        let cost = match self.unreliable_waiting.get(&key) {
            Some(Waiting::Pieces(pieces)) if pieces.fits(fragment) => match pieces.cost(fragment) {
                Some(cost) => cost,
                None => return Outcome::Taken,
            },
            Some(_) => return Outcome::Refused,
            None => {
                let Some(pieces) = Assembly::new(fragment, sink.packet_bytes_max()) else {
                    return Outcome::Refused;
                };
                let cost = pieces.held();
                if !self.make_room(cost, key, sink) {
                    sink.dropped();
                    return Outcome::Taken;
                }
                sink.reserve_unreliable(cost);
                let piece = pieces.cost(fragment).unwrap_or(0);
                self.unreliable_waiting.insert(key, Waiting::Pieces(pieces));
                piece
            }
        };
        if !self.make_room(cost, key, sink) {
            self.drop_unreliable(key, sink);
            return Outcome::Taken;
        }
        sink.reserve_unreliable(cost);
        let Entry::Occupied(mut entry) = self.unreliable_waiting.entry(key) else {
            bug!("a packet is gone before its fragment was added");
            return Outcome::Taken;
        };
        match entry.get_mut() {
            Waiting::Pieces(pieces) => pieces.insert(fragment),
            Waiting::Whole(_) => bug!("a fragment is added to a whole packet"),
        }
        if entry.get().is_complete() && key.0 == self.reliable {
            let waiting = entry.remove();
            sink.release_unreliable(waiting.cost());
            let flags = waiting.unreliable_flags();
            self.deliver_unreliable(key, flags, waiting.into_payload(), sink);
        }
        Outcome::Taken
    }

    /// Drops the pending unreliable packets.
    pub(crate) fn shed_unreliable(&mut self, sink: &mut Sink<'_, '_>) {
        while let Some((key, _)) = self.unreliable_waiting.first_key_value() {
            self.drop_unreliable(*key, sink);
        }
    }

    /// Delivers the reliable packets that are complete and next in order. If there was one, or if
    /// `was_delivered`, also delivers the unreliable packets that follow it, whose numbers restart
    /// at 1.
    fn advance(&mut self, mut was_delivered: bool, sink: &mut Sink<'_, '_>) {
        while let Some(first) = self.waiting.first_entry() {
            if *first.key() != self.reliable + 1 || !first.get().is_complete() {
                break;
            }
            let (number, entry) = first.remove_entry();
            sink.release(entry.cost(), number);
            self.reliable += entry.sequences();
            sink.deliver(PacketFlags::RELIABLE, entry.into_payload());
            was_delivered = true;
        }
        if was_delivered {
            self.unreliable = 0;
            self.release_unreliable(sink);
        }
    }

    fn release_unreliable(&mut self, sink: &mut Sink<'_, '_>) {
        let current = self.reliable;
        while let Some((&key, _)) = self.unreliable_waiting.first_key_value() {
            if key.0 >= current {
                break;
            }
            self.drop_unreliable(key, sink);
        }
        let mut ready = self.unreliable_waiting.range((current, 0)..=(current, u16::MAX));
        let Some(last) = ready.rfind(|(_, entry)| entry.is_complete()).map(|(&key, _)| key) else {
            return;
        };
        while let Some(first) = self.unreliable_waiting.first_entry() {
            if *first.key() > last {
                break;
            }
            let (key, entry) = first.remove_entry();
            sink.release_unreliable(entry.cost());
            if entry.is_complete() {
                self.unreliable = key.1;
                sink.deliver(entry.unreliable_flags(), entry.into_payload());
            } else {
                sink.dropped();
            }
        }
    }

    /// Returns the key of an unreliable packet. `None` if the packet is late or the queue is full;
    /// it is counted as dropped then.
    fn unreliable_key(
        &self,
        reliable: u16,
        sequence: u16,
        sink: &mut Sink<'_, '_>,
    ) -> Option<(u64, u16)> {
        let key = match self.place(reliable) {
            Place::Ahead(ahead) => Some((self.reliable + u64::from(ahead), sequence)),
            Place::Old | Place::Beyond => None,
        };
        let is_late = key.is_none_or(|(reliable, sequence)| {
            reliable == self.reliable && sequence <= self.unreliable
        });
        if is_late || !sink.has_room() {
            sink.dropped();
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
        sink: &mut Sink<'_, '_>,
    ) {
        self.unreliable = key.1;
        sink.deliver(flags, payload);
        while let Some((&first, _)) = self.unreliable_waiting.first_key_value() {
            if first > key {
                break;
            }
            self.drop_unreliable(first, sink);
        }
    }

    /// Makes `cost` bytes available by dropping packets older than `key`. Returns whether that
    /// sufficed.
    fn make_room(&mut self, cost: usize, key: (u64, u16), sink: &mut Sink<'_, '_>) -> bool {
        while !sink.has_unreliable_room(cost) {
            let Some((&first, _)) = self.unreliable_waiting.first_key_value() else { return false };
            if first >= key {
                return false;
            }
            self.drop_unreliable(first, sink);
        }
        true
    }

    fn drop_unreliable(&mut self, key: (u64, u16), sink: &mut Sink<'_, '_>) {
        match self.unreliable_waiting.remove(&key) {
            Some(entry) => {
                sink.release_unreliable(entry.cost());
                sink.dropped();
            }
            None => bug!("a packet is dropped that does not wait"),
        }
    }
}

impl Waiting {
    const fn is_complete(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Pieces(pieces) => pieces.is_complete(),
        }
    }

    const fn cost(&self) -> usize {
        match self {
            Self::Whole(payload) => payload.len() + ENTRY_OVERHEAD,
            Self::Pieces(pieces) => pieces.held(),
        }
    }

    fn sequences(&self) -> u64 {
        match self {
            Self::Whole(_) => 1,
            Self::Pieces(pieces) => u64::from(pieces.count()),
        }
    }

    const fn unreliable_flags(&self) -> PacketFlags {
        match self {
            Self::Whole(_) => PacketFlags::UNRELIABLE,
            Self::Pieces(_) => PacketFlags::UNRELIABLE_FRAGMENT,
        }
    }

    fn into_payload(self) -> Bytes {
        match self {
            Self::Whole(payload) => payload,
            Self::Pieces(pieces) => pieces.into_payload(),
        }
    }
}
