//! Packing queued commands into a datagram.

use mp_core::{ConnectionStats, bug};

use super::Sender;
use super::outgoing::{QueuedPacket, SentCommand};
use super::release::release_queue;
use crate::proto::Millis;
use crate::proto::channel::Channels;
use crate::proto::peer::rtt::RoundTrip;
use crate::proto::peer::throttle::Throttle;
use crate::proto::wire::{Datagram, Payload};

/// The state of the peer that determines what may be sent.
pub(crate) struct PackContext<'a> {
    pub(in crate::proto::peer) channels: &'a mut Channels,
    pub(in crate::proto::peer) round_trip: &'a RoundTrip,
    pub(in crate::proto::peer) throttle: &'a mut Throttle,
    pub(in crate::proto::peer) stats: &'a mut ConnectionStats,
    pub(in crate::proto::peer) window: u32,
    pub(in crate::proto::peer) mtu: u16,
}

impl Sender {
    /// Adds the commands that may be sent now to `datagram`, as far as they fit.
    pub(crate) fn pack(
        &mut self,
        now: Millis,
        datagram: &mut Datagram<'_>,
        context: &mut PackContext<'_>,
    ) {
        if self.reliable_cost > 0 && self.progress.is_none() {
            self.progress = Some(now);
        }
        if !self.pack_control_again(now, datagram) {
            return;
        }
        let mut is_reliable_blocked = false;
        if !self.pack_reliable_again(now, datagram, context, &mut is_reliable_blocked) {
            return;
        }
        // Merge the three queues in the order in which they were filled.
        loop {
            if self.control.is_empty() && (self.reliable.is_empty() || is_reliable_blocked) {
                while !self.unreliable.is_empty() && self.pack_unreliable(datagram, context) {}
                return;
            }
            let control = self.control.front().map(|&(order, _)| order);
            let unreliable = self.unreliable.front().map(QueuedPacket::order);
            let reliable = self.reliable.front().filter(|_| !is_reliable_blocked);
            let reliable = reliable.map(QueuedPacket::order);
            let Some(first) = [control, reliable, unreliable].into_iter().flatten().min() else {
                return;
            };
            let has_room = if Some(first) == control {
                self.pack_control(now, datagram, context)
            } else if Some(first) == reliable {
                self.pack_reliable(now, datagram, context, &mut is_reliable_blocked)
            } else {
                self.pack_unreliable(datagram, context)
            };
            if !has_room {
                return;
            }
        }
    }

    // Each of these returns whether the command fitted.

    fn pack_control_again(&mut self, now: Millis, datagram: &mut Datagram<'_>) -> bool {
        while let Some(&(order, key)) = self.control_again.front() {
            if let Some(sent) = self.in_flight.get_mut(key).filter(|sent| sent.waits(order)) {
                let Some(at) = sent.send_again(now, datagram, self.piece_len) else { return false };
                self.note_timeout(at);
            }
            self.control_again.pop_front();
        }
        true
    }

    fn pack_reliable_again(
        &mut self,
        now: Millis,
        datagram: &mut Datagram<'_>,
        context: &PackContext<'_>,
        is_blocked: &mut bool,
    ) -> bool {
        while let Some(&(order, key)) = self.reliable_again.front() {
            if let Some(sent) = self.in_flight.get_mut(key).filter(|sent| sent.waits(order)) {
                if !context.may_send(self.in_transit, sent.len()) {
                    *is_blocked = true;
                    return true;
                }
                let Some(at) = sent.send_again(now, datagram, self.piece_len) else { return false };
                self.in_transit += sent.len();
                self.note_timeout(at);
            }
            self.reliable_again.pop_front();
        }
        true
    }

    fn pack_control(
        &mut self,
        now: Millis,
        datagram: &mut Datagram<'_>,
        context: &PackContext<'_>,
    ) -> bool {
        let Some(&(order, command)) = self.control.front() else {
            bug!("a command is sent from an empty queue");
            return true;
        };
        if !datagram.has_room(&command, command.fixed_len()) {
            return false;
        }
        datagram.push(&command);
        self.control.pop_front();
        let timeout = context.round_trip.timeout();
        let sent = SentCommand::control(order, command, now, timeout);
        self.in_flight.insert(sent.key(), sent);
        self.note_timeout(now + Millis::from(timeout));
        true
    }

    fn pack_reliable(
        &mut self,
        now: Millis,
        datagram: &mut Datagram<'_>,
        context: &mut PackContext<'_>,
        is_blocked: &mut bool,
    ) -> bool {
        let Some(queued) = self.reliable.front_mut() else {
            bug!("a reliable packet is sent from an empty queue");
            return true;
        };
        let (command, offset, len) = queued.piece(self.piece_len);
        let may_send = context.may_send(self.in_transit, len);
        let Some(sequences) = context.channels.sending(queued.channel()) else {
            self.broken("a reliable packet of a missing channel is queued");
            *is_blocked = true;
            return true;
        };
        if !may_send || !sequences.admits(command.sequence) {
            *is_blocked = true;
            return true;
        }
        if !datagram.has_room(&command, command.fixed_len() + len) {
            return false;
        }
        sequences.sent(command.sequence);
        datagram.push_data(&command, queued.payload(), offset, len);
        self.in_transit += len;
        let timeout = context.round_trip.timeout();
        let (order, piece) = (queued.order(), queued.next_piece() as u16);
        let is_sent = queued.advance();
        let payload = queued.share_payload(is_sent);
        if is_sent {
            context.count_packet(&payload);
            self.reliable.pop_front();
            release_queue(&mut self.reliable);
        }
        let key = (command.channel, command.sequence);
        let sent = SentCommand::new(order, key, (piece, len as u16), payload, now, timeout);
        self.in_flight.insert(key, sent);
        self.note_timeout(now + Millis::from(timeout));
        true
    }

    fn pack_unreliable(
        &mut self,
        datagram: &mut Datagram<'_>,
        context: &mut PackContext<'_>,
    ) -> bool {
        let Some(queued) = self.unreliable.front_mut() else {
            bug!("an unreliable packet is sent from an empty queue");
            return true;
        };
        let (command, offset, len) = queued.piece(self.piece_len);
        if !datagram.has_room(&command, command.fixed_len() + len) {
            return false;
        }
        if queued.is_untouched() && !context.throttle.admits() {
            context.stats.send_drops += 1;
            self.pop_unreliable();
            return true;
        }
        datagram.push_data(&command, queued.payload(), offset, len);
        if queued.advance() {
            context.count_packet(queued.payload());
            self.pop_unreliable();
        }
        true
    }
}

impl PackContext<'_> {
    /// Counts a packet whose last fragment was sent.
    fn count_packet(&mut self, payload: &Payload) {
        self.stats.packets_sent += 1;
        self.stats.bytes_sent += payload.len() as u64;
    }

    /// Returns whether `len` more reliable bytes may be in flight.
    fn may_send(&self, in_transit: usize, len: usize) -> bool {
        let window = self.throttle.scale(self.window).max(u32::from(self.mtu));
        in_transit + len <= window as usize
    }
}
