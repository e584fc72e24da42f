//! The typed middle: what SceneMultiplayer says, before a codec makes bytes of it.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "the fields and variants are those of the wire"
)]

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
    /// A spawner has a node.
    Spawn(Spawn),
    /// The node with this net id is gone, or not to be seen any more.
    Despawn(u32),
    /// Properties that are always sent.
    Sync {
        /// Counts up, and wraps; an older one is not to be taken after a newer one.
        time: u16,
        /// In the form of the codec, which takes them apart.
        elements: Bytes,
    },
    /// Properties that have changed, in the form of the codec.
    Delta(Bytes),
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

/// The announcement of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Spawn {
    /// What it is made of.
    pub of: SpawnOf,
    /// The sender's number for the spawner.
    pub spawner: u32,
    /// The sender's number for the node, by which it will be despawned.
    pub net_id: u32,
    /// The sender's numbers for the synchronizers of the node that the sender has authority over, in the order in which they enter the
    /// tree.
    pub synchronizers: Vec<u32>,
    /// The node's name.
    pub name: String,
    /// The spawn properties of those synchronizers, encoded one after the other.
    pub state: Bytes,
}

/// What an announced node is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum SpawnOf {
    /// The scene of this number in the spawner's list.
    Scene(u8),
    /// Data for the spawner's function.
    Data(Variant),
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
