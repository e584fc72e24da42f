//! [`RelayPolicy`]: announces peers to each other and forwards packets in place of Godot's relay.

use std::any::Any;
use std::fmt;

use bytes::Bytes;
use mp_core::{
    Channel, CloseMode, DisconnectReason, Instant, Packet, PeerId, Prefix, TransferMode,
};
use mp_host::CheckpointError;

use super::super::Refusal;
use super::super::sender::{SendOptions, Sender};
use super::relay::Received;
use super::{Context, Session, SessionStats};
use crate::codec::godot;
use crate::{IdBlocks, PacketKind, SceneMessage, Snapshot, SnapshotError};

/// The relay of a server: announces peers to each other and forwards their packets. Set by
/// [`BranchBuilder::relay_policy`](crate::BranchBuilder::relay_policy).
///
/// Admission, authentication, queues and limits of connections stay with `SceneMultiplayer`.
pub trait RelayPolicy: Any + fmt::Debug {
    /// Sets the source of ids. The policy takes all path ids and net ids that it sends from it, so
    /// that they differ from those of the branch. Called once, before all other methods.
    fn set_ids(&mut self, ids: &IdBlocks);

    /// Handles the admission of a peer: announces it to the others, and the others to it.
    fn peer_connected(&mut self, cx: &mut RelayContext<'_>, peer: PeerId);

    /// Handles the end of a peer's session. The peer is no longer admitted.
    fn peer_disconnected(&mut self, cx: &mut RelayContext<'_>, peer: PeerId);

    /// Returns whether the policy receives all packets of admitted peers, whatever they contain, so
    /// that peers may speak another protocol than SceneMultiplayer's. Default: no.
    fn receives_all(&self) -> bool {
        false
    }

    /// Decides about a packet that was received from an admitted peer. AUTH, ADD_PEER, DEL_PEER and
    /// packets of unknown kinds are not passed to the policy, unless it
    /// [receives all](Self::receives_all).
    fn receive(
        &mut self,
        cx: &mut RelayContext<'_>,
        from: PeerId,
        packet: &Packet,
    ) -> RelayDecision;

    /// Handles the timeouts that have expired at `now`. Called at the end of each turn, after the
    /// packets and the changes of connections. Does nothing by default.
    fn process(&mut self, cx: &mut RelayContext<'_>, now: Instant) {
        let _ = (cx, now);
    }

    /// Returns the time of the next [`process`](Self::process); `None` if nothing is due. Default:
    /// `None`.
    fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// Returns how often a limit of the policy had an effect, since the policy was created. It is
    /// [`relay_limit_hits`](crate::SceneStats::relay_limit_hits) of the branch. Default: 0.
    fn limit_hits(&self) -> u64 {
        0
    }

    /// Returns the state from which another room can go on; `None` if there is none. Default:
    /// `None`.
    fn snapshot(&mut self) -> Option<Snapshot> {
        None
    }

    /// Restores a state. Called while there are no peers. By default it fails.
    ///
    /// # Errors
    ///
    /// If the state is damaged or of another kind. The policy is unchanged then.
    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        Err(SnapshotError::OtherContent(snapshot.content()))
    }

    /// Returns the whole state between two turns, from which an equal policy makes the same
    /// decisions: for recordings. `None` if the policy has no such state. Default: `None`.
    fn checkpoint(&self) -> Option<Vec<u8>> {
        None
    }

    /// Restores a [`checkpoint`](Self::checkpoint), which may be any bytes, into a new policy. By
    /// default it fails.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] if the state is damaged.
    fn restore_checkpoint(&mut self, checkpoint: &[u8]) -> Result<(), CheckpointError> {
        let _ = checkpoint;
        Err(CheckpointError("its relay policy has no checkpoints"))
    }

    /// Forgets all peers: the session has ended.
    fn clear(&mut self);
}

/// The decision of a [`RelayPolicy`] about a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "policies construct them")]
pub enum RelayDecision {
    /// The policy has handled the packet.
    Handled,
    /// The branch handles the packet as without a policy.
    Pass,
    /// The branch handles this content of a RELAY as a packet of its sender.
    Inner(Bytes),
    /// The packet is malformed: it is dropped and counted, and closes the connection after 1,000.
    Malformed,
}

/// The queues and connections of a branch, for its [`RelayPolicy`].
#[derive(Debug)]
pub struct RelayContext<'a> {
    sender: &'a mut Sender,
    stats: &'a mut SessionStats,
}

impl RelayContext<'_> {
    /// Sends a message of `author`, reliably on channel 0; see [`forward`](Self::forward).
    pub fn send_message(&mut self, author: PeerId, to: PeerId, message: &SceneMessage) {
        if let Some(packet) = self.sender.encode(message, &[to]) {
            self.sender.send_to(to, SendOptions::INTERNAL, prefix_of(author), packet);
        }
    }

    /// Sends a packet to `to` as a packet of `author`: as a RELAY, or directly if the author is the
    /// [server](PeerId::SERVER). Peers that are not admitted are skipped and counted.
    pub fn forward(
        &mut self,
        author: PeerId,
        to: &[PeerId],
        (mode, channel): (TransferMode, Channel),
        packet: &Bytes,
    ) {
        self.stats.relayed_packets += to.len() as u64;
        self.sender.send_packet(to, SendOptions { mode, channel }, prefix_of(author), packet);
    }

    /// Closes the connection of a peer. [`RelayPolicy::peer_disconnected`] follows in a later turn.
    pub fn disconnect(&mut self, peer: PeerId, reason: DisconnectReason) {
        self.sender.disconnect(peer, reason);
    }

    /// Same as [`disconnect`](Self::disconnect), after the packets that were sent to the peer
    /// before.
    pub fn disconnect_after_packets(&mut self, peer: PeerId, reason: DisconnectReason) {
        self.sender.disconnect_with(peer, reason, CloseMode::Drain);
    }
}

/// Returns the bytes before a packet of `author`.
fn prefix_of(author: PeerId) -> Prefix {
    match author.is_server() {
        true => Prefix::EMPTY,
        false => godot::relay_prefix(author.get()),
    }
}

/// The policy of a session, if there is one.
#[derive(Debug, Default)]
pub(super) struct PolicySlot(pub(super) Option<Box<dyn RelayPolicy>>);

impl PolicySlot {
    pub(super) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn clear(&mut self) {
        if let Some(policy) = &mut self.0 {
            policy.clear();
        }
    }

    pub(super) fn peer_connected(
        &mut self,
        sender: &mut Sender,
        stats: &mut SessionStats,
        peer: PeerId,
    ) {
        if let Some(policy) = &mut self.0 {
            policy.peer_connected(&mut RelayContext { sender, stats }, peer);
        }
    }

    pub(super) fn peer_disconnected(
        &mut self,
        sender: &mut Sender,
        stats: &mut SessionStats,
        peer: PeerId,
    ) {
        if let Some(policy) = &mut self.0 {
            policy.peer_disconnected(&mut RelayContext { sender, stats }, peer);
        }
    }

    pub(super) fn process(&mut self, sender: &mut Sender, stats: &mut SessionStats, now: Instant) {
        if let Some(policy) = &mut self.0 {
            policy.process(&mut RelayContext { sender, stats }, now);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.0.as_ref()?.next_timeout()
    }
}

impl Session {
    pub(in super::super) fn set_relay_policy(&mut self, policy: Box<dyn RelayPolicy>) {
        self.policy = PolicySlot(Some(policy));
    }

    pub(in super::super) fn has_relay_policy(&self) -> bool {
        self.policy.is_set()
    }

    /// Returns the policy, if it is a `P`.
    pub(in super::super) fn relay_policy<P: RelayPolicy>(&self) -> Option<&P> {
        let policy: &dyn Any = self.policy.0.as_deref()?;
        policy.downcast_ref()
    }

    /// Returns how often a limit of the policy had an effect; 0 without a policy.
    pub(in super::super) fn policy_limit_hits(&self) -> u64 {
        self.policy.0.as_ref().map_or(0, |policy| policy.limit_hits())
    }

    /// Returns the state that the policy keeps, if it does.
    pub(in super::super) fn policy_snapshot(&mut self) -> Option<Snapshot> {
        self.policy.0.as_mut()?.snapshot()
    }

    /// Restores a state of the policy; `None` if there is no policy.
    pub(in super::super) fn restore_policy(
        &mut self,
        snapshot: &Snapshot,
    ) -> Option<Result<(), SnapshotError>> {
        Some(self.policy.0.as_mut()?.restore(snapshot))
    }

    /// Passes a packet of an admitted peer to the policy. Returns `None` if the session handles it.
    pub(super) fn receive_by_policy(
        &mut self,
        cx: &mut Context<'_>,
        from: PeerId,
        packet: &Packet,
    ) -> Option<Received<'static>> {
        if !self.is_server() {
            return None;
        }
        let Self { policy: PolicySlot(Some(policy)), stats, .. } = self else { return None };
        // Packets of a policy that receives all need not be SceneMultiplayer's.
        let kind = match policy.receives_all() {
            true => None,
            false => Some(cx.sender.wire().kind(&packet.payload)?),
        };
        if matches!(kind, Some(PacketKind::Auth | PacketKind::Sys)) {
            return None;
        }
        let before = stats.relayed_packets;
        let mut relay = RelayContext { sender: cx.sender, stats };
        let decision = policy.receive(&mut relay, from, packet);
        if let Some(kind) = kind
            && matches!(decision, RelayDecision::Handled | RelayDecision::Inner(_))
        {
            let receivers = (stats.relayed_packets - before) as usize;
            let content = match kind {
                PacketKind::Relay => godot::relayed(&packet.payload),
                _ => packet.payload.clone(),
            };
            cx.traffic.forwarded(cx.sender.wire(), from, &content, receivers);
        }
        match decision {
            RelayDecision::Handled => Some(Received::Nothing),
            RelayDecision::Pass => None,
            RelayDecision::Inner(inner) => Some(Received::Inner(from, inner)),
            RelayDecision::Malformed => {
                self.refuse_malformed(cx.sender, from, Refusal::Malformed);
                Some(Received::Nothing)
            }
        }
    }
}
