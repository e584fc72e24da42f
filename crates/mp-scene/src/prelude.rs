//! Items that most programs import.

pub use mp_core::variant::{
    Array, Basis, Color, Dictionary, Quaternion, Rect2, Rect2i, Transform2D, Transform3D,
    TypedArray, TypedDictionary, Vector2, Vector2i, Vector3, Vector3i, Vector4, Vector4i,
};
pub use mp_core::{
    Channel, FromVariant, NodePath, PeerId, StringName, Target, TransferMode, Variant, VariantType,
    array, dict,
};

pub use crate::codec::{Codec, GodotVersion};
pub use crate::property::{PropertyTable, Replicated, SetterContext};
pub use crate::replication::{
    InterestGrid, MultiplayerSpawner, MultiplayerSynchronizer, ReplicationConfig, ReplicationMode,
    VisibilityUpdateMode,
};
pub use crate::rpc::{IntoArgs, RpcConfig, RpcMode, RpcTable};
pub use crate::tree::{Group, Instance, Node, NodeId, NodeRef, PackedScene, Tree};
pub use crate::{Branch, BranchBuilder, NodeContext, RpcContext, Scene, Signal};
