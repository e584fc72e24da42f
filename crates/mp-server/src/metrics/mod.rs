//! Statistics of the server, rendered as OpenMetrics text.
//!
//! ```text
//!  endpoint threads ── EndpointSnapshot, once a second ──┐
//!  room threads ────── BranchTotals, once a second ──────┼─► Metrics ── render ──► text
//!  RoomsHost ───────── RoomsStats, once a second ────────┘
//! ```
//!
//! Each source publishes plain values. A scrape copies and adds them: it waits for no thread, and
//! its time does not depend on the number of rooms. `docs/operating/metrics.md` describes all
//! families.

mod cluster;
mod collector;
mod dashboard;
mod family;
mod process;
mod snapshot;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mp_actor::{BranchStatsCollector, EndpointSnapshot, SharedEndpoint};
use mp_core::{ConnectionGate, EndpointId, UnixSeconds};
use mp_rooms::RoomsStats;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use self::collector::ServerCollector;
pub(crate) use self::dashboard::dashboard;
use crate::cluster::SharedStats;
use crate::query::ServerQueries;
use crate::record::Recordings;
use crate::rooms::AdmissionStats;
use crate::snapshots::SnapshotStore;

/// The sources of a server's statistics. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics(Arc<Sources>);

#[derive(Debug, Default)]
struct Sources {
    gate: ConnectionGate,
    recordings: Recordings,
    endpoints: Mutex<Vec<(TransportKind, SharedEndpoint)>>,
    branches: Mutex<Vec<BranchStatsCollector>>,
    rooms: Mutex<RoomsSnapshot>,
    certificate_expiry: Mutex<Option<UnixSeconds>>,
    certificate_requests: AtomicU64,
    failed_certificate_requests: AtomicU64,
    reloads: AtomicU64,
    failed_reloads: AtomicU64,
    /// `None` if queries are off.
    queries: Mutex<Option<ServerQueries>>,
    /// `None` if no states of rooms are kept.
    snapshots: Mutex<Option<SnapshotStore>>,
    /// `None` if the server is no node of a cluster.
    cluster: Mutex<Option<SharedStats>>,
}

/// A transport, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TransportKind {
    Enet,
    WebSocket,
    WebRtc,
}

impl TransportKind {
    const ALL: [Self; 3] = [Self::Enet, Self::WebSocket, Self::WebRtc];

    fn label(self) -> &'static str {
        match self {
            Self::Enet => "enet",
            Self::WebSocket => "websocket",
            Self::WebRtc => "webrtc",
        }
    }
}

/// Statistics of the registry of rooms, at most a second old.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoomsSnapshot {
    pub(crate) stats: RoomsStats,
    pub(crate) is_draining: bool,
    pub(crate) admission: AdmissionStats,
}

impl Metrics {
    /// Returns the gate of all transports, whose statistics are included.
    pub(crate) fn gate(&self) -> &ConnectionGate {
        &self.0.gate
    }

    /// Returns the recordings of rooms, whose statistics are included.
    pub(crate) fn recordings(&self) -> &Recordings {
        &self.0.recordings
    }

    /// Adds an endpoint, whose counters stay when it ends.
    pub(crate) fn add_endpoint(&self, transport: TransportKind, endpoint: SharedEndpoint) {
        lock(&self.0.endpoints).push((transport, endpoint));
    }

    /// Returns the label of an endpoint's transport; `None` if there is no such endpoint.
    pub(crate) fn transport_of(&self, endpoint: EndpointId) -> Option<&'static str> {
        let endpoints = lock(&self.0.endpoints);
        let found = endpoints.iter().find(|(_, it)| it.id() == endpoint);
        found.map(|(transport, _)| transport.label())
    }

    /// Returns the collector of a new thread of rooms.
    pub(crate) fn add_thread(&self) -> BranchStatsCollector {
        let collector = BranchStatsCollector::default();
        lock(&self.0.branches).push(collector.clone());
        collector
    }

    /// Publishes statistics of the registry of rooms.
    pub(crate) fn set_rooms(&self, rooms: RoomsSnapshot) {
        *lock(&self.0.rooms) = rooms;
    }

    /// Returns the last published statistics of the registry of rooms.
    #[cfg(test)]
    pub(crate) fn rooms(&self) -> RoomsSnapshot {
        *lock(&self.0.rooms)
    }

    /// Sets the time at which the certificate in use expires.
    pub(crate) fn set_certificate_expiry(&self, expiry: Option<UnixSeconds>) {
        *lock(&self.0.certificate_expiry) = expiry;
    }

    /// Counts a request for a certificate.
    pub(crate) fn count_certificate_request(&self, is_ok: bool) {
        let sources = &self.0;
        let counter = match is_ok {
            true => &sources.certificate_requests,
            false => &sources.failed_certificate_requests,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds the counters of server queries.
    pub(crate) fn set_queries(&self, queries: ServerQueries) {
        *lock(&self.0.queries) = Some(queries);
    }

    /// Adds the counters of kept states of rooms.
    pub(crate) fn set_snapshots(&self, snapshots: SnapshotStore) {
        *lock(&self.0.snapshots) = Some(snapshots);
    }

    /// Adds the statistics of a node of a cluster.
    pub(crate) fn set_cluster(&self, cluster: SharedStats) {
        *lock(&self.0.cluster) = Some(cluster);
    }

    /// Counts a reload of the configuration.
    pub(crate) fn count_reload(&self, is_ok: bool) {
        let counter = if is_ok { &self.0.reloads } else { &self.0.failed_reloads };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns all statistics as OpenMetrics text.
    pub(crate) fn render(&self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ServerCollector(self.clone())));
        let mut text = String::new();
        if text::encode(&mut text, &registry).is_err() {
            mp_core::bug!("the metrics cannot be encoded");
        }
        text
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Media type of [`Metrics::render`].
pub(crate) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
