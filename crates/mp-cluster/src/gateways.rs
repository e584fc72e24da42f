//! [`Gateways`]: all gateways of a node.

mod frames;
mod holds;

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use mp_core::{BranchId, EndpointId, Instant, ReasonCounts};
use mp_rooms::RoomName;

use crate::gateway::link::LinkRoute;
use crate::gateway::{FarGateway, GatewayEnd, GatewayStats, NearGateway};
use crate::id::{ClusterId, ClusterNodeId, Epoch, LinkId};
use crate::limits::LINKS_MAX;
use crate::links::Links;
use crate::seen_links::SeenLinks;
use crate::wire::frame::{FrameCodec, FrameRefusal};

/// A link that another node has opened: the node and its number of the link.
pub type FarLink = (ClusterNodeId, LinkId);

/// The gateways of a node. It finds the gateway of each frame, and accepts links for its rooms.
///
/// A turn of the program visits the [active](Self::take_active_near) links and those for which it
/// has messages, then calls [`handle_timeout`](Self::handle_timeout) and
/// [`transmit`](Self::transmit), which visit the links that have changed or are due. Other links
/// cost nothing.
#[derive(Debug)]
pub struct Gateways {
    codec: FrameCodec,
    node: ClusterNodeId,
    /// True if near gateways hold connections whose room has lost its node.
    holds: bool,
    near: Links<LinkId, NearGateway>,
    far: Links<FarLink, FarGateway>,
    /// Near gateways that waited for the next node of their room at their last visit.
    waiting: BTreeSet<LinkId>,
    next_link: LinkId,
    next_endpoint: EndpointId,
    seen: SeenLinks,
    /// Replies about links that do not exist.
    replies: VecDeque<(ClusterNodeId, Bytes)>,
    /// Frames of links of this node to itself, bounded by their credit.
    own: VecDeque<Bytes>,
    /// Links of nodes that sent a frame for a room of this node.
    opened: VecDeque<FarLink>,
    /// Rooms to which this node accepts no links, for which a node has sent a frame.
    unknown: VecDeque<RoomName>,
    /// Counters of gateways that have ended.
    ended: GatewayStats,
    refused: ReasonCounts<FrameRefusal>,
}

/// Counters of the gateways of a node, since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatewaysStats {
    /// Links from endpoints of this node.
    pub near: usize,
    /// Links to rooms of this node.
    pub far: usize,
    /// Counters of all gateways, also of those that have ended.
    pub gateways: GatewayStats,
    /// Visits of links by [`Gateways::handle_timeout`] and [`Gateways::transmit`].
    pub visits: u64,
    /// Frames that were refused before they reached a gateway.
    pub refused_frames: ReasonCounts<FrameRefusal>,
}

impl Gateways {
    /// Returns the gateways of a node without links. Its far gateways are endpoints with the ids
    /// from `endpoints` on, which no other endpoint of the process may have.
    pub fn new(cluster: ClusterId, node: ClusterNodeId, endpoints: EndpointId) -> Self {
        Self {
            codec: FrameCodec::new(cluster),
            node,
            holds: false,
            near: Links::new(),
            far: Links::new(),
            waiting: BTreeSet::new(),
            next_link: LinkId(1),
            next_endpoint: endpoints,
            seen: SeenLinks::default(),
            replies: VecDeque::new(),
            own: VecDeque::new(),
            opened: VecDeque::new(),
            unknown: VecDeque::new(),
            ended: GatewayStats::default(),
            refused: ReasonCounts::default(),
        }
    }

    /// Replaces the codec, for tests of nodes of different versions.
    #[doc(hidden)]
    #[must_use]
    pub fn with_codec(mut self, codec: FrameCodec) -> Self {
        self.codec = codec;
        self
    }

    /// Lets the near gateways hold connections whose room has lost its node, for up to
    /// [`HOLD_TIME`](crate::limits::HOLD_TIME). The program finds the next node
    /// ([`waiting_rooms`](Self::waiting_rooms), [`reopen`](Self::reopen)). Default: the connections
    /// are closed.
    #[must_use]
    pub fn holding(mut self) -> Self {
        self.holds = true;
        self
    }

    /// Returns an id for an endpoint of another node that is about to be attached to a branch, and
    /// whose link is not open yet.
    pub fn reserve_endpoint(&mut self) -> EndpointId {
        let endpoint = self.next_endpoint;
        self.next_endpoint = EndpointId(endpoint.0.wrapping_add(1));
        endpoint
    }

    /// Opens a link to a room of another node, for an endpoint that serves it as `branch`. Returns
    /// `None` if the node has too many links.
    pub fn open(
        &mut self,
        now: Instant,
        room: RoomName,
        owner: (ClusterNodeId, Epoch),
        branch: BranchId,
    ) -> Option<LinkId> {
        if self.near.len() >= LINKS_MAX {
            return None;
        }
        let link = self.new_link();
        let (there, epoch) = owner;
        let route = LinkRoute { here: self.node, there, link, room, epoch };
        let near = NearGateway::new(self.codec, route, branch, self.holds, now);
        self.near.insert(link, near);
        Some(link)
    }

    fn new_link(&mut self) -> LinkId {
        let link = self.next_link;
        self.next_link = LinkId(link.0 + 1);
        link
    }

    /// Returns a link that this node has opened, until it is finished.
    pub fn near_mut(&mut self, link: LinkId) -> Option<&mut NearGateway> {
        self.near.get_mut(link)
    }

    /// Removes and returns the links that this node has opened and that have messages for their
    /// endpoint, or new capacity for messages of it, or that are finished, since the last call.
    pub fn take_active_near(&mut self) -> BTreeSet<LinkId> {
        self.near.take_active()
    }

    /// Same as [`take_active_near`](Self::take_active_near), for links that other nodes have
    /// opened.
    pub fn take_active_far(&mut self) -> BTreeSet<FarLink> {
        self.far.take_active()
    }

    /// Returns whether there are active links.
    pub fn has_active(&self) -> bool {
        self.near.has_active() || self.far.has_active()
    }

    /// Visits all links in the next turn, because the node may have lost rooms.
    pub fn visit_all(&mut self) {
        self.near.change_all();
        self.far.change_all();
    }

    /// Returns a link that another node has opened, until it is finished.
    pub fn far_mut(&mut self, link: FarLink) -> Option<&mut FarGateway> {
        self.far.get_mut(link)
    }

    /// Same as [`far_mut`](Self::far_mut), for reading.
    pub fn far(&self, link: FarLink) -> Option<&FarGateway> {
        self.far.get(link)
    }

    /// Returns the next link that another node has opened, with its room. The program attaches the
    /// gateway to the branch of the room, or [refuses](Self::refuse_opened) the link.
    pub fn next_opened(&mut self) -> Option<(FarLink, RoomName)> {
        loop {
            let link = self.opened.pop_front()?;
            if let Some(far) = self.far.get(link) {
                return Some((link, far.route().room.clone()));
            }
        }
    }

    /// Refuses a link of which nothing was delivered, because the branch of the room is gone. Its
    /// node may send the same by another link.
    pub fn refuse_opened(&mut self, (node, link): FarLink) {
        if let Some(far) = self.far.get_mut((node, link)) {
            far.end(GatewayEnd::UnknownLink);
            self.seen.refuse_opened(node, link);
        }
    }

    /// Returns the next room to which this node accepts no links, for which a node has sent a
    /// frame. The program [locates](crate::Claims::locate) it: a node may have placed the room
    /// here.
    pub fn next_unknown(&mut self) -> Option<RoomName> {
        self.unknown.pop_front()
    }

    /// Forgets a node that has left the cluster. Its links end.
    pub fn forget_node(&mut self, node: ClusterNodeId) {
        self.seen.forget(node);
        let end = GatewayEnd::NodeLost;
        self.near.change_each(|_, near| near.route().there == node, |near| near.end(end));
        self.far.change_each(|(of, _), _| of == node, |far| far.end(end));
    }

    /// Does what is due at `now`, and removes gateways that are finished.
    pub fn handle_timeout(&mut self, now: Instant) {
        let (ended, waiting) = (&mut self.ended, &mut self.waiting);
        self.near.handle_timeout(now, |link, near| {
            if near.is_finished() {
                ended.add(&near.stats());
            }
            match near.is_waiting() && !near.is_finished() {
                true => waiting.insert(link),
                false => waiting.remove(&link),
            };
        });
        self.far.handle_timeout(now, |_, far| {
            if far.is_finished() {
                ended.add(&far.stats());
            }
        });
    }

    /// Calls `send` with each frame to send and its node. `epoch_of` returns the epoch in which the
    /// node may speak for a room ([`Claims::speaks`](crate::Claims::speaks)). Links of other nodes
    /// to rooms for which it may not speak, or not in their epoch, end without a frame. Links of
    /// this node to itself speak to no other node, so they stay until their room ends. Call it
    /// after [`handle_timeout`](Self::handle_timeout).
    pub fn transmit(
        &mut self,
        now: Instant,
        epoch_of: impl Fn(&RoomName) -> Option<Epoch>,
        mut send: impl FnMut(ClusterNodeId, Bytes),
    ) {
        let (node, own) = (self.node, &mut self.own);
        let mut send = |to, bytes| match to == node {
            true => own.push_back(bytes),
            false => send(to, bytes),
        };
        self.replies.drain(..).for_each(|(node, bytes)| send(node, bytes));
        self.near.transmit(now, |near| {
            while let Some(bytes) = near.poll_transmit(now) {
                send(near.route().there, bytes);
            }
        });
        self.far.transmit(now, |far| {
            let route = far.route();
            if route.there != node && epoch_of(&route.room) != Some(route.epoch) {
                far.end(GatewayEnd::LeaseLost);
            }
            while let Some(bytes) = far.poll_transmit(now) {
                send(far.route().there, bytes);
            }
        });
    }

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) and
    /// [`transmit`](Self::transmit) are due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let is_due = !self.replies.is_empty() || !self.own.is_empty();
        let due = is_due.then_some(Instant::ZERO);
        [self.near.poll_timeout(), self.far.poll_timeout(), due].into_iter().flatten().min()
    }

    /// Returns the counters.
    pub fn stats(&self) -> GatewaysStats {
        let mut gateways = self.ended;
        self.near.add_stats(&mut gateways);
        self.far.add_stats(&mut gateways);
        let (near, far) = (self.near.len(), self.far.len());
        let visits = self.near.visits() + self.far.visits();
        GatewaysStats { near, far, gateways, visits, refused_frames: self.refused }
    }
}
