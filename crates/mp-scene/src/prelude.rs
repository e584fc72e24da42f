//! What most programs import.

pub use mp_core::{Channel, PeerId, Target, TransferMode, Variant};

pub use crate::codec::{Codec, GodotVersion};
pub use crate::rpc::{RpcConfig, RpcMode, RpcTable};
pub use crate::tree::{Group, Node, NodeId, NodeRef};
pub use crate::{Branch, BranchBuilder, RpcContext, Scene, Signal};
