//! What Godot 3.2's `NetworkedMultiplayerPeer` had otherwise: signals of the session on the peer, other defaults, and a
//! `poll` that waits. Its wire is another one and is not spoken here.
//!
//! `docs/GODOT_NAMES.md` has the names of 3.2, 4 and mp side by side.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::{
    ConnectionStatus, DisconnectReason, Farewell, Instant, MultiplayerPeer, PacketPeer,
    PacketPeerError, PeerId, Readiness, Target, TransferMode,
};

/// Everybody (0).
pub const TARGET_PEER_BROADCAST: Target = Target::All;
/// The server alone (1).
pub const TARGET_PEER_SERVER: Target = Target::SERVER;
/// 0.
pub const TRANSFER_MODE_UNRELIABLE: TransferMode = TransferMode::Unreliable;
/// 1.
pub const TRANSFER_MODE_UNRELIABLE_ORDERED: TransferMode = TransferMode::UnreliableOrdered;
/// 2.
pub const TRANSFER_MODE_RELIABLE: TransferMode = TransferMode::Reliable;
/// 0.
pub const CONNECTION_DISCONNECTED: ConnectionStatus = ConnectionStatus::Disconnected;
/// 1.
pub const CONNECTION_CONNECTING: ConnectionStatus = ConnectionStatus::Connecting;
/// 2.
pub const CONNECTION_CONNECTED: ConnectionStatus = ConnectionStatus::Connected;

/// How long [`poll_blocking`](NetworkedMultiplayerPeer::poll_blocking) waits at most, as Godot 3.2's class reference says of
/// `poll`.
pub const POLL_WAIT_MAX: Duration = Duration::from_secs(1);

/// A [`PacketPeer`] with the signals and the defaults of Godot 3.2. All that is not here it has from `PacketPeer`, as in
/// Godot, where the class inherits.
///
/// ```
/// use mp_core::godot3::{NetworkedMultiplayerPeer, PeerSignal, TRANSFER_MODE_RELIABLE};
/// use mp_core::{Instant, PeerId, memory};
///
/// let (server, client) = memory::pair(PeerId::new(2).unwrap());
/// let mut server = NetworkedMultiplayerPeer::new(server);
/// let mut client = NetworkedMultiplayerPeer::new(client);
/// server.set_refuse_new_connections(false);
/// server.poll(Instant::ZERO);
/// client.poll(Instant::ZERO);
/// assert_eq!(client.next_signal(), Some(PeerSignal::PeerConnected(PeerId::SERVER)));
/// assert_eq!(client.next_signal(), Some(PeerSignal::ConnectionSucceeded));
/// client.set_transfer_mode(TRANSFER_MODE_RELIABLE);
/// client.put_packet("hello")?;
/// # Ok::<(), mp_core::PacketPeerError>(())
/// ```
#[derive(Debug)]
pub struct NetworkedMultiplayerPeer<P> {
    packet_peer: PacketPeer<P>,
    /// Whether a client still waits to hear how its attempt went.
    is_attempting: bool,
    /// The second of two signals that one event is.
    next: Option<PeerSignal>,
}

/// A signal of Godot 3.2's `NetworkedMultiplayerPeer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerSignal {
    /// A client could not connect.
    ConnectionFailed,
    /// A client is connected; follows `PeerConnected(1)`.
    ConnectionSucceeded,
    /// A peer takes part.
    PeerConnected(PeerId),
    /// A client has left this server.
    PeerDisconnected(PeerId),
    /// A client has lost its server; no `PeerDisconnected(1)` comes with it.
    ServerDisconnected,
}

impl<P: MultiplayerPeer> NetworkedMultiplayerPeer<P> {
    /// With the defaults that 3.2's class reference gives `NetworkedMultiplayerPeer`: packets are unreliable, and **new
    /// connections are refused** until `set_refuse_new_connections(false)`.
    pub fn new(peer: P) -> Self {
        let mut new = Self::with_enet_defaults(peer);
        new.packet_peer.set_transfer_mode(TRANSFER_MODE_UNRELIABLE);
        new.packet_peer.set_refuse_new_connections(true);
        new
    }

    /// With the defaults that `NetworkedMultiplayerENet` of Godot 3.2.3 has: packets are reliable, new connections are
    /// welcome.
    pub fn with_enet_defaults(peer: P) -> Self {
        let is_attempting = peer.connection_status() == CONNECTION_CONNECTING;
        Self { packet_peer: PacketPeer::new(peer), is_attempting, next: None }
    }

    /// 3.2's `poll` as its class reference has it: waits until the network has brought something, at most for
    /// [`POLL_WAIT_MAX`], and says whether it has. `poll`, from [`PacketPeer`], does not wait.
    ///
    /// This crate neither sleeps nor reads a clock. `wait(transport, at_most)` does: it returns the time when `at_most` has
    /// passed, or earlier when the transport has woken it (see [`MultiplayerPeer::readiness`]; for a transport that wakes
    /// nobody `at_most` is its interval, so that sleeping will do). If its clock stands still this does not wait longer.
    ///
    /// Without a session there is nothing to wait for.
    pub fn poll_blocking(
        &mut self,
        mut now: Instant,
        mut wait: impl FnMut(&mut P, Duration) -> Instant,
    ) -> bool {
        let deadline = now + POLL_WAIT_MAX;
        let before = self.seen();
        loop {
            self.packet_peer.poll(now);
            if self.seen() != before {
                return true;
            }
            let left = deadline.saturating_since(now);
            if left.is_zero() || self.connection_status() == CONNECTION_DISCONNECTED {
                return false;
            }
            let at_most = left.min(self.next_turn(now));
            let later = wait(self.packet_peer.peer_mut(), at_most);
            if later <= now {
                return false;
            }
            now = later;
        }
    }

    /// The oldest signal not yet taken.
    pub fn next_signal(&mut self) -> Option<PeerSignal> {
        if let Some(second) = self.next.take() {
            return Some(second);
        }
        let is_client = !self.unique_id().is_server();
        match self.packet_peer.next_signal() {
            Some(crate::PeerSignal::PeerConnected(id)) => {
                if is_client && id.is_server() {
                    self.is_attempting = false;
                    self.next = Some(PeerSignal::ConnectionSucceeded);
                }
                Some(PeerSignal::PeerConnected(id))
            }
            Some(crate::PeerSignal::PeerDisconnected(id)) if is_client && id.is_server() => {
                Some(PeerSignal::ServerDisconnected)
            }
            Some(crate::PeerSignal::PeerDisconnected(id)) => Some(PeerSignal::PeerDisconnected(id)),
            None if self.connection_status() == CONNECTION_DISCONNECTED => {
                std::mem::take(&mut self.is_attempting).then_some(PeerSignal::ConnectionFailed)
            }
            None => None,
        }
    }

    /// Makes a client leave this server: `now` at once, otherwise after it has what was put. Either way
    /// [`PeerDisconnected`](PeerSignal::PeerDisconnected) tells, unlike in Godot 4.
    ///
    /// # Errors
    ///
    /// [`UnknownPeer`](PacketPeerError::UnknownPeer), also for a client, which can only close.
    pub fn disconnect_peer(&mut self, id: PeerId, now: bool) -> Result<(), PacketPeerError> {
        if !self.unique_id().is_server() || !self.has_peer(id) {
            return Err(PacketPeerError::UnknownPeer(id));
        }
        if now {
            self.packet_peer.end_now(id, DisconnectReason::Kicked);
            return Ok(());
        }
        self.packet_peer.disconnect_peer_with(id, Farewell::Drain)
    }

    /// 3.2's name of [`close`](Self::close). `flush` sends the goodbyes.
    pub fn close_connection(&mut self) {
        self.close();
    }

    /// Ends everything at once, without signals; packets that wait are dropped.
    pub fn close(&mut self) {
        self.is_attempting = false;
        self.packet_peer.close();
    }

    /// All that changes when the network brings something.
    fn seen(&self) -> (crate::PacketPeerStats, ConnectionStatus) {
        (self.stats(), self.connection_status())
    }

    /// How long the transport can do without a turn if it is not woken.
    fn next_turn(&self, now: Instant) -> Duration {
        let interval = match self.peer().readiness() {
            Readiness::Wakes => POLL_WAIT_MAX,
            Readiness::Interval(interval) => interval,
        };
        let due = self.peer().poll_timeout().map_or(POLL_WAIT_MAX, |due| due.saturating_since(now));
        interval.min(due).max(WAIT_MIN)
    }
}

impl<P> Deref for NetworkedMultiplayerPeer<P> {
    type Target = PacketPeer<P>;

    fn deref(&self) -> &PacketPeer<P> {
        &self.packet_peer
    }
}

impl<P> DerefMut for NetworkedMultiplayerPeer<P> {
    fn deref_mut(&mut self) -> &mut PacketPeer<P> {
        &mut self.packet_peer
    }
}

/// A transport that is due at once is given this long, so that a second has a bounded number of turns.
const WAIT_MIN: Duration = Duration::from_millis(1);
