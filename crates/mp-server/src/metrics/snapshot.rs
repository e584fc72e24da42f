//! [`Snapshot`]: copies of all statistics at one time.

use std::sync::atomic::Ordering;

use mp_actor::{BranchTotals, EndpointSnapshot};
use mp_core::{GateStats, UnixSeconds, bug};

use super::process::ProcessStats;
use crate::cluster::{ClusterStats, SharedStats};
use crate::query::ServerQueries;
use crate::record::RecordingStats;
use crate::snapshots::SnapshotStore;

use super::{Metrics, RoomsSnapshot, TransportKind, lock};

/// Copies of all statistics. Sums of several sources are added up.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    /// Transports with endpoints.
    pub(super) transports: Vec<(TransportKind, EndpointSnapshot)>,
    pub(super) branches: BranchTotals,
    pub(super) rooms: RoomsSnapshot,
    pub(super) gate: GateStats,
    pub(super) recordings: RecordingStats,
    pub(super) bugs: u64,
    pub(super) certificate_expiry: Option<UnixSeconds>,
    pub(super) certificate_requests: u64,
    pub(super) failed_certificate_requests: u64,
    pub(super) reloads: u64,
    pub(super) failed_reloads: u64,
    /// Numbers of server queries by result; empty if they are off.
    pub(super) queries: Vec<(&'static str, u64)>,
    /// Numbers of kept states of rooms by result; empty if none are kept.
    pub(super) kept_states: Vec<(&'static str, u64)>,
    /// `None` if the server is no node of a cluster.
    pub(super) cluster: Option<ClusterStats>,
    pub(super) process: ProcessStats,
}

impl Snapshot {
    /// Copies what the sources have published.
    pub(super) fn take(Metrics(sources): &Metrics) -> Self {
        let mut transports = Vec::new();
        let endpoints = lock(&sources.endpoints).clone();
        for kind in TransportKind::ALL {
            let of_kind = endpoints.iter().filter(|(of, _)| *of == kind);
            let sum = of_kind.map(|(_, endpoint)| endpoint.snapshot()).reduce(|mut sum, next| {
                sum.add_all(&next);
                sum
            });
            transports.extend(sum.map(|sum| (kind, sum)));
        }
        let mut branches = BranchTotals::default();
        for collector in &*lock(&sources.branches) {
            branches.add_all(&collector.totals());
        }
        Self {
            transports,
            branches,
            rooms: *lock(&sources.rooms),
            gate: sources.gate.stats(),
            recordings: sources.recordings.stats().clone(),
            bugs: bug::count(),
            certificate_expiry: *lock(&sources.certificate_expiry),
            certificate_requests: sources.certificate_requests.load(Ordering::Relaxed),
            failed_certificate_requests: sources
                .failed_certificate_requests
                .load(Ordering::Relaxed),
            reloads: sources.reloads.load(Ordering::Relaxed),
            failed_reloads: sources.failed_reloads.load(Ordering::Relaxed),
            queries: lock(&sources.queries).iter().flat_map(ServerQueries::counts).collect(),
            kept_states: lock(&sources.snapshots).iter().flat_map(SnapshotStore::counts).collect(),
            cluster: lock(&sources.cluster).as_ref().and_then(SharedStats::get),
            process: ProcessStats::read(),
        }
    }

    /// Returns the sum over the endpoints of all transports.
    pub(super) fn endpoints(&self) -> EndpointSnapshot {
        let mut sum = EndpointSnapshot::default();
        self.transports.iter().for_each(|(_, of_transport)| sum.add_all(of_transport));
        sum
    }
}
