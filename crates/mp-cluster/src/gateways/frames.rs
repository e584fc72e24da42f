//! Frames that a node receives.

use bytes::Bytes;
use mp_core::Instant;
use mp_rooms::RoomName;

use super::Gateways;
use crate::gateway::link::LinkRoute;
use crate::gateway::{FarGateway, GatewayEnd};
use crate::id::Epoch;
use crate::limits::{LINKS_MAX, NODES_MAX, UNKNOWN_ROOMS_MAX};
use crate::wire::frame::{Body, BusFrame, FrameHeader, FrameRefusal, GatewaySide};

impl Gateways {
    /// Handles the frames of links of this node to itself, which do not cross the bus. Call it in
    /// each turn, with `epoch_of` as for [`handle_frame`](Self::handle_frame).
    pub fn handle_own_frames(
        &mut self,
        now: Instant,
        epoch_of: impl Fn(&RoomName) -> Option<Epoch>,
    ) {
        for bytes in std::mem::take(&mut self.own) {
            self.handle(now, &bytes, true, &epoch_of);
        }
    }

    /// Handles a message of the bus. `epoch_of` returns the epoch in which this node owns a room
    /// and accepts links to it. Other links are refused, and their nodes try again later.
    pub fn handle_frame(
        &mut self,
        now: Instant,
        bytes: &Bytes,
        epoch_of: impl Fn(&RoomName) -> Option<Epoch>,
    ) {
        self.handle(now, bytes, false, epoch_of);
    }

    /// `is_own`: the frame is of a link of this node to itself.
    fn handle(
        &mut self,
        now: Instant,
        bytes: &Bytes,
        is_own: bool,
        epoch_of: impl Fn(&RoomName) -> Option<Epoch>,
    ) {
        let handled = self.codec.decode(bytes).and_then(|frame| match frame.header.side {
            _ if (frame.header.node == self.node) != is_own => Err(FrameRefusal::UnknownLink),
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
}
