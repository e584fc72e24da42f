//! What a branch reports to its program: the signals of Godot's `MultiplayerAPI` and `SceneMultiplayer`.

use bytes::Bytes;
use mp_core::PeerId;

use crate::replication::ReplicationError;
use crate::tree::NodeId;

/// A signal, in the order in which Godot emits them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// The session with the server stands; followed by `PeerConnected(1)`.
    ConnectedToServer,
    /// No session with a server came about: it could not be reached, or an authentication failed.
    ConnectionFailed,
    /// The session has ended, on a client only after `ConnectedToServer`. Other clients are not
    /// mentioned one by one.
    ServerDisconnected,
    /// A peer takes part.
    PeerConnected(PeerId),
    /// A peer has left.
    PeerDisconnected(PeerId),
    /// What a peer that authenticates itself has sent (`send_auth`); Godot calls its `auth_callback` with it.
    PeerAuth {
        /// Who sent it.
        from: PeerId,
        /// The bytes.
        data: Bytes,
    },
    /// A peer has to authenticate itself before it takes part.
    PeerAuthenticating(PeerId),
    /// A peer has left, or took too long, before it was admitted.
    PeerAuthenticationFailed(PeerId),
    /// Bytes of the program's own (`send_bytes`).
    PeerPacket {
        /// Who sent them.
        from: PeerId,
        /// The bytes.
        data: Bytes,
    },
    /// A peer has spawned a node; its spawn properties are set.
    Spawned {
        /// The spawner.
        spawner: NodeId,
        /// The node.
        node: NodeId,
    },
    /// A peer has despawned a node, which has left the tree.
    Despawned {
        /// The spawner.
        spawner: NodeId,
        /// What was the node.
        node: NodeId,
        /// What was its name.
        name: String,
    },
    /// A [synchronizer](crate::MultiplayerSynchronizer) that signals has been sent its always properties.
    Synchronized(NodeId),
    /// A synchronizer that signals has been sent changes.
    DeltaSynchronized(NodeId),
    /// Who may see a synchronizer that signals is settled anew: for a peer, or for everyone.
    VisibilityChanged {
        /// The synchronizer.
        synchronizer: NodeId,
        /// The peer.
        peer: Option<PeerId>,
    },
    /// Something cannot be replicated: a synchronizer or a node of the program's own, or what a
    /// peer announced.
    ReplicationFailed(Box<ReplicationError>),
}

impl Signal {
    /// Bytes of a peer's that it holds.
    pub(crate) fn data_len(&self) -> usize {
        match self {
            Self::PeerAuth { data, .. } | Self::PeerPacket { data, .. } => data.len(),
            _ => 0,
        }
    }
}
