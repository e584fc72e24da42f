//! [`ServerList`]: the nodes of a cluster at which players connect if theirs is lost.

use std::sync::Arc;

use mp_cluster::directory::{AddressKind, NodeContact};
use mp_cluster::{ClusterNodeId, Members};
use serde::Serialize;

use crate::matchmaking::ServerAddresses;

/// The nodes that accept players, and their addresses: this one, and the others with the least
/// load.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerList {
    own: Option<Arc<NodeContact>>,
    others: Vec<Arc<NodeContact>>,
}

/// A server of the cluster, as players receive it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PlayerServer {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(flatten)]
    addresses: ServerAddresses,
    /// URL of the port for matchmaking.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    matchmaking: Option<String>,
}

impl ServerList {
    pub(super) fn new(members: &Members, own: ClusterNodeId) -> Self {
        let open = members.iter().filter(|(_, it)| it.accepts_rooms && it.contact.is_reachable());
        let (mut own_contact, mut others) = (None, Vec::new());
        for (node, record) in open {
            if *node == own {
                own_contact = Some(Arc::clone(&record.contact));
            } else {
                let load = u64::from(record.players) * 1_000 / u64::from(record.capacity.max(1));
                others.push((load, *node, &record.contact));
            }
        }
        others.sort_by_key(|&(load, node, _)| (load, node));
        let others = others.into_iter().take(SERVERS_MAX).map(|(_, _, it)| Arc::clone(it));
        Self { own: own_contact, others: others.collect() }
    }

    /// Returns the other servers, for a player of this one.
    pub(crate) fn others(&self) -> Vec<PlayerServer> {
        self.others.iter().map(|contact| PlayerServer::new(contact)).collect()
    }

    /// Returns this server and others, for a player of another one.
    pub(crate) fn all(&self) -> Vec<PlayerServer> {
        let all = self.own.iter().chain(&self.others);
        all.take(SERVERS_MAX).map(|contact| PlayerServer::new(contact)).collect()
    }
}

impl PlayerServer {
    fn new(contact: &NodeContact) -> Self {
        Self {
            name: contact.name().map(str::to_owned),
            addresses: ServerAddresses::of(contact),
            matchmaking: contact.address(AddressKind::Matchmaking).map(str::to_owned),
        }
    }
}

/// Servers that a player receives.
const SERVERS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use mp_cluster::directory::NodeRecord;

    use super::*;

    fn member(number: u64, players: u32, accepts_rooms: bool) -> (ClusterNodeId, NodeRecord) {
        let address = format!("ws://{number}.example/").parse().unwrap();
        let contact = NodeContact::default().with_address(AddressKind::WebSocket, address);
        let contact = Arc::new(contact);
        let record = NodeRecord { players, accepts_rooms, ..NodeRecord::with_capacity(100) };
        (ClusterNodeId::new(number), NodeRecord { contact, ..record })
    }

    fn numbers(servers: Vec<PlayerServer>) -> Vec<String> {
        let servers = servers.into_iter().map(|it| serde_json::to_value(it).unwrap());
        let urls = servers.map(|it| it["websocket"].as_str().unwrap().to_owned());
        urls.map(|url| url["ws://".len()..].split('.').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn players_receive_the_servers_with_the_least_load_that_do_not_end() {
        let mut members: Members = [
            member(1, 0, true),
            member(2, 50, true),
            member(3, 10, true),
            member(4, 0, false),
            member(5, 90, true),
            member(6, 20, true),
            member(7, 95, true),
        ]
        .into();
        members.insert(ClusterNodeId::new(8), NodeRecord::with_capacity(100));
        let list = ServerList::new(&members, ClusterNodeId::new(1));
        assert_eq!(numbers(list.others()), ["3", "6", "2", "5"]);
        assert_eq!(numbers(list.all()), ["1", "3", "6", "2"]);
        let list = ServerList::new(&members, ClusterNodeId::new(4));
        assert_eq!(numbers(list.all()), ["1", "3", "6", "2"], "this server is about to end");
        assert!(ServerList::default().all().is_empty());
    }
}
