//! The replication step, which sends SYNC and DELTA at each tick of the branch.
//!
//! 1. Visibility filters that were configured to do so run again.
//! 2. `delta` finds changes: from fields that report them, and by comparing the encoded values of
//!    the others.
//! 3. Each peer is sent its SYNCs (`sync`) and then its DELTAs.

use std::rc::Rc;

use bytes::BytesMut;
use mp_core::PeerId;

use super::errors::Errors;
use super::synchronizers::Synchronizers;
use super::{Context, PeerInfo, Replication};

/// Size of the blocks from which packets are allocated.
const PACKETS_BLOCK: usize = 64 * 1024;

/// A peer in a step, and the parts of the replication from which its packets are made.
pub(super) struct PeerStep<'a> {
    pub(super) peer: PeerId,
    pub(super) info: &'a mut PeerInfo,
    pub(super) synchronizers: &'a mut Synchronizers,
    pub(super) errors: &'a mut Errors,
    /// Maximum size of a SYNC packet in bytes.
    pub(super) sync_packet_max: usize,
    /// Maximum size of a DELTA packet in bytes.
    pub(super) delta_packet_max: usize,
}

impl Replication {
    /// Sends the SYNCs and DELTAs that are due.
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
        let (sync_packet_max, delta_packet_max) = (self.sync_packet_max, self.delta_packet_max);
        for (&peer, info) in peers.iter_mut() {
            if cx.sender.accepts_properties(peer) {
                info.update_plan(cx, peer, synchronizers, plans);
                let mut step = PeerStep {
                    peer,
                    info,
                    synchronizers,
                    errors,
                    sync_packet_max,
                    delta_packet_max,
                };
                syncs.send(cx, &mut step, deltas);
                deltas.send(cx, &mut step);
                if !cx.own.is_server() {
                    // The connection to the server also has the packets for other clients, in
                    // Godot's order.
                    deltas.flush(cx, synchronizers);
                }
            } else {
                // The peer is sent the newest state when it accepts properties again.
                info.candidates.clear();
                self.stats.skipped_steps += 1;
            }
        }
        deltas.flush(cx, synchronizers);
        syncs.end(cx, synchronizers);
        self.update_lagging();
    }
}

/// Reserves `len` bytes without moving slices that are still in use. Memory of dropped slices is
/// reused.
pub(super) fn reserve(packets: &mut BytesMut, len: usize) {
    if packets.capacity() - packets.len() < len {
        packets.reserve(len.max(PACKETS_BLOCK));
    }
}
