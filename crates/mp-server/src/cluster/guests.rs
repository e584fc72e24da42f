//! [`Guests`]: players of other nodes in rooms of this one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mp_cluster::{ClusterNodeId, Epoch, FarLink};
use mp_core::{EndpointId, Instant};
use mp_rooms::{ListenerConnection, ListenerId, RoomName};

use super::handle::RemoteRequest;

/// The players of other nodes that have joined rooms of this one, or wait for the decision. Each
/// endpoint of another node is a listener of the registry.
#[derive(Debug, Default)]
pub(super) struct Guests {
    listeners: BTreeMap<(ClusterNodeId, EndpointId), ListenerId>,
    next_listener: u32,
    places: BTreeMap<ListenerConnection, Guest>,
    deadlines: BTreeSet<(Instant, ListenerConnection)>,
}

/// The progress of a guest.
#[derive(Clone, Debug)]
pub(super) enum Guest {
    /// The registry has not decided.
    Asking { request: RemoteRequest, room: RoomName, until: Instant },
    /// Its connection is expected on a link in this epoch.
    Expected { until: Instant, epoch: Epoch },
    /// It was in the room on another node, and its link is not open here yet.
    Restored,
    /// Its connection is here.
    Here(FarLink),
}

impl Guests {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns the listener that stands for an endpoint of another node; `None` if there are too
    /// many.
    pub(super) fn listener(
        &mut self,
        node: ClusterNodeId,
        endpoint: EndpointId,
    ) -> Option<ListenerId> {
        if let Some(listener) = self.listeners.get(&(node, endpoint)) {
            return Some(*listener);
        }
        if self.listeners.len() >= LISTENERS_MAX {
            return None;
        }
        let listener = ListenerId(GUESTS | self.next_listener);
        self.next_listener = (self.next_listener + 1) & !GUESTS;
        self.listeners.insert((node, endpoint), listener);
        Some(listener)
    }

    /// Returns the listeners that stand for the endpoints of a node.
    pub(super) fn listeners_of(&self, node: ClusterNodeId) -> Vec<ListenerId> {
        let first = (node, EndpointId(0));
        let of_node = self.listeners.range(first..).take_while(|((of, _), _)| *of == node);
        of_node.map(|(_, &listener)| listener).collect()
    }

    /// Adds a player about whom the registry has to decide. Returns false if it is known.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        guest: ListenerConnection,
        request: RemoteRequest,
        room: RoomName,
    ) -> bool {
        if self.places.contains_key(&guest) || self.places.len() >= GUESTS_MAX {
            return false;
        }
        let until = now + DECISION_TIMEOUT;
        self.insert(guest, Guest::Asking { request, room, until });
        true
    }

    /// Returns the request of a player about whom the registry has decided.
    pub(super) fn decided(
        &mut self,
        guest: ListenerConnection,
    ) -> Option<(RemoteRequest, RoomName)> {
        let Some(Guest::Asking { request, room, .. }) = self.places.get(&guest) else {
            return None;
        };
        let decided = (*request, room.clone());
        self.remove(guest);
        Some(decided)
    }

    /// Expects the connection of a player who is admitted.
    pub(super) fn expect(&mut self, now: Instant, guest: ListenerConnection, epoch: Epoch) {
        self.remove(guest);
        self.insert(guest, Guest::Expected { until: now + CONNECTION_TIMEOUT, epoch });
    }

    /// Records that the connection of an expected player is here. Returns false if it is not
    /// expected on a link in this epoch.
    pub(super) fn arrive(
        &mut self,
        guest: ListenerConnection,
        link: FarLink,
        epoch: Epoch,
    ) -> bool {
        match self.places.get(&guest) {
            Some(Guest::Expected { epoch: expected, .. }) if *expected == epoch => {
                self.remove(guest);
                self.insert(guest, Guest::Here(link));
                true
            }
            Some(Guest::Here(here)) => *here == link,
            _ => false,
        }
    }

    /// Adds a player of a room that another node had.
    pub(super) fn restore(&mut self, guest: ListenerConnection) {
        self.insert(guest, Guest::Restored);
    }

    /// Records that the connection of a restored player is here. Returns false if the player is no
    /// restored one, or has left.
    pub(super) fn return_by(&mut self, guest: ListenerConnection, link: FarLink) -> bool {
        let place = self.places.get_mut(&guest);
        let place = place.filter(|place| matches!(place, Guest::Restored));
        place.map(|place| *place = Guest::Here(link)).is_some()
    }

    /// Returns the nodes and endpoints for which listeners stand.
    pub(super) fn origins(&self) -> BTreeMap<ListenerId, (ClusterNodeId, EndpointId)> {
        self.listeners.iter().map(|(&origin, &listener)| (listener, origin)).collect()
    }

    pub(super) fn get(&self, guest: ListenerConnection) -> Option<&Guest> {
        self.places.get(&guest)
    }

    pub(super) fn remove(&mut self, guest: ListenerConnection) -> Option<Guest> {
        let place = self.places.remove(&guest)?;
        if let Some(until) = place.until() {
            self.deadlines.remove(&(until, guest));
        }
        Some(place)
    }

    /// Removes the players of a link. Returns them.
    pub(super) fn remove_link(&mut self, link: FarLink) -> Vec<ListenerConnection> {
        let is_of = |place: &Guest| matches!(place, Guest::Here(here) if *here == link);
        let of_link = self.places.iter().filter(|(_, place)| is_of(place));
        let of_link: Vec<_> = of_link.map(|(&guest, _)| guest).collect();
        of_link.iter().for_each(|&guest| drop(self.remove(guest)));
        of_link
    }

    /// Forgets the listeners that `is_used` does not name, and that have no players here.
    pub(super) fn retain_listeners(&mut self, is_used: impl Fn(ClusterNodeId, ListenerId) -> bool) {
        let places = &self.places;
        self.listeners.retain(|(node, _), listener| {
            let first = ListenerConnection {
                listener: *listener,
                connection: mp_core::ConnectionId { slot: 0, generation: 0 },
            };
            let has_players =
                places.range(first..).next().is_some_and(|(it, _)| it.listener == *listener);
            is_used(*node, *listener) || has_players
        });
    }

    /// Removes and returns the next player whose time is over.
    pub(super) fn next_expired(&mut self, now: Instant) -> Option<(ListenerConnection, Guest)> {
        let &(_, guest) = self.deadlines.first().filter(|(until, _)| *until <= now)?;
        self.remove(guest).map(|place| (guest, place))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(until, _)| until)
    }

    fn insert(&mut self, guest: ListenerConnection, place: Guest) {
        self.deadlines.extend(place.until().map(|until| (until, guest)));
        self.places.insert(guest, place);
    }
}

impl Guest {
    fn until(&self) -> Option<Instant> {
        match self {
            Self::Asking { until, .. } | Self::Expected { until, .. } => Some(*until),
            Self::Restored | Self::Here(_) => None,
        }
    }
}

/// Returns whether a listener stands for an endpoint of another node.
pub(crate) fn is_guest(listener: ListenerId) -> bool {
    listener.0 & GUESTS != 0
}

/// Bit of the numbers of such listeners.
const GUESTS: u32 = 1 << 31;
/// Endpoints of other nodes: 64 of each of 1,024 nodes.
const LISTENERS_MAX: usize = 65_536;
/// Players of other nodes: as many as connections of all endpoints.
const GUESTS_MAX: usize = 65_536;
/// Time in which the registry decides: a room is created within 3 s, or its joins are refused.
const DECISION_TIMEOUT: Duration = Duration::from_secs(10);
/// Time in which the connection of an admitted player has to be here.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use mp_cluster::{ClusterId, Gateways, LinkId, NodeRequestId};
    use mp_core::{BranchId, ConnectionId};

    use super::*;

    const NODE: ClusterNodeId = ClusterNodeId::new(1);

    fn link() -> LinkId {
        let mut gateways = Gateways::new(ClusterId::named("test"), NODE, EndpointId(0));
        let (room, owner) = (RoomName::new("a").unwrap(), (NODE, Epoch::new(1)));
        gateways.open(Instant::ZERO, room, owner, BranchId(1)).unwrap()
    }

    fn guest(guests: &mut Guests, slot: u32) -> ListenerConnection {
        let listener = guests.listener(NODE, EndpointId(3)).unwrap();
        ListenerConnection { listener, connection: ConnectionId { slot, generation: 0 } }
    }

    #[test]
    fn connection_is_accepted_only_if_its_player_was_admitted_in_the_epoch_of_the_link() {
        let (mut guests, now) = (Guests::default(), Instant::from_millis(1));
        let (link, epoch) = ((NODE, link()), Epoch::new(5));
        let (player, room) = (guest(&mut guests, 0), RoomName::new("a").unwrap());
        assert!(!guests.arrive(player, link, epoch), "no player has joined");
        assert!(guests.begin(now, player, (NODE, NodeRequestId::new(1)), room.clone()));
        assert!(!guests.begin(now, player, (NODE, NodeRequestId::new(2)), room));
        assert!(!guests.arrive(player, link, epoch), "it is not decided");
        assert!(guests.decided(player).is_some() && guests.decided(player).is_none());
        guests.expect(now, player, epoch);
        assert!(!guests.arrive(player, link, Epoch::new(4)));
        assert!(guests.arrive(player, link, epoch) && guests.arrive(player, link, epoch));
        assert!(guests.poll_timeout().is_none());
        assert_eq!(guests.remove_link(link), [player]);
        assert_eq!(guests.len(), 0);
    }

    #[test]
    fn player_whose_connection_does_not_follow_expires() {
        let (mut guests, now) = (Guests::default(), Instant::from_millis(1));
        let player = guest(&mut guests, 0);
        guests.expect(now, player, Epoch::new(5));
        assert!(guests.next_expired(now).is_none());
        let due = guests.poll_timeout().unwrap();
        assert_eq!(due, now + CONNECTION_TIMEOUT);
        assert!(matches!(guests.next_expired(due), Some((expired, _)) if expired == player));
        assert!(!guests.arrive(player, (NODE, link()), Epoch::new(5)));
    }

    #[test]
    fn listeners_of_nodes_without_players_and_links_are_forgotten() {
        let mut guests = Guests::default();
        let player = guest(&mut guests, 0);
        guests.expect(Instant::ZERO, player, Epoch::new(5));
        guests.retain_listeners(|_, _| false);
        assert_eq!(guest(&mut guests, 0), player, "it has a player");
        guests.remove(player);
        guests.retain_listeners(|_, listener| listener == player.listener);
        assert_eq!(guest(&mut guests, 0), player, "it has a link");
        guests.retain_listeners(|_, _| false);
        assert_ne!(guest(&mut guests, 0), player);
        assert!(is_guest(player.listener) && !is_guest(ListenerId(0)));
    }
}
