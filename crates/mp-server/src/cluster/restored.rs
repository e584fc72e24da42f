//! [`RestoredEndpoints`]: endpoints of rooms that another node had, until their links are open.

use std::collections::{BTreeMap, BTreeSet};

use mp_actor::{MailboxId, RemoteEndpoint, RemoteInput};
use mp_cluster::ClusterNodeId;
use mp_core::{
    ConnectionId, DisconnectReason, EndpointId, Instant, PeerEvent, ToBranch, ToEndpoint,
};
use mp_rooms::{ListenerConnection, ListenerId, RoomName};

/// The endpoints with which branches were restored, and whose nodes have not opened their links.
#[derive(Debug, Default)]
pub(super) struct RestoredEndpoints {
    waiting: BTreeMap<RestoredKey, RestoredEndpoint>,
    /// An endpoint of each room whose last link has ended, or whose node is dead. A branch ends
    /// with its last endpoint.
    anchors: BTreeMap<RoomName, RemoteEndpoint>,
    mailboxes: BTreeMap<MailboxId, RoomName>,
    /// Rooms whose branch has sent a message to its anchor since the last visit.
    ready: BTreeSet<RoomName>,
}

/// A room, the node of the endpoint, its id there, and its id here: an endpoint may serve a room by
/// several links.
pub(super) type RestoredKey = (RoomName, ClusterNodeId, EndpointId, EndpointId);

/// An endpoint of a restored branch.
#[derive(Debug)]
pub(super) struct RestoredEndpoint {
    /// Its id here.
    pub(super) id: EndpointId,
    /// The listener that stands for it.
    pub(super) listener: ListenerId,
    /// Connections with a player.
    pub(super) connections: BTreeSet<ConnectionId>,
    /// Connections that the branch knows, and that have ended.
    pub(super) gone: Vec<ConnectionId>,
    /// Time until which its node may open the link.
    pub(super) until: Instant,
    /// `None` until the room has opened.
    pub(super) remote: Option<RemoteEndpoint>,
}

impl RestoredEndpoints {
    pub(super) fn insert(&mut self, key: RestoredKey, endpoint: RestoredEndpoint) {
        self.waiting.insert(key, endpoint);
    }

    /// Handles that a restored room has opened, with its endpoints.
    pub(super) fn opened(&mut self, room: &RoomName, remotes: Vec<RemoteEndpoint>) {
        for remote in remotes {
            let mut waiting = self.waiting.iter_mut();
            let of = waiting.find(|((of, ..), it)| of == room && it.id == remote.id());
            if let Some((_, endpoint)) = of {
                endpoint.remote = Some(remote);
            }
        }
    }

    /// Removes and returns an endpoint whose node opens the link: of several ones, that with most
    /// of the connections of the link.
    pub(super) fn take(
        &mut self,
        (room, node, there): (RoomName, ClusterNodeId, EndpointId),
        connections: &[ConnectionId],
    ) -> Option<RestoredEndpoint> {
        let first = (room.clone(), node, there, EndpointId(0));
        let last = (room, node, there, EndpointId(u32::MAX));
        let of_endpoint = self.waiting.range(first..=last);
        let shared = |it: &RestoredEndpoint| {
            connections.iter().filter(|connection| it.connections.contains(connection)).count()
        };
        let (key, endpoint) = of_endpoint.max_by_key(|(_, endpoint)| shared(endpoint))?;
        endpoint.remote.as_ref()?;
        let key = key.clone();
        self.waiting.remove(&key)
    }

    /// Handles that a player has left the room by a decision of the registry.
    pub(super) fn remove_player(&mut self, player: ListenerConnection) {
        let of = |it: &&mut RestoredEndpoint| it.listener == player.listener;
        for endpoint in self.waiting.values_mut().filter(of) {
            if endpoint.connections.remove(&player.connection) {
                endpoint.gone.push(player.connection);
            }
        }
    }

    /// Returns whether a listener stands for one of the endpoints.
    pub(super) fn has_listener(&self, listener: ListenerId) -> bool {
        self.waiting.values().any(|endpoint| endpoint.listener == listener)
    }

    /// Keeps an endpoint whose link has ended, so that the branch does not end with it.
    pub(super) fn anchor(&mut self, room: RoomName, remote: RemoteEndpoint) {
        self.remove_anchor(&room);
        self.mailboxes.insert(remote.mailbox(), room.clone());
        self.ready.insert(room.clone());
        self.anchors.insert(room, remote);
    }

    fn remove_anchor(&mut self, room: &RoomName) {
        if let Some(anchor) = self.anchors.remove(room) {
            self.mailboxes.remove(&anchor.mailbox());
        }
    }

    /// Records that the branch of a mailbox has sent a message, or has ended.
    pub(super) fn mark_ready(&mut self, mailbox: MailboxId) {
        self.ready.extend(self.mailboxes.get(&mailbox).cloned());
    }

    /// Forgets the endpoints of a room that has ended. Returns its players.
    pub(super) fn end_room(&mut self, room: &RoomName) -> Vec<ListenerConnection> {
        self.remove_anchor(room);
        let of_room = self.waiting.keys().filter(|(of, ..)| of == room);
        let of_room: Vec<_> = of_room.cloned().collect();
        let ended = of_room.iter().filter_map(|key| self.waiting.remove(key));
        ended.flat_map(|endpoint| endpoint.players()).collect()
    }

    /// Reports the ends of connections to the branches, and of all connections of endpoints whose
    /// node has not opened the link in time. Returns the players of the latter.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Vec<ListenerConnection> {
        let mut left = Vec::new();
        let mut expired = Vec::new();
        for (key, endpoint) in &mut self.waiting {
            if endpoint.remote.is_none() {
                continue;
            }
            if now >= endpoint.until {
                left.extend(endpoint.players());
                endpoint.gone.extend(std::mem::take(&mut endpoint.connections));
            }
            if endpoint.report_gone() && now >= endpoint.until {
                expired.push(key.clone());
            }
        }
        for key in expired {
            if let Some(remote) = self.waiting.remove(&key).and_then(|it| it.remote) {
                self.anchor(key.0, remote);
            }
        }
        for room in std::mem::take(&mut self.ready) {
            if self.anchors.get_mut(&room).is_some_and(|anchor| !is_open(anchor)) {
                self.remove_anchor(&room);
            }
        }
        left
    }

    /// Returns the time of the next [`handle_timeout`](Self::handle_timeout).
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let open = self.waiting.values().filter(|endpoint| endpoint.remote.is_some());
        open.map(|endpoint| endpoint.until).min()
    }
}

impl RestoredEndpoint {
    fn players(&self) -> Vec<ListenerConnection> {
        let listener = self.listener;
        let player = |&connection: &_| ListenerConnection { listener, connection };
        self.connections.iter().map(player).collect()
    }

    /// Reports the ends of connections to the branch. Returns false if its mailbox is full.
    pub(super) fn report_gone(&mut self) -> bool {
        let Some(remote) = &mut self.remote else { return false };
        if self.gone.is_empty() {
            return true;
        }
        let reason = DisconnectReason::Timeout;
        let end = |&connection: &_| PeerEvent::Disconnected { connection, reason };
        let ends = self.gone.iter().map(end).collect();
        let is_sent = remote.try_send(ToBranch::Events(self.id, ends)).is_ok();
        if is_sent {
            self.gone.clear();
        }
        is_sent
    }
}

/// Discards the messages for an endpoint without connections. Returns false if the branch leaves.
fn is_open(anchor: &mut RemoteEndpoint) -> bool {
    loop {
        match anchor.try_recv() {
            RemoteInput::Message(ToEndpoint::Leave { .. }) | RemoteInput::Ended => return false,
            RemoteInput::Message(_) => {}
            RemoteInput::Empty => return true,
        }
    }
}
