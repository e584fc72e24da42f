//! Messages for nodes and synchronizers that are not there yet. They are deferred for some time
//! instead of being dropped.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use mp_core::{Instant, PeerId, bug};

use crate::limits::{
    DEFERRED_BYTES_MAX, DEFERRED_PACKETS_MAX, DEFERRED_TIME, LEVEL_BYTES_MAX, LEVEL_PACKETS_MAX,
    LEVEL_TIME, LEVEL_TOTAL_BYTES_MAX,
};

/// Deferred messages, in the order of reception.
///
/// Limits per peer: [`DEFERRED_PACKETS_MAX`] and [`DEFERRED_BYTES_MAX`] for calls and again for
/// SYNC, with the timeout [`DEFERRED_TIME`]; [`LEVEL_PACKETS_MAX`], [`LEVEL_BYTES_MAX`] and
/// [`LEVEL_TIME`] for announcements and DELTA. Announcements and DELTA of all peers have at most
/// [`LEVEL_TOTAL_BYTES_MAX`]; beyond it each peer may still have [`DEFERRED_BYTES_MAX`].
#[derive(Debug, Default)]
pub(crate) struct DeferredMessages {
    /// Messages by the node or synchronizer that they need.
    messages: BTreeMap<Awaited, VecDeque<DeferredMessage>>,
    /// The path that a peer's SIMPLIFY_PATH or SPAWN is deferred for.
    announced: BTreeMap<(PeerId, MessageKind), String>,
    usage: BTreeMap<(PeerId, Quota), QuotaUsage>,
    /// Bytes of announcements and DELTA of all peers.
    level_bytes: usize,
    /// Time of the next check for timeouts: at most `DEFERRED_TIME` after the first message was
    /// deferred.
    sweep_at: Option<Instant>,
    /// Messages whose nodes were added, in the order in which they are received next.
    released: VecDeque<DeferredMessage>,
}

/// The node or synchronizer that a message needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Awaited {
    /// The node at this path.
    Path(String),
    /// The peer's synchronizer with this net id, for a SYNC. A newer SYNC replaces an older one.
    Sync(PeerId, u32),
    /// The peer's synchronizer with this net id, for a DELTA.
    Delta(PeerId, u32),
}

impl Awaited {
    /// Returns the size in bytes, for the limits.
    fn len(&self) -> usize {
        match self {
            Self::Path(path) => path.len(),
            Self::Sync(..) | Self::Delta(..) => size_of::<u32>(),
        }
    }
}

/// The kind of a deferred message, which determines its limits and what it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MessageKind {
    Call,
    Sync,
    /// DELTA of these properties. It replaces an older one that has no other properties.
    Delta(u64),
    /// SIMPLIFY_PATH with this path id. Receiving the same one again restarts its timeout.
    SimplifyPath(u32),
    /// SPAWN with this net id.
    Spawn(u32),
}

/// Kinds of messages with common limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Quota {
    Calls,
    Syncs,
    Level,
}

impl MessageKind {
    fn quota(self) -> Quota {
        match self {
            Self::Call => Quota::Calls,
            Self::Sync => Quota::Syncs,
            Self::Delta(_) | Self::SimplifyPath(_) | Self::Spawn(_) => Quota::Level,
        }
    }

    /// Returns whether the session is inconsistent without the message, because its sender relies
    /// on it.
    pub(crate) fn is_essential(self) -> bool {
        self.quota() == Quota::Level
    }
}

impl Quota {
    /// Returns the maximum number of packets, their maximum bytes, and the timeout.
    fn limits(self) -> (usize, usize, Duration) {
        match self {
            Self::Calls | Self::Syncs => (DEFERRED_PACKETS_MAX, DEFERRED_BYTES_MAX, DEFERRED_TIME),
            Self::Level => (LEVEL_PACKETS_MAX, LEVEL_BYTES_MAX, LEVEL_TIME),
        }
    }
}

/// A message that is deferred until its node or synchronizer is there.
#[derive(Debug)]
pub(crate) struct DeferredMessage {
    pub(crate) sender: PeerId,
    pub(crate) kind: MessageKind,
    pub(crate) packet: Bytes,
    until: Instant,
}

/// Announcements of a peer that have timed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpiredMessages {
    pub(crate) sender: PeerId,
    /// The path at which most of them were deferred.
    pub(crate) path: String,
    /// Number of announcements, at all paths.
    pub(crate) packets: usize,
}

/// Deferred messages of a peer that count against one quota.
#[derive(Clone, Copy, Debug, Default)]
struct QuotaUsage {
    packets: usize,
    bytes: usize,
}

impl DeferredMessages {
    /// Defers a message until `of` is there; returns false if the sender's quota is exhausted.
    pub(crate) fn defer(
        &mut self,
        now: Instant,
        sender: PeerId,
        of: Awaited,
        kind: MessageKind,
        packet: &Bytes,
    ) -> bool {
        let (packets_max, bytes_max, time) = kind.quota().limits();
        let until = now + time;
        if self.supersede(sender, &of, kind, until) {
            return true;
        }
        let is_level = kind.quota() == Quota::Level;
        let usage = self.usage.get(&(sender, kind.quota())).copied().unwrap_or_default();
        let len = packet.len() + of.len();
        let (packets, bytes) = (usage.packets + 1, usage.bytes + len);
        let is_full = is_level && self.level_bytes + len > LEVEL_TOTAL_BYTES_MAX;
        if packets > packets_max || bytes > bytes_max || is_full && bytes > DEFERRED_BYTES_MAX {
            return false;
        }
        self.usage.insert((sender, kind.quota()), QuotaUsage { packets, bytes });
        if is_level {
            self.level_bytes += len;
        }
        if let (MessageKind::SimplifyPath(_) | MessageKind::Spawn(_), Awaited::Path(path)) =
            (kind, &of)
        {
            self.announced.insert((sender, kind), path.clone());
        }
        self.sweep_at.get_or_insert(now + DEFERRED_TIME);
        // Copied, since the packet may be a small slice of a large buffer.
        let packet = Bytes::copy_from_slice(packet);
        let message = DeferredMessage { sender, kind, packet, until };
        self.messages.entry(of).or_default().push_back(message);
        true
    }

    /// Drops messages that a new one replaces. Returns true if the same message is already
    /// deferred; its timeout is then `until`.
    fn supersede(
        &mut self,
        sender: PeerId,
        of: &Awaited,
        kind: MessageKind,
        until: Instant,
    ) -> bool {
        match kind {
            MessageKind::Sync => drop(self.take(of)),
            MessageKind::Delta(mask) => drop(self.take_where(
                of,
                |message| matches!(message.kind, MessageKind::Delta(older) if older & !mask == 0),
            )),
            MessageKind::SimplifyPath(_) => {
                let queue = self.messages.get_mut(of).into_iter().flatten();
                let mut same = queue.filter(|it| it.sender == sender && it.kind == kind);
                if let Some(same) = same.next() {
                    same.until = until;
                    return true;
                }
            }
            MessageKind::Call | MessageKind::Spawn(_) => {}
        }
        false
    }

    /// Returns whether any message is deferred.
    pub(crate) fn awaits_nodes(&self) -> bool {
        !self.messages.is_empty()
    }

    /// Returns the path that a peer's SIMPLIFY_PATH with this path id is deferred for.
    pub(crate) fn awaited_path(&self, sender: PeerId, id: u32) -> Option<&str> {
        self.announced.get(&(sender, MessageKind::SimplifyPath(id))).map(String::as_str)
    }

    /// Removes and returns a deferred SPAWN, which its sender has despawned.
    pub(crate) fn take_spawn(&mut self, sender: PeerId, net_id: u32) -> Option<DeferredMessage> {
        let kind = MessageKind::Spawn(net_id);
        let of = Awaited::Path(self.announced.get(&(sender, kind))?.clone());
        let is_it = |message: &DeferredMessage| message.sender == sender && message.kind == kind;
        self.take_where(&of, is_it).pop_front()
    }

    /// Releases messages that were [taken](Self::take) when their nodes were added. They are
    /// received before those that were released earlier. This keeps the sender's order: an
    /// announcement, messages for nodes below it, the next announcement.
    pub(crate) fn release(&mut self, mut packets: VecDeque<DeferredMessage>) {
        packets.append(&mut self.released);
        self.released = packets;
    }

    /// Removes and returns the next released message.
    pub(crate) fn next_released(&mut self) -> Option<DeferredMessage> {
        self.released.pop_front()
    }

    /// Removes and returns the messages that are deferred for `of`.
    pub(crate) fn take(&mut self, of: &Awaited) -> VecDeque<DeferredMessage> {
        let taken = self.messages.remove(of).unwrap_or_default();
        for message in &taken {
            self.subtract_usage(message, of.len());
        }
        taken
    }

    /// Removes and returns the calls that are deferred for `of`, which has left the tree.
    pub(crate) fn take_calls(&mut self, of: &Awaited) -> VecDeque<DeferredMessage> {
        self.take_where(of, |message| message.kind == MessageKind::Call)
    }

    fn take_where(
        &mut self,
        of: &Awaited,
        is: impl Fn(&DeferredMessage) -> bool,
    ) -> VecDeque<DeferredMessage> {
        let Some(queue) = self.messages.get_mut(of) else { return VecDeque::new() };
        let (taken, rest): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(queue).into_iter().partition(is);
        if rest.is_empty() {
            self.messages.remove(of);
        } else {
            *queue = rest;
        }
        for message in &taken {
            self.subtract_usage(message, of.len());
        }
        taken
    }

    /// Removes and returns the messages for the peer's synchronizer with this net id: first SYNC,
    /// then DELTA.
    pub(crate) fn take_for_net_id(&mut self, sender: PeerId, id: u32) -> VecDeque<DeferredMessage> {
        let mut taken = self.take(&Awaited::Sync(sender, id));
        taken.append(&mut self.take(&Awaited::Delta(sender, id)));
        taken
    }

    /// Drops the messages of a peer; returns their number.
    pub(crate) fn remove_peer(&mut self, peer: PeerId) -> usize {
        let released = self.released.len();
        self.released.retain(|message| message.sender != peer);
        let dropped = released - self.released.len();
        let quota = [Quota::Calls, Quota::Syncs, Quota::Level];
        if quota.into_iter().any(|quota| self.usage.contains_key(&(peer, quota))) {
            dropped + self.retain(|message| message.sender != peer).len()
        } else {
            dropped
        }
    }

    /// Returns the senders of announcements that have timed out, in order.
    pub(crate) fn expired(&self, now: Instant) -> Vec<ExpiredMessages> {
        if self.sweep_at.is_none_or(|at| now < at) {
            return Vec::new();
        }
        let mut expired: BTreeMap<PeerId, (usize, &str, usize)> = BTreeMap::new();
        for (of, queue) in &self.messages {
            let Awaited::Path(path) = of else { continue };
            let mut here: BTreeMap<PeerId, usize> = BTreeMap::new();
            let is_lost =
                |message: &&DeferredMessage| message.kind.is_essential() && message.until <= now;
            for message in queue.iter().filter(is_lost) {
                *here.entry(message.sender).or_default() += 1;
            }
            for (sender, packets) in here {
                let (sum, longest, most) = expired.entry(sender).or_default();
                *sum += packets;
                if packets > *most {
                    (*longest, *most) = (path, packets);
                }
            }
        }
        let expired = expired.into_iter();
        let expired = expired.map(|(sender, (packets, path, _))| {
            let path = path.to_owned();
            ExpiredMessages { sender, path, packets }
        });
        expired.collect()
    }

    /// Drops messages that have timed out; returns their senders and kinds.
    pub(crate) fn sweep(&mut self, now: Instant) -> Vec<(PeerId, MessageKind)> {
        if self.sweep_at.is_none_or(|at| now < at) {
            return Vec::new();
        }
        let dropped = self.retain(|message| now < message.until);
        self.sweep_at = self.awaits_nodes().then_some(now + DEFERRED_TIME);
        dropped
    }

    /// Returns the time of the next [`sweep`](Self::sweep).
    pub(crate) fn next_sweep(&self) -> Option<Instant> {
        self.sweep_at
    }

    /// Drops the messages that `is_kept` rejects; returns their senders and kinds.
    fn retain(&mut self, is_kept: impl Fn(&DeferredMessage) -> bool) -> Vec<(PeerId, MessageKind)> {
        let mut dropped = Vec::new();
        self.messages.retain(|of, queue| {
            queue.retain_mut(|message| {
                let kept = is_kept(message);
                if !kept {
                    let packet = std::mem::take(&mut message.packet);
                    dropped.push((DeferredMessage { packet, ..*message }, of.len()));
                }
                kept
            });
            !queue.is_empty()
        });
        for (message, len) in &dropped {
            self.subtract_usage(message, *len);
        }
        dropped.iter().map(|(message, _)| (message.sender, message.kind)).collect()
    }

    fn subtract_usage(&mut self, message: &DeferredMessage, len: usize) {
        self.announced.remove(&(message.sender, message.kind));
        let key = (message.sender, message.kind.quota());
        let Some(usage) = self.usage.get_mut(&key) else {
            bug!("a message of {} is deferred, but none is counted", message.sender);
            return;
        };
        let bytes = message.packet.len() + len;
        bug::subtract(&mut usage.packets, 1);
        bug::subtract(&mut usage.bytes, bytes);
        if message.kind.quota() == Quota::Level {
            bug::subtract(&mut self.level_bytes, bytes);
        }
        if usage.packets == 0 {
            self.usage.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use mp_core::bug::with_policy;

    use super::*;

    const NOW: Instant = Instant::from_millis(1_000);

    /// Defers announcements of 32 KiB from `sender` until one is rejected; returns their number.
    fn fill(deferred: &mut DeferredMessages, sender: i32) -> usize {
        let packet = Bytes::from(vec![0; 32 * 1_024 - 1]);
        let sender = PeerId::new(sender).unwrap();
        let defer = |&id: &u32| {
            deferred.defer(
                NOW,
                sender,
                Awaited::Path("x".to_owned()),
                MessageKind::Spawn(id),
                &packet,
            )
        };
        (0..).take_while(defer).count()
    }

    #[test]
    fn announcements_of_all_peers_together_are_bounded() {
        let (of_one, of_all) = (LEVEL_BYTES_MAX / 32_768, LEVEL_TOTAL_BYTES_MAX / 32_768);
        let always = DEFERRED_BYTES_MAX / 32_768;
        let mut deferred = DeferredMessages::default();
        let counts: Vec<_> = (2..40).map(|sender| fill(&mut deferred, sender)).collect();
        let full = of_all / of_one;
        assert_eq!(counts[..full], vec![of_one; full]);
        assert_eq!(
            counts[full..],
            vec![always; counts.len() - full],
            "a peer must be able to use its share when the total is exhausted"
        );

        deferred.remove_peer(PeerId::new(2).unwrap());
        assert_eq!(
            fill(&mut deferred, 40),
            of_one - (38 - full) * always,
            "removing a peer must free capacity"
        );
        assert!(!deferred.sweep(NOW + LEVEL_TIME).is_empty());
        assert_eq!((deferred.level_bytes, deferred.usage.len()), (0, 0));
    }

    #[test]
    fn a_deferred_message_that_is_not_counted_can_be_taken() {
        let mut deferred = DeferredMessages::default();
        let sender = PeerId::new(2).unwrap();
        let of = Awaited::Path("x".to_owned());
        let packet = Bytes::from_static(b"call");
        assert!(deferred.defer(NOW, sender, of.clone(), MessageKind::Call, &packet));
        deferred.usage.clear();
        let taken = with_policy(bug::OnBug::Count, || deferred.take(&of));
        assert_eq!(taken.len(), 1);
    }
}
