//! [`HostSeat`]: makes one client of a room the server of the others.

mod announcing;
mod checkpoint;
mod guest;
mod host;
mod keeping;
mod succession;

use std::collections::BTreeMap;
use std::fmt;

use mp_core::{Channel, DisconnectReason, Instant, Packet, PeerId, Rejection, TransferMode};
use mp_scene::{
    CheckpointError, IdBlocks, RelayContext, RelayDecision, RelayPolicy, SceneMessage, Snapshot,
    SnapshotError,
};

use crate::ids::{HostIds, RoomIds};
use crate::{Migration, SeatStats};
use guest::Guest;
pub use succession::STATE_UNAVAILABLE;
use succession::Succession;

/// The reason with which guests are disconnected when their host has left.
pub const HOST_LEFT: Rejection = Rejection::new("host_left", "the host of the room has left");

/// Transfer mode and channel of path announcements.
const INTERNAL: (TransferMode, Channel) = (TransferMode::Reliable, Channel(0));

/// A rule that returns whether a client may be the host.
type Rule = Box<dyn FnMut(PeerId) -> bool>;

/// A relay policy that makes one client of a room, the host, the server of the others.
///
/// * Guests are not notified of the host: no ADD_PEER announces it.
/// * What the host relays to a guest is sent to the guest as a packet of peer 1.
/// * What a guest sends to peer 1 is relayed to the host as a packet of the guest.
/// * Guests relay to each other as in Godot.
///
/// When the host leaves, guests are disconnected with [`HOST_LEFT`], as if their server had closed.
/// The next client that the rule accepts is the next host. With a [`Migration`], a guest becomes
/// the host instead and the game goes on.
pub struct HostSeat {
    rule: Rule,
    occupant: Option<PeerId>,
    guests: BTreeMap<PeerId, Guest>,
    /// Path ids that the host confirms when it has handled the announcement of a guest.
    unannounced: BTreeMap<u32, PeerId>,
    /// The ids of the occupant.
    ids: HostIds,
    room_ids: RoomIds,
    /// Number of announced nodes of all guests.
    announced_nodes: usize,
    /// Number of guests since the room was created.
    joined: u64,
    /// `None`: the game ends with its host.
    succession: Option<Succession>,
    stats: SeatStats,
}

impl HostSeat {
    /// Creates a seat for the first client of the room.
    pub fn first() -> Self {
        Self::with_rule(|_| true)
    }

    /// Creates a seat for the first client that `rule` accepts. It is asked once for each client
    /// that joins while there is no host. Clients that it rejects are guests and wait for a host:
    /// peer 1 does nothing meanwhile.
    pub fn with_rule(rule: impl FnMut(PeerId) -> bool + 'static) -> Self {
        Self {
            rule: Box::new(rule),
            occupant: None,
            guests: BTreeMap::new(),
            unannounced: BTreeMap::new(),
            ids: HostIds::default(),
            room_ids: RoomIds::default(),
            announced_nodes: 0,
            joined: 0,
            succession: None,
            stats: SeatStats::default(),
        }
    }

    /// Lets the game go on when the host has left. The room records the nodes and properties of the
    /// host for it, up to [`CACHE_BYTES_MAX`](crate::limits::CACHE_BYTES_MAX).
    pub fn migration(mut self, settings: Migration) -> Self {
        self.succession = Some(Succession::new(settings));
        self.ids = HostIds::with_paths();
        self
    }

    /// Returns the host; `None` if there is none.
    pub fn occupant(&self) -> Option<PeerId> {
        self.occupant
    }

    /// Returns the counters.
    pub fn stats(&self) -> SeatStats {
        self.stats
    }

    /// Returns the number of nodes that are recorded for a [`Migration`], and their size in bytes.
    pub fn cache_size(&self) -> (usize, usize) {
        let cache = self.succession.as_ref().map(|succession| &succession.cache);
        cache.map_or((0, 0), |cache| (cache.len(), cache.bytes()))
    }

    /// Makes `peer` the host, and announces the guests to it.
    fn seat(&mut self, cx: &mut RelayContext<'_>, peer: PeerId) {
        self.occupant = Some(peer);
        self.stats.hosts += 1;
        tracing::debug!(%peer, "the peer hosts the room");
        let guests: Vec<PeerId> = self.guests.keys().copied().collect();
        self.announce_all_to_host(cx, peer, &guests);
    }

    /// Ends the game of the guests: there is no host any more.
    fn end_game(&mut self, cx: &mut RelayContext<'_>) {
        for &guest in self.guests.keys() {
            cx.disconnect(guest, DisconnectReason::Rejected(HOST_LEFT));
        }
        self.clear();
    }

    /// Forgets the host and the guests.
    fn forget_players(&mut self) {
        self.occupant = None;
        self.guests.clear();
        self.unannounced.clear();
        self.ids = match self.succession {
            Some(_) => HostIds::with_paths(),
            None => HostIds::default(),
        };
        self.announced_nodes = 0;
    }

    /// Removes a guest, and notifies the host and the other guests.
    fn remove_guest(&mut self, cx: &mut RelayContext<'_>, peer: PeerId) {
        let Some(guest) = self.guests.remove(&peer) else { return };
        self.unannounced.retain(|_, unannounced| *unannounced != peer);
        let is_announced = guest.is_announced();
        for (id, is_of_host) in guest.into_nodes() {
            self.forget_node(id, is_of_host);
        }
        self.ids.remove_receiver(peer);
        if let Some(host) = self.occupant {
            cx.send_message(PeerId::SERVER, host, &SceneMessage::DelPeer(peer));
        }
        if is_announced {
            for other in self.announced_guests() {
                cx.send_message(PeerId::SERVER, other, &SceneMessage::DelPeer(peer));
            }
        }
    }
}

impl RelayPolicy for HostSeat {
    fn set_ids(&mut self, ids: &IdBlocks) {
        self.room_ids = RoomIds::new(ids);
    }

    fn peer_connected(&mut self, cx: &mut RelayContext<'_>, peer: PeerId) {
        let is_paused = self.succession.as_ref().is_some_and(Succession::is_paused);
        if self.occupant.is_none() && !is_paused && (self.rule)(peer) {
            return self.seat(cx, peer);
        }
        self.joined += 1;
        self.guests.insert(peer, Guest::new(self.joined));
        match self.occupant {
            Some(host) => self.announce_to_host(cx, host, peer),
            None if is_paused => self.admit_late(cx, peer),
            None => self.announce_to_guests(cx, peer),
        }
    }

    fn peer_disconnected(&mut self, cx: &mut RelayContext<'_>, peer: PeerId) {
        if self.occupant != Some(peer) {
            return self.remove_guest(cx, peer);
        }
        if self.succession.is_some() && !self.guests.is_empty() {
            self.pause(cx);
        } else if self.is_taking_over() {
            self.wait_for_host();
        } else {
            self.end_game(cx);
        }
    }

    fn receive(
        &mut self,
        cx: &mut RelayContext<'_>,
        from: PeerId,
        packet: &Packet,
    ) -> RelayDecision {
        if self.occupant == Some(from) {
            return self.receive_from_host(cx, from, packet);
        }
        if self.guests.contains_key(&from) {
            return self.receive_from_guest(cx, from, packet);
        }
        // A guest whose host has left, and whose connection is closing.
        self.stats.unhosted_packets += 1;
        RelayDecision::Handled
    }

    fn process(&mut self, cx: &mut RelayContext<'_>, now: Instant) {
        self.process_succession(cx, now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.succession.as_ref()?.next_timeout()
    }

    fn limit_hits(&self) -> u64 {
        self.stats.limit_hits()
    }

    fn snapshot(&mut self) -> Option<Snapshot> {
        self.state()
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        self.restore_state(snapshot)
    }

    fn checkpoint(&self) -> Option<Vec<u8>> {
        self.encode_checkpoint()
    }

    fn restore_checkpoint(&mut self, checkpoint: &[u8]) -> Result<(), CheckpointError> {
        self.decode_checkpoint(checkpoint)
    }

    fn clear(&mut self) {
        self.forget_players();
        if let Some(succession) = &mut self.succession {
            succession.clear();
        }
    }
}

impl fmt::Debug for HostSeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostSeat")
            .field("occupant", &self.occupant)
            .field("guests", &self.guests.len())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
