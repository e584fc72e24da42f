//! Checks, in worlds without faults, that no connection between two running programs times out
//! unless one of them has closed it. Exception: a program that is busy for seconds pauses receiving
//! for so long that its connections time out, as in Godot.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mp_core::{ConnectionId, DisconnectReason, EndpointId, Instant, PeerId};
use mp_scene::Signal;

use super::Checker;
use crate::journal::{EndpointEvent, Fact, FactKind, RunId};
use crate::programs::Programs;

/// Checker of timeouts.
#[derive(Debug, Default)]
pub struct TimeoutChecker {
    /// Remote peer of each connection, and the program that had the peer's id when the connection
    /// opened. A later program may have the same id: a server that is started again is peer 1, too.
    connections: BTreeMap<(RunId, EndpointId, ConnectionId), (PeerId, Option<RunId>)>,
    leaving: BTreeSet<RunId>,
    /// Pairs of a program and a peer whose connection it has closed.
    ended: BTreeSet<(RunId, PeerId)>,
    /// Start and end of the current or last busy time of each program.
    busy: BTreeMap<RunId, (Instant, Instant)>,
}

impl TimeoutChecker {
    fn stays_for(&self, run: RunId, id: PeerId) -> bool {
        !self.leaving.contains(&run) && !self.ended.contains(&(run, id))
    }

    /// Returns whether `run` was busy long enough before `at` to time out its connections.
    fn is_busy(&self, run: RunId, at: Instant) -> bool {
        let busy = self.busy.get(&run);
        busy.is_some_and(|&(since, until)| at.min(until) >= since + LONG && at <= until + BREAK)
    }
}

impl Checker for TimeoutChecker {
    fn name(&self) -> &'static str {
        "timeouts"
    }

    fn observe(&mut self, fact: &Fact, programs: &Programs) -> Result<(), String> {
        let run = fact.run;
        match &fact.kind {
            FactKind::Busy(time) | FactKind::EndpointHangs(_, time) => {
                let (since, until) = self.busy.entry(run).or_insert((fact.at, fact.at));
                if fact.at > *until + BREAK {
                    (*since, *until) = (fact.at, fact.at);
                }
                *until = fact.at.max(*until) + *time;
            }
            FactKind::LeaveRequested => {
                self.leaving.insert(run);
            }
            // A peer that authenticates too slowly is disconnected.
            FactKind::Kicked(peer) | FactKind::Signal(Signal::PeerAuthenticationFailed(peer)) => {
                self.ended.insert((run, *peer));
            }
            FactKind::Endpoint {
                endpoint,
                event: EndpointEvent::Connected(connection, Some(peer)),
            } => {
                let other = programs.run_of(*peer);
                self.connections.insert((run, *endpoint, *connection), (*peer, other));
            }
            FactKind::Endpoint {
                endpoint,
                event: EndpointEvent::Disconnected(connection, reason),
            } => {
                let connection = self.connections.remove(&(run, *endpoint, *connection));
                let Some((peer, other)) = connection else { return Ok(()) };
                if *reason != DisconnectReason::Timeout {
                    self.ended.insert((run, peer));
                    return Ok(());
                }
                let other = other.and_then(|other| Some((other, programs.record(other)?)));
                if let (Some((other, record)), Some(this)) = (other, programs.record(run))
                    && record.is_alive
                    && self.stays_for(run, peer)
                    && self.stays_for(other, this.id)
                    && !self.is_busy(other, fact.at)
                {
                    return Err(format!(
                        "{run} timed out its connection to {other}, which is running"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Busy time after which timeouts are allowed; below ENet's minimum timeout of 5 s.
const LONG: Duration = Duration::from_secs(4);
/// Pause between two busy times that is too short to process the backlog.
const BREAK: Duration = Duration::from_secs(2);
