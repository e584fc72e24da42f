//! [`EndpointSnapshot`]: the statistics that an endpoint has published.

use std::sync::{Arc, Mutex, PoisonError};

use mp_core::{
    ConnectionRouter, DurationHistogram, Endpoint, EndpointStats, Instant, MultiplayerPeer,
    TransportStats,
};

use super::TurnMeter;

/// Statistics of an endpoint and its transport, at most a second old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointSnapshot {
    /// Statistics of the endpoint.
    pub endpoint: EndpointStats,
    /// Statistics of the transport. The round-trip times are a sample of each connection at each
    /// snapshot so far.
    pub transport: TransportStats,
    /// Durations of turns, each with the input before it.
    pub turns: DurationHistogram,
}

impl EndpointSnapshot {
    /// Adds the statistics of another endpoint.
    pub fn add_all(&mut self, other: &Self) {
        self.endpoint.add_all(&other.endpoint);
        self.transport.add_all(&other.transport);
        self.turns.add_all(&other.turns);
    }
}

/// The last snapshot of an endpoint, shared by its thread and the readers.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedSnapshot(Arc<Mutex<EndpointSnapshot>>);

impl SharedSnapshot {
    pub(crate) fn get(&self) -> EndpointSnapshot {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, snapshot: EndpointSnapshot) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}

/// Publishes the snapshots of an endpoint.
#[derive(Debug)]
pub(crate) struct EndpointReporter {
    shared: SharedSnapshot,
    meter: TurnMeter,
    turns: DurationHistogram,
    round_trips: DurationHistogram,
}

impl EndpointReporter {
    pub(crate) fn new(shared: SharedSnapshot) -> Self {
        Self {
            shared,
            meter: TurnMeter::default(),
            turns: DurationHistogram::default(),
            round_trips: DurationHistogram::default(),
        }
    }

    /// Records that the endpoint handles input, which belongs to the next turn.
    pub(crate) fn begin_input(&mut self, now: Instant) {
        self.meter.begin_input(now);
    }

    /// Records a turn with its input, and publishes a snapshot if it is due. Returns the time by
    /// which a turn has to follow, so that the next one is published.
    pub(crate) fn end_turn<P: MultiplayerPeer, R: ConnectionRouter>(
        &mut self,
        endpoint: &Endpoint<P, R>,
        began: Instant,
        ended: Instant,
    ) -> Option<Instant> {
        if self.meter.end_turn(began, ended) || endpoint.is_finished() {
            let snapshot = self.snapshot(endpoint);
            self.shared.set(snapshot);
        }
        self.meter.due()
    }

    fn snapshot<P: MultiplayerPeer, R: ConnectionRouter>(
        &mut self,
        endpoint: &Endpoint<P, R>,
    ) -> EndpointSnapshot {
        let mut transport = endpoint.transport_stats();
        self.round_trips.add_all(&transport.round_trips);
        transport.round_trips = self.round_trips;
        self.turns.add_all(&self.meter.take());
        EndpointSnapshot { endpoint: endpoint.stats(), transport, turns: self.turns }
    }
}

/// The counters of an endpoint that has ended stay; it has no connections any more.
impl Drop for EndpointReporter {
    fn drop(&mut self) {
        let mut last = self.shared.get();
        last.endpoint.connections = 0;
        last.endpoint.undecided = 0;
        last.endpoint.lingering = 0;
        last.transport.connections.queued_bytes = 0;
        self.shared.set(last);
    }
}
