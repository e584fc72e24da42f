//! Godot 3.2's `NetworkedMultiplayerPeer`, where it differs from Godot 4: session signals on the
//! peer, other defaults, and a `poll` that blocks. Its wire protocol is a different one and is not
//! implemented.
//!
//! The page "Coming from Godot" of the guide (crate `mp`) lists the names of 3.2, 4 and mp side by
//! side.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::{
    CloseMode, ConnectionStatus, DisconnectReason, Instant, MultiplayerPeer, PacketPeer,
    PacketPeerError, PeerId, Readiness, Target, TransferMode,
};

/// All peers (0).
pub const TARGET_PEER_BROADCAST: Target = Target::All;
/// The server only (1).
pub const TARGET_PEER_SERVER: Target = Target::SERVER;
/// Unreliable (0).
pub const TRANSFER_MODE_UNRELIABLE: TransferMode = TransferMode::Unreliable;
/// Unreliable, ordered (1).
pub const TRANSFER_MODE_UNRELIABLE_ORDERED: TransferMode = TransferMode::UnreliableOrdered;
/// Reliable, ordered (2).
pub const TRANSFER_MODE_RELIABLE: TransferMode = TransferMode::Reliable;
/// Not in a session (0).
pub const CONNECTION_DISCONNECTED: ConnectionStatus = ConnectionStatus::Disconnected;
/// A client that waits for its server (1).
pub const CONNECTION_CONNECTING: ConnectionStatus = ConnectionStatus::Connecting;
/// In a session (2).
pub const CONNECTION_CONNECTED: ConnectionStatus = ConnectionStatus::Connected;

/// Maximum time that [`poll_blocking`](NetworkedMultiplayerPeer::poll_blocking) blocks. Godot 3.2's
/// class reference states it for `poll`.
pub const POLL_WAIT_MAX: Duration = Duration::from_secs(1);

/// A [`PacketPeer`] with the signals and defaults of Godot 3.2. It derefs to `PacketPeer` for
/// everything else, as the class inherits in Godot.
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
    /// True for a client that has reported neither success nor failure yet.
    is_attempting: bool,
    /// Second signal of an event that emits two.
    next: Option<PeerSignal>,
}

/// A signal of Godot 3.2's `NetworkedMultiplayerPeer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerSignal {
    /// A client failed to connect.
    ConnectionFailed,
    /// A client is connected. Follows `PeerConnected(1)`.
    ConnectionSucceeded,
    /// A peer connected.
    PeerConnected(PeerId),
    /// A client of this server disconnected.
    PeerDisconnected(PeerId),
    /// A client lost its server. Replaces `PeerDisconnected(1)`.
    ServerDisconnected,
}

impl<P: MultiplayerPeer> NetworkedMultiplayerPeer<P> {
    /// Returns a peer with the defaults of `NetworkedMultiplayerPeer` in 3.2's class reference:
    /// packets are unreliable, and **new connections are refused** until
    /// `set_refuse_new_connections(false)`.
    pub fn new(peer: P) -> Self {
        let mut new = Self::with_enet_defaults(peer);
        new.packet_peer.set_transfer_mode(TRANSFER_MODE_UNRELIABLE);
        new.packet_peer.set_refuse_new_connections(true);
        new
    }

    /// Returns a peer with the defaults of `NetworkedMultiplayerENet` in Godot 3.2.3: packets are
    /// reliable, and new connections are accepted.
    pub fn with_enet_defaults(peer: P) -> Self {
        let is_attempting = peer.connection_status() == CONNECTION_CONNECTING;
        Self { packet_peer: PacketPeer::new(peer), is_attempting, next: None }
    }

    /// Polls until something is received, for at most [`POLL_WAIT_MAX`], and returns whether
    /// something was, as 3.2's class reference describes `poll`. The `poll` of [`PacketPeer`] does
    /// not block.
    ///
    /// This crate neither sleeps nor reads a clock, so `wait(transport, at_most)` does. It returns
    /// the time when `at_most` has passed, or earlier if the transport woke it (see
    /// [`MultiplayerPeer::readiness`]; for a transport that does not wake, `at_most` is its
    /// interval and sleeping is enough). If its clock does not advance, this function returns.
    ///
    /// Returns immediately without a session.
    pub fn poll_blocking(
        &mut self,
        mut now: Instant,
        mut wait: impl FnMut(&mut P, Duration) -> Instant,
    ) -> bool {
        let deadline = now + POLL_WAIT_MAX;
        let before = self.received_state();
        loop {
            self.packet_peer.poll(now);
            if self.received_state() != before {
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

    /// Removes and returns the oldest signal.
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

    /// Disconnects a client of this server: immediately if `now`, else after the packets that were
    /// put are delivered. [`PeerDisconnected`](PeerSignal::PeerDisconnected) follows in both cases,
    /// unlike in Godot 4.
    ///
    /// # Errors
    ///
    /// [`UnknownPeer`](PacketPeerError::UnknownPeer), also on a client, which can only close.
    pub fn disconnect_peer(&mut self, id: PeerId, now: bool) -> Result<(), PacketPeerError> {
        if !self.unique_id().is_server() || !self.has_peer(id) {
            return Err(PacketPeerError::UnknownPeer(id));
        }
        if now {
            self.packet_peer.disconnect_now(id, DisconnectReason::Kicked);
            return Ok(());
        }
        self.packet_peer.disconnect_peer_with(id, CloseMode::Drain)
    }

    /// Alias of [`close`](Self::close), with its name in 3.2.
    pub fn close_connection(&mut self) {
        self.close();
    }

    /// Closes all connections immediately, without signals, and drops unread packets. `flush` sends
    /// the disconnects.
    pub fn close(&mut self) {
        self.is_attempting = false;
        self.packet_peer.close();
    }

    /// Returns the state that changes whenever something is received.
    fn received_state(&self) -> (crate::PacketPeerStats, ConnectionStatus) {
        (self.stats(), self.connection_status())
    }

    /// Returns the maximum time to the transport's next turn if it is not woken.
    fn next_turn(&self, now: Instant) -> Duration {
        let interval = match self.peer().readiness() {
            Readiness::Waker => POLL_WAIT_MAX,
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

/// Minimum wait for a transport that is due immediately. It bounds the number of turns per second.
const WAIT_MIN: Duration = Duration::from_millis(1);
