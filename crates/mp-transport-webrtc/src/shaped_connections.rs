//! [`ShapedConnections`]: the connections with simulated link conditions.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use mp_core::{ConnectionConditions, ConnectionId, LinkStats, Rng};

use crate::connections::Connections;
use crate::io::{DatagramSocket, SocketDriver};
use crate::routes::Routes;

/// The connections with simulated link conditions. The socket simulates by address, so each address
/// of a connection has a link.
#[derive(Debug, Default)]
pub(crate) struct ShapedConnections(BTreeMap<ConnectionId, ShapedConnection>);

#[derive(Debug)]
struct ShapedConnection {
    conditions: ConnectionConditions,
    rng: Rng,
    /// Addresses that have a link.
    addresses: Vec<SocketAddr>,
}

impl ShapedConnections {
    /// Sets the conditions of a connection, `None`: removes them. The next
    /// [`update`](Self::update) passes them to the socket.
    pub(crate) fn set<S: DatagramSocket>(
        &mut self,
        connection: ConnectionId,
        conditions: Option<ConnectionConditions>,
        rng: &mut Rng,
        socket: &mut SocketDriver<S>,
    ) {
        if let Some(former) = self.0.remove(&connection) {
            former.addresses.iter().for_each(|&address| socket.remove_conditions(address));
        }
        if let Some(conditions) = conditions {
            let shaped = ShapedConnection { conditions, rng: rng.fork(), addresses: Vec::new() };
            self.0.insert(connection, shaped);
        }
    }

    /// Passes the conditions of the current addresses of all connections to the socket, and removes
    /// those of connections that have ended.
    pub(crate) fn update<S: DatagramSocket>(
        &mut self,
        connections: &Connections,
        routes: &Routes,
        socket: &mut SocketDriver<S>,
    ) {
        self.0.retain(|&connection, shaped| {
            let is_alive = connections.get(connection).is_some();
            let current: Vec<_> = match is_alive {
                true => routes.addresses_of(connection.slot as usize).collect(),
                false => Vec::new(),
            };
            for &address in &current {
                if !shaped.addresses.contains(&address) {
                    socket.set_conditions(address, shaped.conditions, &mut shaped.rng);
                }
            }
            for &address in &shaped.addresses {
                if !current.contains(&address) {
                    socket.remove_conditions(address);
                }
            }
            shaped.addresses = current;
            is_alive
        });
    }

    /// Returns the conditions of a connection, and the sum of its links' statistics.
    pub(crate) fn conditions<S: DatagramSocket>(
        &self,
        connection: ConnectionId,
        socket: &SocketDriver<S>,
    ) -> Option<(ConnectionConditions, LinkStats)> {
        let shaped = self.0.get(&connection)?;
        let mut sum = LinkStats::default();
        for (_, stats) in shaped.addresses.iter().filter_map(|&it| socket.conditions(it)) {
            sum.lost += stats.lost;
            sum.overflowed += stats.overflowed;
            sum.queued_bytes += stats.queued_bytes;
        }
        Some((shaped.conditions, sum))
    }
}
