//! [`SynchronizerRows`]: the rows of a synchronizer's properties.

use super::accounts::Accounts;
use super::report::TrafficCount;
use super::table::{Direction, RowId};
use crate::PacketKind;
use crate::codec::Limits;
use crate::codec::godot::sync::{DELTA_ELEMENT_HEAD, SYNC_ELEMENT_HEAD};
use crate::codec::godot::variant::Decoder;
use crate::tree::{NodeId, NodeTree};

/// The rows of a synchronizer, in the order of its properties.
#[derive(Debug)]
pub(in super::super) struct SynchronizerRows {
    /// Heads of the elements of SYNC and DELTA.
    sync: RowId,
    delta: RowId,
    spawned: Box<[RowId]>,
    watched: Box<[RowId]>,
    synced: Box<[SyncedRow]>,
}

/// The row of a property that is always sent.
#[derive(Debug)]
struct SyncedRow {
    row: RowId,
    /// Size in bytes of the value in the last element.
    size: u32,
}

impl SynchronizerRows {
    /// Returns the rows of the synchronizer at `node`, with the paths of its properties.
    pub(in super::super) fn new(
        accounts: &mut Accounts,
        tree: &dyn NodeTree,
        node: NodeId,
        [spawned, synced, watched]: [Vec<String>; 3],
    ) -> Self {
        let node = tree.path_of(node).unwrap_or_default();
        let mut row = |kind, member: &str| accounts.row(kind, &node, member);
        let (sync, delta) = (row(PacketKind::Sync, ""), row(PacketKind::Delta, ""));
        let synced = synced.iter().map(|path| row(PacketKind::Sync, path));
        let synced = synced.map(|row| SyncedRow { row, size: 0 }).collect();
        let spawned = spawned.iter().map(|path| row(PacketKind::Spawn, path)).collect();
        let watched = watched.iter().map(|path| row(PacketKind::Delta, path)).collect();
        Self { sync, delta, spawned, watched, synced }
    }

    /// Returns the sizes of the values of the next element of a SYNC, to set.
    pub(in super::super) fn sizes_mut(&mut self) -> impl Iterator<Item = &mut u32> {
        self.synced.iter_mut().map(|synced| &mut synced.size)
    }

    /// Counts the last element of a SYNC, which `receivers` peers are sent.
    pub(in super::super) fn count_sync(&self, accounts: &mut Accounts, receivers: usize) {
        accounts.count(
            self.sync,
            Direction::Sent,
            TrafficCount::each(receivers, SYNC_ELEMENT_HEAD),
        );
        for SyncedRow { row, size } in &self.synced {
            accounts.count(*row, Direction::Sent, TrafficCount::each(receivers, *size as usize));
        }
    }

    /// Counts an element of a DELTA with the values of the properties in `mask`, which `receivers`
    /// peers are sent.
    pub(in super::super) fn count_delta<'v>(
        &self,
        accounts: &mut Accounts,
        mask: u64,
        values: impl Iterator<Item = &'v [u8]>,
        receivers: usize,
    ) {
        accounts.count(
            self.delta,
            Direction::Sent,
            TrafficCount::each(receivers, DELTA_ELEMENT_HEAD),
        );
        for (row, value) in self.changed(mask).zip(values) {
            accounts.count(row, Direction::Sent, TrafficCount::each(receivers, value.len()));
        }
    }

    /// Counts a received element of a SYNC.
    pub(in super::super) fn count_received_sync(
        &self,
        accounts: &mut Accounts,
        values: &[u8],
        limits: &Limits,
    ) {
        accounts.count(self.sync, Direction::Received, TrafficCount::each(1, SYNC_ELEMENT_HEAD));
        let mut decoder = Decoder::new(values, limits);
        let rows = self.synced.iter().map(|synced| synced.row);
        count_values(accounts, Direction::Received, rows, &mut decoder, 1);
    }

    /// Counts a received element of a DELTA with the properties in `mask`.
    pub(in super::super) fn count_received_delta(
        &self,
        accounts: &mut Accounts,
        mask: u64,
        values: &[u8],
        limits: &Limits,
    ) {
        accounts.count(self.delta, Direction::Received, TrafficCount::each(1, DELTA_ELEMENT_HEAD));
        let mut decoder = Decoder::new(values, limits);
        count_values(accounts, Direction::Received, self.changed(mask), &mut decoder, 1);
    }

    /// Counts the next values in the state of a SPAWN, which `packets` packets contain.
    pub(in super::super) fn count_spawned(
        &self,
        accounts: &mut Accounts,
        direction: Direction,
        state: &mut Decoder<'_>,
        packets: usize,
    ) {
        count_values(accounts, direction, self.spawned.iter().copied(), state, packets);
    }

    /// Returns the rows of the changed properties.
    fn changed(&self, mask: u64) -> impl Iterator<Item = RowId> {
        let rows = self.watched.iter().copied().enumerate();
        rows.filter(move |(bit, _)| *bit < 64 && mask & (1 << bit) != 0).map(|(_, row)| row)
    }
}

/// Counts the next values, one per row.
fn count_values(
    accounts: &mut Accounts,
    direction: Direction,
    rows: impl Iterator<Item = RowId>,
    values: &mut Decoder<'_>,
    packets: usize,
) {
    for row in rows {
        let before = values.rest().len();
        if values.compressed().is_err() {
            return;
        }
        accounts.count(row, direction, TrafficCount::each(packets, before - values.rest().len()));
    }
}
