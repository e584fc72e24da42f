//! [`Asks`]: joins of players of this node whose room does not exist here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mp_cluster::{ClusterNodeId, NodeRequestId};
use mp_core::Instant;
use mp_rooms::{ListenerConnection, RoomName};

use super::handle::Applicant;

/// The joins that wait for the directory or for the node of their room. Their number is bounded by
/// that of undecided connections.
#[derive(Debug, Default)]
pub(super) struct Asks {
    by_connection: BTreeMap<ListenerConnection, Ask>,
    /// Joins that wait for the directory.
    locating: BTreeMap<RoomName, BTreeSet<ListenerConnection>>,
    by_request: BTreeMap<NodeRequestId, ListenerConnection>,
    deadlines: BTreeSet<(Instant, ListenerConnection)>,
    last_request: u64,
}

#[derive(Debug)]
struct Ask {
    applicant: Applicant,
    deadline: Instant,
    /// The node that was asked; `None`: the owner is not known.
    asked: Option<(ClusterNodeId, NodeRequestId)>,
}

impl Asks {
    pub(super) fn len(&self) -> usize {
        self.by_connection.len()
    }

    /// Adds a join whose room is to be located.
    pub(super) fn insert(&mut self, now: Instant, applicant: Applicant) {
        let (connection, deadline) = (applicant.join.connection, now + ASK_TIMEOUT);
        self.remove(connection);
        self.locating.entry(applicant.room.clone()).or_default().insert(connection);
        self.deadlines.insert((deadline, connection));
        self.by_connection.insert(connection, Ask { applicant, deadline, asked: None });
    }

    /// Removes a join.
    pub(super) fn remove(&mut self, connection: ListenerConnection) -> Option<Applicant> {
        let ask = self.by_connection.remove(&connection)?;
        self.deadlines.remove(&(ask.deadline, connection));
        match ask.asked {
            Some((_, request)) => drop(self.by_request.remove(&request)),
            None => self.forget_locating(&ask.applicant.room, connection),
        }
        Some(ask.applicant)
    }

    fn forget_locating(&mut self, room: &RoomName, connection: ListenerConnection) {
        if let Some(of_room) = self.locating.get_mut(room) {
            of_room.remove(&connection);
            if of_room.is_empty() {
                self.locating.remove(room);
            }
        }
    }

    /// Returns the joins that wait until a room is located.
    pub(super) fn locating(&self, room: &RoomName) -> Vec<ListenerConnection> {
        self.locating.get(room).into_iter().flatten().copied().collect()
    }

    /// Returns the rooms that are being located.
    pub(super) fn rooms(&self) -> impl Iterator<Item = &RoomName> {
        self.locating.keys()
    }

    /// Returns a join.
    pub(super) fn get(&self, connection: ListenerConnection) -> Option<&Applicant> {
        self.by_connection.get(&connection).map(|ask| &ask.applicant)
    }

    /// Returns the template from which one of the joins that wait for a room creates it.
    pub(super) fn template(&self, room: &RoomName) -> Option<RoomName> {
        let mut waiting = self.locating.get(room)?.iter().filter_map(|it| self.get(*it));
        waiting.find_map(|applicant| applicant.template.as_ref().ok().cloned())
    }

    /// Records that the node of the room is asked. Returns the number of the request.
    pub(super) fn ask(
        &mut self,
        connection: ListenerConnection,
        node: ClusterNodeId,
    ) -> Option<NodeRequestId> {
        let ask = self.by_connection.get_mut(&connection)?;
        self.last_request += 1;
        let request = NodeRequestId::new(self.last_request);
        ask.asked = Some((node, request));
        let room = ask.applicant.room.clone();
        self.by_request.insert(request, connection);
        self.forget_locating(&room, connection);
        Some(request)
    }

    /// Returns the join that a node answers.
    pub(super) fn answered(
        &mut self,
        from: ClusterNodeId,
        request: NodeRequestId,
    ) -> Option<ListenerConnection> {
        let connection = *self.by_request.get(&request)?;
        let ask = self.by_connection.get(&connection)?;
        (ask.asked == Some((from, request))).then_some(connection)
    }

    /// Records that the node that was asked does not have the room, which is to be located again.
    pub(super) fn relocate(&mut self, connection: ListenerConnection) {
        let Some(ask) = self.by_connection.get_mut(&connection) else { return };
        if let Some((_, request)) = ask.asked.take() {
            self.by_request.remove(&request);
            self.locating.entry(ask.applicant.room.clone()).or_default().insert(connection);
        }
    }

    /// Returns the joins whose time is over.
    pub(super) fn expired(&self, now: Instant) -> Vec<ListenerConnection> {
        let due = self.deadlines.iter().take_while(|(deadline, _)| *deadline <= now);
        due.map(|&(_, connection)| connection).collect()
    }

    /// Returns the time at which the next join expires.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }
}

/// Time in which a join is answered. The endpoint rejects an undecided connection a little later,
/// without this reason ([`UNDECIDED_TIMEOUT`](mp_core::limits::UNDECIDED_TIMEOUT)).
pub(super) const ASK_TIMEOUT: Duration = Duration::from_millis(2_700);

const _: () = assert!(ASK_TIMEOUT.as_millis() < mp_core::limits::UNDECIDED_TIMEOUT.as_millis());

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mp_core::ConnectionId;
    use mp_identity::Identity;
    use mp_rooms::{Join, JoinRefusal, ListenerId, Selection};

    use super::*;

    fn applicant(slot: u32, template: Result<RoomName, JoinRefusal>) -> Applicant {
        let connection = ConnectionId { slot, generation: 0 };
        let connection = ListenerConnection { listener: ListenerId(0), connection };
        let room = RoomName::new("a").unwrap();
        let join = Join::new(connection, None, Ok(Selection::new(room.clone())));
        let identity = Arc::new(Identity::anonymous());
        Applicant { join, room, identity, template, host_key: None, ticket: None }
    }

    #[test]
    fn only_the_node_that_was_asked_answers_a_join() {
        let (mut asks, now) = (Asks::default(), Instant::from_millis(1));
        let (asked, other) = (ClusterNodeId::new(1), ClusterNodeId::new(2));
        let room = RoomName::new("a").unwrap();
        asks.insert(now, applicant(0, Err(JoinRefusal::UnknownRoom)));
        let connection = asks.locating(&room)[0];
        let request = asks.ask(connection, asked).unwrap();
        assert!(asks.locating(&room).is_empty() && asks.rooms().next().is_none());
        assert_eq!(asks.answered(other, request), None);
        assert_eq!(asks.answered(asked, request), Some(connection));
        asks.relocate(connection);
        assert_eq!(asks.answered(asked, request), None, "the room is located again");
        assert_eq!(asks.locating(&room), [connection]);
        assert_eq!(asks.expired(now + ASK_TIMEOUT), [connection]);
        assert!(asks.remove(connection).is_some() && asks.remove(connection).is_none());
        assert_eq!((asks.len(), asks.poll_timeout()), (0, None));
    }

    #[test]
    fn room_is_placed_if_one_of_its_players_creates_it() {
        let (mut asks, now) = (Asks::default(), Instant::from_millis(1));
        let (room, template) = (RoomName::new("a").unwrap(), RoomName::new("arena").unwrap());
        asks.insert(now, applicant(0, Err(JoinRefusal::MayNotCreate)));
        assert_eq!(asks.template(&room), None);
        asks.insert(now, applicant(1, Ok(template.clone())));
        assert_eq!(asks.template(&room), Some(template));
    }
}
