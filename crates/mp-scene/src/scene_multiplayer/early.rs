//! What arrives too early: relayed packets of peers that are not announced yet, and messages for nodes that are not there yet. It
//! waits briefly instead of being lost.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use mp_core::{Instant, PeerId};

use crate::limits::{EARLY_BYTES_MAX, EARLY_PACKETS_MAX, EARLY_TIME};

/// Packets that wait, each kind in the order in which it came.
///
/// Bounds, for each peer and for all relayed packets together: [`EARLY_PACKETS_MAX`] and [`EARLY_BYTES_MAX`]. Of relayed packets the
/// oldest make way; a message for a node that finds no room, or has waited for [`EARLY_TIME`], is refused.
#[derive(Debug, Default)]
pub(super) struct Early {
    relayed: VecDeque<(PeerId, Bytes)>,
    relayed_bytes: usize,
    /// By the path of the missing node.
    for_nodes: BTreeMap<String, VecDeque<Waiting>>,
    held: BTreeMap<PeerId, Held>,
    /// When to look for those that have waited too long: no later than `EARLY_TIME` after the first came.
    sweep_at: Option<Instant>,
}

/// A packet that waits for a node.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) sender: PeerId,
    pub(super) packet: Bytes,
    until: Instant,
}

/// What waits for nodes of one sender.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    packets: usize,
    bytes: usize,
}

impl Early {
    /// Keeps a relayed packet; returns how many made way for it.
    pub(super) fn hold_relayed(&mut self, from: PeerId, packet: &[u8]) -> u64 {
        self.relayed.push_back((from, Bytes::copy_from_slice(packet)));
        self.relayed_bytes += packet.len();
        let mut dropped = 0;
        while self.relayed.len() > EARLY_PACKETS_MAX || self.relayed_bytes > EARLY_BYTES_MAX {
            let Some((_, packet)) = self.relayed.pop_front() else { break };
            self.relayed_bytes -= packet.len();
            dropped += 1;
        }
        dropped
    }

    /// The relayed packets of a peer that is announced now.
    pub(super) fn take_relayed(&mut self, peer: PeerId) -> Vec<Bytes> {
        let mut taken = Vec::new();
        self.relayed.retain_mut(|(from, packet)| {
            if *from == peer {
                self.relayed_bytes -= packet.len();
                taken.push(std::mem::take(packet));
                return false;
            }
            true
        });
        taken
    }

    /// Keeps a packet until there is a node at `path`; false when its sender has too many waiting.
    pub(super) fn hold(
        &mut self,
        now: Instant,
        sender: PeerId,
        path: &str,
        packet: &Bytes,
    ) -> bool {
        let held = self.held.entry(sender).or_default();
        let bytes = held.bytes + packet.len() + path.len();
        if held.packets >= EARLY_PACKETS_MAX || bytes > EARLY_BYTES_MAX {
            return false;
        }
        *held = Held { packets: held.packets + 1, bytes };
        let until = now + EARLY_TIME;
        self.sweep_at.get_or_insert(until);
        // A copy: the packet may be a small part of a large buffer.
        let packet = Bytes::copy_from_slice(packet);
        let waiting = Waiting { sender, packet, until };
        self.for_nodes.entry(path.to_owned()).or_default().push_back(waiting);
        true
    }

    /// Whether anything waits for a node.
    pub(super) fn awaits_nodes(&self) -> bool {
        !self.for_nodes.is_empty()
    }

    /// What waited for the node that is at `path` now.
    pub(super) fn take(&mut self, path: &str) -> VecDeque<Waiting> {
        let taken = self.for_nodes.remove(path).unwrap_or_default();
        for waiting in &taken {
            self.release(waiting, path.len());
        }
        taken
    }

    /// Forgets what a peer sent that has left.
    pub(super) fn remove_peer(&mut self, peer: PeerId) {
        if self.held.remove(&peer).is_some() {
            self.keep(|waiting| waiting.sender != peer);
        }
    }

    /// Forgets what has waited too long; returns how much.
    pub(super) fn sweep(&mut self, now: Instant) -> u64 {
        if self.sweep_at.is_none_or(|at| now < at) {
            return 0;
        }
        let dropped = self.keep(|waiting| now < waiting.until);
        self.sweep_at = self.awaits_nodes().then_some(now + EARLY_TIME);
        dropped
    }

    /// When [`sweep`](Self::sweep) is due.
    pub(super) fn next_sweep(&self) -> Option<Instant> {
        self.sweep_at
    }

    fn keep(&mut self, is_kept: impl Fn(&Waiting) -> bool) -> u64 {
        let mut dropped = Vec::new();
        self.for_nodes.retain(|path, queue| {
            queue.retain_mut(|waiting| {
                let kept = is_kept(waiting);
                if !kept {
                    let packet = std::mem::take(&mut waiting.packet);
                    dropped.push((Waiting { packet, ..*waiting }, path.len()));
                }
                kept
            });
            !queue.is_empty()
        });
        for (waiting, path_len) in &dropped {
            self.release(waiting, *path_len);
        }
        dropped.len() as u64
    }

    fn release(&mut self, waiting: &Waiting, path_len: usize) {
        let Some(held) = self.held.get_mut(&waiting.sender) else { return };
        held.packets -= 1;
        held.bytes -= waiting.packet.len() + path_len;
        if held.packets == 0 {
            self.held.remove(&waiting.sender);
        }
    }
}
