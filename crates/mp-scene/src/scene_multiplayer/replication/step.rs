//! The replication step: SYNC and DELTA, as often as the branch ticks.
//!
//! 1. Filters are asked again where that is wanted.
//! 2. `delta` finds what has changed: fields that report it, and plain ones by comparing what they
//!    encode to.
//! 3. Each peer, in one walk over them, gets its SYNCs (`sync`) and then its DELTAs.

use std::rc::Rc;

use bytes::BytesMut;

use super::{Context, Replication};

/// Packets are cut from blocks of this size.
const PACKETS_BLOCK: usize = 64 * 1024;

impl Replication {
    /// Sends what is due.
    pub(in crate::scene_multiplayer) fn replicate(&mut self, cx: &mut Context<'_>) {
        self.run_filters(cx);
        if !self.peers.is_empty() {
            self.step(cx);
        }
        self.errors.emit(cx.events);
    }

    fn step(&mut self, cx: &mut Context<'_>) {
        self.plans.retain(|_, plan| Rc::strong_count(plan) > 1);
        self.syncs.begin();
        self.find_changes(cx);
        let Self { peers, synchronizers, plans, syncs, deltas, errors, .. } = self;
        let (sync_max, delta_max) = (self.sync_packet_max, self.delta_packet_max);
        for (&peer, info) in peers.iter_mut() {
            if cx.sender.accepts_properties(peer) {
                info.update_plan(cx, peer, synchronizers, plans);
                syncs.send(cx, peer, info, synchronizers, errors, sync_max);
                deltas.send(cx, peer, info, synchronizers, errors, delta_max);
            } else {
                // It is sent the newest state when it accepts something again.
                info.candidates.clear();
                self.stats.skipped_steps += 1;
            }
        }
        self.syncs.end();
        self.update_lagging();
    }
}

/// Lets `len` bytes be appended without moving what others hold. What they hold no more is used again.
pub(super) fn reserve(packets: &mut BytesMut, len: usize) {
    if packets.capacity() - packets.len() < len {
        packets.reserve(len.max(PACKETS_BLOCK));
    }
}
