//! Checks that a graceful close loses nothing. If a program closes in time, its peer sees the
//! connection close remotely, and the program saw no failure to deliver, then the peer has received
//! every reliable message that the program accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mp_core::limits::DRAIN_TIMEOUT;
use mp_core::{ConnectionId, DisconnectReason, EndpointId, Instant, PeerId};
use mp_scene::Signal;

use super::Checker;
use super::deliveries::SharedDeliveries;
use crate::journal::{EndpointEvent, Fact, FactKind, ProcessEnd, RunId};
use crate::programs::Programs;

/// Checker of graceful closes.
#[derive(Debug)]
pub struct GracefulCloseChecker {
    deliveries: SharedDeliveries,
    leaving: BTreeMap<RunId, Instant>,
    /// Programs whose close did not time out.
    closed_in_time: BTreeSet<RunId>,
    /// Remote peer of each connection.
    connections: BTreeMap<(RunId, EndpointId, ConnectionId), PeerId>,
    /// Pairs of a program and a peer that closed the connection.
    remote_closes: BTreeSet<(RunId, PeerId)>,
    kicked: BTreeSet<(RunId, PeerId)>,
    /// Pairs of a program and a peer that it reported as not reachable.
    failed: BTreeSet<(RunId, PeerId)>,
    /// Lost messages by closed program: the receiver's id and a description.
    losses: BTreeMap<RunId, Vec<(PeerId, String)>>,
}

impl GracefulCloseChecker {
    pub(super) fn new(deliveries: SharedDeliveries) -> Self {
        Self {
            deliveries,
            leaving: BTreeMap::new(),
            closed_in_time: BTreeSet::new(),
            connections: BTreeMap::new(),
            remote_closes: BTreeSet::new(),
            kicked: BTreeSet::new(),
            failed: BTreeSet::new(),
            losses: BTreeMap::new(),
        }
    }

    /// Handles the notification of `remaining` that `id` has left.
    fn peer_left(
        &mut self,
        remaining: RunId,
        id: PeerId,
        programs: &Programs,
    ) -> Result<(), String> {
        let closed_by_peer = self.remote_closes.remove(&(remaining, id));
        let Some(leaver) = programs.run_of(id).filter(|leaver| self.leaving.contains_key(leaver))
        else {
            return Ok(());
        };
        let Some(own_id) = programs.record(remaining).map(|record| record.id) else {
            return Ok(());
        };
        let is_kicked =
            self.kicked.contains(&(remaining, id)) || self.kicked.contains(&(leaver, own_id));
        // A program that closes itself accepts no more packets.
        if !closed_by_peer || is_kicked || self.leaving.contains_key(&remaining) {
            return Ok(());
        }
        let Some(missing) = self.deliveries.borrow().missing(leaver, remaining) else {
            return Ok(());
        };
        let loss = format!("{leaver} closed gracefully, but {missing}");
        self.losses.entry(leaver).or_default().push((own_id, loss));
        self.check_losses(leaver)
    }

    /// Checks that every loss of a program is, or may yet be, explained by a reported failure.
    fn check_losses(&self, leaver: RunId) -> Result<(), String> {
        let losses = self.losses.get(&leaver).into_iter().flatten();
        let mut unexcused =
            losses.filter(|(remaining, _)| !self.failed.contains(&(leaver, *remaining)));
        match unexcused.next() {
            Some((_, loss)) if self.closed_in_time.contains(&leaver) => Err(loss.clone()),
            _ => Ok(()),
        }
    }
}

impl Checker for GracefulCloseChecker {
    fn name(&self) -> &'static str {
        "graceful-close"
    }

    fn observe(&mut self, fact: &Fact, programs: &Programs) -> Result<(), String> {
        let run = fact.run;
        match &fact.kind {
            FactKind::LeaveRequested => {
                self.leaving.insert(run, fact.at);
            }
            FactKind::Kicked(peer) => {
                self.kicked.insert((run, *peer));
            }
            FactKind::Ended(ProcessEnd::Closed) => {
                let since = self.leaving.get(&run);
                if since.is_some_and(|&since| fact.at + MARGIN < since + DRAIN_TIMEOUT) {
                    self.closed_in_time.insert(run);
                    return self.check_losses(run);
                }
            }
            FactKind::EndpointAbandoned(endpoint) => {
                let connections = self.connections.iter();
                let of_endpoint =
                    connections.filter(|((of, on, _), _)| (*of, on) == (run, endpoint));
                self.failed.extend(of_endpoint.map(|(_, &peer)| (run, peer)));
            }
            FactKind::Endpoint {
                endpoint,
                event: EndpointEvent::Connected(connection, Some(peer)),
            } => {
                self.connections.insert((run, *endpoint, *connection), *peer);
            }
            FactKind::Endpoint {
                endpoint,
                event: EndpointEvent::Disconnected(connection, reason),
            } => {
                let peer = self.connections.remove(&(run, *endpoint, *connection));
                match (peer, reason) {
                    (Some(peer), DisconnectReason::Remote(_)) => {
                        self.remote_closes.insert((run, peer));
                    }
                    (Some(peer), DisconnectReason::QueueFull) => {
                        self.failed.insert((run, peer));
                    }
                    _ => {}
                }
            }
            FactKind::Signal(Signal::PeerDisconnected(peer)) => {
                return self.peer_left(run, *peer, programs);
            }
            FactKind::Signal(Signal::ServerDisconnected) => {
                return self.peer_left(run, PeerId::SERVER, programs);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A program counts as in time if it closed this long before the linger time ended.
const MARGIN: Duration = Duration::from_millis(50);
