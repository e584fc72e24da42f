//! One data channel: the packets that wait for it, and its pacing.

use bytes::Bytes;
use mp_core::{Instant, QueueFull, SendQueue, TransferMode};
use str0m::Rtc;
use str0m::channel::ChannelId;

use super::pacer::Pacer;
use crate::options::Pacing;

#[derive(Debug, Default)]
pub(super) struct DataChannel {
    id: Option<ChannelId>,
    is_open: bool,
    queue: SendQueue<Bytes>,
    /// The packet that SCTP has no room for yet.
    next: Option<Bytes>,
    pacer: Pacer,
    /// Time at which the pacing allows `next`.
    paced_until: Option<Instant>,
}

impl DataChannel {
    pub(super) fn assign(&mut self, id: ChannelId) {
        self.id = Some(id);
    }

    pub(super) fn is(&self, id: ChannelId) -> bool {
        self.id == Some(id)
    }

    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) fn set_open(&mut self) {
        self.is_open = true;
    }

    /// Queues a packet, which `connections` connections queue together.
    pub(super) fn push(
        &mut self,
        mode: TransferMode,
        packet: Bytes,
        connections: usize,
    ) -> Result<(), QueueFull> {
        self.queue.push(mode, packet.len(), connections, packet)
    }

    /// Writes packets until SCTP or the pacing takes no more. Returns whether any was written.
    pub(super) fn write(&mut self, now: Instant, rtc: &mut Rtc, pacing: Option<Pacing>) -> bool {
        let Some(mut channel) = self.id.and_then(|id| rtc.channel(id)) else { return false };
        let mut has_written = false;
        while let Some(packet) = self.next.take().or_else(|| self.queue.pop()) {
            self.paced_until = pacing
                .map(|pacing| self.pacer.earliest(now, packet.len(), pacing))
                .filter(|earliest| *earliest > now);
            if self.paced_until.is_some() || !channel.write(true, &packet).unwrap_or(false) {
                self.next = Some(packet);
                break;
            }
            if pacing.is_some() {
                self.pacer.record(now, packet.len());
            }
            has_written = true;
        }
        has_written
    }

    /// Time at which the pacing lets the next packet go.
    pub(super) fn due(&self) -> Option<Instant> {
        self.paced_until.filter(|_| self.next.is_some())
    }

    pub(super) fn queued_packets(&self) -> usize {
        self.queue.len() + usize::from(self.next.is_some())
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queue.bytes() + self.next.as_ref().map_or(0, Bytes::len)
    }

    /// Memory that the queued packets take.
    pub(super) const fn held_bytes(&self) -> usize {
        self.queue.held_bytes()
    }

    pub(super) const fn drops(&self) -> u64 {
        self.queue.drops()
    }

    /// Bytes that SCTP has and the remote peer has not acknowledged.
    pub(super) fn buffered(&self, rtc: &mut Rtc) -> usize {
        self.id.and_then(|id| rtc.channel(id)).map_or(0, |mut channel| channel.buffered_amount())
    }

    /// Closes the channel.
    pub(super) fn reset(&self, rtc: &mut Rtc) {
        if let Some(id) = self.id {
            rtc.direct_api().close_data_channel(id);
        }
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.next = None;
    }
}
