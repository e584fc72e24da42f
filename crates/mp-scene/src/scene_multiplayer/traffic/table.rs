//! [`Table`]: counts by kind, node and member, with a maximum number of rows.

use std::hash::{Hash, Hasher};

use indexmap::{Equivalent, IndexMap};

use super::report::{TrafficCount, TrafficRow};
use crate::PacketKind;
use crate::limits::TRAFFIC_ROWS_MAX;

/// Maximum bytes of the name of a node, or of a member.
pub(super) const NAME_MAX: usize = 256;

/// Position of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct RowId(u32);

impl RowId {
    /// The sum of everything without a row.
    const OTHER: Self = Self(u32::MAX);
}

/// The direction of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Direction {
    Received,
    Sent,
}

/// Counts in both directions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) received: TrafficCount,
    pub(super) sent: TrafficCount,
}

impl Counts {
    fn add(&mut self, direction: Direction, count: TrafficCount) {
        match direction {
            Direction::Received => self.received.add(count),
            Direction::Sent => self.sent.add(count),
        }
    }
}

/// Counts by row. Rows stay until the table is dropped, so that their positions are valid.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: IndexMap<Key, Counts>,
    other: Counts,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    kind: PacketKind,
    is_relayed: bool,
    node: Box<str>,
    member: Box<str>,
}

/// A key whose texts are borrowed.
pub(super) struct KeyRef<'a> {
    pub(super) kind: PacketKind,
    pub(super) is_relayed: bool,
    pub(super) node: &'a str,
    pub(super) member: &'a str,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { kind, is_relayed, node, member } = self;
        KeyRef { kind: *kind, is_relayed: *is_relayed, node, member }.hash(state);
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.kind, self.is_relayed, self.node, self.member).hash(state);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        (self.kind, self.is_relayed, self.node, self.member)
            == (key.kind, key.is_relayed, &*key.node, &*key.member)
    }
}

impl Table {
    /// Returns the row of a key, which is added if there is a place for it.
    pub(super) fn row(&mut self, key: &KeyRef<'_>) -> RowId {
        if let Some(index) = self.rows.get_index_of(key) {
            return RowId(index as u32);
        }
        if self.rows.len() >= TRAFFIC_ROWS_MAX {
            return RowId::OTHER;
        }
        let &KeyRef { kind, is_relayed, node, member } = key;
        let key = Key { kind, is_relayed, node: node.into(), member: member.into() };
        let (index, _) = self.rows.insert_full(key, Counts::default());
        RowId(index as u32)
    }

    /// Adds to the counts of a row.
    #[inline]
    pub(super) fn count(&mut self, row: RowId, direction: Direction, count: TrafficCount) {
        let counts = match self.rows.get_index_mut(row.0 as usize) {
            Some((_, counts)) => counts,
            None => &mut self.other,
        };
        counts.add(direction, count);
    }

    /// Returns the sums without a row.
    pub(super) fn other(&self) -> Counts {
        self.other
    }

    /// Returns copies of the rows with packets.
    pub(super) fn rows(&self) -> Vec<TrafficRow> {
        let used = self.rows.iter().filter(|(_, counts)| {
            let Counts { received, sent } = counts;
            received.packets + sent.packets > 0
        });
        let row = |(key, counts): (&Key, &Counts)| TrafficRow {
            kind: key.kind,
            is_relayed: key.is_relayed,
            node: key.node.to_string(),
            member: key.member.to_string(),
            received: counts.received,
            sent: counts.sent,
        };
        used.map(row).collect()
    }
}

/// Returns a name from a peer or program as it is stored: at most [`NAME_MAX`] bytes, and without
/// control characters.
pub(super) fn stored_name(name: &str) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut stored = String::new();
    for c in name.chars().map(shown) {
        if stored.len() + c.len_utf8() + ELLIPSIS.len_utf8() > NAME_MAX {
            stored.push(ELLIPSIS);
            break;
        }
        stored.push(c);
    }
    stored
}

const ELLIPSIS: char = '…';

#[cfg(test)]
mod tests {
    use super::*;

    fn key(node: &str) -> KeyRef<'_> {
        KeyRef { kind: PacketKind::Rpc, is_relayed: false, node, member: "" }
    }

    #[test]
    fn rows_beyond_the_maximum_are_counted_together() {
        let mut table = Table::default();
        for number in 0..TRAFFIC_ROWS_MAX + 2 {
            let row = table.row(&key(&number.to_string()));
            table.count(row, Direction::Sent, TrafficCount::each(2, 10));
        }
        assert_eq!(table.rows().len(), TRAFFIC_ROWS_MAX);
        assert_eq!(table.other().sent, TrafficCount { packets: 4, bytes: 40 });
        let row = table.row(&key("7"));
        table.count(row, Direction::Received, TrafficCount::each(1, 3));
        assert_eq!(table.rows()[7].received.bytes, 3, "known rows go on");
    }

    #[test]
    fn names_are_bounded_and_have_no_control_characters() {
        assert_eq!(stored_name("Players/Ann"), "Players/Ann");
        assert_eq!(stored_name("a\u{1b}[2J\nb"), "a\u{fffd}[2J\u{fffd}b");
        let long = stored_name(&"é".repeat(NAME_MAX));
        assert!(long.len() <= NAME_MAX && long.ends_with('…'), "{} bytes", long.len());
    }
}
