//! Accounting: packets and bytes by method, node and property, while an operator views the branch.
//!
//! * `accounts` counts what the branch itself sends and receives;
//! * `relayed` counts what it forwards between clients;
//! * `names` knows the nodes of relayed packets, from the announcements of their senders;
//! * `synchronizer` has the rows of a synchronizer's properties;
//! * `table` stores the counts by bounded keys, `report` is a copy of it.
//!
//! Nothing is counted without a viewer ([`Traffic::view`]): each place that counts first checks an
//! `Option`.

mod accounts;
mod names;
mod relayed;
mod report;
mod synchronizer;
mod table;
mod viewer;

use bytes::Bytes;
use mp_core::PeerId;

use super::packet_stats::PacketStats;
use super::sender::Wire;
pub(super) use accounts::Accounts;
use names::RelayedNames;
pub use report::{TrafficCount, TrafficReport, TrafficRow};
pub(super) use synchronizer::SynchronizerRows;
pub(super) use table::Direction;
pub use viewer::TrafficViewer;

/// The accounts of a branch, while it has a viewer, and the names of nodes in relayed packets.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    accounts: Option<Box<Accounts>>,
    names: RelayedNames,
}

impl Traffic {
    /// Returns a viewer, for which traffic is counted. `packets` are the counters of the branch.
    pub(super) fn view(&mut self, packets: PacketStats) -> TrafficViewer {
        if let Some(viewer) = self.accounts.as_deref().and_then(Accounts::viewer) {
            return viewer;
        }
        let viewer = TrafficViewer::new();
        self.accounts = Some(Box::new(Accounts::new(packets, &viewer)));
        viewer
    }

    /// Drops the accounts if all viewers have been dropped. Returns true if it did.
    #[inline]
    pub(super) fn end_without_viewer(&mut self) -> bool {
        let has_ended =
            self.accounts.as_deref().is_some_and(|accounts| accounts.viewer().is_none());
        if has_ended {
            self.accounts = None;
        }
        has_ended
    }

    /// Returns the accounts, if traffic is counted.
    #[inline]
    pub(super) fn accounts(&mut self) -> Option<&mut Accounts> {
        self.accounts.as_deref_mut()
    }

    /// Returns a copy of the accounts, if there is a viewer. `packets` are the counters of the
    /// branch.
    pub(super) fn report(&self, packets: &PacketStats) -> Option<TrafficReport> {
        let accounts = self.accounts.as_deref().filter(|accounts| accounts.viewer().is_some());
        accounts.map(|accounts| accounts.report(packets))
    }

    /// Records the nodes that a packet of `author` to other clients announces, and counts the
    /// packet, which `receivers` peers are sent.
    #[inline]
    pub(super) fn forwarded(
        &mut self,
        wire: &Wire,
        author: PeerId,
        packet: &Bytes,
        receivers: usize,
    ) {
        let has_names = self.names.record(wire, author, packet);
        let Some(accounts) = self.accounts.as_deref_mut() else { return };
        if has_names {
            accounts.forget_relayed(author);
        }
        accounts.count_relayed(wire, &self.names, author, packet, receivers);
    }

    /// Removes the state of a peer whose session has ended.
    pub(super) fn remove_peer(&mut self, peer: PeerId) {
        self.names.remove_peer(peer);
        if let Some(accounts) = &mut self.accounts {
            accounts.forget_relayed(peer);
        }
    }
}
