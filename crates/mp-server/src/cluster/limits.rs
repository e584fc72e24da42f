//! Limits of players that the nodes of a cluster have in common.
//!
//! A node that is about to admit a player, or to create a room for it, asks all other nodes which
//! connections and rooms the player has there. Until its registry has decided, it reports the join
//! to those that ask, so of two joins at least one finds the other. Of two that find each other,
//! that of the node with the larger id is refused, and the other node asks again.

use std::time::Duration;

use mp_cluster::{ClusterNodeId, NodeCall, NodeReply, PlayerReport};
use mp_identity::Subject;
use mp_rooms::{JoinRefusal, PlayerLimits};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::handle::ClusterHandle;

/// A request of a player that touches limits.
#[derive(Clone, Debug)]
pub(crate) struct LimitedRequest {
    pub(crate) limits: PlayerLimits,
    /// Rooms of the player on this node, with those that earlier requests may create.
    pub(crate) rooms: usize,
}

/// The outcome of the reports of all other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Refused(JoinRefusal),
    /// A request of the player on another node is about to be refused.
    Unclear,
}

impl ClusterHandle {
    /// Returns whether other nodes are asked about the limits of players: not by a node without a
    /// lease, since others may have adopted its rooms.
    pub(crate) fn shares_limits(&self) -> bool {
        self.stats.has_lease() && self.others().next().is_some()
    }

    /// Checks a request with all other nodes. A registered node that does not answer makes the
    /// request fail.
    pub(crate) async fn check_limits(&self, request: &LimitedRequest) -> Result<(), JoinRefusal> {
        let check = async {
            loop {
                let reports = self.reports(&request.limits.player).await;
                match judge(self.node(), request, &reports.ok_or(JoinRefusal::Unreachable)?) {
                    Verdict::Accepted => return Ok(()),
                    Verdict::Refused(refusal) => return Err(refusal),
                    Verdict::Unclear => sleep(RETRY_INTERVAL).await,
                }
            }
        };
        timeout(CHECK_TIMEOUT, check).await.unwrap_or(Err(JoinRefusal::Unreachable))
    }

    /// Returns what all other nodes report of a player; `None` if one of them does not answer.
    async fn reports(&self, player: &Subject) -> Option<Vec<(ClusterNodeId, PlayerReport)>> {
        let mut calls = JoinSet::new();
        for node in self.others() {
            let (cluster, call) = (self.clone(), NodeCall::Player(player.clone()));
            calls.spawn(async move { (node, cluster.call(node, call).await) });
        }
        let mut reports = Vec::new();
        while let Some(replied) = calls.join_next().await {
            match replied.ok()? {
                (node, Some(NodeReply::Player(report))) => reports.push((node, report)),
                (node, _) if self.members().contains_key(&node) => return None,
                // Its registration has ended.
                _ => {}
            }
        }
        Some(reports)
    }
}

fn judge(
    here: ClusterNodeId,
    LimitedRequest { limits, rooms }: &LimitedRequest,
    reports: &[(ClusterNodeId, PlayerReport)],
) -> Verdict {
    let (mut rooms, mut before, mut after) = (*rooms, 0, 0);
    let mut is_unclear = false;
    for (node, report) in reports {
        let goes_first = *node < here;
        if limits.is_single && (report.is_connected || report.is_joining && goes_first) {
            return Verdict::Refused(JoinRefusal::AlreadyConnected);
        }
        is_unclear |= limits.is_single && report.is_joining;
        rooms += report.rooms as usize;
        *(if goes_first { &mut before } else { &mut after }) += report.new_rooms as usize;
    }
    let has_max = |rooms| limits.max_rooms.is_some_and(|max| rooms >= max);
    if has_max(rooms + before) {
        return Verdict::Refused(JoinRefusal::TooManyRoomsOfPlayer);
    }
    match is_unclear || has_max(rooms + before + after) {
        true => Verdict::Unclear,
        false => Verdict::Accepted,
    }
}

/// Time in which a request is decided, less than that of a join
/// ([`ASK_TIMEOUT`](super::asks::ASK_TIMEOUT)), which may have been spent in part.
const CHECK_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Interval at which nodes are asked again: some round trips.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: ClusterNodeId = ClusterNodeId::new(2);
    const FREE: PlayerReport =
        PlayerReport { is_connected: false, is_joining: false, rooms: 0, new_rooms: 0 };

    fn request(is_single: bool, max_rooms: Option<usize>, rooms: usize) -> LimitedRequest {
        let mut limits = PlayerLimits::new(Subject::new("kay").unwrap());
        limits.is_single = is_single;
        limits.max_rooms = max_rooms;
        LimitedRequest { limits, rooms }
    }

    /// Judges a request of node 2 by the reports of nodes 1 and 3.
    fn judged(request: &LimitedRequest, first: PlayerReport, third: PlayerReport) -> Verdict {
        judge(HERE, request, &[(ClusterNodeId::new(1), first), (ClusterNodeId::new(3), third)])
    }

    #[test]
    fn of_joins_that_find_each_other_the_one_of_the_smallest_node_goes_on() {
        let single = request(true, None, 0);
        let refused = Verdict::Refused(JoinRefusal::AlreadyConnected);
        let joining = PlayerReport { is_joining: true, ..FREE };
        let connected = PlayerReport { is_connected: true, ..FREE };
        assert_eq!(judged(&single, FREE, FREE), Verdict::Accepted);
        assert_eq!(judged(&single, FREE, connected), refused);
        assert_eq!(judged(&single, joining, FREE), refused);
        assert_eq!(judged(&single, FREE, joining), Verdict::Unclear);
        let any = request(false, None, 0);
        assert_eq!(judged(&any, joining, connected), Verdict::Accepted);
    }

    #[test]
    fn rooms_of_all_nodes_count_and_of_new_ones_those_of_smaller_nodes_go_first() {
        let refused = Verdict::Refused(JoinRefusal::TooManyRoomsOfPlayer);
        let has = |rooms, new_rooms| PlayerReport { rooms, new_rooms, ..FREE };
        let limited = request(false, Some(3), 1);
        assert_eq!(judged(&limited, has(1, 0), FREE), Verdict::Accepted);
        assert_eq!(judged(&limited, has(1, 0), has(1, 0)), refused);
        assert_eq!(judged(&limited, has(1, 1), FREE), refused);
        assert_eq!(judged(&limited, has(1, 0), has(0, 1)), Verdict::Unclear);
        assert_eq!(judged(&limited, FREE, has(0, 1)), Verdict::Accepted);
        assert_eq!(judged(&request(true, None, 9), has(9, 9), has(9, 9)), Verdict::Accepted);
    }
}
