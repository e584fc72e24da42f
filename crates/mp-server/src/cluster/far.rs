//! [`FarLinks`]: endpoints of other nodes that serve rooms of this one.

mod moves;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mp_actor::{BranchRef, MailboxId, RemoteEndpoint, RemoteInput, RemoteWake};
use mp_cluster::{ClusterNodeId, Epoch, FarLink, GatewayEnd, Gateways, LinkOpening};
use mp_core::{
    CloseMode, ConnectionId, DisconnectReason, EndpointId, OutgoingPacket, PeerEvent, Rejection,
    ToBranch, ToEndpoint,
};
use mp_rooms::{ListenerConnection, ListenerId, RoomName};

use super::departures::Departure;
use super::guests::{Guest, Guests};
use super::restored::RestoredEndpoints;

/// The links to rooms of this node, with their branches.
#[derive(Debug, Default)]
pub(super) struct FarLinks {
    links: BTreeMap<FarLink, Attached>,
    /// Links whose first frame was not received.
    opening: BTreeMap<FarLink, Opening>,
    /// The links of each room, with those that are opening.
    rooms: BTreeMap<RoomName, BTreeSet<FarLink>>,
    mailboxes: BTreeMap<MailboxId, FarLink>,
    /// Links whose branch has sent a message since their last visit.
    ready: BTreeSet<FarLink>,
}

/// A link that another node is opening.
#[derive(Debug)]
struct Opening {
    branch: BranchRef,
    room: RoomName,
    epoch: Epoch,
    /// True if the room moves to another node.
    is_frozen: bool,
}

#[derive(Debug)]
struct Attached {
    /// `None` once the endpoint has ended and the branch has left it.
    remote: Option<RemoteEndpoint>,
    room: RoomName,
    epoch: Epoch,
    /// The listener that stands for the endpoint, once the link is open.
    listener: Option<ListenerId>,
    /// Connections that no join has announced. The branch does not know them.
    unexpected: BTreeSet<ConnectionId>,
    /// Unexpected connections that are to be disconnected.
    refused: Vec<ConnectionId>,
    is_closed: bool,
    /// True if the branch goes on on another node.
    is_moved: bool,
    /// True if the branch has left the endpoint.
    has_left: bool,
    /// True if the endpoint has ended before.
    has_ended: bool,
}

/// The events of a turn of the links.
#[derive(Debug, Default)]
pub(super) struct FarTurn {
    /// Players whose connection has ended.
    pub(super) left: Vec<ListenerConnection>,
    /// Players of rooms that another node had, whose connection is here now.
    pub(super) returned: Vec<(RoomName, ListenerConnection)>,
    /// Connections that no join has announced.
    pub(super) unexpected: u64,
    /// True if a branch has not accepted a message.
    pub(super) is_blocked: bool,
}

impl FarLinks {
    /// Attaches a link to the branch of its room, once it is open.
    pub(super) fn attach(&mut self, link: FarLink, room: (RoomName, Epoch), branch: &BranchRef) {
        let (room, epoch) = room;
        self.rooms.entry(room.clone()).or_default().insert(link);
        let opening = Opening { branch: branch.clone(), room, epoch, is_frozen: false };
        self.opening.insert(link, opening);
    }

    /// Attaches the links that are open.
    fn open(
        &mut self,
        gateways: &mut Gateways,
        guests: &mut Guests,
        restored: &mut RestoredEndpoints,
        wake: &Arc<RemoteWake>,
        turn: &mut FarTurn,
    ) {
        let Self { links, rooms, mailboxes, ready, .. } = self;
        self.opening.retain(|&link, Opening { branch, room, epoch, is_frozen }| {
            let Some(far) = gateways.far_mut(link) else {
                forget(rooms, room, link);
                return false;
            };
            let Some(opening) = far.poll_opening() else { return true };
            let mut attached = Attached {
                remote: None,
                room: room.clone(),
                epoch: *epoch,
                listener: None,
                unexpected: BTreeSet::new(),
                refused: Vec::new(),
                is_closed: false,
                is_moved: false,
                has_left: false,
                has_ended: false,
            };
            if let LinkOpening::Reopened(there) = opening {
                let of = (room.clone(), link.0, there);
                let known = restored.take(of, far.reopened_connections());
                let gone = far.reopen(known.as_ref().map(|it| (it.id, &it.connections)));
                if let Some(mut known) = known {
                    let listener = known.listener;
                    for &connection in &known.connections {
                        let guest = ListenerConnection { listener, connection };
                        if gone.contains(&connection) {
                            if matches!(guests.get(guest), Some(Guest::Restored)) {
                                guests.remove(guest);
                            }
                            turn.left.push(guest);
                        } else if guests.return_by(guest, link) {
                            turn.returned.push((room.clone(), guest));
                        }
                    }
                    known.report_gone();
                    attached.listener = Some(listener);
                    attached.remote = known.remote;
                }
            }
            let attach = || branch.attach_remote(far.endpoint(), Arc::clone(wake));
            let remote = attached.remote.get_or_insert_with(attach);
            mailboxes.insert(remote.mailbox(), link);
            if *is_frozen {
                far.freeze();
            }
            ready.insert(link);
            links.insert(link, attached);
            false
        });
    }

    /// Returns whether a room has links.
    pub(super) fn has_room(&self, room: &RoomName) -> bool {
        self.rooms.contains_key(room)
    }

    /// Returns the open links of a room.
    fn of_room(&self, room: &RoomName) -> impl Iterator<Item = (FarLink, &Attached)> {
        let links = self.rooms.get(room).into_iter().flatten();
        links.filter_map(|&link| Some((link, self.links.get(&link)?)))
    }

    /// Returns the node and the endpoint of each link to a room, by the id of the endpoint here.
    pub(super) fn endpoints_of(
        &self,
        gateways: &Gateways,
        room: &RoomName,
    ) -> BTreeMap<EndpointId, (ClusterNodeId, EndpointId)> {
        let endpoint = |(link, _): (FarLink, _)| {
            let far = gateways.far(link)?;
            Some((far.endpoint(), (link.0, far.remote_endpoint()?)))
        };
        self.of_room(room).filter_map(endpoint).collect()
    }

    /// Returns whether a link has a listener.
    pub(super) fn has_listener(&self, listener: ListenerId) -> bool {
        self.links.values().any(|attached| attached.listener == Some(listener))
    }

    /// Records that the branch of a mailbox has sent a message, or has ended.
    pub(super) fn mark_ready(&mut self, mailbox: MailboxId) {
        self.ready.extend(self.mailboxes.get(&mailbox));
    }

    /// Returns whether links are to be visited in the next turn.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Passes messages between the branches and their gateways, of links that have any.
    pub(super) fn exchange(
        &mut self,
        gateways: &mut Gateways,
        guests: &mut Guests,
        restored: &mut RestoredEndpoints,
        wake: &Arc<RemoteWake>,
    ) -> FarTurn {
        let mut turn = FarTurn::default();
        self.open(gateways, guests, restored, wake, &mut turn);
        let mut links = gateways.take_active_far();
        links.append(&mut self.ready);
        for link in links {
            let Some(attached) = self.links.get_mut(&link) else { continue };
            let Some(far) = gateways.far_mut(link) else {
                turn.left.extend(guests.remove_link(link));
                self.remove(link, restored);
                continue;
            };
            // A gateway without capacity is active once it has some.
            let mut has_queued = !attached.is_closed;
            while has_queued && far.has_capacity() {
                match attached.recv() {
                    RemoteInput::Message(message) => {
                        attached.has_left |= matches!(message, ToEndpoint::Leave { .. });
                        far.handle_message(message);
                        continue;
                    }
                    RemoteInput::Empty => {}
                    RemoteInput::Ended if attached.is_moved => attached.is_closed = true,
                    RemoteInput::Ended => {
                        attached.is_closed = true;
                        let (reason, close_mode) = (DisconnectReason::Closed, CloseMode::Drain);
                        far.handle_message(ToEndpoint::Leave { reason, close_mode });
                    }
                }
                has_queued = false;
            }
            // The endpoint's own id is known once the gateway has delivered `Opened`.
            loop {
                let needs_listener = attached.listener.is_none();
                far.deliver(&mut |message| attached.deliver(message, link, guests, &mut turn));
                if needs_listener && let Some(endpoint) = far.remote_endpoint() {
                    attached.listener = guests.listener(link.0, endpoint);
                    if attached.listener.is_some() {
                        continue;
                    }
                    far.end(GatewayEnd::Closed);
                }
                break;
            }
            for connection in attached.refused.drain(..) {
                far.handle_message(disconnect(connection, DisconnectReason::Refused));
            }
            if attached.has_left
                && attached.has_ended
                && let Some(remote) = attached.remote.take()
            {
                // It closes for the branch.
                self.mailboxes.remove(&remote.mailbox());
            }
            if has_queued && far.has_capacity() {
                // By what was delivered.
                self.ready.insert(link);
            }
        }
        turn
    }

    /// Removes a link whose gateway is finished.
    fn remove(&mut self, link: FarLink, restored: &mut RestoredEndpoints) {
        let Some(attached) = self.links.remove(&link) else { return };
        forget(&mut self.rooms, &attached.room, link);
        let Some(remote) = attached.remote else { return };
        self.mailboxes.remove(&remote.mailbox());
        if !attached.is_closed && !attached.has_left {
            restored.anchor(attached.room, remote);
        }
    }

    /// Sends a packet of this node to a player.
    pub(super) fn send(gateways: &mut Gateways, link: FarLink, packet: OutgoingPacket) {
        if let Some(far) = gateways.far_mut(link) {
            far.handle_message(ToEndpoint::Send(vec![packet]));
        }
    }

    /// Disconnects a player.
    pub(super) fn disconnect(gateways: &mut Gateways, departure: Departure) {
        let Departure { link, connection, reason } = departure;
        if let Some(far) = gateways.far_mut(link) {
            far.handle_message(disconnect(connection, reason));
        }
    }
}

impl Attached {
    /// Returns the next message of the branch.
    fn recv(&mut self) -> RemoteInput<ToEndpoint> {
        self.remote.as_mut().map_or(RemoteInput::Empty, RemoteEndpoint::try_recv)
    }

    /// Offers a message of the gateway to the branch, without connections that are not expected.
    fn deliver(
        &mut self,
        message: ToBranch,
        link: FarLink,
        guests: &mut Guests,
        turn: &mut FarTurn,
    ) -> Result<(), ToBranch> {
        let message = match message {
            ToBranch::Events(endpoint, mut events) => {
                let Some(listener) = self.listener else {
                    return Err(ToBranch::Events(endpoint, events));
                };
                events.retain_mut(|event| self.accept(event, listener, link, guests, turn));
                ToBranch::Events(endpoint, events)
            }
            ToBranch::Closed(..) => {
                turn.left.extend(guests.remove_link(link));
                self.has_ended = !self.has_left;
                if self.has_ended {
                    // The branch goes on, also without endpoints.
                    return Ok(());
                }
                message
            }
            message => message,
        };
        let Some(remote) = &mut self.remote else { return Ok(()) };
        remote.try_send(message).inspect_err(|_| turn.is_blocked = true)
    }

    /// Records an event of a connection. Returns whether the branch receives it. An event may be
    /// offered again.
    fn accept(
        &mut self,
        event: &mut PeerEvent,
        listener: ListenerId,
        link: FarLink,
        guests: &mut Guests,
        turn: &mut FarTurn,
    ) -> bool {
        let of = |connection| ListenerConnection { listener, connection };
        match event {
            PeerEvent::Connected { connection, .. } | PeerEvent::Resumed { connection, .. } => {
                let is_expected = guests.arrive(of(*connection), link, self.epoch);
                if !is_expected {
                    turn.unexpected += 1;
                    self.unexpected.insert(*connection);
                    self.refused.push(*connection);
                }
                is_expected
            }
            PeerEvent::Disconnected { connection, reason } => {
                if is_lost(*reason) {
                    *reason = DisconnectReason::Timeout;
                }
                let guest = of(*connection);
                if guests.remove(guest).is_some() {
                    turn.left.push(guest);
                }
                !self.unexpected.remove(connection)
            }
            PeerEvent::Packet(packet) => !self.unexpected.contains(&packet.from),
            _ => true,
        }
    }
}

/// Forgets a link of a room.
fn forget(rooms: &mut BTreeMap<RoomName, BTreeSet<FarLink>>, room: &RoomName, link: FarLink) {
    if let Some(links) = rooms.get_mut(room) {
        links.remove(&link);
        if links.is_empty() {
            rooms.remove(room);
        }
    }
}

/// Returns whether a connection was lost between nodes. Its branch may keep the player then, as one
/// whose connection to the node was lost.
fn is_lost(reason: DisconnectReason) -> bool {
    let ends = [GatewayEnd::DataLost, GatewayEnd::NodeLost, GatewayEnd::MalformedFrame];
    reason == REDIRECTED || ends.iter().any(|end| end.disconnect_reason() == reason)
}

/// Reason for which players of a node that ends are disconnected from rooms of others.
pub(crate) const REDIRECTED: DisconnectReason = DisconnectReason::Rejected(Rejection::new(
    "reconnect",
    "this server ends; reconnect to another one",
));

fn disconnect(connection: ConnectionId, reason: DisconnectReason) -> ToEndpoint {
    ToEndpoint::Disconnect { connection, reason, close_mode: CloseMode::Graceful }
}
