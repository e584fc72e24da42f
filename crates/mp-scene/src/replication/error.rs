//! Why something is not replicated.

use crate::property::PropertyError;
use crate::tree::TreeError;

/// An error of a synchronizer, a spawner or a spawned node, so that it is not replicated, or
/// not now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicationError {
    /// A property cannot be read.
    #[error("{synchronizer}: property {property:?}: {error}")]
    Property {
        /// Path of the synchronizer.
        synchronizer: String,
        /// Path of the property.
        property: String,
        /// Why.
        error: PropertyError,
    },
    /// The state takes more than a packet may.
    #[error(
        "{synchronizer}: its {kind} properties take {len} bytes together, and {setting} is {max}; \
         set that higher, or give some of them to another synchronizer"
    )]
    TooLarge {
        /// Path of the synchronizer.
        synchronizer: String,
        /// Which properties: `always` or `on_change`.
        kind: &'static str,
        /// Their size now.
        len: usize,
        /// The setting.
        setting: &'static str,
        /// Its value in bytes.
        max: usize,
    },
    /// A peer announced a node with more or fewer synchronizers than the local scene has. Their
    /// numbers and states are given out in tree order, so some may have gone to the wrong one.
    #[error(
        "{node}: peer {peer} announced it with {announced} synchronizers, and here {found} are of \
         its root and of that peer's authority; give both sides the same scene, and set \
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
        /// Number of local synchronizers that the announcement can mean.
        found: usize,
    },
    /// Nodes that a peer announced wait for a path at which no node came within
    /// [`LEVEL_TIME`](crate::limits::LEVEL_TIME), such as that of the spawner of a level. They are
    /// dropped, and counted in [`refused_announcements`](crate::SceneStats::refused_announcements). A Godot does
    /// not repeat them; mp does when the path is there. At most one error of a peer every few
    /// seconds.
    #[error(
        "{path}: peer {peer} announced {packets} nodes or paths, most of them here, and there is no \
         such node; add the level sooner, or let the peer spawn nodes after it is loaded here"
    )]
    NoNode {
        /// The path at which most of them waited.
        path: String,
        /// The peer that announced them.
        peer: mp_core::PeerId,
        /// Number of announcements that are dropped, at this path and others.
        packets: usize,
    },
    /// A node under a spawner has a name that Godot makes up, such as `@Node2D@7`. It stays local:
    /// no Godot peer would accept the announcement.
    #[error(
        "{node}: a name with an @ is Godot's, and no peer accepts it from a spawner; give the node \
         a name of its own before it is added"
    )]
    Name {
        /// Path of the node.
        node: String,
    },
    /// `root_path` leads nowhere.
    #[error("{synchronizer}: there is no node at its root_path {root_path:?}")]
    NoRoot {
        /// Path of the synchronizer.
        synchronizer: String,
        /// The setting.
        root_path: String,
    },
}

/// Why a spawner did not spawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no spawner.
    #[error("the node is no MultiplayerSpawner in the tree")]
    NoSpawner,
    /// Another peer has authority over the spawner.
    #[error("peer {0} has authority over the spawner, and only it may spawn")]
    NotAuthority(mp_core::PeerId),
    /// `spawn_path` leads nowhere.
    #[error("there is no node at the spawn_path {0:?}")]
    NoParent(String),
    /// `spawn_limit` is reached.
    #[error("the spawner has {0} nodes, its spawn_limit")]
    Limit(u32),
    /// There is no spawn function.
    #[error("the spawner has no spawn function; give it one with `spawn_function`")]
    NoFunction,
    /// The spawn function made nothing of the data.
    #[error("the spawn function returned nothing")]
    Declined,
    /// The spawn function gave the node a name that Godot makes up, such as `@Node2D@7`, or one
    /// that no node can have.
    #[error(
        "the spawn function named the node {0:?}, and no peer accepts such a name from a spawner: \
         it must not be empty nor contain any of . : @ / \" %"
    )]
    Name(String),
    /// The data has no form on the wire.
    #[error("the data cannot be encoded: {0}")]
    Data(#[from] crate::codec::godot::VariantError),
    /// The tree refused the node.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A [`MultiplayerApi`](crate::api::MultiplayerApi) of the program's own that announces no nodes.
    #[error("the protocol of the branch does not spawn nodes")]
    Unsupported,
}
