//! [`RoomLists`]: public rooms of other nodes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mp_cluster::{ClusterNodeId, ListedRoom, NodeCall, NodeReply};
use mp_rooms::{MatchRequest, RoomName};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::handle::ClusterHandle;

/// The last lists of the public rooms of other nodes, by template. They are requested when a player
/// needs them, and all players of a second share them: a node sends at most one request per second,
/// template and other node, whatever the number of players. Requests before a room is created are
/// in addition.
#[derive(Debug, Default)]
pub(super) struct RoomLists(Mutex<BTreeMap<RoomName, Slot>>);

/// The lists of a template. The task that requests them holds the lock, and others wait for the
/// same lists.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<NodeLists>>>>;

/// The public rooms of a template on other nodes, by age.
#[derive(Debug)]
pub(crate) struct NodeLists {
    by_node: BTreeMap<ClusterNodeId, Vec<ListedRoom>>,
    /// Time at which the lists were requested.
    pub(crate) since: Instant,
}

impl RoomLists {
    fn slot(&self, template: &RoomName) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= TEMPLATES_MAX && !slots.contains_key(template) {
            slots.clear();
        }
        Arc::clone(slots.entry(template.clone()).or_default())
    }
}

impl NodeLists {
    /// Returns the rooms of all nodes.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &ListedRoom> {
        self.by_node.values().flatten()
    }

    /// Returns the nodes with rooms that fit a request, those with the fullest room first, so that
    /// rooms become full before others are begun.
    pub(crate) fn candidates(&self, request: &MatchRequest) -> Vec<ClusterNodeId> {
        let fits = |room: &&ListedRoom| !room.is_full() && request.filter.accepts(&room.metadata);
        let fullest =
            |rooms: &Vec<ListedRoom>| rooms.iter().filter(fits).map(ListedRoom::taken).max();
        let nodes = self.by_node.iter().filter_map(|(&node, rooms)| Some((fullest(rooms)?, node)));
        let mut nodes: Vec<_> = nodes.collect();
        nodes.sort_by_key(|&(players, node)| (std::cmp::Reverse(players), node));
        nodes.into_iter().map(|(_, node)| node).collect()
    }
}

impl ClusterHandle {
    /// Returns the public rooms of a template on other nodes, which were requested at `since` or
    /// later. Rooms of nodes that do not answer are missing.
    pub(crate) async fn lists(&self, template: &RoomName, since: Instant) -> Arc<NodeLists> {
        let slot = self.lists.slot(template);
        let mut last = slot.lock().await;
        if let Some(lists) = last.as_ref().filter(|lists| lists.since >= since) {
            return Arc::clone(lists);
        }
        let (since, mut tasks) = (Instant::now(), JoinSet::new());
        for node in self.others() {
            let (cluster, template) = (self.clone(), template.clone());
            tasks.spawn(async move { (node, cluster.list_of(node, template).await) });
        }
        let mut by_node = BTreeMap::new();
        while let Some(listed) = tasks.join_next().await {
            by_node.extend(listed);
        }
        let lists = Arc::new(NodeLists { by_node, since });
        *last = Some(Arc::clone(&lists));
        lists
    }

    async fn list_of(&self, node: ClusterNodeId, template: RoomName) -> Vec<ListedRoom> {
        let (mut listed, mut after) = (Vec::new(), 0);
        for _ in 0..PAGES_MAX {
            let call = NodeCall::List { template: template.clone(), after };
            let Some(NodeReply::Rooms { rooms, next }) = self.call(node, call).await else { break };
            listed.extend(rooms);
            match next {
                // Pages ascend, whatever the other node sends.
                Some(next) if next > after => after = next,
                _ => break,
            }
        }
        listed
    }
}

/// Age of lists for lobbies and for the first attempt to find a room.
pub(crate) const LIST_AGE_MAX: Duration = Duration::from_secs(1);
/// Pages of a node: 4,000 rooms of a template. Further ones are not listed.
const PAGES_MAX: usize = 40;
/// Templates whose lists are kept.
const TEMPLATES_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use mp_rooms::{Filter, RoomId};

    use super::*;

    fn room(number: u64, players: u32, mode: &str) -> ListedRoom {
        ListedRoom {
            room: RoomId::new(number),
            name: RoomName::new(&format!("room-{number}")).unwrap(),
            players,
            seats: 1,
            max_players: 4,
            metadata: [("mode".to_owned(), mode.to_owned())].into(),
        }
    }

    #[test]
    fn nodes_with_the_fullest_rooms_that_fit_are_the_first_candidates() {
        let rooms = [
            vec![room(1, 0, "duel"), room(2, 3, "duel")],
            vec![room(3, 2, "duel")],
            vec![room(4, 2, "race")],
            vec![room(5, 3, "duel")],
        ];
        let by_node = (1..).map(ClusterNodeId::new).zip(rooms).collect();
        let lists = NodeLists { by_node, since: Instant::now() };
        let mode = [("mode".to_owned(), "duel".to_owned())].into();
        let request = MatchRequest::new(RoomName::new("arena").unwrap());
        let numbers = |request: &MatchRequest| -> Vec<_> {
            lists.candidates(request).into_iter().map(ClusterNodeId::get).collect()
        };
        assert_eq!(numbers(&request.clone().filter(Filter::new(mode).unwrap())), [2, 1]);
        assert_eq!(numbers(&request), [2, 3, 1]);
        assert_eq!(lists.rooms().count(), 5);
    }
}
