//! [`ClaimEvent`] and [`ClaimStats`].

use mp_rooms::RoomName;

use crate::id::{ClusterNodeId, Epoch};

/// A fact about a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimEvent {
    /// This node owns the room in this epoch: it was located here, placed here, adopted, moved
    /// here, or claimed anew after the lease was lost.
    Owned {
        /// The room.
        room: RoomName,
        /// The epoch.
        epoch: Epoch,
        /// True if another node had the room before.
        is_adopted: bool,
        /// True if that node has [moved](super::Claims::hand_over) it here.
        is_moved: bool,
        /// Template of the room, if it was placed with one.
        template: Option<RoomName>,
    },
    /// Another node has the room.
    Elsewhere {
        /// The room.
        room: RoomName,
        /// The owner.
        owner: ClusterNodeId,
        /// The epoch.
        epoch: Epoch,
    },
    /// The lease has ended. The room goes on for players of this node, and nothing is sent for it.
    Suspended(RoomName),
    /// Another node has adopted the room, which was suspended. It ends on this node.
    Lost(RoomName),
    /// The node to which this one has [moved](super::Claims::hand_over) the room owns it now.
    HandedOver(RoomName),
    /// The room has no owner, and was only to be [found](super::Claims::find).
    Unowned(RoomName),
    /// The room has no owner, and no node has capacity.
    Unplaced(RoomName),
    /// The directory does not respond. The room may be located again.
    Unavailable(RoomName),
}

/// Counters of [`Claims`](super::Claims).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimStats {
    /// Rooms that were placed, on this or another node.
    pub placed: u64,
    /// Rooms that were adopted from nodes that have died.
    pub adopted: u64,
    /// Rooms that were moved to another node.
    pub moved: u64,
    /// Rooms that were claimed anew after the lease was lost.
    pub regained: u64,
    /// Rooms that another node has adopted after the lease was lost.
    pub lost: u64,
    /// Writes that another node has preceded.
    pub conflicts: u64,
    /// Requests that the directory has not answered.
    pub unanswered: u64,
    /// Values that are malformed.
    pub malformed: u64,
}

impl ClaimStats {
    /// Adds the counters of another node.
    pub fn add(&mut self, other: &Self) {
        self.placed += other.placed;
        self.adopted += other.adopted;
        self.moved += other.moved;
        self.regained += other.regained;
        self.lost += other.lost;
        self.conflicts += other.conflicts;
        self.unanswered += other.unanswered;
        self.malformed += other.malformed;
    }
}
