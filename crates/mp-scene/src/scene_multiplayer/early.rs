//! What arrives too early: messages for nodes and synchronizers that are not there yet. They wait briefly instead of being lost.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use mp_core::{Instant, PeerId};

use crate::limits::{EARLY_BYTES_MAX, EARLY_PACKETS_MAX, EARLY_TIME};

/// Packets that wait, each kind in the order in which it came.
///
/// Bounds, for each peer: [`EARLY_PACKETS_MAX`] and [`EARLY_BYTES_MAX`]. What finds no room, or has waited for [`EARLY_TIME`], is
/// refused.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// By what is missing.
    waiting: BTreeMap<Awaited, VecDeque<Waiting>>,
    held: BTreeMap<PeerId, Held>,
    /// When to look for those that have waited too long: no later than `EARLY_TIME` after the first came.
    sweep_at: Option<Instant>,
}

/// What a packet waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Awaited {
    /// A node at this path.
    Path(String),
    /// The synchronizer that a peer calls by this net id, to send it all; the newest packet takes the place of an older one.
    Sync(PeerId, u32),
    /// The same, to send it changes.
    Delta(PeerId, u32),
}

impl Awaited {
    /// What it takes.
    fn len(&self) -> usize {
        match self {
            Self::Path(path) => path.len(),
            Self::Sync(..) | Self::Delta(..) => size_of::<u32>(),
        }
    }
}

/// A packet that waits for something.
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
    /// Keeps a packet until there is what it is for; false when its sender has too many waiting.
    pub(super) fn hold(
        &mut self,
        now: Instant,
        sender: PeerId,
        of: Awaited,
        packet: &Bytes,
    ) -> bool {
        if matches!(of, Awaited::Sync(..)) {
            self.take(&of);
        }
        let held = self.held.entry(sender).or_default();
        let bytes = held.bytes + packet.len() + of.len();
        if held.packets >= EARLY_PACKETS_MAX || bytes > EARLY_BYTES_MAX {
            return false;
        }
        *held = Held { packets: held.packets + 1, bytes };
        let until = now + EARLY_TIME;
        self.sweep_at.get_or_insert(until);
        // A copy: the packet may be a small part of a large buffer.
        let packet = Bytes::copy_from_slice(packet);
        let waiting = Waiting { sender, packet, until };
        self.waiting.entry(of).or_default().push_back(waiting);
        true
    }

    /// Whether anything waits.
    pub(super) fn awaits_nodes(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The path of the node that a packet of `sender` waits for of which `is` holds.
    pub(super) fn path_awaited(&self, sender: PeerId, is: impl Fn(&Bytes) -> bool) -> Option<&str> {
        self.held.get(&sender)?;
        self.waiting.iter().find_map(|(of, queue)| {
            let Awaited::Path(path) = of else { return None };
            let mut own = queue.iter().filter(|waiting| waiting.sender == sender);
            own.any(|waiting| is(&waiting.packet)).then_some(path.as_str())
        })
    }

    /// What waited for what is there now.
    pub(super) fn take(&mut self, of: &Awaited) -> VecDeque<Waiting> {
        let taken = self.waiting.remove(of).unwrap_or_default();
        for waiting in &taken {
            self.release(waiting, of.len());
        }
        taken
    }

    /// What waited for the synchronizer that `sender` calls `id`: first what is sent of it always, then the changes.
    pub(super) fn take_named(&mut self, sender: PeerId, id: u32) -> VecDeque<Waiting> {
        let mut taken = self.take(&Awaited::Sync(sender, id));
        taken.append(&mut self.take(&Awaited::Delta(sender, id)));
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
        self.waiting.retain(|of, queue| {
            queue.retain_mut(|waiting| {
                let kept = is_kept(waiting);
                if !kept {
                    let packet = std::mem::take(&mut waiting.packet);
                    dropped.push((Waiting { packet, ..*waiting }, of.len()));
                }
                kept
            });
            !queue.is_empty()
        });
        for (waiting, len) in &dropped {
            self.release(waiting, *len);
        }
        dropped.len() as u64
    }

    fn release(&mut self, waiting: &Waiting, len: usize) {
        let Some(held) = self.held.get_mut(&waiting.sender) else { return };
        held.packets -= 1;
        held.bytes -= waiting.packet.len() + len;
        if held.packets == 0 {
            self.held.remove(&waiting.sender);
        }
    }
}
