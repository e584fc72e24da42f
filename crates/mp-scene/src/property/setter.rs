//! Properties whose setters can reach other nodes.

use std::any::Any;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use bytes::BytesMut;
use mp_core::variant::FromVariant;
use mp_core::{PeerId, Variant};

use super::table::Field;
use super::{Accessor, Attached, Mark, Property, PropertyError};
use crate::codec::Objects;
use crate::tree::{NodeId, NodeTree, Tree, TreeError};

/// The context of a setter of a
/// [`property_with_setter`](super::PropertyTable::property_with_setter): the [`Tree`], which the
/// setter may change.
///
/// While the setter runs its node is checked out of the tree: it is the first argument of the
/// setter, and [`Tree::get_mut`] returns [`TreeError::Busy`] for it. The setter cannot call methods
/// or send, since a received packet may be only partly applied; a hook for
/// [`Signal::Spawned`](crate::Signal::Spawned) can.
#[derive(Debug)]
pub struct SetterContext<'a> {
    tree: &'a mut Tree,
    node: NodeId,
    unique_id: PeerId,
}

impl<'a> SetterContext<'a> {
    pub(crate) fn new(tree: &'a mut Tree, node: NodeId, unique_id: PeerId) -> Self {
        Self { tree, node, unique_id }
    }

    /// Returns the node whose property is set.
    pub fn node_id(&self) -> NodeId {
        self.node
    }

    /// Returns the node at `path`, absolute or relative to the node whose property is set
    /// (GDScript: `$Input`, `get_node("../Team")`).
    ///
    /// # Errors
    ///
    /// [`TreeError::NotFound`].
    pub fn get_node(&self, path: &str) -> Result<NodeId, TreeError> {
        let node = self.tree.find_from(self.node, path);
        node.ok_or_else(|| TreeError::NotFound(path.to_owned()))
    }

    /// Returns the local peer's id.
    #[doc(alias = "get_unique_id")]
    pub fn unique_id(&self) -> PeerId {
        self.unique_id
    }
}

impl Deref for SetterContext<'_> {
    type Target = Tree;

    fn deref(&self) -> &Tree {
        self.tree
    }
}

impl DerefMut for SetterContext<'_> {
    fn deref_mut(&mut self) -> &mut Tree {
        self.tree
    }
}

/// A field that is read directly, and written by a setter that takes a `V`.
pub(super) struct WithSetter<N, T, V, F, S> {
    pub(super) field: Field<N, T, F>,
    pub(super) setter: S,
    pub(super) value: PhantomData<fn(V)>,
}

impl<N, T, V, F, S> Accessor for WithSetter<N, T, V, F, S>
where
    N: 'static,
    T: Property,
    V: FromVariant,
    F: Fn(&mut N) -> &mut T,
    S: Fn(&mut N, &mut SetterContext<'_>, V),
{
    fn read(&self, object: &mut dyn Any) -> Result<Variant, PropertyError> {
        self.field.read(object)
    }

    fn write(&self, object: &mut dyn Any, value: Variant) -> Result<(), PropertyError> {
        self.field.write(object, value)
    }

    fn encode(
        &self,
        object: &mut dyn Any,
        objects: Objects,
        out: &mut BytesMut,
    ) -> Result<(), PropertyError> {
        self.field.encode(object, objects, out)
    }

    fn attach(&self, object: &mut dyn Any, mark: &Mark, force: bool) -> Attached {
        self.field.attach(object, mark, force)
    }

    fn has_setter(&self) -> bool {
        true
    }

    fn set(
        &self,
        object: &mut dyn Any,
        cx: &mut SetterContext<'_>,
        value: Variant,
    ) -> Result<(), PropertyError> {
        let node = object.downcast_mut::<N>().ok_or(PropertyError::NoProperty)?;
        (self.setter)(node, cx, V::from_variant(value)?);
        Ok(())
    }
}
