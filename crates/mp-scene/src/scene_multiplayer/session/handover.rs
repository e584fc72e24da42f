//! The peers of a relay that a branch of another process goes on serving.
//!
//! A [checkpoint](super::checkpoint) repeats a branch in every detail, for a recording that names
//! the same connections. A handover has what the clients know of the branch: its peers, their order
//! and the ids that they were sent. Their connections are named by endpoints of the new process.

use std::time::Duration;

use mp_core::serde::list_of_at_most;
use mp_core::{ConnectionId, EndpointId, EndpointInfo, Instant, PeerId};
use mp_host::CheckpointError;
use serde::{Deserialize, Serialize};

use super::super::sender::Routes;
use super::peers::AdmittedPeer;
use super::relayed::RelayBase;
use super::{Context, Route, Session, SessionChange};
use crate::limits::{CHECKPOINT_ENDPOINTS_MAX, CHECKPOINT_PEERS_MAX, HANDED_BASES_MAX};

/// The endpoints and peers of a relaying server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct HandedSession {
    #[serde(deserialize_with = "list_of_at_most::<_, _, CHECKPOINT_ENDPOINTS_MAX>")]
    endpoints: Vec<(EndpointId, EndpointInfo)>,
    /// In the order of the routes.
    #[serde(deserialize_with = "list_of_at_most::<_, _, CHECKPOINT_PEERS_MAX>")]
    peers: Vec<HandedPeer>,
    last_order: u64,
    refuse_new_connections: bool,
    #[serde(deserialize_with = "list_of_at_most::<_, _, HANDED_BASES_MAX>")]
    bases: Vec<RelayBase>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct HandedPeer {
    peer: PeerId,
    at: PeerPlace,
    admitted: AdmittedPeer,
}

/// The way in which a peer was reached.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum PeerPlace {
    Connected(EndpointId, ConnectionId),
    /// Its connection was lost, and it is kept for this time.
    Kept(Duration),
}

impl HandedSession {
    /// Returns the endpoints.
    pub(in super::super) fn endpoints(&self) -> impl Iterator<Item = (EndpointId, EndpointInfo)> {
        self.endpoints.iter().copied()
    }

    /// Returns the connections of the peers.
    pub(in super::super) fn connections(
        &self,
    ) -> impl Iterator<Item = (EndpointId, ConnectionId, PeerId)> {
        self.peers.iter().filter_map(|it| match it.at {
            PeerPlace::Connected(endpoint, connection) => Some((endpoint, connection, it.peer)),
            PeerPlace::Kept(_) => None,
        })
    }
}

impl Session {
    /// Returns the peers of a server; `None` while a peer authenticates, moves, or has overtaken
    /// its announcement, and for a session with a relay policy.
    pub(in super::super) fn handover(
        &self,
        now: Instant,
        routes: &Routes,
    ) -> Option<HandedSession> {
        let is_plain = self.is_server()
            && !self.is_leaving
            && !self.authentication
            && !self.policy.is_set()
            && self.moves.is_idle()
            && self.peers.pending().len() == 0
            && self.unannounced.is_empty()
            && self.unadmitted.is_empty();
        if !is_plain {
            return None;
        }
        let peers = routes.ids().map(|peer| {
            let at = match routes.get(peer)? {
                Route::Direct(endpoint, connection) => PeerPlace::Connected(endpoint, connection),
                Route::Kept => PeerPlace::Kept(self.kept.until(peer) - now),
                Route::Relayed => return None,
            };
            Some(HandedPeer { peer, at, admitted: self.peers.admitted(peer)? })
        });
        Some(HandedSession {
            endpoints: self.endpoints().collect(),
            peers: peers.collect::<Option<_>>()?,
            last_order: self.peers.last_order(),
            refuse_new_connections: self.refuse_new_connections,
            bases: self.relayed.bases()?,
        })
    }

    /// Goes on with the peers of another branch in a new session. `endpoint_of` returns the
    /// endpoint of this process that stands for one of the other.
    pub(in super::super) fn restore_handover(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        handed: &HandedSession,
        endpoint_of: &dyn Fn(EndpointId) -> Option<EndpointId>,
    ) -> Result<(), CheckpointError> {
        self.silence.set_now(now);
        for &(endpoint, info) in &handed.endpoints {
            // One without connections may be left out.
            let Some(endpoint) = endpoint_of(endpoint) else { continue };
            if !info.unique_id.is_server() || self.has_endpoint(endpoint) {
                return Err(CheckpointError("an endpoint is of no server, or there twice"));
            }
            self.open(cx.sender, endpoint, info);
        }
        for &HandedPeer { peer, at, admitted } in &handed.peers {
            if peer.is_server() || cx.sender.routes().contains(peer) {
                return Err(CheckpointError("a peer is the server, or there twice"));
            }
            match at {
                PeerPlace::Connected(endpoint, connection) => {
                    let endpoint = endpoint_of(endpoint).filter(|it| self.has_endpoint(*it));
                    let endpoint = endpoint
                        .filter(|it| cx.sender.routes().at(*it, connection).is_none())
                        .ok_or(CheckpointError("a peer has an impossible connection"))?;
                    let route = Route::Direct(endpoint, connection);
                    cx.sender.routes_mut().insert(peer, route);
                    if self.outlives_program(route) {
                        self.silence.insert(peer);
                    }
                }
                PeerPlace::Kept(_) if self.kept.is_disabled() => {
                    return Err(CheckpointError("a peer is kept, and this branch keeps none"));
                }
                PeerPlace::Kept(time) => {
                    cx.sender.routes_mut().insert(peer, Route::Kept);
                    self.kept.set(peer, now + time, 0);
                }
            }
            self.peers.restore(peer, admitted);
            cx.changes.push(SessionChange::Began(peer));
        }
        if !self.peers.restore_order(handed.last_order) {
            return Err(CheckpointError("the order of its peers is impossible"));
        }
        self.refuse_new_connections = handed.refuse_new_connections;
        self.relayed.restore(handed.peers.iter().map(|it| it.peer), &handed.bases);
        Ok(())
    }
}
