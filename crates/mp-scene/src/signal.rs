//! Signals of a branch: those of Godot's `MultiplayerAPI`, `SceneMultiplayer` and replication
//! nodes.

use bytes::Bytes;
use mp_core::PeerId;

use crate::replication::ReplicationError;
use crate::tree::NodeId;

/// A signal. Signals are reported in the order in which Godot emits them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// The session with the server is established; followed by `PeerConnected(1)`.
    ConnectedToServer,
    /// The connection to the server failed: it was unreachable, or authentication failed.
    ConnectionFailed,
    /// The session has ended, on a client only after `ConnectedToServer`. Other clients are not
    /// reported one by one.
    ServerDisconnected,
    /// A peer has joined the session.
    PeerConnected(PeerId),
    /// A peer has left the session.
    PeerDisconnected(PeerId),
    /// Bytes that an authenticating peer sent with `send_auth` (Godot: the `auth_callback`).
    PeerAuth {
        /// The sender.
        from: PeerId,
        /// The bytes.
        data: Bytes,
    },
    /// A peer has connected and must authenticate before it joins.
    PeerAuthenticating(PeerId),
    /// A peer disconnected or timed out before its authentication completed.
    PeerAuthenticationFailed(PeerId),
    /// Application bytes that a peer sent with `send_bytes`.
    PeerPacket {
        /// The sender.
        from: PeerId,
        /// The bytes.
        data: Bytes,
    },
    /// A peer spawned a node. Its spawn properties are already set.
    Spawned {
        /// The spawner.
        spawner: NodeId,
        /// The node.
        node: NodeId,
    },
    /// A peer despawned a node, which is no longer in the tree.
    Despawned {
        /// The spawner.
        spawner: NodeId,
        /// The id of the removed node.
        node: NodeId,
        /// The name of the removed node.
        name: String,
    },
    /// A [synchronizer](crate::MultiplayerSynchronizer) with signals enabled received its `Always`
    /// properties.
    Synchronized(NodeId),
    /// A synchronizer with signals enabled received changed properties.
    DeltaSynchronized(NodeId),
    /// The visibility of a synchronizer with signals enabled was updated.
    VisibilityChanged {
        /// The synchronizer.
        synchronizer: NodeId,
        /// The peer; `None` if it was updated for all peers.
        peer: Option<PeerId>,
    },
    /// Replication failed: of a local synchronizer or node, or of an announcement of a peer.
    ReplicationFailed(Box<ReplicationError>),
}

impl Signal {
    /// Returns the number of bytes sent by a peer that the signal contains.
    pub(crate) fn data_len(&self) -> usize {
        match self {
            Self::PeerAuth { data, .. } | Self::PeerPacket { data, .. } => data.len(),
            _ => 0,
        }
    }
}
