//! The properties of a kind of node, registered by name.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use bytes::BytesMut;
use mp_core::Variant;

use super::{Attached, Mark, Property, PropertyError};
use crate::codec::Objects;
use crate::codec::godot::compressed::encode_compressed;

/// What a synchronizer can read and write of a node of type `N`. Names are those of the Godot script.
///
/// ```
/// use mp_scene::prelude::*;
/// use mp_core::variant::Vector2;
///
/// #[derive(Default)]
/// struct Player {
///     position: Vector2,
///     health: Replicated<i64>, // says by itself when it changes
/// }
///
/// impl Node for Player {
///     fn property_table() -> PropertyTable<Self> {
///         PropertyTable::new()
///             .property("position", |player: &mut Self| &mut player.position)
///             .property("health", |player: &mut Self| &mut player.health)
///     }
/// }
/// ```
pub struct PropertyTable<N> {
    set: PropertySet,
    node: PhantomData<fn(&mut N)>,
}

/// How one property is read and written. `object` is the node's object; one of another type has no such property.
pub trait Accessor {
    /// Its value.
    ///
    /// # Errors
    ///
    /// When the object has no such property.
    fn read(&self, object: &mut dyn Any) -> Result<Variant, PropertyError>;

    /// Sets it.
    ///
    /// # Errors
    ///
    /// When the object has no such property, or it does not take the value.
    fn write(&self, object: &mut dyn Any, value: Variant) -> Result<(), PropertyError>;

    /// Appends its value as it travels.
    ///
    /// # Errors
    ///
    /// When the object has no such property, or it has no form on the wire.
    fn encode(
        &self,
        object: &mut dyn Any,
        objects: Objects,
        out: &mut BytesMut,
    ) -> Result<(), PropertyError> {
        encode_compressed(&self.read(object)?, objects, out)?;
        Ok(())
    }

    /// Asks it to report its changes with `mark`; `force` replaces the mark of another property.
    #[doc(hidden)]
    fn attach(&self, _object: &mut dyn Any, _mark: &Mark, _force: bool) -> Attached {
        Attached::Plain
    }
}

impl<N: 'static> PropertyTable<N> {
    /// No properties.
    pub fn new() -> Self {
        Self { set: PropertySet::default(), node: PhantomData }
    }

    /// A field. Registering a name again replaces it.
    #[must_use]
    pub fn property<T: Property>(
        mut self,
        name: &str,
        field: impl Fn(&mut N) -> &mut T + 'static,
    ) -> Self {
        let field: Field<N, T, _> = Field { field, types: PhantomData };
        self.set.named.insert(name.to_owned(), Rc::new(field));
        self
    }

    /// A property with code behind it. `set` says whether it takes the value.
    #[must_use]
    pub fn computed(
        mut self,
        name: &str,
        get: impl Fn(&mut N) -> Variant + 'static,
        set: impl Fn(&mut N, Variant) -> bool + 'static,
    ) -> Self {
        let set = move |node: &mut N, value| {
            if set(node, value) { Ok(()) } else { Err(PropertyError::NoProperty) }
        };
        let computed =
            Computed { get: move |node: &mut N| Some(get(node)), set, node: PhantomData };
        self.set.named.insert(name.to_owned(), Rc::new(computed));
        self
    }

    /// Every other name, for nodes that stand for any script: `get` says `None`, and `set` false, when the node has no such
    /// property.
    #[must_use]
    pub fn any(
        mut self,
        get: impl Fn(&mut N, &str) -> Option<Variant> + 'static,
        set: impl Fn(&mut N, &str, Variant) -> bool + 'static,
    ) -> Self {
        let (get, set) = (Rc::new(get), Rc::new(set));
        self.set.any = Some(Rc::new(move |name| {
            let (get, set) = (Rc::clone(&get), Rc::clone(&set));
            let (to_get, to_set) = (name.to_owned(), name.to_owned());
            let get = move |node: &mut N| get(node, &to_get);
            let set = move |node: &mut N, value| {
                if set(node, &to_set, value) { Ok(()) } else { Err(PropertyError::NoProperty) }
            };
            Rc::new(Computed { get, set, node: PhantomData })
        }));
        self
    }

    pub(crate) fn erase(self) -> PropertySet {
        self.set
    }
}

impl<N: 'static> Default for PropertyTable<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N> fmt::Debug for PropertyTable<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.set.named.keys()).finish()
    }
}

type AccessorOf = dyn Fn(&str) -> Rc<dyn Accessor>;

/// A [`PropertyTable`] that has forgotten its node type.
#[derive(Default)]
pub(crate) struct PropertySet {
    named: BTreeMap<String, Rc<dyn Accessor>>,
    any: Option<Rc<AccessorOf>>,
}

impl PropertySet {
    pub(crate) fn accessor(&self, name: &str) -> Option<Rc<dyn Accessor>> {
        self.named.get(name).map(Rc::clone).or_else(|| self.any.as_ref().map(|any| any(name)))
    }
}

struct Field<N, T, F> {
    field: F,
    types: PhantomData<fn(&mut N) -> T>,
}

impl<N: 'static, T: Property, F: Fn(&mut N) -> &mut T> Field<N, T, F> {
    fn of<'a>(&self, object: &'a mut dyn Any) -> Result<&'a mut T, PropertyError> {
        let node = object.downcast_mut::<N>().ok_or(PropertyError::NoProperty)?;
        Ok((self.field)(node))
    }
}

impl<N: 'static, T: Property, F: Fn(&mut N) -> &mut T> Accessor for Field<N, T, F> {
    fn read(&self, object: &mut dyn Any) -> Result<Variant, PropertyError> {
        Ok(self.of(object)?.to_variant())
    }

    fn write(&self, object: &mut dyn Any, value: Variant) -> Result<(), PropertyError> {
        Ok(self.of(object)?.set_variant(value)?)
    }

    fn encode(
        &self,
        object: &mut dyn Any,
        objects: Objects,
        out: &mut BytesMut,
    ) -> Result<(), PropertyError> {
        Ok(self.of(object)?.encode(objects, out)?)
    }

    fn attach(&self, object: &mut dyn Any, mark: &Mark, force: bool) -> Attached {
        self.of(object).map_or(Attached::Plain, |field| field.attach(mark, force))
    }
}

struct Computed<N, G, S> {
    get: G,
    set: S,
    node: PhantomData<fn(&mut N)>,
}

impl<N, G, S> Accessor for Computed<N, G, S>
where
    N: 'static,
    G: Fn(&mut N) -> Option<Variant>,
    S: Fn(&mut N, Variant) -> Result<(), PropertyError>,
{
    fn read(&self, object: &mut dyn Any) -> Result<Variant, PropertyError> {
        let node = object.downcast_mut::<N>().ok_or(PropertyError::NoProperty)?;
        (self.get)(node).ok_or(PropertyError::NoProperty)
    }

    fn write(&self, object: &mut dyn Any, value: Variant) -> Result<(), PropertyError> {
        let node = object.downcast_mut::<N>().ok_or(PropertyError::NoProperty)?;
        (self.set)(node, value)
    }
}
