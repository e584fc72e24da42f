//! What a branch reports to its program: the signals of Godot's `MultiplayerAPI` and `SceneMultiplayer`.

use bytes::Bytes;
use mp_core::PeerId;

/// A signal, in the order in which Godot emits them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// The session with the server stands; followed by `PeerConnected(1)`.
    ConnectedToServer,
    /// No session with a server came about.
    ConnectionFailed,
    /// The session has ended. Other clients are not mentioned one by one.
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
