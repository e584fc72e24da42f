//! [`ShapedConnections`]: the connections with simulated link conditions.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use mp_core::{ConnectionConditions, ConnectionId, Rng};

use crate::connection::EnetConnection;
use crate::io::DatagramSocket;

/// The connections with simulated link conditions, and their addresses, by which the socket
/// simulates.
#[derive(Debug, Default)]
pub(crate) struct ShapedConnections(BTreeMap<ConnectionId, SocketAddr>);

impl ShapedConnections {
    /// Sets the conditions of a connection, `None`: removes them.
    pub(crate) fn set<S: DatagramSocket>(
        &mut self,
        enet: &mut EnetConnection<S>,
        connection: ConnectionId,
        conditions: Option<ConnectionConditions>,
        rng: &mut Rng,
    ) {
        self.remove_ended(enet);
        let Some(address) = enet.host.address(connection) else { return };
        let link = enet.driver.link_mut();
        match conditions {
            Some(conditions) => {
                self.0.insert(connection, address);
                link.set_conditions(address, conditions, rng);
            }
            None => {
                self.0.remove(&connection);
                link.remove_conditions(address);
            }
        }
    }

    /// Returns the address of a connection with conditions.
    pub(crate) fn address(&self, connection: ConnectionId) -> Option<SocketAddr> {
        self.0.get(&connection).copied()
    }

    /// Removes the conditions of connections that have ended.
    pub(crate) fn remove_ended<S: DatagramSocket>(&mut self, enet: &mut EnetConnection<S>) {
        if self.0.is_empty() {
            return;
        }
        let EnetConnection { host, driver, .. } = enet;
        self.0.retain(|&connection, &mut address| {
            let is_alive = host.address(connection).is_some();
            if !is_alive {
                driver.link_mut().remove_conditions(address);
            }
            is_alive
        });
    }
}
