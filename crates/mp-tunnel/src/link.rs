//! [`LinkEnd`]: one end of a link, which survives the link's connections.
//!
//! Sequenced frames are kept until the other end has acknowledged them. When a session is resumed,
//! each end names the number of frames that it has received, and the other sends the rest again. So
//! reliable packets are delivered once, in order, although the connection between was lost.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use mp_core::{Channel, PeerId, TransferMode};

use crate::TunnelStats;
use crate::frame::{Frame, GuestEnd, GuestNumber, MalformedFrame, PacketFrame};
use crate::limits::{
    ACKNOWLEDGED_BYTES, ACKNOWLEDGED_FRAMES, FRAME_OVERHEAD, GUEST_UNACKNOWLEDGED_BYTES_MAX,
    PACKET_BYTES_MAX, PART_BYTES_MAX, UNACKNOWLEDGED_BYTES_MAX,
};
use crate::order::Orders;

/// One end of a link.
#[derive(Debug, Default)]
pub(crate) struct LinkEnd {
    /// Sequenced frames that were not acknowledged, oldest first.
    log: VecDeque<(GuestNumber, Bytes)>,
    log_bytes: usize,
    /// Bytes in the log by guest.
    bytes_of: BTreeMap<GuestNumber, usize>,
    /// Number of frames before the log.
    acknowledged: u64,
    /// Number of sequenced frames that were received.
    received: u64,
    /// Frames and bytes that were received since the last acknowledgement.
    unacknowledged: (u32, usize),
    /// Parts of a packet that are received. Parts of different packets do not mix.
    partial: Option<Partial>,
    /// True while frames can be sent.
    is_up: bool,
    /// Frames to send, with their modes on the link.
    outgoing: VecDeque<(TransferMode, Bytes)>,
}

#[derive(Debug)]
struct Partial {
    guest: GuestNumber,
    channel: Channel,
    payload: BytesMut,
}

/// A packet of or for a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuestPacket {
    pub(crate) mode: TransferMode,
    pub(crate) channel: Channel,
    pub(crate) payload: Bytes,
}

/// A message of the other end, in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// An acknowledgement, or a part of a packet.
    Nothing,
    Open {
        guest: GuestNumber,
        id: PeerId,
    },
    /// A packet, and its number if it is unreliable and ordered.
    Packet {
        guest: GuestNumber,
        order: u16,
        packet: GuestPacket,
    },
    Close {
        guest: GuestNumber,
        reason: GuestEnd,
    },
    /// The host stops.
    Leave,
}

impl LinkEnd {
    /// Returns the number of sequenced frames that were received.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Returns whether frames are sent.
    pub(crate) fn is_up(&self) -> bool {
        self.is_up
    }

    /// Returns the bytes of a guest that were not acknowledged.
    pub(crate) fn bytes_of(&self, guest: GuestNumber) -> usize {
        self.bytes_of.get(&guest).copied().unwrap_or_default()
    }

    /// Begins to send. `received` is the number of frames that the other end has received; the rest
    /// is sent again.
    pub(crate) fn resume(&mut self, received: u64) -> Result<(), MalformedFrame> {
        self.handle_ack(received)?;
        self.is_up = true;
        self.outgoing
            .extend(self.log.iter().map(|(_, frame)| (TransferMode::Reliable, frame.clone())));
        Ok(())
    }

    /// Stops sending: the connection is lost.
    pub(crate) fn interrupt(&mut self) {
        self.is_up = false;
        self.outgoing.clear();
    }

    /// Removes and returns the next frame to send, with its mode on the link.
    pub(crate) fn next_outgoing(&mut self) -> Option<(TransferMode, Bytes)> {
        self.outgoing.pop_front()
    }

    /// Sends that a guest has joined.
    pub(crate) fn send_open(&mut self, guest: GuestNumber, id: PeerId) {
        self.record(guest, &Frame::Open { guest, id });
    }

    /// Sends that a guest has left.
    pub(crate) fn send_close(&mut self, guest: GuestNumber, reason: GuestEnd) {
        self.record(guest, &Frame::Close { guest, reason });
    }

    /// Sends a packet of a guest, or for one. The error is the reason why the guest must be
    /// disconnected.
    pub(crate) fn send_packet(
        &mut self,
        guest: GuestNumber,
        orders: &mut Orders,
        packet: GuestPacket,
        stats: &mut TunnelStats,
    ) -> Result<(), GuestEnd> {
        let GuestPacket { mode, channel, payload } = packet;
        let len = payload.len();
        if !mode.is_reliable() {
            if !self.is_up || len > PART_BYTES_MAX {
                stats.dropped_packets += 1;
                return Ok(());
            }
            let order = match mode {
                TransferMode::UnreliableOrdered => orders.next(channel),
                _ => 0,
            };
            let frame = PacketFrame { guest, mode, channel, has_more: false, order, payload };
            let frame = Frame::Packet(frame);
            self.outgoing.push_back((frame.mode(), frame.encode()));
        } else if len > PACKET_BYTES_MAX {
            return Err(GuestEnd::PacketTooLarge);
        } else if !self.has_capacity(guest, len) {
            return Err(GuestEnd::QueueFull);
        } else {
            let mut rest = payload;
            loop {
                let payload = rest.split_to(rest.len().min(PART_BYTES_MAX));
                let has_more = !rest.is_empty();
                let frame = PacketFrame { guest, mode, channel, has_more, order: 0, payload };
                self.record(guest, &Frame::Packet(frame));
                if !has_more {
                    break;
                }
            }
        }
        stats.packets_sent += 1;
        stats.bytes_sent += len as u64;
        Ok(())
    }

    /// Handles a frame of a session.
    pub(crate) fn receive(&mut self, packet: Bytes) -> Result<Received, MalformedFrame> {
        let len = packet.len();
        let frame = Frame::decode(packet)?;
        if frame.is_sequenced() {
            self.received += 1;
            self.acknowledge_later(len);
            let continues = match (&self.partial, &frame) {
                (None, _) => true,
                (Some(partial), Frame::Packet(packet)) => {
                    partial.guest == packet.guest && partial.channel == packet.channel
                }
                _ => false,
            };
            if !continues {
                return Err(MalformedFrame);
            }
        }
        match frame {
            Frame::Open { guest, id } => Ok(Received::Open { guest, id }),
            Frame::Close { guest, reason } => Ok(Received::Close { guest, reason }),
            Frame::Packet(packet) => self.receive_packet(packet),
            Frame::Ack { received } => self.handle_ack(received).map(|()| Received::Nothing),
            Frame::Leave => Ok(Received::Leave),
            Frame::Hello { .. } | Frame::Welcome { .. } | Frame::Reject(_) => Err(MalformedFrame),
        }
    }

    fn receive_packet(&mut self, packet: PacketFrame) -> Result<Received, MalformedFrame> {
        let PacketFrame { guest, mode, channel, has_more, order, payload } = packet;
        if !mode.is_reliable() {
            let packet = GuestPacket { mode, channel, payload };
            return Ok(Received::Packet { guest, order, packet });
        }
        let payload = match (self.partial.take(), has_more) {
            (None, false) => payload,
            (partial, _) => {
                let mut whole = partial.map_or_else(BytesMut::new, |partial| partial.payload);
                if whole.len() + payload.len() > PACKET_BYTES_MAX {
                    return Err(MalformedFrame);
                }
                whole.extend_from_slice(&payload);
                if has_more {
                    self.partial = Some(Partial { guest, channel, payload: whole });
                    return Ok(Received::Nothing);
                }
                whole.freeze()
            }
        };
        let packet = GuestPacket { mode, channel, payload };
        Ok(Received::Packet { guest, order, packet })
    }

    /// Handles that the other end has received this number of frames.
    fn handle_ack(&mut self, received: u64) -> Result<(), MalformedFrame> {
        let count = received.checked_sub(self.acknowledged).ok_or(MalformedFrame)?;
        let count = usize::try_from(count).ok().filter(|&count| count <= self.log.len());
        for (guest, frame) in self.log.drain(..count.ok_or(MalformedFrame)?) {
            let len = frame.len() + FRAME_OVERHEAD;
            self.log_bytes -= len;
            if let Some(bytes) = self.bytes_of.get_mut(&guest) {
                *bytes -= len;
                if *bytes == 0 {
                    self.bytes_of.remove(&guest);
                }
            }
        }
        self.acknowledged = received;
        Ok(())
    }

    /// Records a sequenced frame, and sends it if possible.
    fn record(&mut self, guest: GuestNumber, frame: &Frame) {
        let frame = frame.encode();
        let len = frame.len() + FRAME_OVERHEAD;
        self.log_bytes += len;
        *self.bytes_of.entry(guest).or_default() += len;
        if self.is_up {
            self.outgoing.push_back((TransferMode::Reliable, frame.clone()));
        }
        self.log.push_back((guest, frame));
    }

    /// Returns whether the log accepts a packet. An empty one accepts any.
    fn has_capacity(&self, guest: GuestNumber, len: usize) -> bool {
        let fits = |bytes: usize, max: usize| bytes == 0 || bytes + len + FRAME_OVERHEAD <= max;
        fits(self.bytes_of(guest), GUEST_UNACKNOWLEDGED_BYTES_MAX)
            && fits(self.log_bytes, UNACKNOWLEDGED_BYTES_MAX)
    }

    /// Sends an acknowledgement after some frames.
    fn acknowledge_later(&mut self, len: usize) {
        let (frames, bytes) = &mut self.unacknowledged;
        *frames += 1;
        *bytes += len;
        if *frames >= ACKNOWLEDGED_FRAMES || *bytes >= ACKNOWLEDGED_BYTES {
            self.unacknowledged = (0, 0);
            let ack = Frame::Ack { received: self.received };
            self.outgoing.push_back((TransferMode::Reliable, ack.encode()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload: impl Into<Bytes>) -> GuestPacket {
        let (mode, channel) = (TransferMode::Reliable, Channel(2));
        GuestPacket { mode, channel, payload: payload.into() }
    }

    fn send(end: &mut LinkEnd, guest: GuestNumber, packet: GuestPacket) -> Result<(), GuestEnd> {
        end.send_packet(guest, &mut Orders::default(), packet, &mut TunnelStats::default())
    }

    fn up() -> LinkEnd {
        let mut end = LinkEnd::default();
        end.resume(0).unwrap();
        end
    }

    /// Passes up to `count` frames on; returns the packets received.
    fn pass(from: &mut LinkEnd, to: &mut LinkEnd, count: usize) -> Vec<Bytes> {
        let mut payloads = Vec::new();
        for _ in 0..count {
            let Some((_, frame)) = from.next_outgoing() else { break };
            if let Received::Packet { packet, .. } = to.receive(frame).unwrap() {
                payloads.push(packet.payload);
            }
        }
        payloads
    }

    #[test]
    fn packets_of_a_lost_connection_are_delivered_once_and_in_order() {
        let (mut from, mut to) = (up(), up());
        for number in 0..100_u8 {
            send(&mut from, 1, packet(vec![number])).unwrap();
        }
        let mut received = pass(&mut from, &mut to, 70);
        while let Some((_, ack)) = to.next_outgoing() {
            assert_eq!(from.receive(ack), Ok(Received::Nothing));
        }
        from.interrupt();
        to.interrupt();
        send(&mut from, 1, packet(vec![100])).unwrap();
        assert_eq!(from.next_outgoing(), None);
        from.resume(to.received()).unwrap();
        to.resume(from.received()).unwrap();
        received.extend(pass(&mut from, &mut to, usize::MAX));
        let numbers: Vec<u8> = received.iter().map(|payload| payload[0]).collect();
        assert_eq!(numbers, (0..=100).collect::<Vec<_>>());
    }

    #[test]
    fn large_packets_are_sent_in_parts_that_a_resumed_link_completes() {
        let (mut from, mut to) = (up(), up());
        let large: Bytes = (0..5 * PART_BYTES_MAX).map(|it| it as u8).collect::<Vec<_>>().into();
        send(&mut from, 1, packet(large.clone())).unwrap();
        assert_eq!(pass(&mut from, &mut to, 2), [] as [Bytes; 0]);
        from.interrupt();
        from.resume(to.received()).unwrap();
        assert_eq!(pass(&mut from, &mut to, usize::MAX), [large]);
        send(&mut from, 1, packet("")).unwrap();
        assert_eq!(pass(&mut from, &mut to, 1), [Bytes::new()]);
    }

    #[test]
    fn packets_that_are_not_acknowledged_are_bounded_per_guest() {
        let (mut from, mut to) = (up(), up());
        let bytes = || packet(vec![0; PART_BYTES_MAX]);
        let mut count = 0;
        while send(&mut from, 1, bytes()).is_ok() {
            count += 1;
        }
        assert!(count * PART_BYTES_MAX <= GUEST_UNACKNOWLEDGED_BYTES_MAX);
        assert!((count + 10) * PART_BYTES_MAX > GUEST_UNACKNOWLEDGED_BYTES_MAX);
        assert_eq!(send(&mut from, 1, bytes()), Err(GuestEnd::QueueFull));
        send(&mut from, 2, bytes()).unwrap();
        pass(&mut from, &mut to, usize::MAX);
        while let Some((_, ack)) = to.next_outgoing() {
            from.receive(ack).unwrap();
        }
        assert!(from.bytes_of(1) < ACKNOWLEDGED_BYTES + 2 * PART_BYTES_MAX);
        send(&mut from, 1, bytes()).unwrap();
        let large = packet(vec![0; PACKET_BYTES_MAX + 1]);
        assert_eq!(send(&mut from, 3, large), Err(GuestEnd::PacketTooLarge));
    }

    #[test]
    fn acknowledgement_of_frames_that_were_not_sent_is_malformed() {
        let mut end = up();
        send(&mut end, 1, packet("a")).unwrap();
        let ack = |received| Frame::Ack { received }.encode();
        assert_eq!(end.receive(ack(2)), Err(MalformedFrame));
        assert_eq!(end.receive(ack(1)), Ok(Received::Nothing));
        assert_eq!(end.receive(ack(0)), Err(MalformedFrame));
        assert!(end.resume(5).is_err());
    }

    #[test]
    fn parts_of_different_packets_do_not_mix() {
        let mut end = up();
        let part = |guest| {
            let (mode, payload) = (TransferMode::Reliable, Bytes::from_static(b"a"));
            let channel = Channel(0);
            Frame::Packet(PacketFrame { guest, mode, channel, has_more: true, order: 0, payload })
        };
        assert_eq!(end.receive(part(1).encode()), Ok(Received::Nothing));
        assert_eq!(end.receive(part(2).encode()), Err(MalformedFrame));
    }

    #[test]
    fn unreliable_packets_are_dropped_while_the_link_is_interrupted() {
        let (mut end, mut stats) = (LinkEnd::default(), TunnelStats::default());
        let mut orders = Orders::default();
        let mut send = |end: &mut LinkEnd, len| {
            let mode = TransferMode::UnreliableOrdered;
            let packet = GuestPacket { mode, ..packet(vec![0; len]) };
            end.send_packet(1, &mut orders, packet, &mut stats).unwrap();
            end.next_outgoing().map(|(mode, _)| mode)
        };
        assert_eq!(send(&mut end, 1), None);
        end.resume(0).unwrap();
        assert_eq!(send(&mut end, 1), Some(TransferMode::Unreliable));
        assert_eq!(send(&mut end, PART_BYTES_MAX + 1), None);
        assert_eq!(stats.dropped_packets, 2);
    }
}
