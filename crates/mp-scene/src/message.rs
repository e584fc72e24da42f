//! The typed middle: what SceneMultiplayer says, before a codec makes bytes of it.

use bytes::Bytes;
use mp_core::{PeerId, Variant};

/// One message between two SceneMultiplayers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SceneMessage {
    /// Call a method.
    RemoteCall(RemoteCall),
    /// The sender will call the node at `path` by `id`.
    SimplifyPath {
        /// The sender's number for the node.
        id: u32,
        /// The sender's [`RpcIds::checksum`](crate::rpc::RpcIds::checksum) of the node.
        checksum: [u8; 32],
        /// Path relative to the multiplayer root.
        path: String,
    },
    /// The receiver of a `SimplifyPath` knows the node.
    ConfirmPath {
        /// Which node.
        of: Confirmed,
        /// Whether both number the node's methods alike.
        checksum_ok: bool,
    },
    /// Bytes of the program's own (`send_bytes`).
    Raw(Bytes),
    /// Bytes of the program's own authentication; none complete it.
    Auth(Bytes),
    /// The server announces another client.
    AddPeer(PeerId),
    /// Another client has left.
    DelPeer(PeerId),
    /// A message for, or from, another client.
    Relay {
        /// To the server: whom it is for, as Godot's number. From the server: who sent it.
        peer: i32,
        /// The message's bytes; not looked into when it is passed on.
        inner: Bytes,
    },
}

/// What a confirmation names the node by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The number from the `SimplifyPath`: Godot 4.3 and later.
    Id(u32),
    /// Its path: Godot 4.0 to 4.2.
    Path(String),
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteCall {
    /// The node.
    pub node: CallNode,
    /// The number of the method, see [`RpcIds`](crate::rpc::RpcIds).
    pub method: u16,
    /// At most 255.
    pub args: Vec<Variant>,
    /// Whether all arguments could be decoded. Godot 4.6.3 makes the call all the same, with null for what could not.
    pub complete: bool,
}

/// How a call names its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallNode {
    /// By the sender's number.
    Id {
        /// The number.
        id: u32,
        /// Whether it takes 4 bytes although fewer would do: in a call that goes to other peers by path.
        wide: bool,
    },
    /// By its path relative to the multiplayer root.
    Path(String),
}
