//! Links whose room has lost its node or moves, until they are opened to the next one.

use std::collections::BTreeSet;

use mp_core::{BranchId, ConnectionId, EndpointId, EndpointInfo, Instant};
use mp_rooms::RoomName;

use super::Gateways;
use crate::gateway::link::LinkRoute;
use crate::gateway::{GatewayEnd, NearGateway};
use crate::id::{ClusterNodeId, Epoch, LinkId};

impl Gateways {
    /// Returns the rooms that have lost their node, and whose next one is not known.
    pub fn waiting_rooms(&self) -> BTreeSet<RoomName> {
        self.waiting().map(|(_, near)| near.route().room.clone()).collect()
    }

    /// Returns whether rooms have lost their node, and their next one is not known.
    pub fn has_waiting_rooms(&self) -> bool {
        self.waiting().next().is_some()
    }

    fn waiting(&self) -> impl Iterator<Item = (LinkId, &NearGateway)> {
        let changed = self.near.changed().filter(|link| !self.waiting.contains(link));
        let links = self.waiting.iter().copied().chain(changed);
        let near = links.filter_map(|link| Some((link, self.near.get(link)?)));
        near.filter(|(_, near)| near.is_waiting())
    }

    /// Opens links to the next node of a room, for the connections that are held. Returns the
    /// former numbers of these links, and their new ones.
    pub fn reopen(
        &mut self,
        now: Instant,
        room: &RoomName,
        owner: (ClusterNodeId, Epoch),
    ) -> Vec<(LinkId, LinkId)> {
        let (there, epoch) = owner;
        let of_room = self.waiting().filter(|(_, near)| near.route().room == *room);
        let waiting = of_room.filter(|(_, near)| near.accepts(epoch));
        let mut waiting: Vec<_> = waiting.map(|(link, _)| link).collect();
        waiting.sort_unstable();
        let mut reopened = Vec::new();
        for before in waiting {
            let Some(mut near) = self.near.remove(before) else { continue };
            self.waiting.remove(&before);
            let (link, room) = (self.new_link(), room.clone());
            near.reopen(LinkRoute { here: self.node, there, link, room, epoch }, now);
            self.near.insert(link, near);
            reopened.push((before, link));
        }
        reopened
    }

    /// Holds the connections of an endpoint of this node, which serves a room as `branch`. This
    /// node has the room in `epoch` and moves it to another one.
    pub fn freeze(
        &mut self,
        now: Instant,
        (room, epoch): (RoomName, Epoch),
        branch: BranchId,
        endpoint: (EndpointId, EndpointInfo),
        connections: Vec<ConnectionId>,
    ) -> LinkId {
        let link = self.new_link();
        let route = LinkRoute { here: self.node, there: self.node, link, room, epoch };
        let near = NearGateway::frozen(self.codec, route, branch, endpoint, connections, now);
        self.near.insert(link, near);
        link
    }

    /// Closes the connections that are held for a room, because it has no next node.
    pub fn abandon(&mut self, room: &RoomName) {
        let of_room = self.waiting().filter(|(_, near)| near.route().room == *room);
        let of_room: Vec<_> = of_room.map(|(link, _)| link).collect();
        for link in of_room {
            if let Some(near) = self.near.get_active(link) {
                near.abandon(GatewayEnd::NodeLost);
            }
        }
    }
}
