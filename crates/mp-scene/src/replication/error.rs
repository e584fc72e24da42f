//! Errors of replication.

use crate::property::PropertyError;
use crate::tree::TreeError;

/// The reason why a synchronizer, a spawner or a spawned node is not replicated, for now or for
/// good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicationError {
    /// A property of a synchronizer cannot be read.
    #[error("{synchronizer}: cannot read property {property:?}")]
    Property {
        /// Path of the synchronizer.
        synchronizer: String,
        /// Path of the property.
        property: String,
        /// The error of reading.
        source: PropertyError,
    },
    /// The properties of a synchronizer exceed the maximum packet size.
    #[error(
        "{synchronizer}: its {kind} properties take {len} bytes, and {setting} is {max}; raise \
         the setting, or move some properties to another synchronizer"
    )]
    TooLarge {
        /// Path of the synchronizer.
        synchronizer: String,
        /// The kind of the properties: `always` or `on_change`.
        kind: &'static str,
        /// Their size in bytes.
        len: usize,
        /// Name of the setting that limits the size.
        setting: &'static str,
        /// Value of the setting in bytes.
        max: usize,
    },
    /// A peer announced a node with more or fewer synchronizers than the local scene has. Ids and
    /// states are assigned in tree order, so some may have been assigned to the wrong synchronizer.
    #[error(
        "{node}: peer {peer} announced it with {announced} synchronizers, and the local node has \
         {found} of its root and of that peer's authority; use the same scene on both peers, and set \
         authorities in enter_tree, in the spawn function, or in the setter of a property that an \
         earlier synchronizer sends"
    )]
    Announcement {
        /// Path of the announced node.
        node: String,
        /// The peer that announced it.
        peer: mp_core::PeerId,
        /// Number of synchronizers in the announcement.
        announced: usize,
        /// Number of local synchronizers to which the announcement can refer.
        found: usize,
    },
    /// Announcements of a peer were dropped because a node that they refer to, such as the spawner
    /// of a level, was missing for [`LEVEL_TIME`](crate::limits::LEVEL_TIME).
    ///
    /// They are counted in [`refused_announcements`](crate::SceneStats::refused_announcements). A
    /// Godot peer does not repeat them; mp repeats them once the node exists. Reported at most once
    /// every few seconds for each peer.
    #[error(
        "{path}: peer {peer} sent {packets} announcements, most of which refer to this missing node; \
         add the level sooner, or let the peer spawn nodes after the level is loaded"
    )]
    NoNode {
        /// The path of the missing node to which most of them refer.
        path: String,
        /// The peer that sent them.
        peer: mp_core::PeerId,
        /// Number of dropped announcements, including those that refer to other missing nodes.
        packets: usize,
    },
    /// A node under a spawner has a name that Godot generates, such as `@Node2D@7`. It is not
    /// announced, since no Godot peer would accept it.
    #[error(
        "{node}: no peer accepts a generated name (with @) from a spawner; name the node before \
         it is added"
    )]
    Name {
        /// Path of the node.
        node: String,
    },
    /// The `root_path` of a synchronizer names no node.
    #[error("{synchronizer}: there is no node at its root_path {root_path:?}")]
    NoRoot {
        /// Path of the synchronizer.
        synchronizer: String,
        /// The `root_path`.
        root_path: String,
    },
}

/// The reason why a spawner did not spawn a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The node is not a spawner, or not in the tree.
    #[error("the node is not a MultiplayerSpawner in the tree")]
    NoSpawner,
    /// Another peer has authority over the spawner.
    #[error("peer {0} has authority over the spawner, and only it may spawn")]
    NotAuthority(mp_core::PeerId),
    /// The `spawn_path` names no node.
    #[error("there is no node at the spawn_path {0:?}")]
    NoParent(String),
    /// The `spawn_limit` is reached.
    #[error("the spawner has {0} nodes, its spawn_limit")]
    Limit(u32),
    /// The spawner has no spawn function.
    #[error("the spawner has no spawn function; set one with `set_spawn_function`")]
    NoFunction,
    /// The spawn function returned no node for the data.
    #[error("the spawn function returned nothing")]
    Declined,
    /// The spawn function returned a node whose name is invalid, or one that Godot generates, such
    /// as `@Node2D@7`.
    #[error(
        "the spawn function named the node {0:?}, and no peer accepts such a name from a spawner: \
         it must not be empty nor contain any of . : @ / \" %"
    )]
    Name(String),
    /// The data cannot be encoded.
    #[error("the data cannot be encoded")]
    Data(#[from] crate::codec::godot::VariantError),
    /// The tree refused the node.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A custom [`MultiplayerApi`](crate::api::MultiplayerApi) that announces no nodes.
    #[error("the protocol of the branch does not spawn nodes")]
    Unsupported,
}
