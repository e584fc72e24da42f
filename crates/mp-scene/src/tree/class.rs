//! Node classes: the methods and properties that nodes of one Rust type share.

use std::any::TypeId;
use std::cell::Cell;
use std::rc::Rc;

use super::Node;
use crate::property::{PropertySet, PropertyTable};
use crate::rpc::{MethodTable, RpcTable};

/// The methods and properties of a node type.
#[derive(Default)]
pub(crate) struct NodeClass {
    pub(crate) methods: MethodTable,
    pub(crate) properties: PropertySet,
    /// True if a call of [`Node::ready`] showed that the type does not override it.
    pub(crate) lacks_ready: Cell<bool>,
    /// True if a call of [`Node::process`] showed that the type does not override it.
    pub(crate) lacks_process: Cell<bool>,
}

impl NodeClass {
    pub(crate) fn new<N: Node>(methods: RpcTable<N>, properties: PropertyTable<N>) -> Self {
        let (methods, properties) = (methods.erase(), properties.erase());
        Self { methods, properties, ..Self::default() }
    }

    /// Creates a class with its own RPC table and the properties of `N`.
    pub(crate) fn with_table<N: Node>(methods: RpcTable<N>) -> Self {
        Self::new(methods, N::property_table())
    }
}

/// The source of a node's class: its type, built once per tree, or the node's own table.
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
