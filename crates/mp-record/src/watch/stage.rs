//! [`Stage`]: sends watchers what the recorded client has received, with ids of its own.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mp_core::{Channel, PeerId, TransferMode};
use mp_scene::codec::godot::{IdMap, map_ids};
use mp_scene::{Codec, IdBlocks, IdCounter, PacketKind, RelayContext, SceneMessage};

use super::view::{View, announced_path};
use crate::limits::VIEW_ENTRIES_MAX;

/// The clients that watch. A Godot client accepts each path id of a peer once, so ids are replaced
/// with new ones after each seek.
#[derive(Debug, Default)]
pub(super) struct Stage {
    pub(super) watchers: BTreeSet<PeerId>,
    paths: IdCounter,
    net_ids: IdCounter,
    /// Ids that watchers know, by author and recorded id.
    known_paths: BTreeMap<(PeerId, u32), u32>,
    known_net_ids: BTreeMap<(PeerId, u32), u32>,
    clocks: BTreeMap<PeerId, Clock>,
}

/// The numbers of an author's SYNCs: watchers ignore numbers below the last one.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    /// Difference to the recorded numbers; `None` until the first one after a seek.
    offset: Option<u16>,
    /// The newest number that was sent.
    last: u16,
}

impl Clock {
    /// Returns the number for a recorded one.
    fn map(&mut self, time: u16) -> u16 {
        let next = self.last.wrapping_add(1);
        let offset = *self.offset.get_or_insert_with(|| next.wrapping_sub(time));
        let mapped = time.wrapping_add(offset);
        if mapped.wrapping_sub(self.last) < u16::MAX / 2 {
            self.last = mapped;
        }
        mapped
    }

    /// Returns the number of a SYNC with the state at this time. A new client ignores 0.
    fn current(&mut self) -> u16 {
        self.last = self.last.max(1);
        self.last
    }

    /// Continues with other recorded numbers.
    fn seek(&mut self) {
        *self = Self { offset: None, last: self.last.wrapping_add(1) };
    }
}

const RELIABLE: (TransferMode, Channel) = (TransferMode::Reliable, Channel(0));

impl Stage {
    pub(super) fn set_ids(&mut self, ids: &IdBlocks) {
        (self.paths, self.net_ids) = (ids.counter(), ids.counter());
    }

    /// Sends watchers a packet of `author`. Packets for the recorded client alone are left out.
    pub(super) fn send(
        &mut self,
        cx: &mut RelayContext<'_>,
        to: &[PeerId],
        author: PeerId,
        mode: (TransferMode, Channel),
        packet: &Bytes,
    ) {
        self.send_with(cx, to, author, mode, packet, false);
    }

    /// Same as [`send`](Self::send). With `is_state`, the packet is of a view.
    fn send_with(
        &mut self,
        cx: &mut RelayContext<'_>,
        to: &[PeerId],
        author: PeerId,
        mode: (TransferMode, Channel),
        packet: &Bytes,
        is_state: bool,
    ) {
        let kind = Codec::default().kind(packet);
        let is_shown = match kind {
            Some(PacketKind::Path) => announced_path(packet).is_some(),
            Some(PacketKind::Auth | PacketKind::Sys | PacketKind::Relay) | None => false,
            _ => true,
        };
        if !is_shown {
            return;
        }
        let mut ids = Ids { stage: self, author, kind, is_state };
        // A packet with unknown ids is of a node that was not announced in the recording.
        if let Ok(Some(packet)) = map_ids(packet, &mut ids) {
            cx.forward(author, to, mode, &packet);
        }
    }

    pub(super) fn add_peer(cx: &mut RelayContext<'_>, to: &[PeerId], peer: PeerId) {
        to.iter().for_each(|&it| cx.send_message(PeerId::SERVER, it, &SceneMessage::AddPeer(peer)));
    }

    pub(super) fn remove_peer(cx: &mut RelayContext<'_>, to: &[PeerId], peer: PeerId) {
        to.iter().for_each(|&it| cx.send_message(PeerId::SERVER, it, &SceneMessage::DelPeer(peer)));
    }

    /// Sends watchers all peers, nodes and values of `view`.
    pub(super) fn show(&mut self, cx: &mut RelayContext<'_>, to: &[PeerId], view: &View) {
        view.peers().for_each(|peer| Self::add_peer(cx, to, peer));
        for (author, packet) in view.packets() {
            self.send_with(cx, to, author, RELIABLE, &packet, true);
        }
    }

    /// Removes all peers and nodes of `view` from the watchers. Ids are new from now on.
    pub(super) fn hide(&mut self, cx: &mut RelayContext<'_>, to: &[PeerId], view: &View) {
        for (author, packet) in view.removals() {
            self.send(cx, to, author, RELIABLE, &packet);
        }
        view.peers().for_each(|peer| Self::remove_peer(cx, to, peer));
        self.known_paths.clear();
        self.known_net_ids.clear();
        self.clocks.values_mut().for_each(Clock::seek);
    }

    /// Returns the watchers except those in `later`.
    pub(super) fn current(&self, later: &BTreeSet<PeerId>) -> Vec<PeerId> {
        self.watchers.difference(later).copied().collect()
    }
}

/// The ids of a packet.
struct Ids<'s> {
    stage: &'s mut Stage,
    author: PeerId,
    kind: Option<PacketKind>,
    is_state: bool,
}

impl IdMap for Ids<'_> {
    fn path_id(&mut self, id: u32) -> Option<u32> {
        let Stage { paths, known_paths, .. } = &mut *self.stage;
        let is_announced = self.kind == Some(PacketKind::Path);
        find(known_paths, paths, (self.author, id), is_announced)
    }

    fn net_id(&mut self, id: u32) -> Option<u32> {
        let Stage { net_ids, known_net_ids, .. } = &mut *self.stage;
        let is_announced = self.kind == Some(PacketKind::Spawn);
        find(known_net_ids, net_ids, (self.author, id), is_announced)
    }

    fn sync_time(&mut self, time: u16) -> u16 {
        let clock = self.stage.clocks.entry(self.author).or_default();
        if self.is_state { clock.current() } else { clock.map(time) }
    }
}

fn find(
    known: &mut BTreeMap<(PeerId, u32), u32>,
    counter: &mut IdCounter,
    key: (PeerId, u32),
    is_announced: bool,
) -> Option<u32> {
    if is_announced && known.len() < VIEW_ENTRIES_MAX {
        // A watcher that joins late receives the id that the others know.
        return Some(*known.entry(key).or_insert_with(|| counter.next()));
    }
    known.get(&key).copied()
}
