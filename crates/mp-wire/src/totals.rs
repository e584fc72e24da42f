//! Totals of packets by kind.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::{Direction, WireKind};

/// Packets and bytes by kind and direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    counts: BTreeMap<WireKind, [Count; 2]>,
}

/// Packets and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Bytes of their payloads, without the transport's headers.
    pub bytes: u64,
}

impl Totals {
    /// Counts a packet of `len` bytes.
    pub fn add(&mut self, kind: WireKind, direction: Direction, len: usize) {
        let count = &mut self.counts.entry(kind).or_default()[direction as usize];
        count.packets += 1;
        count.bytes += len as u64;
    }

    /// Returns the packets of a kind in a direction.
    pub fn of(&self, kind: WireKind, direction: Direction) -> Count {
        self.counts.get(&kind).map_or_else(Count::default, |counts| counts[direction as usize])
    }

    /// Returns the packets of all kinds in a direction.
    pub fn all(&self, direction: Direction) -> Count {
        let counts = self.counts.values().map(|counts| counts[direction as usize]);
        counts.fold(Count::default(), |sum, count| Count {
            packets: sum.packets + count.packets,
            bytes: sum.bytes + count.bytes,
        })
    }

    /// Returns a table with a line for each kind that occurred, and one for all.
    pub fn table(&self) -> String {
        let mut table = format!(
            "{:<10} {:>12} {:>14} {:>12} {:>14}\n",
            "kind", "to server", "bytes", "to client", "bytes"
        );
        let kinds = self.counts.keys().map(|&kind| {
            let counts = [Direction::ToServer, Direction::ToClient].map(|it| self.of(kind, it));
            (kind.label(), counts)
        });
        let all = ("all", [Direction::ToServer, Direction::ToClient].map(|it| self.all(it)));
        for (label, [up, down]) in kinds.chain([all]) {
            let _ = writeln!(
                table,
                "{label:<10} {:>12} {:>14} {:>12} {:>14}",
                up.packets, up.bytes, down.packets, down.bytes
            );
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use mp_scene::PacketKind;

    use super::*;

    #[test]
    fn totals_of_kinds_add_up_to_those_of_all() {
        let mut totals = Totals::default();
        let rpc = WireKind::Scene(PacketKind::Rpc);
        for (kind, direction, len) in [
            (rpc, Direction::ToServer, 10),
            (rpc, Direction::ToClient, 20),
            (rpc, Direction::ToServer, 1),
            (WireKind::Malformed, Direction::ToServer, 5),
        ] {
            totals.add(kind, direction, len);
        }
        assert_eq!(totals.of(rpc, Direction::ToServer), Count { packets: 2, bytes: 11 });
        assert_eq!(totals.all(Direction::ToServer), Count { packets: 3, bytes: 16 });
        assert_eq!(totals.all(Direction::ToClient), Count { packets: 1, bytes: 20 });
        let lines = ["rpc 2 11 1 20", "malformed 1 5 0 0", "all 3 16 1 20"];
        let table = totals.table();
        let words = table.lines().skip(1).map(|it| it.split_whitespace().collect::<Vec<_>>());
        let words: Vec<String> = words.map(|words| words.join(" ")).collect();
        assert_eq!(words, lines);
    }
}
