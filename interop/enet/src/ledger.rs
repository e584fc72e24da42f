//! What one side has sent and the other has received, and whether that is as it should be.

use std::collections::{BTreeMap, VecDeque};

use crate::matrix::{Kind, Size};

/// One direction of a session.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Bytes of the largest packet that is not cut.
    whole_max: usize,
    sent: Vec<Entry>,
    /// The next reliable packets, per channel.
    reliable: BTreeMap<u8, VecDeque<u32>>,
    /// The last unreliable packet that came in order, per channel.
    sequenced: BTreeMap<u8, u32>,
    /// Reliable bytes that have not arrived.
    pub(crate) outstanding: usize,
    /// Bytes that have arrived.
    pub(crate) reliable_bytes: usize,
    pub(crate) unreliable_bytes: usize,
    pub(crate) unreliable_sent: usize,
    pub(crate) unreliable_arrived: usize,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    channel: u8,
    size: usize,
    has_arrived: bool,
}

impl Ledger {
    pub(crate) fn new(whole_max: usize) -> Self {
        Self { whole_max, ..Self::default() }
    }

    /// The number of the next packet.
    pub(crate) fn send(&mut self, kind: Kind, channel: u8, size: usize) -> u32 {
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

    /// A packet has arrived; its kind and size, or what is wrong with it.
    pub(crate) fn arrive(&mut self, packet: &Arrival) -> Result<(Kind, Size), String> {
        let Arrival { channel, flags, number, size, is_intact } = *packet;
        let wrong = |what: &str| Err(format!("{what}: {packet:?}"));
        let Some(entry) = self.sent.get_mut(number as usize) else {
            return wrong("nobody sent this");
        };
        if !is_intact || (entry.channel, entry.size) != (channel, size) {
            return wrong("it was sent otherwise");
        }
        if std::mem::replace(&mut entry.has_arrived, true) {
            return wrong("it came twice");
        }
        let kind = entry.kind;
        let is_cut = size > self.whole_max;
        let is_reliable = self.is_reliable(kind, size);
        let expected = match kind {
            _ if is_reliable => Kind::Reliable.flags(),
            Kind::Fragmented if !is_cut => Kind::Unreliable.flags(),
            kind => kind.flags(),
        };
        if flags != expected {
            return wrong("its flags should be others");
        }
        if is_reliable {
            let next = self.reliable.get_mut(&channel).and_then(VecDeque::pop_front);
            if next != Some(number) {
                return wrong(&format!("reliable packet {next:?} should be next"));
            }
            self.outstanding -= size;
            self.reliable_bytes += size;
        } else {
            self.unreliable_arrived += 1;
            self.unreliable_bytes += size;
            if kind != Kind::Unsequenced
                && self.sequenced.insert(channel, number).is_some_and(|last| last > number)
            {
                return wrong("it came behind a later one");
            }
        }
        let size = match size {
            _ if is_cut => Size::Cut,
            size if size == self.whole_max => Size::Whole,
            _ => Size::Small,
        };
        Ok((kind, size))
    }

    /// Whether everything reliable has arrived.
    pub(crate) fn is_done(&self) -> bool {
        self.outstanding == 0
    }

    /// ENet sends what must be cut reliably unless it is told otherwise.
    fn is_reliable(&self, kind: Kind, size: usize) -> bool {
        kind == Kind::Reliable || size > self.whole_max && kind != Kind::Fragmented
    }
}

/// A packet that arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) channel: u8,
    pub(crate) flags: u8,
    pub(crate) number: u32,
    pub(crate) size: usize,
    /// Whether its bytes follow from its number.
    pub(crate) is_intact: bool,
}

impl Arrival {
    /// A packet of bytes.
    pub(crate) fn read(channel: u8, flags: u8, bytes: &[u8]) -> Self {
        let number = bytes.first_chunk().map_or(u32::MAX, |&first| u32::from_be_bytes(first));
        let is_intact = bytes == payload(number, bytes.len());
        Self { channel, flags, number, size: bytes.len(), is_intact }
    }
}

/// The bytes of a packet: its number, then what follows from it. C's side makes the same.
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

    fn arrival(channel: u8, flags: u8, number: u32, size: usize) -> Arrival {
        Arrival { channel, flags, number, size, is_intact: true }
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::new(1_364);
        for (kind, size) in [
            (Kind::Reliable, 10),
            (Kind::Reliable, 10),
            (Kind::Unreliable, 10),
            (Kind::Unreliable, 10),
            (Kind::Unsequenced, 3_000),
        ] {
            ledger.send(kind, 1, size);
        }
        ledger
    }

    #[test]
    fn what_is_wrong_is_noticed() {
        for (arrivals, why) in [
            (&[arrival(1, 1, 1, 10)][..], "Some(0) should be next"),
            (&[arrival(1, 1, 0, 10), arrival(1, 1, 0, 10)], "came twice"),
            (&[arrival(1, 0, 3, 10), arrival(1, 0, 2, 10)], "behind a later one"),
            (&[arrival(2, 1, 0, 10)], "sent otherwise"),
            (&[arrival(1, 1, 0, 11)], "sent otherwise"),
            (&[arrival(1, 0, 0, 10)], "flags"),
            (&[arrival(1, 2, 4, 3_000)], "flags"),
            (&[arrival(1, 0, 9, 10)], "nobody sent this"),
            (&[Arrival { is_intact: false, ..arrival(1, 1, 0, 10) }], "sent otherwise"),
        ] {
            let mut ledger = ledger();
            let (last, before) = arrivals.split_last().unwrap();
            for arrival in before {
                ledger.arrive(arrival).unwrap();
            }
            let error = ledger.arrive(last).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn everything_reliable_must_arrive() {
        let mut ledger = ledger();
        for (flags, number, size) in [(1, 0, 10), (1, 1, 10)] {
            assert!(!ledger.is_done());
            ledger.arrive(&arrival(1, flags, number, size)).unwrap();
        }
        assert_eq!(ledger.arrive(&arrival(1, 1, 4, 3_000)), Ok((Kind::Unsequenced, Size::Cut)));
        assert!(ledger.is_done());
        assert_eq!((ledger.unreliable_sent, ledger.unreliable_arrived), (2, 0));
    }

    #[test]
    fn bytes_follow_from_their_number() {
        let mut bytes = payload(70_000, 300);
        assert!(Arrival::read(0, 1, &bytes).is_intact);
        assert_eq!(Arrival::read(0, 1, &bytes).number, 70_000);
        bytes[299] ^= 1;
        assert!(!Arrival::read(0, 1, &bytes).is_intact);
        assert!(!Arrival::read(0, 1, &[1, 2]).is_intact);
    }
}
