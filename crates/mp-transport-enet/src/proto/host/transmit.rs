//! The end of a host's turn, and its timers.

use std::ops::ControlFlow;

use mp_core::{Instant, bug};

use super::{Host, PeerEntry};
use crate::proto::header::Header;
use crate::proto::peer::{Packed, State};
use crate::proto::wire::SPARE;
use crate::proto::{Millis, NetworkPath, Transmit};

impl Host {
    /// Runs the timers that are due. Sends nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        let now = self.now;
        let millis = now.as_millis();
        while let Some(&(at, slot)) = self.timers.first() {
            if at > millis {
                break;
            }
            self.timers.pop_first();
            let Some(PeerEntry { peer, timer, .. }) = self.slots.get_mut(slot) else {
                bug!("slot {slot} has a timer, but no peer");
                continue;
            };
            *timer = None;
            match peer.handle_timeout(millis, &self.settings, &mut self.events) {
                ControlFlow::Continue(()) if peer.wants_to_send(millis) => self.touch(slot),
                ControlFlow::Continue(()) => self.schedule(slot, now),
                ControlFlow::Break(()) => self.remove(slot),
            }
        }
        self.share_bandwidth(now);
    }

    /// Ends the turn: [`poll_transmit`](Self::poll_transmit) packs what was queued in it.
    pub fn end_turn(&mut self, now: Instant) {
        self.advance(now);
        self.packing.extend(self.dirty.drain(..));
    }

    /// Packs the next datagrams for one peer into `buf`, whose length must be at least the MTU of
    /// the settings ([`MTU_MAX`](crate::proto::MTU_MAX) always suffices). In a longer buffer,
    /// several datagrams of equal length. `None` if nothing is left to send.
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Transmit> {
        if let Some(disconnect) = self.lone_disconnects.pop_front() {
            let NetworkPath { remote: to, local: from } = disconnect.path();
            let plain = disconnect.emit(buf);
            let len = self.encode(buf, plain, disconnect.connect_id());
            return Some(self.count(Transmit { to, from, len, segment_size: None }, 1));
        }
        self.advance(now);
        let now = self.now;
        let millis = now.as_millis();
        while let Some(&slot) = self.packing.front() {
            let transmit = self.pack(slot, millis, buf);
            if self
                .slots
                .get(slot)
                .is_none_or(|it| transmit.is_none() || !it.peer.wants_to_send(millis))
            {
                self.packing.pop_front();
                self.packed(slot, now);
            }
            if transmit.is_some() {
                return transmit;
            }
        }
        None
    }

    /// Packs the next datagrams for the peer in `slot`.
    fn pack(&mut self, slot: u16, now: Millis, buf: &mut [u8]) -> Option<Transmit> {
        let peer = &mut self.slots.get_mut(slot)?.peer;
        let NetworkPath { remote: to, local: from } = peer.path();
        let (connect_id, len_max) = (peer.connect_id(), buf.len());
        let Packed { len: first, is_cut_short } = peer.pack(now, buf, len_max);
        if first == 0 {
            return None;
        }
        self.ack_eliciting_sent += u64::from(Header::is_timed(buf));
        if self.codec.is_active() {
            // Encoded datagrams differ in length.
            let len = self.encode(buf, first, connect_id);
            return Some(self.count(Transmit { to, from, len, segment_size: None }, 1));
        }
        let (mut len, mut datagrams) = (first, 1);
        // No datagram may be longer than the first, and only the last one may be shorter. A first
        // one that is short would divide the packets among more datagrams than necessary.
        while !is_cut_short
            && peer.wants_to_send(now)
            && len == first * datagrams
            && len_max - len >= first + SPARE
        {
            let next = peer.pack(now, &mut buf[len..], first).len;
            if next == 0 {
                break;
            }
            len += next;
            datagrams += 1;
        }
        let segment_size = (datagrams > 1).then_some(first);
        Some(self.count(Transmit { to, from, len, segment_size }, datagrams as u64))
    }

    /// Returns the time at which the next turn is due without input.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due().map(|due| self.clock.to_program(due))
    }

    /// Returns the time of the next turn by the host's clock.
    fn due(&self) -> Option<Instant> {
        if !self.dirty.is_empty() || !self.packing.is_empty() || !self.lone_disconnects.is_empty() {
            return Some(self.now);
        }
        self.timer_due()
    }

    /// Returns the time of the first timer by the host's clock, regardless of queued data.
    pub(super) fn timer_due(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|&(at, _)| Instant::from_millis(at));
        let round = self.bandwidth_round.due.map(Instant::from_millis);
        [timer, round].into_iter().flatten().min()
    }

    /// Updates a peer when nothing is left to send to it in this turn.
    fn packed(&mut self, slot: u16, now: Instant) {
        // The peer may have ended since it was queued.
        let Some(PeerEntry { peer, is_queued, .. }) = self.slots.get_mut(slot) else { return };
        *is_queued = false;
        peer.record(&mut self.queued, &mut self.received);
        if peer.fail_if_broken(&mut self.events) {
            self.touch(slot);
            self.packing.extend(self.dirty.drain(..));
            return;
        }
        match peer.state() {
            State::AcknowledgingDisconnect => {
                self.remove(slot);
                return;
            }
            State::DisconnectLater => {
                peer.disconnect_when_drained();
                if peer.state() == State::Disconnecting {
                    self.touch(slot);
                    self.packing.extend(self.dirty.drain(..));
                    return;
                }
            }
            _ => {}
        }
        self.schedule(slot, now);
    }

    /// Sets the timer of a peer.
    fn schedule(&mut self, slot: u16, now: Instant) {
        let Some(PeerEntry { peer, timer, .. }) = self.slots.get_mut(slot) else {
            bug!("slot {slot} is to have a timer, but has no peer");
            return;
        };
        let Some(at) = peer.deadline(now.as_millis(), &self.settings) else { return };
        // An early timer is kept, because moving it with each acknowledgement would take longer
        // than firing it. But if nothing is in flight, move it: firing it would only cause a
        // useless wake-up.
        let is_over = !peer.has_timeout();
        if timer.is_none_or(|current| at < current || is_over && at > current) {
            if let Some(current) = timer.replace(at) {
                self.timers.remove(&(current, slot));
            }
            self.timers.insert((at, slot));
        }
    }

    /// Compresses the datagram at the start of `buf` and adds a checksum, as configured. Returns
    /// the new length.
    fn encode(&mut self, buf: &mut [u8], len: usize, connect_id: [u8; 4]) -> usize {
        let encoded = self.codec.encode(buf, len, connect_id);
        let plain = len + self.codec.overhead();
        if let Some(saved) = plain.checked_sub(encoded).filter(|&saved| saved > 0) {
            self.stats.datagrams_sent_compressed += 1;
            self.stats.bytes_saved += saved as u64;
        }
        encoded
    }

    const fn count(&mut self, transmit: Transmit, datagrams: u64) -> Transmit {
        self.stats.datagrams_sent += datagrams;
        self.stats.bytes_sent += transmit.len as u64;
        transmit
    }
}
