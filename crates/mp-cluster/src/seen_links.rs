//! [`SeenLinks`]: the links of other nodes that were opened or refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::gateway::GatewayEnd;
use crate::id::{ClusterNodeId, LinkId};
use crate::limits::{NODES_MAX, REFUSED_LINKS_MAX};

/// The links that other nodes have opened to this one, or have tried to. A link is opened or
/// refused for good: the node that receives a refusal sends the same again by another link. Frames
/// may arrive twice, or after later ones.
#[derive(Debug, Default)]
pub(crate) struct SeenLinks(BTreeMap<ClusterNodeId, LinksOfNode>);

#[derive(Debug, Default)]
struct LinksOfNode {
    /// The newest link that was opened. Those before it have ended, unless they were refused.
    newest: Option<LinkId>,
    /// The newest links that were refused.
    refused: BTreeSet<LinkId>,
}

impl SeenLinks {
    /// Returns whether a link may be opened.
    pub(crate) fn is_new(&self, node: ClusterNodeId, link: LinkId) -> bool {
        match self.0.get(&node) {
            Some(links) => links.newest < Some(link) && !links.refused.contains(&link),
            None => self.0.len() < NODES_MAX,
        }
    }

    /// Records that a link is open.
    pub(crate) fn open(&mut self, node: ClusterNodeId, link: LinkId) {
        self.0.entry(node).or_default().newest = Some(link);
    }

    /// Refuses a link that is not open. Returns the reason for its node.
    pub(crate) fn refuse(&mut self, node: ClusterNodeId, link: LinkId) -> GatewayEnd {
        if self.is_new(node, link) {
            self.refuse_opened(node, link);
        }
        match self.0.get(&node) {
            Some(links) if links.refused.contains(&link) => GatewayEnd::UnknownLink,
            _ => GatewayEnd::LinkEnded,
        }
    }

    /// Refuses a link that may be open, of which nothing has reached the room.
    pub(crate) fn refuse_opened(&mut self, node: ClusterNodeId, link: LinkId) {
        let links = self.0.entry(node).or_default();
        links.refused.insert(link);
        if links.refused.len() > REFUSED_LINKS_MAX {
            links.newest = links.newest.max(links.refused.pop_first());
        }
    }

    /// Forgets the links of a node.
    pub(crate) fn forget(&mut self, node: ClusterNodeId) {
        self.0.remove(&node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: ClusterNodeId = ClusterNodeId::new(2);

    #[test]
    fn refused_link_stays_refused_and_another_ended_one_has_ended() {
        let mut seen = SeenLinks::default();
        assert_eq!(seen.refuse(NODE, LinkId(2)), GatewayEnd::UnknownLink);
        assert!(!seen.is_new(NODE, LinkId(2)) && seen.is_new(NODE, LinkId(3)));
        seen.open(NODE, LinkId(3));
        assert_eq!(seen.refuse(NODE, LinkId(2)), GatewayEnd::UnknownLink);
        assert_eq!(seen.refuse(NODE, LinkId(3)), GatewayEnd::LinkEnded);
        assert_eq!(seen.refuse(NODE, LinkId(1)), GatewayEnd::LinkEnded);
        seen.forget(NODE);
        assert!(seen.is_new(NODE, LinkId(2)));
    }

    #[test]
    fn links_that_were_refused_long_ago_have_ended() {
        let mut seen = SeenLinks::default();
        let links = 1..=REFUSED_LINKS_MAX as u64 + 1;
        for link in links {
            assert_eq!(seen.refuse(NODE, LinkId(link)), GatewayEnd::UnknownLink);
        }
        assert_eq!(seen.refuse(NODE, LinkId(1)), GatewayEnd::LinkEnded);
        assert_eq!(seen.refuse(NODE, LinkId(2)), GatewayEnd::UnknownLink);
    }
}
