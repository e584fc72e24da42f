//! Statistics of the peers of a branch.
//!
//! A request for many peers is one call of the branch, and one message to each endpoint.

use std::time::Duration;

use actix::prelude::*;
use mp_core::{ConnectionId, ConnectionStats, EndpointId, PeerId};

use crate::branch::BranchActor;
use crate::mail::GetConnectionStats;

/// Statistics of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStats {
    /// Peer id.
    pub id: PeerId,
    /// True while the peer authenticates.
    pub is_authenticating: bool,
    /// Time since admission; zero while the peer authenticates.
    pub connected_for: Duration,
    /// Endpoint of the peer's connection; `None` for another client behind the server.
    pub endpoint: Option<EndpointId>,
    /// Statistics of the peer's connection; `None` without a connection, or if the transport has no
    /// statistics.
    pub connection: Option<ConnectionStats>,
}

/// Statistics of peers without those of their connections, and where to request these.
#[derive(Debug, Default)]
pub(crate) struct PeerRecords {
    stats: Vec<PeerStats>,
    endpoints: Vec<EndpointRecords>,
}

/// Connections of one endpoint.
#[derive(Debug)]
struct EndpointRecords {
    endpoint: EndpointId,
    ask: Recipient<GetConnectionStats>,
    connections: Vec<ConnectionId>,
    /// Index of each connection's peer in [`PeerRecords::stats`].
    peers: Vec<usize>,
}

impl PeerRecords {
    /// Requests the statistics of the connections: one message per endpoint.
    pub(crate) async fn complete(self) -> Vec<PeerStats> {
        let Self { mut stats, endpoints } = self;
        for EndpointRecords { ask, connections, peers, .. } in endpoints {
            // An endpoint that has ended has no connections.
            let found = ask.send(GetConnectionStats(connections)).await.unwrap_or_default();
            for (peer, connection) in peers.into_iter().zip(found) {
                stats[peer].connection = connection;
            }
        }
        stats
    }
}

impl BranchActor {
    /// Returns records of those of `peers` that are connected or authenticate, in the same order.
    pub(crate) fn peer_records(&mut self, peers: &[PeerId]) -> PeerRecords {
        let mut records = PeerRecords::default();
        for &id in peers {
            let Some(admitted_for) = self.peers.admitted_for(id) else { continue };
            let index = records.stats.len();
            let connection = self.connection(id);
            records.stats.push(PeerStats {
                id,
                is_authenticating: admitted_for.is_none(),
                connected_for: admitted_for.unwrap_or_default(),
                endpoint: connection.as_ref().map(|(endpoint, ..)| *endpoint),
                connection: None,
            });
            let Some((endpoint, ask, connection)) = connection else { continue };
            let known = records.endpoints.iter_mut().find(|it| it.endpoint == endpoint);
            match known {
                Some(known) => {
                    known.connections.push(connection);
                    known.peers.push(index);
                }
                None => records.endpoints.push(EndpointRecords {
                    endpoint,
                    ask,
                    connections: vec![connection],
                    peers: vec![index],
                }),
            }
        }
        records
    }
}
