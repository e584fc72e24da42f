//! [`PlayerHomes`]: where players were admitted last, of those whose home is this node.

use std::collections::BTreeMap;

use mp_identity::Subject;

use crate::id::ClusterNodeId;
use crate::limits::HOME_PLAYERS_MAX;

/// The node that has admitted each player last. A player has a [home](crate::home), the node to
/// which all others report its joins, so that of joins on several nodes one is the last.
///
/// Beyond [`HOME_PLAYERS_MAX`] players, those who have not joined for the longest time are
/// forgotten, as are all when the home changes: an earlier connection of theirs then stays.
#[derive(Debug, Default)]
pub struct PlayerHomes {
    players: BTreeMap<Subject, (PlayerJoin, u64)>,
    /// Players in the order of their joins.
    order: BTreeMap<u64, Subject>,
    last: u64,
}

/// A join of a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "servers construct it")]
pub struct PlayerJoin {
    /// The node of the room.
    pub node: ClusterNodeId,
    /// Number of the join, among those of the node.
    pub number: u64,
}

impl PlayerHomes {
    /// Records that a player was admitted. Returns its earlier join on another node, which ends.
    pub fn joined(&mut self, player: Subject, join: PlayerJoin) -> Option<PlayerJoin> {
        self.last += 1;
        let earlier = self.players.insert(player.clone(), (join, self.last));
        if let Some((_, number)) = earlier {
            self.order.remove(&number);
        }
        self.order.insert(self.last, player);
        if self.players.len() > HOME_PLAYERS_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.players.remove(&oldest);
        }
        earlier.map(|(earlier, _)| earlier).filter(|earlier| earlier.node != join.node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn player(number: usize) -> Subject {
        Subject::new(&format!("player-{number}")).unwrap()
    }

    fn join(node: u64, number: u64) -> PlayerJoin {
        PlayerJoin { node: ClusterNodeId::new(node), number }
    }

    #[test]
    fn join_on_another_node_ends_the_earlier_one() {
        let mut homes = PlayerHomes::default();
        assert_eq!(homes.joined(player(1), join(1, 7)), None);
        assert_eq!(homes.joined(player(2), join(2, 1)), None);
        assert_eq!(homes.joined(player(1), join(1, 8)), None, "its node decides");
        assert_eq!(homes.joined(player(1), join(2, 2)), Some(join(1, 8)));
        assert_eq!(homes.joined(player(1), join(1, 9)), Some(join(2, 2)));
    }

    #[test]
    fn players_who_have_not_joined_for_the_longest_time_are_forgotten() {
        let mut homes = PlayerHomes::default();
        for number in 0..HOME_PLAYERS_MAX {
            homes.joined(player(number), join(1, 0));
        }
        homes.joined(player(0), join(1, 1));
        homes.joined(player(HOME_PLAYERS_MAX), join(1, 2));
        assert_eq!(homes.joined(player(1), join(2, 0)), None, "it is forgotten");
        assert_eq!(homes.joined(player(0), join(2, 1)), Some(join(1, 1)));
        assert_eq!(homes.players.len(), HOME_PLAYERS_MAX);
        assert_eq!(homes.order.len(), HOME_PLAYERS_MAX);
    }
}
