//! Packets that one side has sent and the other has received, with checks of delivery and order.

use std::collections::{BTreeMap, VecDeque};

use crate::coverage::{PacketKind, PacketSize};

/// Packets of one direction of a session.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    /// Largest packet in bytes that is not fragmented.
    whole_max: usize,
    sent: Vec<Entry>,
    /// Pending reliable packets, in order, by channel.
    reliable: BTreeMap<u8, VecDeque<u32>>,
    /// Last sequenced packet received, by channel.
    sequenced: BTreeMap<u8, u32>,
    /// Reliable bytes sent but not received.
    pub(crate) outstanding: usize,
    /// Reliable bytes received.
    pub(crate) reliable_bytes: usize,
    pub(crate) unreliable_bytes: usize,
    pub(crate) unreliable_sent: usize,
    pub(crate) unreliable_arrived: usize,
}

#[derive(Debug)]
struct Entry {
    kind: PacketKind,
    channel: u8,
    size: usize,
    has_arrived: bool,
}

impl Deliveries {
    pub(crate) fn new(whole_max: usize) -> Self {
        Self { whole_max, ..Self::default() }
    }

    /// Records a sent packet, and returns its number.
    pub(crate) fn send(&mut self, kind: PacketKind, channel: u8, size: usize) -> u32 {
        let number = self.sent.len() as u32;
        if self.is_reliable(kind, size) {
            self.reliable.entry(channel).or_default().push_back(number);
            self.outstanding += size;
        } else {
            self.unreliable_sent += 1;
        }
        self.sent.push(Entry { kind, channel, size, has_arrived: false });
        number
    }

    /// Records a received packet, and returns its kind and size. Returns an error if it is
    /// unexpected.
    pub(crate) fn record_received(
        &mut self,
        packet: &ReceivedPacket,
    ) -> Result<(PacketKind, PacketSize), String> {
        let ReceivedPacket { channel, flags, number, size, is_intact } = *packet;
        let wrong = |what: &str| Err(format!("{what}: {packet:?}"));
        let Some(entry) = self.sent.get_mut(number as usize) else {
            return wrong("never sent");
        };
        if !is_intact || (entry.channel, entry.size) != (channel, size) {
            return wrong("differs from what was sent");
        }
        if std::mem::replace(&mut entry.has_arrived, true) {
            return wrong("duplicate");
        }
        let kind = entry.kind;
        let is_cut = size > self.whole_max;
        let is_reliable = self.is_reliable(kind, size);
        let expected = match kind {
            _ if is_reliable => PacketKind::Reliable.flags(),
            PacketKind::Fragmented if !is_cut => PacketKind::Unreliable.flags(),
            kind => kind.flags(),
        };
        if flags != expected {
            return wrong("wrong flags");
        }
        if is_reliable {
            let next = self.reliable.get_mut(&channel).and_then(VecDeque::pop_front);
            if next != Some(number) {
                return wrong(&format!("reliable packet {next:?} is next"));
            }
            self.outstanding -= size;
            self.reliable_bytes += size;
        } else {
            self.unreliable_arrived += 1;
            self.unreliable_bytes += size;
            if kind != PacketKind::Unsequenced
                && self.sequenced.insert(channel, number).is_some_and(|last| last > number)
            {
                return wrong("received after a later one");
            }
        }
        let size = match size {
            _ if is_cut => PacketSize::Cut,
            size if size == self.whole_max => PacketSize::Whole,
            _ => PacketSize::Small,
        };
        Ok((kind, size))
    }

    /// Returns whether all reliable packets have been received.
    pub(crate) fn is_done(&self) -> bool {
        self.outstanding == 0
    }

    /// Returns whether a packet is reliable. ENet sends fragmented packets reliably, unless flagged
    /// otherwise.
    fn is_reliable(&self, kind: PacketKind, size: usize) -> bool {
        kind == PacketKind::Reliable || size > self.whole_max && kind != PacketKind::Fragmented
    }
}

/// A received packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceivedPacket {
    pub(crate) channel: u8,
    pub(crate) flags: u8,
    pub(crate) number: u32,
    pub(crate) size: usize,
    /// True if its bytes match its number.
    pub(crate) is_intact: bool,
}

impl ReceivedPacket {
    /// Parses a received packet.
    pub(crate) fn read(channel: u8, flags: u8, bytes: &[u8]) -> Self {
        let number = bytes.first_chunk().map_or(u32::MAX, |&first| u32::from_be_bytes(first));
        let is_intact = bytes == payload(number, bytes.len());
        Self { channel, flags, number, size: bytes.len(), is_intact }
    }
}

/// Returns the bytes of a packet: its number, then bytes derived from it. peer.c generates the
/// same.
pub(crate) fn payload(number: u32, size: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        (0..size).map(|index| (index as u32).wrapping_add(number) as u8).collect();
    if let Some(first) = bytes.first_chunk_mut() {
        *first = number.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(channel: u8, flags: u8, number: u32, size: usize) -> ReceivedPacket {
        ReceivedPacket { channel, flags, number, size, is_intact: true }
    }

    fn deliveries() -> Deliveries {
        let mut deliveries = Deliveries::new(1_364);
        for (kind, size) in [
            (PacketKind::Reliable, 10),
            (PacketKind::Reliable, 10),
            (PacketKind::Unreliable, 10),
            (PacketKind::Unreliable, 10),
            (PacketKind::Unsequenced, 3_000),
        ] {
            deliveries.send(kind, 1, size);
        }
        deliveries
    }

    #[test]
    fn unexpected_packets_are_reported() {
        for (arrivals, why) in [
            (&[arrival(1, 1, 1, 10)][..], "Some(0) is next"),
            (&[arrival(1, 1, 0, 10), arrival(1, 1, 0, 10)], "duplicate"),
            (&[arrival(1, 0, 3, 10), arrival(1, 0, 2, 10)], "after a later one"),
            (&[arrival(2, 1, 0, 10)], "differs from what was sent"),
            (&[arrival(1, 1, 0, 11)], "differs from what was sent"),
            (&[arrival(1, 0, 0, 10)], "flags"),
            (&[arrival(1, 2, 4, 3_000)], "flags"),
            (&[arrival(1, 0, 9, 10)], "never sent"),
            (
                &[ReceivedPacket { is_intact: false, ..arrival(1, 1, 0, 10) }],
                "differs from what was sent",
            ),
        ] {
            let mut deliveries = deliveries();
            let (last, before) = arrivals.split_last().unwrap();
            for arrival in before {
                deliveries.record_received(arrival).unwrap();
            }
            let error = deliveries.record_received(last).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn is_done_requires_all_reliable_packets() {
        let mut deliveries = deliveries();
        for (flags, number, size) in [(1, 0, 10), (1, 1, 10)] {
            assert!(!deliveries.is_done());
            deliveries.record_received(&arrival(1, flags, number, size)).unwrap();
        }
        assert_eq!(
            deliveries.record_received(&arrival(1, 1, 4, 3_000)),
            Ok((PacketKind::Unsequenced, PacketSize::Cut))
        );
        assert!(deliveries.is_done());
        assert_eq!((deliveries.unreliable_sent, deliveries.unreliable_arrived), (2, 0));
    }

    #[test]
    fn payloads_are_derived_from_their_number() {
        let mut bytes = payload(70_000, 300);
        assert!(ReceivedPacket::read(0, 1, &bytes).is_intact);
        assert_eq!(ReceivedPacket::read(0, 1, &bytes).number, 70_000);
        bytes[299] ^= 1;
        assert!(!ReceivedPacket::read(0, 1, &bytes).is_intact);
        assert!(!ReceivedPacket::read(0, 1, &[1, 2]).is_intact);
    }
}
