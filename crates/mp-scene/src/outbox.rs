//! The queue of messages of a branch for one endpoint.

use std::collections::VecDeque;

use mp_core::limits::{
    BATCH_EVENTS_MAX, OUTBOX_PACKETS_MAX, OUTBOX_STUCK_DELIVERIES, OUTBOX_TURN_PACKETS_MAX,
};
use mp_core::{OutgoingPacket, ToEndpoint};

/// A queue of packets and commands in order, with packets in batches.
///
/// It holds at most [`OUTBOX_TURN_PACKETS_MAX`] packets, since one turn may produce many, and
/// [`OUTBOX_PACKETS_MAX`] for an endpoint that has accepted nothing for [`OUTBOX_STUCK_DELIVERIES`]
/// deliveries. Beyond the limit the oldest unreliable packet is dropped and counted. If there is
/// none the endpoint is [`Stuck`]: reliable packets must not be lost silently.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<ToEndpoint>,
    packets: usize,
    /// Position of the last call: index of its message in `waiting`, and of its packet in the
    /// batch.
    call: Option<(usize, usize)>,
    blocked: bool,
    /// Number of consecutive deliveries of which the endpoint accepted nothing.
    refusals: u32,
    dropped: u64,
}

/// The error of a queue that is full of reliable packets, which its endpoint does not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stuck;

impl Outbox {
    pub(crate) fn send(&mut self, packet: OutgoingPacket) -> Result<(), Stuck> {
        if self.packets >= self.packets_max() {
            if !packet.mode.is_reliable() {
                self.dropped += 1;
                return Ok(());
            }
            self.drop_oldest_unreliable()?;
        }
        self.packets += 1;
        match self.waiting.back_mut() {
            Some(ToEndpoint::Send(batch)) if batch.len() < BATCH_EVENTS_MAX => batch.push(packet),
            _ => self.waiting.push_back(ToEndpoint::Send(vec![packet])),
        }
        Ok(())
    }

    /// Records that the next packet to be queued is a call.
    pub(crate) fn record_call(&mut self) {
        self.call = Some(match self.waiting.back() {
            Some(ToEndpoint::Send(batch)) if batch.len() < BATCH_EVENTS_MAX => {
                (self.waiting.len() - 1, batch.len())
            }
            _ => (self.waiting.len(), 0),
        });
    }

    /// Queues a packet before the last call recorded since the last delivery.
    pub(crate) fn send_in_front_of_call(&mut self, packet: OutgoingPacket) -> Result<(), Stuck> {
        let Some((message, place)) = self.call else { return self.send(packet) };
        if self.packets >= self.packets_max() {
            // Queuing now drops another packet, which would invalidate the position.
            self.call = None;
            return self.send(packet);
        }
        match self.waiting.get_mut(message) {
            Some(ToEndpoint::Send(batch)) if place > 0 && batch.len() < BATCH_EVENTS_MAX => {
                batch.insert(place.min(batch.len()), packet);
                self.call = Some((message, place + 1));
            }
            Some(ToEndpoint::Send(batch)) if place > 0 => {
                let behind = batch.split_off(place.min(batch.len()));
                self.waiting.insert(message + 1, ToEndpoint::Send(vec![packet]));
                self.waiting.insert(message + 2, ToEndpoint::Send(behind));
                self.call = Some((message + 2, 0));
            }
            Some(_) => {
                self.waiting.insert(message, ToEndpoint::Send(vec![packet]));
                self.call = Some((message + 1, 0));
            }
            None => return self.send(packet),
        }
        self.packets += 1;
        Ok(())
    }

    pub(crate) fn command(&mut self, command: ToEndpoint) {
        self.waiting.push_back(command);
    }

    /// Delivers queued messages in order, until `accept` returns one.
    pub(crate) fn deliver(&mut self, mut accept: impl FnMut(ToEndpoint) -> Result<(), ToEndpoint>) {
        (self.blocked, self.call) = (false, None);
        let mut has_accepted = false;
        while let Some(message) = self.waiting.pop_front() {
            let packets = match &message {
                ToEndpoint::Send(batch) => batch.len(),
                _ => 0,
            };
            if let Err(message) = accept(message) {
                self.waiting.push_front(message);
                self.blocked = true;
                self.refusals = if has_accepted { 0 } else { self.refusals.saturating_add(1) };
                return;
            }
            self.packets -= packets;
            has_accepted = true;
        }
        self.refusals = 0;
    }

    /// Returns whether the endpoint refused a message at the last delivery.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Returns whether nothing is queued.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns the number of queued packets.
    pub(crate) fn packets(&self) -> usize {
        self.packets
    }

    /// Returns the number of unreliable packets dropped from the full queue.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn packets_max(&self) -> usize {
        if self.refusals < OUTBOX_STUCK_DELIVERIES {
            OUTBOX_TURN_PACKETS_MAX
        } else {
            OUTBOX_PACKETS_MAX
        }
    }

    fn drop_oldest_unreliable(&mut self) -> Result<(), Stuck> {
        for message in &mut self.waiting {
            if let ToEndpoint::Send(batch) = message
                && let Some(oldest) = batch.iter().position(|packet| !packet.mode.is_reliable())
            {
                batch.remove(oldest);
                self.call = None;
                self.packets -= 1;
                self.dropped += 1;
                return Ok(());
            }
        }
        Err(Stuck)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mp_core::{Channel, ConnectionId, Prefix, TransferMode};

    use super::*;

    fn packet(mode: TransferMode, number: u64) -> OutgoingPacket {
        OutgoingPacket {
            to: ConnectionId { slot: 0, generation: 0 }.into(),
            mode,
            channel: Channel(0),
            prefix: Prefix::EMPTY,
            payload: Bytes::copy_from_slice(&number.to_le_bytes()),
        }
    }

    fn delivered(outbox: &mut Outbox) -> Vec<u64> {
        let mut numbers = Vec::new();
        outbox.deliver(|message| {
            if let ToEndpoint::Send(batch) = message {
                numbers.extend(
                    batch
                        .iter()
                        .map(|packet| u64::from_le_bytes(packet.payload[..].try_into().unwrap())),
                );
            }
            Ok(())
        });
        numbers
    }

    #[test]
    fn a_refused_message_keeps_its_position() {
        let mut outbox = Outbox::default();
        for number in 0..600 {
            outbox.send(packet(TransferMode::Reliable, number)).unwrap();
        }
        let mut offers = 0;
        outbox.deliver(|message| {
            offers += 1;
            if offers == 2 { Err(message) } else { Ok(()) }
        });
        assert!(outbox.is_blocked());
        outbox.send(packet(TransferMode::Reliable, 600)).unwrap();
        assert_eq!(delivered(&mut outbox), (256..=600).collect::<Vec<_>>());
        assert!(!outbox.is_blocked());
    }

    #[test]
    fn packets_before_a_call_keep_their_order_at_every_position_of_the_call() {
        for before in [0, 1, BATCH_EVENTS_MAX as u64 - 1, BATCH_EVENTS_MAX as u64] {
            for after in [1, BATCH_EVENTS_MAX as u64 - 2, 2 * BATCH_EVENTS_MAX as u64] {
                let mut outbox = Outbox::default();
                let numbers = |range: std::ops::Range<u64>| range.collect::<Vec<_>>();
                for number in 0..before {
                    outbox.send(packet(TransferMode::Reliable, number)).unwrap();
                }
                outbox.record_call();
                for number in before..before + after {
                    outbox.send(packet(TransferMode::Reliable, number)).unwrap();
                }
                for number in 9_000..9_003 {
                    outbox.send_in_front_of_call(packet(TransferMode::Reliable, number)).unwrap();
                }
                let rest = numbers(before..before + after);
                let expected = [numbers(0..before), numbers(9_000..9_003), rest].concat();
                assert_eq!(delivered(&mut outbox), expected, "{before} before, {after} after");
            }
        }
    }

    /// Refuses all messages often enough for [`OUTBOX_PACKETS_MAX`] to apply.
    fn refuse(outbox: &mut Outbox) {
        for _ in 0..OUTBOX_STUCK_DELIVERIES {
            outbox.deliver(Err);
        }
    }

    #[test]
    fn one_turn_may_queue_more_packets_than_a_stuck_endpoint() {
        let mut outbox = Outbox::default();
        for number in 0..3 * OUTBOX_PACKETS_MAX as u64 {
            outbox.send(packet(TransferMode::Reliable, number)).unwrap();
        }
        for _ in 1..OUTBOX_STUCK_DELIVERIES {
            outbox.deliver(Err);
        }
        outbox.send(packet(TransferMode::Reliable, 0)).unwrap();
        outbox.deliver(Err);
        assert_eq!(outbox.send(packet(TransferMode::Reliable, 0)), Err(Stuck));
    }

    #[test]
    fn an_endpoint_that_accepts_a_message_is_not_stuck() {
        let mut outbox = Outbox::default();
        for number in 0..2 * OUTBOX_PACKETS_MAX as u64 {
            outbox.send(packet(TransferMode::Reliable, number)).unwrap();
        }
        refuse(&mut outbox);
        let mut capacity = 1;
        outbox.deliver(|message| {
            capacity -= 1;
            if capacity < 0 { Err(message) } else { Ok(()) }
        });
        outbox.send(packet(TransferMode::Reliable, 0)).unwrap();
    }

    #[test]
    fn a_full_outbox_drops_unreliable_packets_before_it_is_stuck() {
        let mut outbox = Outbox::default();
        outbox.send(packet(TransferMode::Unreliable, 0)).unwrap();
        for number in 1..OUTBOX_PACKETS_MAX as u64 {
            outbox.send(packet(TransferMode::Reliable, number)).unwrap();
        }
        refuse(&mut outbox);
        outbox.send(packet(TransferMode::UnreliableOrdered, 1)).unwrap();
        outbox.send(packet(TransferMode::Reliable, OUTBOX_PACKETS_MAX as u64)).unwrap();
        assert_eq!(outbox.send(packet(TransferMode::Reliable, 0)), Err(Stuck));
        assert_eq!(outbox.dropped(), 2);
        assert_eq!(delivered(&mut outbox), (1..=OUTBOX_PACKETS_MAX as u64).collect::<Vec<_>>());
    }
}
