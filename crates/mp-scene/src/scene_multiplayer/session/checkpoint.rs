//! The peers of a session in a checkpoint.

use mp_core::serde::list_of_at_most;
use mp_core::{ConnectionId, EndpointId, EndpointInfo, Instant, PeerId};
use mp_host::CheckpointError;
use serde::{Deserialize, Serialize};

use super::peers::AdmittedPeer;
use super::silence::Watched;
use super::{Context, Route, Session, SessionChange};
use crate::limits::{CHECKPOINT_ENDPOINTS_MAX, CHECKPOINT_PEERS_MAX};

/// The endpoints and peers of a relaying server.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct SessionState {
    #[serde(deserialize_with = "list_of_at_most::<_, _, CHECKPOINT_ENDPOINTS_MAX>")]
    endpoints: Vec<(EndpointId, EndpointInfo)>,
    /// In the order of the routes.
    #[serde(deserialize_with = "list_of_at_most::<_, _, CHECKPOINT_PEERS_MAX>")]
    peers: Vec<PeerState>,
    last_order: u64,
    refuse_new_connections: bool,
    /// The time at which the silence of new peers begins.
    silence: Instant,
    policy: Option<Vec<u8>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PeerState {
    peer: PeerId,
    endpoint: EndpointId,
    connection: ConnectionId,
    admitted: AdmittedPeer,
    watched: Option<Watched>,
}

impl Session {
    /// Returns the state of a server whose peers are admitted and connected; `None` if there is
    /// more to keep.
    pub(in super::super) fn checkpoint(
        &self,
        routes: &super::super::sender::Routes,
    ) -> Option<SessionState> {
        let is_plain = self.is_server()
            && !self.is_leaving
            && !self.authentication
            && self.moves.is_disabled()
            && self.kept.is_disabled()
            && self.unannounced.is_empty()
            && self.unadmitted.is_empty();
        if !is_plain {
            return None;
        }
        let peers = routes.ids().map(|peer| {
            let Some(Route::Direct(endpoint, connection)) = routes.get(peer) else { return None };
            let (admitted, watched) = (self.peers.admitted(peer)?, self.silence.watched(peer));
            Some(PeerState { peer, endpoint, connection, admitted, watched })
        });
        let policy = match &self.policy.0 {
            Some(policy) => Some(policy.checkpoint()?),
            None => None,
        };
        Some(SessionState {
            endpoints: self.endpoints().collect(),
            peers: peers.collect::<Option<_>>()?,
            last_order: self.peers.last_order(),
            refuse_new_connections: self.refuse_new_connections,
            silence: self.silence.now(),
            policy,
        })
    }

    /// Restores the state of a server into a new session.
    pub(in super::super) fn restore_checkpoint(
        &mut self,
        cx: &mut Context<'_>,
        state: SessionState,
    ) -> Result<(), CheckpointError> {
        let SessionState { endpoints, peers, last_order, refuse_new_connections, silence, policy } =
            state;
        for (endpoint, info) in endpoints {
            if !info.unique_id.is_server() || self.has_endpoint(endpoint) {
                return Err(CheckpointError("an endpoint is of no server, or there twice"));
            }
            self.open(cx.sender, endpoint, info);
        }
        for PeerState { peer, endpoint, connection, admitted, watched } in peers {
            let routes = cx.sender.routes();
            let is_known = routes.contains(peer) || routes.at(endpoint, connection).is_some();
            if peer.is_server() || is_known || !self.has_endpoint(endpoint) {
                return Err(CheckpointError("a peer has an impossible connection"));
            }
            cx.sender.routes_mut().insert(peer, Route::Direct(endpoint, connection));
            self.peers.restore(peer, admitted);
            if let Some(watched) = watched {
                self.silence.restore(peer, watched);
            }
            cx.changes.push(SessionChange::Began(peer));
        }
        if !self.peers.restore_order(last_order) {
            return Err(CheckpointError("the order of its peers is impossible"));
        }
        self.refuse_new_connections = refuse_new_connections;
        self.silence.set_now(silence);
        match (&mut self.policy.0, policy) {
            (Some(policy), Some(state)) => policy.restore_checkpoint(&state),
            (None, None) => Ok(()),
            _ => Err(CheckpointError("it has another relay policy")),
        }
    }
}
