//! A data channel: its send queue and its pacing.

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
    /// The next packet, if SCTP or pacing does not accept it yet.
    next: Option<Bytes>,
    pacer: Pacer,
    /// Time at which pacing allows `next`.
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

    /// Queues a packet. `connections`: number of connections that share it.
    pub(super) fn push(
        &mut self,
        mode: TransferMode,
        packet: Bytes,
        connections: usize,
    ) -> Result<(), QueueFull> {
        self.queue.push(mode, packet.len(), connections, packet)
    }

    /// Writes packets until SCTP or pacing accepts no more. Returns whether any was written.
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

    /// Returns the time at which pacing allows the next packet.
    pub(super) fn due(&self) -> Option<Instant> {
        self.paced_until.filter(|_| self.next.is_some())
    }

    pub(super) fn queued_packets(&self) -> usize {
        self.queue.len() + usize::from(self.next.is_some())
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queue.bytes() + self.next.as_ref().map_or(0, Bytes::len)
    }

    /// Returns the memory of the queued packets in bytes.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.queue.memory_bytes()
    }

    pub(super) const fn drops(&self) -> u64 {
        self.queue.drops()
    }

    /// Returns the bytes in SCTP's buffer, including those that are not acknowledged.
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
