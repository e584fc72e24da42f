//! What a program did wrong, with Godot's number for it.

use mp_core::PeerId;

use crate::codec::EncodeError;
use crate::rpc::CallError;

/// Why a call was not sent, or not made at home.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// It has no form on the wire.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// It was sent, but did not run at home.
    #[error("the call at home failed: {0}")]
    LocalCall(#[from] CallError),
    /// No session.
    #[error("not connected: calls can be made from connected_to_server on")]
    NotConnected,
    /// The node is not there.
    #[error("the node has left the tree")]
    NotInTree,
    /// The method cannot be called.
    #[error(
        "{method:?} is no RPC method of {path:?}; register it in its RpcTable or with rpc_config"
    )]
    NoSuchMethod {
        /// The method.
        method: String,
        /// The node.
        path: String,
    },
    /// A call to oneself of a method that does not run at home.
    #[error("{method:?} is called on its own peer but is not call_local")]
    NotCallLocal {
        /// The method.
        method: String,
    },
    /// The peer may not see the node.
    #[error("peer {0} does not see the node: its synchronizers are not visible to it")]
    NotVisible(PeerId),
    /// No such peer.
    #[error("peer {0} is not connected")]
    UnknownPeer(PeerId),
}

impl RpcError {
    /// What Godot's `rpc_id` returns: 0 (OK) where it only logs.
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

/// Why a packet size was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} = {size} is less than {min}: a packet would hold next to nothing")]
#[non_exhaustive]
pub struct PacketSizeError {
    /// The setting.
    pub setting: &'static str,
    /// What it was to be, in bytes.
    pub size: usize,
    /// The least that it may be: Godot's.
    pub min: usize,
}

impl PacketSizeError {
    pub(super) fn check(setting: &'static str, size: usize) -> Result<usize, Self> {
        let min = 128;
        if size < min { Err(Self { setting, size, min }) } else { Ok(size) }
    }
}

/// Why bytes were not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendBytesError {
    /// There are none.
    #[error("there is nothing to send: the bytes are empty")]
    Empty,
    /// No session.
    #[error("not connected: bytes can be sent from connected_to_server on")]
    NotConnected,
    /// No such peer.
    #[error("peer {0} is not connected")]
    UnknownPeer(PeerId),
    /// A [`MultiplayerApi`](crate::api::MultiplayerApi) of the program's own that has no such packets.
    #[error("the protocol of the branch has no packets of bytes")]
    Unsupported,
}

impl SendBytesError {
    /// What Godot's `send_bytes` returns.
    pub fn godot_code(&self) -> i32 {
        match self {
            Self::Empty => 30,
            Self::NotConnected => 3,
            Self::UnknownPeer(_) => 47,
            Self::Unsupported => 2,
        }
    }
}

/// Why an authentication could not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// This side, or the other, has completed already.
    #[error("the authentication of peer {0} is complete on one side already")]
    Completed(PeerId),
    /// There is nothing to send.
    #[error("there is nothing to send: the bytes are empty; complete_auth says that you are done")]
    Empty,
    /// No session.
    #[error("not connected")]
    NotConnected,
    /// Not authenticating.
    #[error("peer {0} is not authenticating itself")]
    UnknownPeer(PeerId),
}

impl AuthError {
    /// What Godot's `send_auth` and `complete_auth` return.
    pub fn godot_code(&self) -> i32 {
        match self {
            Self::Completed(_) => 13,
            Self::Empty | Self::UnknownPeer(_) => 31,
            Self::NotConnected => 3,
        }
    }
}
