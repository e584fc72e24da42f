//! Checks that each `connected` is followed by exactly one `disconnected`, and that packets lie
//! between: for connections, in messages from endpoints to branches, and for peers, in signals to
//! programs.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::{ConnectionId, DisconnectReason, EndpointId, PeerId};
use mp_scene::Signal;

use super::Checker;
use crate::journal::{EndpointEvent, Fact, FactKind, RunId};
use crate::programs::Programs;

/// Checker of connects and disconnects.
#[derive(Debug, Default)]
pub struct PairingChecker {
    endpoints: BTreeMap<(RunId, EndpointId), EndpointState>,
    sessions: BTreeMap<RunId, Session>,
}

/// Connections that an endpoint has reported.
#[derive(Debug, Default)]
struct EndpointState {
    open: BTreeSet<ConnectionId>,
    ever: BTreeSet<ConnectionId>,
    is_closed: bool,
}

/// Peers that a program was notified about.
#[derive(Debug, Default)]
struct Session {
    peers: BTreeSet<PeerId>,
    authenticating: BTreeSet<PeerId>,
    is_closed: bool,
}

impl EndpointState {
    fn observe(&mut self, event: EndpointEvent) -> Result<(), &'static str> {
        if self.is_closed {
            return Err("after `closed`");
        }
        match event {
            EndpointEvent::Opened => Ok(()),
            EndpointEvent::Connected(connection, _) => {
                self.open.insert(connection);
                if self.ever.insert(connection) { Ok(()) } else { Err("again") }
            }
            EndpointEvent::Packet(connection) if !self.open.contains(&connection) => {
                Err("on a connection that is not open")
            }
            EndpointEvent::Packet(_) => Ok(()),
            EndpointEvent::Disconnected(connection, _) => {
                if self.open.remove(&connection) {
                    Ok(())
                } else {
                    Err("on a connection that is not open")
                }
            }
            EndpointEvent::Closed(reason) => {
                self.is_closed = true;
                // A branch that abandoned its endpoint is not notified about each connection.
                let is_clean = self.open.is_empty() || reason == DisconnectReason::QueueFull;
                if is_clean { Ok(()) } else { Err("with open connections") }
            }
        }
    }
}

impl Session {
    fn observe(&mut self, signal: &Signal) -> Result<(), &'static str> {
        if self.is_closed {
            return Err("after the end of the session");
        }
        let is_fine = match signal {
            Signal::PeerConnected(peer) => {
                self.authenticating.remove(peer);
                self.peers.insert(*peer)
            }
            Signal::PeerDisconnected(peer) => self.peers.remove(peer),
            Signal::PeerAuthenticating(peer) => self.authenticating.insert(*peer),
            Signal::PeerAuthenticationFailed(peer) => self.authenticating.remove(peer),
            Signal::ServerDisconnected | Signal::ConnectionFailed => {
                self.is_closed = true;
                true
            }
            _ => true,
        };
        if is_fine { Ok(()) } else { Err("which contradicts earlier signals") }
    }
}

impl Checker for PairingChecker {
    fn name(&self) -> &'static str {
        "pairing"
    }

    fn observe(&mut self, fact: &Fact, _programs: &Programs) -> Result<(), String> {
        let (run, what) = (fact.run, &fact.kind);
        let session = self.sessions.entry(run).or_default();
        match what {
            FactKind::Endpoint { endpoint, event } => {
                let connections = self.endpoints.entry((run, *endpoint)).or_default();
                connections.observe(*event).map_err(|why| format!("{run}: {what} {why}"))
            }
            FactKind::Signal(signal) => {
                session.observe(signal).map_err(|why| format!("{run} {what}, {why}"))
            }
            FactKind::Kicked(peer) => {
                session.peers.remove(peer);
                session.authenticating.remove(peer);
                Ok(())
            }
            FactKind::Received { from, .. } if !session.peers.contains(from) => {
                Err(format!("{run} {what}, which is not connected"))
            }
            FactKind::Ended(_) => {
                self.sessions.remove(&run);
                self.endpoints.retain(|&(of, _), _| of != run);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
