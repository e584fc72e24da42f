//! Messages of the `SceneMultiplayer` protocol, independent of their encoding.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "the fields and variants are those of the wire"
)]

use bytes::Bytes;
use mp_core::{PeerId, Variant};

/// A message between two `SceneMultiplayer`s.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SceneMessage {
    /// A call of a method.
    RemoteCall(RemoteCall),
    /// The announcement that the sender will refer to the node at `path` by `id`.
    SimplifyPath {
        /// The sender's id for the node.
        id: u32,
        /// The sender's [`RpcIds::checksum`](crate::rpc::RpcIds::checksum) of the node.
        checksum: [u8; 32],
        /// The path relative to the multiplayer root.
        path: String,
    },
    /// The reply to a `SimplifyPath`: the receiver knows the node.
    ConfirmPath {
        /// The confirmed node.
        node: ConfirmedNode,
        /// True if the RPC tables of both peers match for the node.
        checksum_ok: bool,
    },
    /// Application bytes (`send_bytes`).
    Raw(Bytes),
    /// The announcement of a spawned node.
    Spawn(Spawn),
    /// The node with this net id was removed, or became invisible to the receiver.
    Despawn(u32),
    /// Properties that are always sent.
    Sync {
        /// A wrapping sequence number; a message older than the last applied one is ignored.
        time: u16,
        /// The properties, in the codec's encoding.
        elements: Bytes,
    },
    /// Changed properties, in the codec's encoding.
    Delta(Bytes),
    /// Application bytes of an authentication; empty bytes complete it.
    Auth(Bytes),
    /// The server announces another client.
    AddPeer(PeerId),
    /// Another client has left.
    DelPeer(PeerId),
    /// A message for, or from, another client.
    Relay {
        /// To the server: the target, as Godot's number. From the server: the sender.
        peer: i32,
        /// The encoded message, which the server forwards without decoding it.
        inner: Bytes,
    },
}

/// The announcement of a spawned node.
#[derive(Clone, Debug, PartialEq)]
pub struct Spawn {
    /// The source from which the node is created.
    pub source: SpawnSource,
    /// The sender's id for the spawner.
    pub spawner: u32,
    /// The sender's id for the node, which a later `Despawn` contains.
    pub net_id: u32,
    /// The sender's ids for the node's synchronizers that the sender has authority over, in the
    /// order in which they enter the tree.
    pub synchronizers: Vec<u32>,
    /// The node's name.
    pub name: String,
    /// The spawn properties of `synchronizers`, encoded one after the other.
    pub state: Bytes,
}

/// The source from which a spawned node is created.
#[derive(Clone, Debug, PartialEq)]
pub enum SpawnSource {
    /// Index of a scene in the spawner's list.
    Scene(u8),
    /// Argument of the spawner's function.
    Data(Variant),
}

/// The node in a `ConfirmPath`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfirmedNode {
    /// The id from the `SimplifyPath`: Godot 4.3 and later.
    Id(u32),
    /// The path: Godot 4.0 to 4.2.
    Path(String),
}

/// A remote procedure call.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteCall {
    /// The node.
    pub node: CallNode,
    /// The id of the method, see [`RpcIds`](crate::rpc::RpcIds).
    pub method: u16,
    /// The arguments, at most 255.
    pub args: Vec<Variant>,
    /// True if all arguments were decoded. Godot 4.6.3 makes the call in any case, with null for
    /// those that were not.
    pub complete: bool,
}

/// The node of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallNode {
    /// The sender's id for the node.
    Id {
        /// The id.
        id: u32,
        /// True if the id is encoded in 4 bytes although fewer suffice, as in a call that goes to
        /// other peers by path.
        wide: bool,
    },
    /// The path relative to the multiplayer root.
    Path(String),
}
