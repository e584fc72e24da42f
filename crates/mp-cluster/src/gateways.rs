//! [`Gateways`]: all gateways of a node.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use mp_core::{BranchId, ConnectionId, EndpointId, EndpointInfo, Instant, ReasonCounts};
use mp_rooms::RoomName;

use crate::gateway::link::LinkRoute;
use crate::gateway::{FarGateway, GatewayEnd, GatewayStats, NearGateway};
use crate::id::{ClusterId, ClusterNodeId, Epoch, LinkId};
use crate::limits::{LINKS_MAX, NODES_MAX, UNKNOWN_ROOMS_MAX};
use crate::links::Links;
use crate::seen_links::SeenLinks;
use crate::wire::frame::{Body, BusFrame, FrameCodec, FrameHeader, FrameRefusal, GatewaySide};

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
    /// Links of nodes that sent a frame for a room of this node.
    opened: VecDeque<FarLink>,
    /// Rooms that this node does not own, for which another node has sent a frame.
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

    /// Returns the rooms that have lost their node, and whose next one is not known.
    pub fn waiting_rooms(&self) -> BTreeSet<RoomName> {
        self.waiting().map(|(_, near)| near.route().room.clone()).collect()
    }

    /// Returns whether rooms have lost their node, and their next one is not known.
    pub fn has_waiting_rooms(&self) -> bool {
        self.waiting().next().is_some()
    }

    fn waiting(&self) -> impl Iterator<Item = (LinkId, &NearGateway)> {
        let changed = self.near.changed().filter(|link| !self.waiting.contains(link));
        let links = self.waiting.iter().copied().chain(changed);
        let near = links.filter_map(|link| Some((link, self.near.get(link)?)));
        near.filter(|(_, near)| near.is_waiting())
    }

    /// Opens links to the next node of a room, for the connections that are held. Returns the
    /// former numbers of these links, and their new ones.
    pub fn reopen(
        &mut self,
        now: Instant,
        room: &RoomName,
        owner: (ClusterNodeId, Epoch),
    ) -> Vec<(LinkId, LinkId)> {
        let (there, epoch) = owner;
        let of_room = self.waiting().filter(|(_, near)| near.route().room == *room);
        let waiting = of_room.filter(|(_, near)| near.accepts(epoch));
        let mut waiting: Vec<_> = waiting.map(|(link, _)| link).collect();
        waiting.sort_unstable();
        let mut reopened = Vec::new();
        for before in waiting {
            let Some(mut near) = self.near.remove(before) else { continue };
            self.waiting.remove(&before);
            let (link, room) = (self.new_link(), room.clone());
            near.reopen(LinkRoute { here: self.node, there, link, room, epoch }, now);
            self.near.insert(link, near);
            reopened.push((before, link));
        }
        reopened
    }

    /// Holds the connections of an endpoint of this node, which serves a room as `branch`. This
    /// node has the room in `epoch` and moves it to another one.
    pub fn freeze(
        &mut self,
        now: Instant,
        (room, epoch): (RoomName, Epoch),
        branch: BranchId,
        endpoint: (EndpointId, EndpointInfo),
        connections: Vec<ConnectionId>,
    ) -> LinkId {
        let link = self.new_link();
        let route = LinkRoute { here: self.node, there: self.node, link, room, epoch };
        let near = NearGateway::frozen(self.codec, route, branch, endpoint, connections, now);
        self.near.insert(link, near);
        link
    }

    /// Closes the connections that are held for a room, because it has no next node.
    pub fn abandon(&mut self, room: &RoomName) {
        let of_room = self.waiting().filter(|(_, near)| near.route().room == *room);
        let of_room: Vec<_> = of_room.map(|(link, _)| link).collect();
        for link in of_room {
            if let Some(near) = self.near.get_active(link) {
                near.abandon(GatewayEnd::NodeLost);
            }
        }
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

    /// Returns the next room that this node does not own, for which another node has sent a frame.
    /// The program [locates](crate::Claims::locate) it: a node may have placed the room here.
    pub fn next_unknown(&mut self) -> Option<RoomName> {
        self.unknown.pop_front()
    }

    /// Handles a message of the bus. `epoch_of` returns the epoch in which this node owns a room.
    pub fn handle_frame(
        &mut self,
        now: Instant,
        bytes: &Bytes,
        epoch_of: impl Fn(&RoomName) -> Option<Epoch>,
    ) {
        let handled = self.codec.decode(bytes).and_then(|frame| match frame.header.side {
            GatewaySide::Near => self.handle_near(now, frame, epoch_of),
            GatewaySide::Far => self.handle_far(now, frame),
        });
        if let Err(refusal) = handled {
            self.refused.count(refusal);
        }
    }

    fn handle_far(&mut self, now: Instant, frame: BusFrame) -> Result<(), FrameRefusal> {
        let near = self.near.get(frame.header.link);
        if near.is_none_or(|near| near.route().there != frame.header.node) {
            return self.refuse(&frame, GatewayEnd::UnknownLink);
        }
        if let Some(near) = self.near.get_active(frame.header.link) {
            near.handle_frame(now, frame);
        }
        Ok(())
    }

    fn handle_near(
        &mut self,
        now: Instant,
        frame: BusFrame,
        epoch_of: impl Fn(&RoomName) -> Option<Epoch>,
    ) -> Result<(), FrameRefusal> {
        let FrameHeader { node, link, ref room, epoch, .. } = frame.header;
        if let Some(far) = self.far.get_active((node, link)) {
            far.handle_frame(now, frame);
            return Ok(());
        }
        let may_open = self.far.len() < LINKS_MAX && self.seen.is_new(node, link);
        let is_end = matches!(frame.body, Body::End(_));
        let owned = epoch_of(room);
        if !may_open || is_end || owned != Some(epoch) {
            let is_unknown = owned.is_none() && !is_end && !self.unknown.contains(room);
            if is_unknown && self.unknown.len() < UNKNOWN_ROOMS_MAX {
                self.unknown.push_back(room.clone());
            }
            let end = match is_end {
                true => GatewayEnd::LinkEnded,
                false => self.seen.refuse(node, link),
            };
            return self.refuse(&frame, end);
        }
        self.seen.open(node, link);
        let route = LinkRoute { here: self.node, there: node, link, room: room.clone(), epoch };
        let endpoint = self.reserve_endpoint();
        let mut far = FarGateway::new(self.codec, route, endpoint, now);
        far.handle_frame(now, frame);
        self.far.insert((node, link), far);
        self.opened.push_back((node, link));
        Ok(())
    }

    /// Replies that the link does not exist, so that the sender need not wait for a timeout.
    fn refuse(&mut self, frame: &BusFrame, end: GatewayEnd) -> Result<(), FrameRefusal> {
        let is_end = matches!(frame.body, Body::End(_));
        if !is_end && self.replies.len() < NODES_MAX {
            let side = match frame.header.side {
                GatewaySide::Near => GatewaySide::Far,
                GatewaySide::Far => GatewaySide::Near,
            };
            let header = FrameHeader { node: self.node, side, ..frame.header.clone() };
            // The credit of the frame is that of the other direction.
            let header = FrameHeader { credit: 1, ..header };
            let bytes = self.codec.encode(&header, &Body::End(end));
            self.replies.push_back((frame.header.node, bytes));
        }
        Err(FrameRefusal::UnknownLink)
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
    /// node may speak for a room ([`Claims::speaks`](crate::Claims::speaks)). Links to rooms for
    /// which it may not speak, or not in their epoch, end without a frame. Call it after
    /// [`handle_timeout`](Self::handle_timeout).
    pub fn transmit(
        &mut self,
        now: Instant,
        epoch_of: impl Fn(&RoomName) -> Option<Epoch>,
        mut send: impl FnMut(ClusterNodeId, Bytes),
    ) {
        self.replies.drain(..).for_each(|(node, bytes)| send(node, bytes));
        self.near.transmit(now, |near| {
            while let Some(bytes) = near.poll_transmit(now) {
                send(near.route().there, bytes);
            }
        });
        self.far.transmit(now, |far| {
            if epoch_of(&far.route().room) != Some(far.route().epoch) {
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
        let replies = (!self.replies.is_empty()).then_some(Instant::ZERO);
        [self.near.poll_timeout(), self.far.poll_timeout(), replies].into_iter().flatten().min()
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
