//! The endpoints whose clients join rooms.

use mp_actor::SharedEndpoint;
use mp_rooms::{Join, ListenerId, RoomName};

use super::{HostEvent, RoomsHost};
use crate::cluster::ToNode;

/// An endpoint.
pub(super) struct Listening {
    pub(super) endpoint: SharedEndpoint,
    /// The only room that its clients can join.
    pub(super) room: Option<RoomName>,
    /// True if the transport refuses connections because that room does.
    pub(super) is_refusing: bool,
}

impl RoomsHost {
    /// Adds an endpoint whose router passes its joins to this host. `room` is the only room that
    /// its clients can join, if there is one.
    pub(in crate::rooms) fn listen(
        &mut self,
        id: ListenerId,
        endpoint: SharedEndpoint,
        room: Option<RoomName>,
    ) {
        let (events, ended) = (self.events.clone(), endpoint.clone());
        self.tasks.spawn(async move {
            ended.ended().await;
            let _ = events.send(HostEvent::ListenerEnded(id)).await;
        });
        self.notify_cluster(|| ToNode::Listening(id, endpoint.clone()));
        self.listeners.insert(id, Listening { endpoint, room, is_refusing: false });
        let now = self.clock.now();
        let is_of = |join: &mut Join| join.connection.listener == id;
        for join in self.early.extract_if(.., is_of).collect::<Vec<_>>() {
            self.authenticate(now, join);
        }
    }

    /// Returns the endpoints.
    pub(in crate::rooms) fn endpoints(&self) -> Vec<SharedEndpoint> {
        self.listeners.values().map(|listening| listening.endpoint.clone()).collect()
    }

    /// Lets the transports refuse connections while all rooms do, or the only room of an endpoint.
    pub(super) fn refuse_in_handshakes(&mut self) {
        if self.rooms.is_draining() {
            return; // they refuse already
        }
        // A player with an identity may take over its own place.
        let is_full = self.is_open && self.rooms.is_full();
        for listening in self.listeners.values_mut() {
            let room = listening.room.as_ref().and_then(|name| self.rooms.find_by_name(name));
            let is_refusing = is_full || room.is_some_and(|room| self.rooms.is_refusing(room));
            if is_refusing != listening.is_refusing {
                listening.is_refusing = is_refusing;
                listening.endpoint.set_refuse_new_connections(is_refusing);
            }
        }
    }
}
