//! The properties of a kind of node, registered by name.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use bytes::BytesMut;
use mp_core::Variant;
use mp_core::variant::FromVariant;

use super::setter::WithSetter;
use super::{Attached, Mark, Property, PropertyError, SetterContext};
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

    /// Returns whether [`set`](Self::set) has to be called in place of [`write`](Self::write).
    fn has_setter(&self) -> bool {
        false
    }

    /// Sets it with a setter that can reach other nodes; without one as [`write`](Self::write).
    /// `object` is checked out of the tree meanwhile.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    fn set(
        &self,
        object: &mut dyn Any,
        _cx: &mut SetterContext<'_>,
        value: Variant,
    ) -> Result<(), PropertyError> {
        self.write(object, value)
    }

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

    /// A field with a setter that can reach other nodes, as a GDScript property with `set(value):`
    /// can. Registering a name again replaces it.
    ///
    /// The setter has to assign the field. It runs each time a peer sets the property, also to the
    /// value that it has:
    ///
    /// * with a SPAWN, when the announced node is in the tree with all below it, before
    ///   [`Signal::Spawned`]. As in Godot, the synchronizers of the node take their states one
    ///   after the other in tree order. So a setter can give authority over the synchronizers that
    ///   come after the one that has the property: they have no part in the announcement then.
    ///   Those that come before it must have their authority already;
    /// * with a SYNC or DELTA, before [`Signal::Synchronized`] and [`Signal::DeltaSynchronized`].
    ///
    /// The program itself sets it with [`Scene::set_property`]; a field that is assigned in another
    /// way runs no setter. A value that does not become a `V` is dropped, and the setter does not
    /// run.
    ///
    /// ```
    /// use mp_scene::prelude::*;
    ///
    /// /// `Input` below it is the synchronizer of what the player does.
    /// struct Player {
    ///     player_id: PeerId,
    /// }
    ///
    /// impl Player {
    ///     // @export var player_id := 1:
    ///     //     set(id):
    ///     //         player_id = id
    ///     //         $Input.set_multiplayer_authority(id)
    ///     fn set_player_id(&mut self, cx: &mut SetterContext<'_>, id: PeerId) {
    ///         self.player_id = id;
    ///         if let Ok(input) = cx.get_node("Input") {
    ///             let _ = cx.set_multiplayer_authority(input, id, true);
    ///         }
    ///     }
    /// }
    ///
    /// impl Node for Player {
    ///     fn property_table() -> PropertyTable<Self> {
    ///         PropertyTable::new().property_with_setter(
    ///             "player_id",
    ///             |player: &mut Self| &mut player.player_id,
    ///             Self::set_player_id,
    ///         )
    ///     }
    /// }
    /// ```
    ///
    /// [`Signal::Spawned`]: crate::Signal::Spawned
    /// [`Signal::Synchronized`]: crate::Signal::Synchronized
    /// [`Signal::DeltaSynchronized`]: crate::Signal::DeltaSynchronized
    /// [`Scene::set_property`]: crate::Scene::set_property
    #[must_use]
    pub fn property_with_setter<T: Property, V: FromVariant + 'static>(
        mut self,
        name: &str,
        field: impl Fn(&mut N) -> &mut T + 'static,
        setter: impl Fn(&mut N, &mut SetterContext<'_>, V) + 'static,
    ) -> Self {
        let field: Field<N, T, _> = Field { field, types: PhantomData };
        let with_setter = WithSetter { field, setter, value: PhantomData };
        self.set.named.insert(name.to_owned(), Rc::new(with_setter));
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

pub(super) struct Field<N, T, F> {
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
