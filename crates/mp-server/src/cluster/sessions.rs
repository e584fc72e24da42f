//! [`SessionSearches`]: sessions of players that are looked for on the other nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mp_cluster::{ClusterNodeId, FoundSession, NodeRequestId};
use mp_core::Instant;
use tokio::sync::oneshot;

/// The sessions that other nodes are asked about. Each search is one request to each node.
#[derive(Debug, Default)]
pub(super) struct SessionSearches {
    searches: BTreeMap<NodeRequestId, Search>,
    last_request: u64,
}

#[derive(Debug)]
struct Search {
    /// Nodes that have not answered.
    waiting: BTreeSet<ClusterNodeId>,
    reply: oneshot::Sender<Option<FoundSession>>,
    deadline: Instant,
}

impl SessionSearches {
    /// Begins a search on some nodes. Returns the number of the requests; `None` if there are no
    /// nodes, or too many searches: the session is not found then.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        nodes: BTreeSet<ClusterNodeId>,
        reply: oneshot::Sender<Option<FoundSession>>,
    ) -> Option<NodeRequestId> {
        if nodes.is_empty() || self.searches.len() >= SEARCHES_MAX {
            let _ = reply.send(None);
            return None;
        }
        self.last_request += 1;
        let request = NodeRequestId::new(self.last_request);
        let deadline = now + SEARCH_TIMEOUT;
        self.searches.insert(request, Search { waiting: nodes, reply, deadline });
        Some(request)
    }

    /// Handles the answer of a node. The search ends with the first session.
    pub(super) fn answered(
        &mut self,
        from: ClusterNodeId,
        request: NodeRequestId,
        found: Option<FoundSession>,
    ) {
        let Some(search) = self.searches.get_mut(&request) else { return };
        if !search.waiting.remove(&from) || (found.is_none() && !search.waiting.is_empty()) {
            return;
        }
        self.end(request, found);
    }

    /// Ends the searches whose time is over. Returns their number.
    pub(super) fn expire(&mut self, now: Instant) -> u64 {
        let mut expired = 0;
        // All searches have the same time, so they expire in the order of their numbers.
        while let Some((&request, search)) = self.searches.first_key_value()
            && now >= search.deadline
        {
            self.end(request, None);
            expired += 1;
        }
        expired
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.searches.values().next().map(|search| search.deadline)
    }

    fn end(&mut self, request: NodeRequestId, found: Option<FoundSession>) {
        if let Some(search) = self.searches.remove(&request) {
            // The caller may not wait any more.
            let _ = search.reply.send(found);
        }
    }
}

/// Searches at the same time.
const SEARCHES_MAX: usize = 1_024;
/// Time in which the nodes answer.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use mp_core::PeerId;
    use mp_rooms::RoomName;

    use super::*;

    fn session() -> FoundSession {
        let room = RoomName::new("a").unwrap();
        let time = Duration::from_secs(3);
        FoundSession { room, room_id: 1, peer: PeerId::SERVER, time }
    }

    #[test]
    fn search_ends_with_the_first_session_or_when_no_node_has_one() {
        let (mut searches, now) = (SessionSearches::default(), Instant::from_millis(1));
        let [one, two, other] = [1, 2, 3].map(ClusterNodeId::new);
        let begin = |searches: &mut SessionSearches| {
            let (reply, found) = oneshot::channel();
            (searches.begin(now, [one, two].into(), reply), found)
        };
        let (request, mut found) = begin(&mut searches);
        searches.answered(other, request.unwrap(), Some(session()));
        searches.answered(one, request.unwrap(), None);
        searches.answered(one, request.unwrap(), Some(session()));
        assert!(found.try_recv().is_err(), "the other node has not answered");
        searches.answered(two, request.unwrap(), Some(session()));
        assert_eq!(found.try_recv(), Ok(Some(session())));

        let (request, mut found) = begin(&mut searches);
        for node in [one, two] {
            searches.answered(node, request.unwrap(), None);
        }
        assert_eq!(found.try_recv(), Ok(None));

        let (request, mut found) = begin(&mut searches);
        assert_eq!(searches.expire(now), 0);
        assert_eq!(searches.expire(searches.poll_timeout().unwrap()), 1);
        assert_eq!((found.try_recv(), searches.poll_timeout()), (Ok(None), None));
        searches.answered(one, request.unwrap(), Some(session()));

        let (reply, mut found) = oneshot::channel();
        assert_eq!(searches.begin(now, BTreeSet::new(), reply), None);
        assert_eq!(found.try_recv(), Ok(None), "there are no other nodes");
    }
}
