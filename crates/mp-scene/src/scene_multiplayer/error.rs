//! Errors of calls of the API, with Godot's error codes.

use mp_core::PeerId;

use crate::codec::EncodeError;
use crate::rpc::MethodCallError;

/// The reason why a call was not sent, or not made locally.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// The call cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The call was sent, but the local call failed.
    #[error("the local call failed")]
    LocalCall(#[from] MethodCallError),
    /// There is no session.
    #[error("not connected: calls can be made from connected_to_server on")]
    NotConnected,
    /// The node is not in the tree.
    #[error("the node has left the tree")]
    NotInTree,
    /// The node has no such RPC method.
    #[error(
        "{method:?} is not an RPC method of {path:?}; register it in its RpcTable or with rpc_config"
    )]
    NoSuchMethod {
        /// The name of the method.
        method: String,
        /// The path of the node.
        path: String,
    },
    /// The call targets the local peer, and the method is not `call_local`.
    #[error("{method:?} is called on the local peer but is not call_local")]
    NotCallLocal {
        /// The name of the method.
        method: String,
    },
    /// The node is not visible to the peer.
    #[error("peer {0} does not see the node: its synchronizers are not visible to it")]
    NotVisible(PeerId),
    /// The peer is not connected.
    #[error("peer {0} is not connected")]
    UnknownPeer(PeerId),
}

impl RpcError {
    /// Returns the error code of Godot's `rpc_id`: 0 (`OK`) where Godot only logs.
    pub fn godot_code(&self) -> i32 {
        match self {
            Self::Encode(_) | Self::NotVisible(_) | Self::UnknownPeer(_) => 0,
            Self::LocalCall(_) => 1,
            Self::NotConnected => 27,
            Self::NotInTree => 3,
            Self::NoSuchMethod { .. } | Self::NotCallLocal { .. } => 31,
        }
    }
}

/// A packet size that is below the minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} = {size} is less than {min}: packets would have no room for properties")]
#[non_exhaustive]
pub struct PacketSizeError {
    /// The name of the setting.
    pub setting: &'static str,
    /// The rejected size in bytes.
    pub size: usize,
    /// The minimum in bytes, as in Godot.
    pub min: usize,
}

impl PacketSizeError {
    pub(super) fn check(setting: &'static str, size: usize) -> Result<usize, Self> {
        let min = 128;
        if size < min { Err(Self { setting, size, min }) } else { Ok(size) }
    }
}

/// The reason why bytes were not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendBytesError {
    /// The bytes are empty.
    #[error("there is nothing to send: the bytes are empty")]
    Empty,
    /// There is no session.
    #[error("not connected: bytes can be sent from connected_to_server on")]
    NotConnected,
    /// The peer is not connected.
    #[error("peer {0} is not connected")]
    UnknownPeer(PeerId),
    /// The program's own [`MultiplayerApi`](crate::api::MultiplayerApi) does not support packets of
    /// bytes.
    #[error("the protocol of the branch does not support packets of bytes")]
    Unsupported,
}

impl SendBytesError {
    /// Returns the error code of Godot's `send_bytes`.
    pub fn godot_code(&self) -> i32 {
        match self {
            Self::Empty => 30,
            Self::NotConnected => 3,
            Self::UnknownPeer(_) => 47,
            Self::Unsupported => 2,
        }
    }
}

/// The reason why an authentication call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The local or the remote peer has already completed.
    #[error("the authentication of peer {0} has already completed on one side")]
    Completed(PeerId),
    /// The bytes are empty.
    #[error("there is nothing to send: the bytes are empty; call complete_auth to finish")]
    Empty,
    /// There is no session.
    #[error("not connected")]
    NotConnected,
    /// The peer is not authenticating.
    #[error("peer {0} is not authenticating")]
    UnknownPeer(PeerId),
}

impl AuthError {
    /// Returns the error code of Godot's `send_auth` and `complete_auth`.
    pub fn godot_code(&self) -> i32 {
        match self {
            Self::Completed(_) => 13,
            Self::Empty | Self::UnknownPeer(_) => 31,
            Self::NotConnected => 3,
        }
    }
}

/// The reason why a peer cannot move to another branch. It stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// The peer is already moving to another branch.
    #[error("peer {0} is already moving to another branch")]
    AlreadyMoving(PeerId),
    /// A peer of the other branch has the same id, or is about to.
    #[error("a peer of the other branch has the id {0}")]
    DuplicateId(PeerId),
    /// A branch was built without [`BranchBuilder::moves`](crate::BranchBuilder::moves), or for
    /// Godot 4.0 to 4.2.
    #[error("peers cannot move from or to this branch; build it with `moves`")]
    NotEnabled,
    /// A branch is a client or is closing.
    #[error("the branch is no running server")]
    NotServing,
    /// The other branch [refuses](crate::SceneMultiplayer::set_refuse_new_connections) new
    /// connections, or its [hook](crate::BranchBuilder::on_peer_expected) refuses the peer.
    #[error("the other branch refuses the peer")]
    Refused,
    /// The peer was announced more than
    /// [`CARRIED_IDS_MAX`](crate::limits::CARRIED_IDS_MAX) path ids since it connected.
    #[error("peer {0} knows too many path ids; it must connect anew")]
    TooManyIds(PeerId),
    /// The peer is not connected to the branch by a connection of its own.
    #[error("peer {0} is not connected")]
    UnknownPeer(PeerId),
}
