//! The links of a room that moves to another node.

use mp_cluster::{ClusterNodeId, FarGateway, FarLink, GatewayEnd, Gateways};
use mp_core::EndpointId;
use mp_rooms::RoomName;

use super::FarLinks;

impl FarLinks {
    /// Lets the endpoints of a room's links keep their messages, because the room moves to another
    /// node.
    pub(in crate::cluster) fn freeze(&mut self, gateways: &mut Gateways, room: &RoomName) {
        for (link, _) in self.of_room(room) {
            if let Some(far) = gateways.far_mut(link) {
                far.freeze();
            }
        }
        for opening in self.opening.values_mut().filter(|opening| opening.room == *room) {
            opening.is_frozen = true;
        }
    }

    /// Returns whether the branch of a room has received all messages of its links. `is_late`: ends
    /// the links of nodes that do not respond.
    pub(in crate::cluster) fn is_frozen(
        &mut self,
        gateways: &mut Gateways,
        room: &RoomName,
        is_late: bool,
    ) -> bool {
        let mut is_frozen = true;
        for &link in self.rooms.get(room).into_iter().flatten() {
            let is_opening = self.opening.contains_key(&link);
            if !is_opening && gateways.far(link).is_none_or(FarGateway::is_frozen) {
                continue;
            }
            is_frozen = false;
            if is_late && let Some(far) = gateways.far_mut(link) {
                far.end(GatewayEnd::NodeLost);
            }
        }
        is_frozen
    }

    /// Records that the branch of a room moves to another node: its links do not end with it.
    pub(in crate::cluster) fn hand_over(&mut self, room: &RoomName) {
        for link in self.rooms.get(room).into_iter().flatten() {
            if let Some(attached) = self.links.get_mut(link) {
                attached.is_moved = true;
            }
        }
    }

    /// Ends the links of this node to itself of a room that has moved. Those of other nodes end
    /// because this one does not speak for the room.
    pub(in crate::cluster) fn end_own(
        &self,
        gateways: &mut Gateways,
        node: ClusterNodeId,
        room: &RoomName,
    ) {
        for (link, _) in self.of_room(room).filter(|(link, _)| link.0 == node) {
            if let Some(far) = gateways.far_mut(link) {
                far.end(GatewayEnd::RoomMoved);
            }
        }
    }

    /// Ends the links of a room that could not move, because its branch may have left them.
    pub(in crate::cluster) fn abandon(&mut self, gateways: &mut Gateways, room: &RoomName) {
        for (link, _) in self.of_room(room) {
            if let Some(far) = gateways.far_mut(link) {
                far.end(GatewayEnd::NodeLost);
            }
        }
    }

    /// Returns the links of a room, with the ids of their endpoints here.
    pub(in crate::cluster) fn links_of(
        &self,
        gateways: &Gateways,
        room: &RoomName,
    ) -> Vec<(FarLink, EndpointId)> {
        let of_room = self.of_room(room);
        of_room.filter_map(|(link, _)| Some((link, gateways.far(link)?.endpoint()))).collect()
    }

    /// Returns whether the endpoint of a link has received all messages of the branch, which has
    /// moved; `None` if the link has ended.
    pub(in crate::cluster) fn is_flushed(
        &self,
        gateways: &Gateways,
        link: FarLink,
    ) -> Option<bool> {
        let far = gateways.far(link).filter(|far| far.ended().is_none())?;
        Some(self.links.get(&link)?.is_closed && far.backlog() == (0, 0))
    }
}
