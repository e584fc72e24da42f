//! Typed calls: the interface between programs and the code that `#[rpc_methods]` generates.

use std::marker::PhantomData;

use mp_core::Target;

use super::{IntoArgs, RpcDeclaration, RpcTable};
use crate::tree::{Node, NodeId, NodeRef};
use crate::{RpcError, Scene};

/// A node type whose RPCs have typed callers. `#[rpc_methods]` of the crate `mp` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no typed RPCs",
    label = "no typed RPCs",
    note = "write #[rpc_methods] on an impl of `{Self}`; that of a generic node has the bounds of \
            its struct, and may be empty"
)]
pub trait HasRpcs: Node + Sized {
    /// The callers: a method for each RPC, with its arguments, that returns an [`RpcCall`].
    type Rpcs;

    /// Returns the callers for `node`; see [`NodeRef::rpcs`].
    fn rpcs_of(node: NodeRef<Self>) -> Self::Rpcs;

    /// The declarations of the methods, by name.
    #[doc(hidden)]
    const DECLARATIONS: &'static [RpcDeclaration];

    /// Returns the table of the methods.
    #[doc(hidden)]
    fn typed_table() -> RpcTable<Self>;
}

impl<N: HasRpcs> NodeRef<N> {
    /// Returns the typed callers of the node's RPCs.
    ///
    /// ```ignore
    /// player.rpcs().steer(0.5, 1.0).call_id(scene, PeerId::SERVER)?;
    /// ```
    pub fn rpcs(self) -> N::Rpcs {
        N::rpcs_of(self)
    }
}

/// A typed call that was not sent yet.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until `call(scene)` or `call_id(scene, peer)`"]
pub struct RpcCall<A> {
    node: NodeId,
    method: &'static str,
    args: A,
}

impl<A> RpcCall<A> {
    /// Creates a call of `method` of `node`. It is not checked before it is sent.
    pub fn new(node: impl Into<NodeId>, method: &'static str, args: A) -> Self {
        Self { node: node.into(), method, args }
    }
}

impl<A: IntoArgs> RpcCall<A> {
    /// Calls the method on all other peers, and locally if it is `call_local`. An RPC method passes
    /// its context as `scene`.
    ///
    /// # Errors
    ///
    /// See [`RpcError`].
    #[doc(alias = "rpc")]
    pub fn call(self, scene: &mut Scene) -> Result<(), RpcError> {
        self.call_id(scene, Target::All)
    }

    /// Calls the method on `target`: a [`PeerId`](mp_core::PeerId) or a [`Target`].
    ///
    /// # Errors
    ///
    /// See [`RpcError`].
    #[doc(alias = "rpc_id")]
    pub fn call_id(self, scene: &mut Scene, target: impl Into<Target>) -> Result<(), RpcError> {
        scene.rpc_id(target, self.node, self.method, self.args)
    }
}

/// Finds the RPC table of a node type in code that does not know if the type has one: this
/// function for types with [`HasRpcs`], [`NoRpcs::rpc_table`] for others.
#[doc(hidden)]
#[derive(Debug)]
pub struct TableOf<N>(PhantomData<N>);

impl<N: HasRpcs> TableOf<N> {
    /// Returns the table of the methods.
    pub fn rpc_table() -> RpcTable<N> {
        N::typed_table()
    }
}

/// The RPC table of a node type without RPCs.
#[doc(hidden)]
pub trait NoRpcs<N: 'static> {
    /// Returns an empty table.
    fn rpc_table() -> RpcTable<N> {
        RpcTable::new()
    }
}

impl<N: 'static> NoRpcs<N> for TableOf<N> {}
