//! Reception of a host: datagrams and events.

use std::ops::ControlFlow;

use mp_core::{Instant, SharedLimit};

use super::Host;
use crate::proto::channel::delivered_bytes;
use crate::proto::header::Header;
use crate::proto::peer::Context;
use crate::proto::wire::DatagramCodec;
use crate::proto::{DatagramRefusal, HostEvent, NO_PEER, NetworkPath};

impl Host {
    /// Handles a datagram that was received on `path`. Datagrams to a client are sent from the
    /// local address that received its CONNECT. Sends nothing. A malformed datagram is counted and
    /// ignored.
    pub fn handle_datagram(&mut self, now: Instant, path: impl Into<NetworkPath>, datagram: &[u8]) {
        self.advance(now);
        self.stats.datagrams_received += 1;
        self.stats.bytes_received += datagram.len() as u64;
        let Some((header, rest)) = Header::parse(datagram) else {
            self.stats.refused_datagrams.count(DatagramRefusal::Truncated);
            return;
        };
        // Taken out of the host, because the decoded commands may borrow it.
        let mut codec = std::mem::take(&mut self.codec);
        self.handle_encoded(&mut codec, path.into(), datagram.len(), &header, rest);
        self.codec = codec;
    }

    fn handle_encoded(
        &mut self,
        codec: &mut DatagramCodec,
        path: NetworkPath,
        len: usize,
        header: &Header,
        rest: &[u8],
    ) {
        if header.peer_id == NO_PEER {
            match codec.decode(header, rest, [0; 4]) {
                Ok(commands) => self.handle_connect(path, len, commands),
                Err(refusal) => self.stats.refused_datagrams.count(refusal),
            }
            return;
        }
        let (slot, now) = (header.peer_id, self.now.as_millis());
        let refusal = self.admission_refusal(slot);
        let entry = self.slots.get_mut(slot);
        let Some(entry) = entry.filter(|it| it.peer.expects(path.remote, header.session)) else {
            self.stats.refused_datagrams.count(DatagramRefusal::UnknownPeer);
            return;
        };
        let peer = &mut entry.peer;
        let commands = match codec.decode(header, rest, peer.connect_id()) {
            Ok(commands) => commands,
            Err(refusal) => {
                self.stats.refused_datagrams.count(refusal);
                return;
            }
        };
        let is_new = !entry.is_counted;
        if is_new {
            peer.count_unvalidated(len);
        }
        let (events, limit) = (&mut self.events, &mut self.received);
        let mut context = Context::new(&self.settings, events, limit, refusal.is_none());
        let flow = peer.handle_commands(now, header.sent_time, commands, &mut context);
        self.stats.deferred += context.deferred();
        if let Some(refusal) = context.refusal() {
            self.stats.refused_commands.count(refusal);
        }
        let needs_touch = is_new || context.affects_sending();
        let is_limited = peer.receive_bandwidth() > 0;
        self.paused_peers.add(entry);
        if is_new {
            self.settle(slot, refusal);
        }
        if is_limited && self.bandwidth_round.due.is_none() {
            self.schedule_bandwidth_round();
        }
        match flow {
            ControlFlow::Continue(()) if needs_touch => self.touch(slot),
            ControlFlow::Continue(()) => {}
            ControlFlow::Break(()) => self.remove(slot),
        }
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<HostEvent> {
        if self.events.is_empty() {
            self.resume();
        }
        let event = self.events.pop_front()?;
        withdraw(&mut self.received, &event);
        if let HostEvent::Packet { connection, payload, .. } = &event
            && let Some(peer) = self.slots.peer_mut(*connection)
        {
            peer.packet_taken(payload.len());
        }
        Some(event)
    }
}

/// Removes the packet of a polled event from `limit`.
pub(super) fn withdraw(limit: &mut SharedLimit, event: &HostEvent) {
    if let HostEvent::Packet { payload, .. } = event {
        limit.replace(delivered_bytes(payload), 0);
    }
}
