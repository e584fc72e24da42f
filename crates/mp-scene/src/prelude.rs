//! Items that most programs import.

pub use mp_core::{Channel, PeerId, Target, TransferMode, Variant};

pub use crate::codec::{Codec, GodotVersion};
pub use crate::property::{PropertyTable, Replicated, SetterContext};
pub use crate::replication::{
    MultiplayerSpawner, MultiplayerSynchronizer, ReplicationConfig, ReplicationMode,
    VisibilityUpdateMode,
};
pub use crate::rpc::{RpcConfig, RpcMode, RpcTable};
pub use crate::tree::{Group, Instance, Node, NodeId, NodeRef, PackedScene, Tree};
pub use crate::{Branch, BranchBuilder, NodeContext, RpcContext, Scene, Signal};
