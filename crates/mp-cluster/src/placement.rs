//! Placement of rooms on nodes.

use std::collections::BTreeMap;

use mp_identity::Subject;
use mp_rooms::RoomName;
use sha2::{Digest, Sha256};

use crate::directory::NodeRecord;
use crate::id::ClusterNodeId;

/// The nodes that are registered, with their load.
pub type Members = BTreeMap<ClusterNodeId, NodeRecord>;

/// Returns the node for a new room: `here` if it has capacity, else the least loaded one; `None` if
/// no node has capacity.
pub fn place(members: &Members, here: ClusterNodeId) -> Option<ClusterNodeId> {
    if members.get(&here).is_some_and(has_capacity) {
        return Some(here);
    }
    let candidates = members.iter().filter(|(_, record)| has_capacity(record));
    candidates.min_by_key(|(node, record)| (load(record), **node)).map(|(&node, _)| node)
}

/// Returns the node that adopts a room whose owner has died: all nodes choose the same one, and the
/// rooms of the dead node spread over the others. `None` if no node accepts rooms. Rooms are
/// adopted beyond the capacity, because their players are there already.
pub fn adopter(members: &Members, room: &RoomName) -> Option<ClusterNodeId> {
    let candidates = members.iter().filter(|(_, record)| record.accepts_rooms);
    candidates.map(|(&node, _)| node).max_by_key(|node| rank(room.as_str(), *node))
}

/// Returns the node that has the queue of a template: all nodes choose the same one of those with
/// capacity, and the queues of templates spread over them. `None` if no node has capacity.
pub fn matchmaker(members: &Members, template: &RoomName) -> Option<ClusterNodeId> {
    let candidates = members.iter().filter(|(_, record)| has_capacity(record));
    candidates.map(|(&node, _)| node).max_by_key(|node| rank(template.as_str(), *node))
}

/// Returns the node that knows where a player was admitted last: all nodes choose the same one.
/// `None` if there are no nodes.
pub fn home(members: &Members, player: &Subject) -> Option<ClusterNodeId> {
    members.keys().copied().max_by_key(|node| rank(player.as_str(), *node))
}

fn has_capacity(record: &NodeRecord) -> bool {
    record.accepts_rooms && record.players < record.capacity
}

/// Returns the load in millionths of the capacity.
fn load(record: &NodeRecord) -> u64 {
    u64::from(record.players) * 1_000_000 / u64::from(record.capacity.max(1))
}

/// Returns the rank of a node for a name (rendezvous hashing).
fn rank(name: &str, node: ClusterNodeId) -> [u8; 32] {
    let hash = Sha256::new().chain_update(name).chain_update(node.get().to_be_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(number: u64, players: u32, accepts_rooms: bool) -> (ClusterNodeId, NodeRecord) {
        let record = NodeRecord { players, accepts_rooms, ..NodeRecord::with_capacity(100) };
        (ClusterNodeId::new(number), record)
    }

    #[test]
    fn room_is_placed_here_or_else_on_the_least_loaded_node() {
        let place = |here: u64, members: &[(ClusterNodeId, NodeRecord)]| {
            let place = place(&members.iter().cloned().collect(), ClusterNodeId::new(here));
            place.map(ClusterNodeId::get)
        };
        let [full, busy, idle] = [(1, 100), (2, 60), (3, 20)];
        let members = [full, busy, idle].map(|(number, players)| member(number, players, true));
        assert_eq!(place(2, &members), Some(2));
        assert_eq!(place(1, &members), Some(3));
        assert_eq!(place(1, &[member(1, 0, false), members[1].clone()]), Some(2));
        assert_eq!(place(1, &members[..1]), None);
    }

    #[test]
    fn queue_of_a_template_is_on_one_node_with_capacity() {
        let template = |number: u32| RoomName::new(&format!("template-{number}")).unwrap();
        let all: Members = (1..=3).map(|number| member(number, 0, true)).collect();
        let chosen = |members: &Members| -> Vec<_> {
            (0..30).map(|number| matchmaker(members, &template(number)).unwrap().get()).collect()
        };
        assert!((1..=3).all(|node| chosen(&all).contains(&node)), "{:?}", chosen(&all));
        let mut some = all.clone();
        some.extend([member(1, 100, true), member(2, 0, false)]);
        assert_eq!(chosen(&some), [3; 30]);
        // A node that ends or is full changes the choice for its own templates alone.
        some.extend([member(2, 0, true)]);
        let mut moved = chosen(&all).into_iter().zip(chosen(&some));
        assert!(moved.all(|(before, after)| before == 1 || before == after));
        assert_eq!(matchmaker(&Members::new(), &template(0)), None);
    }

    #[test]
    fn rooms_of_a_dead_node_spread_over_the_others() {
        let members: Members = (1..=3).map(|number| member(number, 100, true)).collect();
        let mut adopted = BTreeMap::<_, usize>::new();
        for number in 0..300 {
            let room = RoomName::new(&format!("room-{number}")).unwrap();
            *adopted.entry(adopter(&members, &room)).or_default() += 1;
        }
        assert!(adopted.values().all(|&rooms| rooms > 60) && adopted.len() == 3, "{adopted:?}");
        assert_eq!(adopter(&Members::new(), &RoomName::new("a").unwrap()), None);
    }
}
