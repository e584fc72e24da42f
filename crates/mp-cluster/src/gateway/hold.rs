//! [`Hold`]: the connections of a room whose node has not accepted them yet, or is lost, until a
//! node accepts them.
//!
//! What is kept is sent again only to a node that refuses the link as
//! [`UnknownLink`](crate::GatewayEnd::UnknownLink): it has received nothing.

use std::collections::VecDeque;

use mp_core::{ConnectionId, Instant, PeerEvent};

use crate::id::Epoch;
use crate::limits::{HELD_BYTES_MAX, HELD_ITEMS_MAX, HOLD_TIME};
use crate::wire::item::Item;

/// The items that a near gateway keeps while its room has no node. They are sent to each node that
/// may be the next one, until one has accepted the link.
#[derive(Debug)]
pub(super) struct Hold {
    /// Time at which the connections are closed, once the gateway knows the time.
    until: Option<Instant>,
    /// The epoch in which the former node has, or has had, the room.
    lost: Epoch,
    /// The connections at the beginning.
    connections: Vec<ConnectionId>,
    /// The items of the endpoint since then, except those that may be lost.
    items: VecDeque<Item>,
    bytes: usize,
    /// True while there is a link to a node that may be the next one.
    pub(super) is_linked: bool,
    /// True if no node has accepted a link yet, so that none knows a connection.
    pub(super) is_first: bool,
}

impl Hold {
    /// Returns the hold of connections whose room has lost its node, or is being moved.
    pub(super) fn new(lost: Epoch, connections: Vec<ConnectionId>) -> Self {
        let (until, items) = (None, VecDeque::new());
        Self { until, lost, connections, items, bytes: 0, is_linked: false, is_first: false }
    }

    /// Returns the hold of a gateway that opens its first link, to the node that has the room in
    /// `epoch`. The room may be about to move to another one.
    pub(super) fn first(epoch: Epoch) -> Self {
        Self { is_linked: true, is_first: true, ..Self::new(epoch, Vec::new()) }
    }

    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Returns whether the connections are closed at `now`. The first call starts their time.
    pub(super) fn has_expired(&mut self, now: Instant) -> bool {
        now >= *self.until.get_or_insert(now + HOLD_TIME)
    }

    /// Returns whether a node with the room in `epoch` may be the next one. The directory names the
    /// former one until its lease has expired, or it has moved the room.
    pub(super) fn accepts(&self, epoch: Epoch) -> bool {
        epoch > self.lost
    }

    pub(super) fn connections(&self) -> &[ConnectionId] {
        &self.connections
    }

    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.iter()
    }

    /// Returns whether another message may be appended. One message may exceed the limits.
    pub(super) fn has_capacity(&self) -> bool {
        self.bytes < HELD_BYTES_MAX && self.items.len() < HELD_ITEMS_MAX
    }

    /// Appends an item.
    pub(super) fn push(&mut self, item: Item) {
        if let Item::Event(PeerEvent::Packet(packet)) = &item {
            self.bytes += packet.payload.len();
        }
        self.items.push_back(item);
    }
}
