//! [`Sequence`]: checks that frames follow each other as those of an endpoint do.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::{ConnectionId, EndpointId, PeerEvent, ToBranch};

use crate::frame::Frame;
use crate::limits::{CONNECTIONS_MAX, ENDPOINTS_MAX, TURN_EVENTS_MAX};

/// The endpoints and connections of a recording so far. A branch relies on the order in which an
/// endpoint reports events, and its memory depends on the number of connections and on turns.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    /// The connections of each endpoint.
    endpoints: BTreeMap<EndpointId, BTreeSet<ConnectionId>>,
    connections: usize,
    /// Number of events since the last turn.
    events: usize,
}

impl Sequence {
    /// Adds a frame.
    ///
    /// # Errors
    ///
    /// If no endpoint reports such an event then. `is_first`: it is the first frame.
    pub(crate) fn check(&mut self, frame: &Frame, is_first: bool) -> Result<(), &'static str> {
        let ToBranch::Events(endpoint, events) = (match frame {
            Frame::Input(input) => input,
            Frame::Checkpoint(checkpoint) if is_first => {
                return self.start(&checkpoint.connections);
            }
            Frame::EndTurn => {
                self.events = 0;
                return Ok(());
            }
            _ => return Ok(()),
        }) else {
            return self.check_endpoint(frame);
        };
        self.events += events.len().max(1);
        if self.events > TURN_EVENTS_MAX {
            return Err("a turn has too many events");
        }
        let connections = self.endpoints.get_mut(endpoint).ok_or("an endpoint is not open")?;
        for event in events {
            match event {
                PeerEvent::Connected { connection, .. }
                | PeerEvent::Moved { connection, .. }
                | PeerEvent::Resumed { connection, .. } => {
                    if !connections.insert(*connection) {
                        return Err("a connection begins twice");
                    }
                    self.connections += 1;
                    if self.connections > CONNECTIONS_MAX {
                        return Err("it has too many connections");
                    }
                }
                PeerEvent::Packet(packet) if !connections.contains(&packet.from) => {
                    return Err("a packet is of no connection");
                }
                PeerEvent::Held { connection } if !connections.contains(connection) => {
                    return Err("an event is of no connection");
                }
                PeerEvent::Disconnected { connection, .. } => {
                    if !connections.remove(connection) {
                        return Err("a connection ends that has not begun");
                    }
                    self.connections -= 1;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Starts with the endpoints and connections of a checkpoint.
    fn start(&mut self, all: &[(EndpointId, Vec<ConnectionId>)]) -> Result<(), &'static str> {
        for (endpoint, connections) in all {
            self.connections += connections.len();
            let connections = connections.iter().copied().collect();
            if self.endpoints.insert(*endpoint, connections).is_some() {
                return Err("an endpoint opens twice");
            }
        }
        let distinct = self.endpoints.values().map(BTreeSet::len).sum::<usize>();
        if self.endpoints.len() > ENDPOINTS_MAX || self.connections > CONNECTIONS_MAX {
            return Err("it has too many connections");
        }
        if distinct != self.connections {
            return Err("a connection begins twice");
        }
        Ok(())
    }

    /// Records a message of a branch that is recorded.
    pub(crate) fn record(&mut self, input: &ToBranch) {
        match input {
            ToBranch::Opened(endpoint, _) => {
                self.endpoints.entry(*endpoint).or_default();
            }
            ToBranch::Closed(endpoint, _) => {
                self.endpoints.remove(endpoint);
            }
            ToBranch::Events(endpoint, events) => {
                let Some(connections) = self.endpoints.get_mut(endpoint) else { return };
                for event in events {
                    match event {
                        PeerEvent::Connected { connection, .. }
                        | PeerEvent::Moved { connection, .. }
                        | PeerEvent::Resumed { connection, .. } => {
                            connections.insert(*connection);
                        }
                        PeerEvent::Disconnected { connection, .. } => {
                            connections.remove(connection);
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// Returns the connections of each endpoint.
    pub(crate) fn connections(&self) -> Vec<(EndpointId, Vec<ConnectionId>)> {
        let all = self.endpoints.iter();
        all.map(|(&endpoint, of)| (endpoint, of.iter().copied().collect())).collect()
    }

    fn check_endpoint(&mut self, frame: &Frame) -> Result<(), &'static str> {
        self.events += 1;
        match frame {
            Frame::Input(ToBranch::Opened(endpoint, _)) => {
                if self.endpoints.insert(*endpoint, BTreeSet::new()).is_some() {
                    return Err("an endpoint opens twice");
                }
                if self.endpoints.len() > ENDPOINTS_MAX {
                    return Err("it has too many endpoints");
                }
            }
            Frame::Input(ToBranch::Closed(endpoint, _)) => {
                let connections =
                    self.endpoints.remove(endpoint).ok_or("an endpoint closes that is not open")?;
                self.connections -= connections.len();
            }
            _ => {}
        }
        Ok(())
    }
}
