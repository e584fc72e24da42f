//! [`Changes`]: the rooms that have changed, for viewers.

use std::collections::BTreeSet;

use mp_rooms::{RoomId, RoomInfo, Rooms};
use tokio::sync::broadcast;

/// A change of a room.
#[derive(Clone, Debug)]
pub(crate) enum RoomChange {
    /// The room as it is now: it was created, opened or changed, or a player joined, left or moved.
    Changed(RoomInfo),
    /// The room was closed, or could not be created.
    Closed(RoomId),
}

/// The rooms that have changed since the last turn of the host.
///
/// It costs nothing without viewers. Several changes of a room in one turn are one.
#[derive(Debug)]
pub(super) struct Changes {
    /// Created for the first viewer: most servers have none, and its queue is large.
    sender: Option<broadcast::Sender<RoomChange>>,
    rooms: BTreeSet<RoomId>,
}

impl Changes {
    pub(super) fn new() -> Self {
        Self { sender: None, rooms: BTreeSet::new() }
    }

    /// Returns a receiver of the changes from now on. A receiver that is too slow loses the oldest
    /// ones, and knows how many.
    pub(super) fn subscribe(&mut self) -> broadcast::Receiver<RoomChange> {
        self.sender.get_or_insert_with(|| broadcast::Sender::new(CHANGES_MAX)).subscribe()
    }

    /// Notes that a room has changed.
    pub(super) fn mark(&mut self, room: RoomId) {
        if self.sender.as_ref().is_some_and(|sender| sender.receiver_count() > 0) {
            self.rooms.insert(room);
        }
    }

    /// Sends the rooms that have changed.
    pub(super) fn publish(&mut self, rooms: &Rooms) {
        let Some(sender) = &self.sender else { return };
        while let Some(room) = self.rooms.pop_first() {
            let change = rooms.get(room).map_or(RoomChange::Closed(room), RoomChange::Changed);
            let _ = sender.send(change); // the last viewer may have left
        }
    }
}

/// Changes that wait for the slowest viewer.
const CHANGES_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use mp_rooms::{RoomName, RoomsSettings, Template};
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;

    fn rooms(number: usize) -> (Rooms, Vec<RoomId>) {
        let name = |text: &str| RoomName::new(text).unwrap();
        let template = Template::new(name("default"));
        let mut rooms = Rooms::new(RoomsSettings::default(), [template]);
        let ids = (0..number).map(|it| rooms.create(name(&format!("r{it}")), &name("default")));
        let ids = ids.collect::<Result<_, _>>().unwrap();
        (rooms, ids)
    }

    #[test]
    fn changes_of_a_room_in_one_turn_are_one_and_none_is_kept_without_viewers() {
        let (mut rooms, ids) = rooms(2);
        let mut changes = Changes::new();
        changes.mark(ids[0]);
        assert!(changes.rooms.is_empty());
        let mut viewer = changes.subscribe();
        changes.mark(ids[0]);
        changes.mark(ids[0]);
        changes.mark(ids[1]);
        rooms.close(ids[1]);
        changes.publish(&rooms);
        assert!(matches!(viewer.try_recv(), Ok(RoomChange::Changed(it)) if it.id == ids[0]));
        assert!(matches!(viewer.try_recv(), Ok(RoomChange::Closed(it)) if it == ids[1]));
        assert!(matches!(viewer.try_recv(), Err(TryRecvError::Empty)));
    }

    #[test]
    fn slow_viewer_loses_the_oldest_changes_and_knows_how_many() {
        let (rooms, ids) = rooms(1);
        let mut changes = Changes::new();
        let mut viewer = changes.subscribe();
        for _ in 0..CHANGES_MAX + 5 {
            changes.mark(ids[0]);
            changes.publish(&rooms);
        }
        assert!(matches!(viewer.try_recv(), Err(TryRecvError::Lagged(5))));
    }
}
