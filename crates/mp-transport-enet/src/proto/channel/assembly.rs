//! Reassembly of fragmented packets. Memory is allocated for received fragments, never for the
//! length that a header announces. All fragments of a packet but the last must have the same
//! length, so fragments that overlap or contradict each other are rejected.

use mp_core::bug;

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::limits::ENTRY_OVERHEAD;
use crate::proto::command::Fragment;

/// A packet with missing fragments.
#[derive(Debug)]
pub(crate) struct Assembly {
    total: u32,
    count: u32,
    piece_len: u32,
    /// The fragments before `next`, in order.
    front: Vec<u8>,
    next: u32,
    /// Later fragments by number.
    parked: BTreeMap<u32, Box<[u8]>>,
    held: usize,
}

impl Assembly {
    /// Returns an assembly without fragments for the packet of `fragment`. `None` if the fragment
    /// is invalid or the packet is longer than `packet_bytes_max`.
    pub(crate) fn new(fragment: &Fragment<'_>, packet_bytes_max: usize) -> Option<Self> {
        if fragment.total as usize > packet_bytes_max {
            return None;
        }
        Some(Self {
            total: fragment.total,
            count: fragment.count,
            piece_len: piece_len(fragment)?,
            front: Vec::new(),
            next: 0,
            parked: BTreeMap::new(),
            held: ENTRY_OVERHEAD,
        })
    }

    /// Returns whether `fragment` can be part of this packet.
    pub(crate) fn fits(&self, fragment: &Fragment<'_>) -> bool {
        fragment.total == self.total
            && fragment.count == self.count
            && piece_len(fragment) == Some(self.piece_len)
    }

    /// Returns the bytes that [`insert`](Self::insert) would charge for `fragment`. `None` if it is
    /// a duplicate.
    pub(crate) fn cost(&self, fragment: &Fragment<'_>) -> Option<usize> {
        if fragment.number < self.next || self.parked.contains_key(&fragment.number) {
            None
        } else if fragment.number == self.next {
            Some(fragment.payload.len())
        } else {
            Some(fragment.payload.len() + ENTRY_OVERHEAD)
        }
    }

    /// Stores a fragment that [`fits`](Self::fits) and is not a duplicate.
    pub(crate) fn insert(&mut self, fragment: &Fragment<'_>) {
        self.held += self.cost(fragment).unwrap_or(0);
        if fragment.number != self.next {
            self.parked.insert(fragment.number, fragment.payload.into());
            return;
        }
        self.front.extend_from_slice(fragment.payload);
        self.next += 1;
        while let Some(piece) = self.parked.remove(&self.next) {
            self.front.extend_from_slice(&piece);
            self.next += 1;
        }
    }

    /// Returns the bytes charged for the assembly so far.
    pub(crate) const fn held(&self) -> usize {
        self.held
    }

    /// Returns the number of fragments of the packet.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// Returns whether all fragments have been received.
    pub(crate) const fn is_complete(&self) -> bool {
        self.next == self.count
    }

    /// Returns the reassembled packet.
    pub(crate) fn into_payload(self) -> Bytes {
        if self.front.len() != self.total as usize {
            bug!("{} bytes of a packet of {} are complete", self.front.len(), self.total);
        }
        self.front.into()
    }
}

/// Returns the length of each fragment but the last, as far as one fragment determines it. `None`
/// if the fragment is invalid.
fn piece_len(fragment: &Fragment<'_>) -> Option<u32> {
    let Fragment { count, number, total, offset, payload, .. } = *fragment;
    let len = payload.len() as u32;
    if len == 0 || count == 0 || count > FRAGMENTS_MAX || number >= count {
        return None;
    }
    let last = count - 1;
    let piece = match (number == last, last) {
        (true, 0) => total,
        (true, _) if offset.is_multiple_of(last) => offset / last,
        (true, _) => return None,
        (false, _) => len,
    };
    let start = |number: u32| piece.checked_mul(number);
    let is_placed = start(number) == Some(offset);
    let is_last_real = start(last).is_some_and(|last| last < total && total - last <= piece);
    let is_long_enough = number != last || total.checked_sub(offset) == Some(len);
    (is_placed && is_last_real && is_long_enough).then_some(piece)
}

/// Maximum number of fragments of a packet.
const FRAGMENTS_MAX: u32 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(packet: &[u8], piece_len: usize) -> Vec<Fragment<'_>> {
        let count = packet.len().div_ceil(piece_len) as u32;
        let piece = |(number, payload): (usize, _)| Fragment {
            start: 1,
            count,
            number: number as u32,
            total: packet.len() as u32,
            offset: (number * piece_len) as u32,
            payload,
        };
        packet.chunks(piece_len).enumerate().map(piece).collect()
    }

    fn packet(len: usize) -> Vec<u8> {
        (0..len).map(|index| index as u8).collect()
    }

    #[test]
    fn fragments_in_any_order_are_reassembled() {
        let packet = packet(1_000);
        let pieces = pieces(&packet, 300);
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [0, 2, 3, 1]] {
            let mut assembly = Assembly::new(&pieces[order[0]], 1_000).unwrap();
            for index in order {
                assert!(assembly.fits(&pieces[index]));
                assert!(!assembly.is_complete());
                assembly.insert(&pieces[index]);
                assert_eq!(assembly.cost(&pieces[index]), None, "a duplicate must be recognized");
            }
            assert!(assembly.is_complete());
            assert_eq!(assembly.into_payload(), packet, "{order:?}");
        }
    }

    #[test]
    fn a_single_fragment_is_a_packet() {
        let packet = packet(10);
        let piece = pieces(&packet, 1_364)[0];
        let mut assembly = Assembly::new(&piece, 10).unwrap();
        assembly.insert(&piece);
        assert!(assembly.is_complete());
    }

    #[test]
    fn memory_is_allocated_for_received_fragments_only() {
        // Godot 4.6.3 allocates 32 MiB for a datagram of 29 bytes.
        let piece = Fragment {
            start: 1,
            count: 1 << 20,
            number: 0,
            total: 1 << 20,
            offset: 0,
            payload: &[1],
        };
        let mut assembly = Assembly::new(&piece, 32 << 20).unwrap();
        assembly.insert(&piece);
        assert!(assembly.held() < 100);
        assert!(assembly.front.capacity() < 100);
    }

    #[test]
    fn a_packet_over_the_limit_is_rejected() {
        let packet = packet(1_000);
        assert!(Assembly::new(&pieces(&packet, 300)[0], 999).is_none());
    }

    #[test]
    fn contradictory_fragments_are_rejected() {
        let packet = packet(1_000);
        let pieces = pieces(&packet, 300);
        let assembly = Assembly::new(&pieces[0], 1_000).unwrap();
        let lies = [
            Fragment { number: 4, ..pieces[3] },
            Fragment { offset: 0, ..pieces[1] },
            Fragment { offset: 299, ..pieces[1] },
            Fragment { payload: &packet[..299], ..pieces[1] },
            Fragment { payload: &[], ..pieces[1] },
            Fragment { payload: &packet[900..999], ..pieces[3] },
            Fragment { offset: 901, payload: &packet[901..], ..pieces[3] },
            Fragment { total: 1_001, ..pieces[1] },
            Fragment { total: 900, ..pieces[0] },
            Fragment { total: 1_201, ..pieces[0] },
            Fragment { count: 3, ..pieces[1] },
            Fragment { count: 0, ..pieces[1] },
            Fragment { count: u32::MAX, number: u32::MAX - 1, offset: u32::MAX, ..pieces[1] },
        ];
        for lie in lies {
            assert!(!assembly.fits(&lie), "{lie}");
        }
        let whole = Fragment { count: 1, number: 0, ..pieces[0] };
        assert!(
            Assembly::new(&whole, 1_000).is_none(),
            "a single fragment shorter than the packet"
        );
    }
}
