//! [`Link`]: the part that both gateways have in common.

use bytes::Bytes;
use mp_core::Instant;
use mp_rooms::RoomName;

use super::incoming::{Arrival, Incoming};
use super::outgoing::{Outgoing, Pending};
use super::{GatewayEnd, GatewayStats};
use crate::id::{ClusterNodeId, Epoch, LinkId};
use crate::limits::{BEAT_INTERVAL, LINK_TIMEOUT, REORDER_TIME, WINDOW_FRAMES};
use crate::wire::frame::{Body, BusFrame, FrameCodec, FrameHeader, FrameRefusal, GatewaySide};
use crate::wire::item::Item;

/// The addresses of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkRoute {
    pub(crate) here: ClusterNodeId,
    pub(crate) there: ClusterNodeId,
    pub(crate) link: LinkId,
    pub(crate) room: RoomName,
    pub(crate) epoch: Epoch,
}

/// One end of a link: sequence numbers, credit, beats and timeouts in both directions.
#[derive(Debug)]
pub(super) struct Link {
    codec: FrameCodec,
    route: LinkRoute,
    side: GatewaySide,
    pub(super) outgoing: Outgoing,
    incoming: Incoming,
    last_sent: Option<Instant>,
    last_received: Instant,
    /// Credit in the last frame that was sent.
    advertised: u64,
    is_accepted: bool,
    end: Option<GatewayEnd>,
    /// True if the remote gateway is to be notified of the end.
    announces_end: bool,
    pub(super) stats: GatewayStats,
}

impl Link {
    pub(super) fn new(
        codec: FrameCodec,
        route: LinkRoute,
        side: GatewaySide,
        now: Instant,
    ) -> Self {
        Self {
            codec,
            route,
            side,
            outgoing: Outgoing::new(),
            incoming: Incoming::new(),
            last_sent: None,
            last_received: now,
            advertised: 1,
            is_accepted: false,
            end: None,
            announces_end: false,
            stats: GatewayStats::default(),
        }
    }

    /// Begins a link to another node, with its own sequence numbers. The counters go on.
    pub(super) fn renew(&mut self, route: LinkRoute, now: Instant) {
        let stats = self.stats;
        *self = Self { stats, ..Self::new(self.codec, route, self.side, now) };
    }

    pub(super) fn route(&self) -> &LinkRoute {
        &self.route
    }

    /// Returns whether the remote gateway has sent a frame other than the end of the link.
    pub(super) fn is_accepted(&self) -> bool {
        self.is_accepted
    }

    pub(super) fn ended(&self) -> Option<GatewayEnd> {
        self.end
    }

    /// Returns whether the link has ended and there is no frame about it to send.
    pub(super) fn is_finished(&self) -> bool {
        self.end.is_some() && !self.announces_end
    }

    /// Ends the link. `is_announced`: the remote gateway is notified.
    pub(super) fn end(&mut self, end: GatewayEnd, is_announced: bool) {
        if self.end.is_none() {
            self.end = Some(end);
            self.announces_end = is_announced;
        }
    }

    /// Ends the link. Nothing more is sent, not even the end for another reason.
    pub(super) fn silence(&mut self, end: GatewayEnd) {
        self.end.get_or_insert(end);
        self.announces_end = false;
    }

    /// Queues an item, unless the link has ended.
    pub(super) fn push(&mut self, item: &Item) {
        if self.end.is_none() {
            self.stats.items_sent += 1;
            self.outgoing.push(item);
        }
    }

    /// Returns what was received next; `None` also if the link has ended.
    pub(super) fn pop(&mut self) -> Option<Arrival> {
        if self.end.is_some() {
            return None;
        }
        self.incoming.pop()
    }

    /// Returns whether [`pop`](Self::pop) returns an arrival.
    pub(super) fn has_arrivals(&self) -> bool {
        self.end.is_none() && self.incoming.has_arrivals()
    }

    /// Returns whether batches of the remote gateway were lost, and it is not known of which
    /// streams.
    pub(super) fn needs_marks(&self) -> bool {
        self.incoming.needs_marks()
    }

    pub(super) fn incoming(&mut self) -> &mut Incoming {
        &mut self.incoming
    }

    /// Handles a frame of the remote gateway.
    pub(super) fn handle_frame(&mut self, now: Instant, frame: BusFrame) {
        if self.end.is_none()
            && let Err(refusal) = self.accept(now, frame)
        {
            self.stats.refused_frames.count(refusal);
        }
    }

    fn accept(&mut self, now: Instant, frame: BusFrame) -> Result<(), FrameRefusal> {
        let BusFrame { header, body, is_newer } = frame;
        if header.node != self.route.there || header.room != self.route.room {
            return Err(FrameRefusal::OtherRoom);
        }
        if header.epoch < self.route.epoch {
            return Err(FrameRefusal::StaleEpoch);
        }
        if header.epoch > self.route.epoch {
            self.end(GatewayEnd::RoomMoved, false);
            return Ok(());
        }
        if !self.outgoing.handle_credit(header.credit) {
            return Err(FrameRefusal::BeyondCredit);
        }
        self.last_received = now;
        self.is_accepted |= !matches!(body, Body::End(_));
        let (incoming, stats) = (&mut self.incoming, &mut self.stats);
        match body {
            Body::Batch { sequence, .. } | Body::Marks { sequence, .. } => {
                incoming.handle(now, sequence, body, is_newer, stats)?;
            }
            Body::Beat { next, has_lost } => {
                incoming.handle_beat(now, next, stats);
                if has_lost {
                    self.outgoing.push_marks();
                }
            }
            Body::End(end) => self.end(end, false),
        }
        self.stats.frames_received += 1;
        Ok(())
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.end.is_some() {
            return;
        }
        self.incoming.handle_timeout(now, &mut self.stats);
        if self.silence_due().is_some_and(|due| now >= due) {
            self.end(GatewayEnd::NodeLost, true);
        }
    }

    /// Returns the next frame to send. Call it until it returns `None`.
    pub(super) fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        let bytes = if self.end.is_some() {
            let end = self.end.filter(|_| std::mem::take(&mut self.announces_end))?;
            self.codec.encode(&self.header(), &Body::End(end))
        } else if let Some(pending) = self.outgoing.pop() {
            self.stats.batches_sent += 1;
            match pending {
                Pending::Batch(it) => {
                    self.codec.encode_batch(&self.header(), it.sequence, it.chain, &it.pieces)
                }
                Pending::Marks { sequence, marks } => {
                    self.codec.encode(&self.header(), &Body::Marks { sequence, marks })
                }
            }
        } else if self.beat_due().is_none_or(|due| now >= due) {
            let (next, has_lost) = (self.outgoing.unsent(), self.incoming.needs_marks());
            self.codec.encode(&self.header(), &Body::Beat { next, has_lost })
        } else {
            return None;
        };
        self.advertised = self.incoming.credit();
        self.last_sent = Some(now);
        self.stats.frames_sent += 1;
        self.stats.bytes_sent += bytes.len() as u64;
        Some(bytes)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.end.is_some() {
            return None;
        }
        [self.silence_due(), self.beat_due(), self.incoming.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Returns the time at which the link ends because the other node is silent; `None` for a link
    /// of a node to itself.
    fn silence_due(&self) -> Option<Instant> {
        let is_other = self.route.there != self.route.here;
        is_other.then(|| self.last_received + LINK_TIMEOUT)
    }

    /// Returns the time of the next beat; `None` if it is due at once. A beat gives credit before
    /// the sender needs it, and requests marks.
    fn beat_due(&self) -> Option<Instant> {
        let last_sent = self.last_sent?;
        if self.incoming.credit() - self.advertised >= WINDOW_FRAMES / 4 {
            return None;
        }
        let interval = if self.incoming.needs_marks() { REORDER_TIME } else { BEAT_INTERVAL };
        Some(last_sent + interval)
    }

    fn header(&self) -> FrameHeader {
        FrameHeader {
            node: self.route.here,
            link: self.route.link,
            side: self.side,
            room: self.route.room.clone(),
            epoch: self.route.epoch,
            credit: self.incoming.credit(),
        }
    }
}
