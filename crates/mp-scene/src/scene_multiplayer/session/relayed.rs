//! Announcements of clients to each other through the server, for clients that resume their session
//! under the same id.
//!
//! A client announces a path or a node to another one once. One that has resumed knows none of
//! this, and the others do not notice. So the server keeps the announced paths and repeats them to
//! it. The resumed client in turn counts its path ids and SYNC packets from 1 again. A Godot client
//! accepts each path id of a peer once, and no SYNC with a number that it had: the server adds a
//! *base* to both.
//!
//! Nodes that one client has spawned on another are not kept. After such an announcement the two
//! are announced to each other anew, which begins a new session between them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mp_core::PeerId;
use serde::{Deserialize, Serialize};

use crate::codec::godot::{self, IdMap, RelayedAnnouncement};
use crate::limits::{HANDED_BASES_MAX, RELAYED_BYTES_MAX, RELAYED_PATHS_MAX};

/// Memory in bytes of an announcement besides the packet.
const ENTRY_BYTES: usize = 64;

/// First number that is not a path id.
const IDS_END: u32 = 1 << 31;

/// The announcements between all pairs of clients.
#[derive(Debug, Default)]
pub(super) struct RelayedAnnouncements {
    is_enabled: bool,
    /// By receiver and author.
    pairs: BTreeMap<(PeerId, PeerId), Announced>,
    bytes: usize,
    /// Peers that a branch of another process has served before. What any two of them have
    /// announced to each other there is not known.
    restored: BTreeSet<PeerId>,
}

/// The announcements of an author to a receiver.
#[derive(Debug, Default)]
struct Announced {
    /// Announcements of paths by id, as the receiver got them.
    paths: BTreeMap<u32, Bytes>,
    /// Highest path id that the receiver got.
    last_id: u32,
    /// Last number of a SYNC that the receiver got.
    last_sync: u16,
    /// Numbers that are added to those of the author, which has resumed its session.
    base: Base,
    /// True if the announcements cannot be repeated: there are too many, or nodes among them.
    is_lost: bool,
}

/// Numbers that are added to those of a client's session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Base {
    path_id: u32,
    sync: u16,
}

/// The numbers that are added to those of a client for another one, in a handover.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct RelayBase {
    to: PeerId,
    author: PeerId,
    path_id: u32,
    sync: u16,
}

/// The packet that a receiver gets in place of another one; `None`: it gets none.
pub(super) type Replacement = (PeerId, Option<Bytes>);

impl RelayedAnnouncements {
    pub(super) fn enable(&mut self) {
        self.is_enabled = true;
    }

    /// Handles a packet of `author` before it is forwarded to `peers`. Removes those that get
    /// another packet, or none, and returns them.
    pub(super) fn forward(
        &mut self,
        author: PeerId,
        peers: &mut Vec<PeerId>,
        packet: &Bytes,
    ) -> Vec<Replacement> {
        if !self.is_enabled {
            return Vec::new();
        }
        let announcement = godot::relayed_announcement(packet);
        let mut replaced = Vec::new();
        peers.retain(|&to| {
            let mapped = match announcement {
                RelayedAnnouncement::Confirmation(id) => {
                    self.confirmed_id(author, to, id).map(|id| id.map(godot::confirm_path(packet)))
                }
                _ => self.mapped(author, to, packet),
            };
            let sent = match &mapped {
                Some(mapped) => mapped.as_ref(),
                None => Some(packet),
            };
            if let Some(sent) = sent {
                let is_same = mapped.is_none();
                // The ids of the packet may have been mapped.
                let announcement = match is_same {
                    true => announcement,
                    false => godot::relayed_announcement(sent),
                };
                self.record(author, to, announcement, sent);
            }
            let is_same = mapped.is_none();
            replaced.extend(mapped.map(|mapped| (to, mapped)));
            is_same
        });
        replaced
    }

    /// Prepares the announcements between a client that resumes and another one. Returns false if
    /// they have to be announced to each other anew.
    pub(super) fn resume(&mut self, peer: PeerId, other: PeerId) -> bool {
        let is_lost = |of| self.pairs.get(&of).is_some_and(|pair| pair.is_lost);
        let is_unknown = self.restored.contains(&peer) && self.restored.contains(&other);
        if is_unknown || is_lost((peer, other)) || is_lost((other, peer)) {
            self.remove((peer, other));
            self.remove((other, peer));
            return false;
        }
        if let Some(pair) = self.pairs.get_mut(&(other, peer)) {
            pair.base = Base { path_id: pair.last_id, sync: pair.last_sync };
            let paths = std::mem::take(&mut pair.paths);
            self.bytes -= size(&paths);
        }
        true
    }

    /// Records that a client has resumed its session, and the others were announced to it.
    pub(super) fn resumed(&mut self, peer: PeerId) {
        self.restored.remove(&peer);
    }

    /// Returns the numbers that are added to those of clients; `None` if there are too many.
    pub(super) fn bases(&self) -> Option<Vec<RelayBase>> {
        let with_base = self.pairs.iter().filter(|(_, pair)| pair.base != Base::default());
        let base = |(&(to, author), pair): (&(PeerId, PeerId), &Announced)| {
            let Base { path_id, sync } = pair.base;
            RelayBase { to, author, path_id, sync }
        };
        let bases: Vec<_> = with_base.map(base).collect();
        (bases.len() <= HANDED_BASES_MAX).then_some(bases)
    }

    /// Goes on with the clients of a branch of another process.
    pub(super) fn restore(&mut self, peers: impl Iterator<Item = PeerId>, bases: &[RelayBase]) {
        if !self.is_enabled {
            return;
        }
        self.restored = peers.collect();
        for &RelayBase { to, author, path_id, sync } in bases {
            let pair = self.pairs.entry((to, author)).or_default();
            pair.base = Base { path_id, sync };
            pair.is_lost = true;
        }
    }

    /// Returns what others have announced to `peer`, with the authors.
    pub(super) fn announced_to(&self, peer: PeerId) -> Vec<(PeerId, Bytes)> {
        // The server has the lowest id.
        let of_peer = self.pairs.range((peer, PeerId::SERVER)..);
        of_peer
            .take_while(|((to, _), _)| *to == peer)
            .flat_map(|(&(_, author), pair)| {
                pair.paths.values().map(move |it| (author, it.clone()))
            })
            .collect()
    }

    /// Forgets a peer whose session has ended.
    pub(super) fn forget_peer(&mut self, peer: PeerId) {
        let gone: Vec<_> =
            self.pairs.keys().filter(|(to, of)| *to == peer || *of == peer).copied().collect();
        gone.into_iter().for_each(|pair| self.remove(pair));
        self.restored.remove(&peer);
    }

    pub(super) fn clear(&mut self) {
        *self = Self { is_enabled: self.is_enabled, ..Self::default() };
    }

    fn record(
        &mut self,
        author: PeerId,
        to: PeerId,
        announcement: RelayedAnnouncement,
        packet: &Bytes,
    ) {
        let id = match announcement {
            RelayedAnnouncement::Confirmation(_) | RelayedAnnouncement::None => return,
            RelayedAnnouncement::Path(id) => Some(id),
            RelayedAnnouncement::Node | RelayedAnnouncement::Sync(_) => None,
        };
        let pair = self.pairs.entry((to, author)).or_default();
        if let RelayedAnnouncement::Sync(time) = announcement {
            // An older one may be received later.
            if (time.wrapping_sub(pair.last_sync) as i16) > 0 {
                pair.last_sync = time;
            }
            return;
        }
        let added = packet.len() + ENTRY_BYTES;
        match id {
            Some(id)
                if !pair.is_lost
                    && pair.paths.len() < RELAYED_PATHS_MAX
                    && self.bytes + added <= RELAYED_BYTES_MAX =>
            {
                pair.last_id = pair.last_id.max(id);
                self.bytes += added;
                if let Some(before) = pair.paths.insert(id, packet.clone()) {
                    self.bytes -= before.len() + ENTRY_BYTES;
                }
            }
            _ => {
                pair.is_lost = true;
                let paths = std::mem::take(&mut pair.paths);
                self.bytes -= size(&paths);
            }
        }
    }

    /// Returns the packet with the path ids that the receiver knows: `None` for the same packet,
    /// `Some(None)` if it cannot be sent.
    fn mapped(&self, author: PeerId, to: PeerId, packet: &Bytes) -> Option<Option<Bytes>> {
        let base = self.base(author, to)?;
        // Malformed packets are the receiver's to refuse, as without a base.
        let mapped = godot::map_ids(packet, &mut AddBase(base.path_id)).ok()?;
        Some(mapped.map(|mapped| match godot::relayed_announcement(&mapped) {
            RelayedAnnouncement::Sync(time) => {
                godot::with_sync_time(&mapped, time.wrapping_add(base.sync))
            }
            _ => mapped,
        }))
    }

    /// Returns the id that `author` has confirmed, as `to` has assigned it: `None` if it is the
    /// same, `Some(None)` if an earlier session of `to` has assigned it.
    fn confirmed_id(&self, author: PeerId, to: PeerId, id: u32) -> Option<Option<u32>> {
        let base = self.base(to, author)?;
        Some(id.checked_sub(base.path_id).filter(|&id| id > 0))
    }

    /// Returns the numbers that are added to those of `author` for `to`; `None` if they are 0.
    fn base(&self, author: PeerId, to: PeerId) -> Option<Base> {
        self.pairs.get(&(to, author)).map(|pair| pair.base).filter(|&base| base != Base::default())
    }

    fn remove(&mut self, pair: (PeerId, PeerId)) {
        if let Some(pair) = self.pairs.remove(&pair) {
            self.bytes -= size(&pair.paths);
        }
    }
}

fn size(paths: &BTreeMap<u32, Bytes>) -> usize {
    paths.values().map(|packet| packet.len() + ENTRY_BYTES).sum()
}

/// Adds a number to path ids.
struct AddBase(u32);

impl IdMap for AddBase {
    fn path_id(&mut self, id: u32) -> Option<u32> {
        id.checked_add(self.0).filter(|&id| id < IDS_END)
    }

    fn net_id(&mut self, id: u32) -> Option<u32> {
        // The net id of a synchronizer may be a path id.
        match id & IDS_END {
            0 => Some(id),
            _ => self.path_id(id & !IDS_END).map(|id| id | IDS_END),
        }
    }
}
