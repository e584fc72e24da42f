//! What the nodes of one Rust type have in common.

use std::any::TypeId;
use std::rc::Rc;

use super::Node;
use crate::property::{PropertySet, PropertyTable};
use crate::rpc::{MethodTable, RpcTable};

/// The methods and properties of a kind of node.
#[derive(Default)]
pub(crate) struct NodeClass {
    pub(crate) methods: MethodTable,
    pub(crate) properties: PropertySet,
}

impl NodeClass {
    pub(crate) fn new<N: Node>(methods: RpcTable<N>, properties: PropertyTable<N>) -> Self {
        Self { methods: methods.erase(), properties: properties.erase() }
    }

    /// With a table of methods of its own.
    pub(crate) fn with_table<N: Node>(methods: RpcTable<N>) -> Self {
        Self::new(methods, N::property_table())
    }
}

/// Where the class of a node comes from: its type, made once per tree, or a table of the node's own.
#[derive(Clone)]
pub(crate) enum ClassOf {
    Type(TypeId, fn() -> NodeClass),
    Own(Rc<NodeClass>),
}

impl ClassOf {
    pub(crate) fn of<N: Node>() -> Self {
        Self::Type(TypeId::of::<N>(), || NodeClass::with_table(N::rpc_table()))
    }

    pub(crate) fn own<N: Node>(methods: RpcTable<N>) -> Self {
        Self::Own(Rc::new(NodeClass::with_table(methods)))
    }
}
