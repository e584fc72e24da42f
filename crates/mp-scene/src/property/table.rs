//! Property tables: the properties of a node type by name.

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

/// The properties of nodes of type `N`, for synchronizers. Names are those of the Godot script.
///
/// ```
/// use mp_scene::prelude::*;
/// use mp_core::variant::Vector2;
///
/// #[derive(Default)]
/// struct Player {
///     position: Vector2,
///     health: Replicated<i64>, // detects its changes
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

/// Access to one property. `object` is the node's object; an object of another type has no such
/// property.
pub trait Accessor {
    /// Returns the value.
    ///
    /// # Errors
    ///
    /// If the object has no such property.
    fn read(&self, object: &mut dyn Any) -> Result<Variant, PropertyError>;

    /// Sets the value.
    ///
    /// # Errors
    ///
    /// If the object has no such property, or the value does not convert.
    fn write(&self, object: &mut dyn Any, value: Variant) -> Result<(), PropertyError>;

    /// Returns whether [`set`](Self::set) must be called instead of [`write`](Self::write).
    fn has_setter(&self) -> bool {
        false
    }

    /// Sets the value with a setter that can use the tree; without a setter as
    /// [`write`](Self::write). `object` is checked out of the tree meanwhile.
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

    /// Appends the encoded value.
    ///
    /// # Errors
    ///
    /// If the object has no such property, or the value cannot be encoded.
    fn encode(
        &self,
        object: &mut dyn Any,
        objects: Objects,
        out: &mut BytesMut,
    ) -> Result<(), PropertyError> {
        encode_compressed(&self.read(object)?, objects, out)?;
        Ok(())
    }

    /// Attaches a mark that records changes. `force` replaces the mark of another property.
    #[doc(hidden)]
    fn attach(&self, _object: &mut dyn Any, _mark: &Mark, _force: bool) -> Attached {
        Attached::Plain
    }
}

impl<N: 'static> PropertyTable<N> {
    /// Creates an empty table.
    pub fn new() -> Self {
        Self { set: PropertySet::default(), node: PhantomData }
    }

    /// Adds a field. Replaces an earlier property of that name.
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

    /// Adds a field with a setter that can change other nodes, as a GDScript property with
    /// `set(value):` can. Replaces an earlier property of that name.
    ///
    /// The setter must assign the field. It runs each time a peer sets the property, even if the
    /// value is unchanged:
    ///
    /// * With a SPAWN, after the announced node entered the tree with its children, before
    ///   [`Signal::Spawned`]. As in Godot, the states of the node's synchronizers are applied in
    ///   tree order. A setter can therefore give authority over synchronizers after its own, which
    ///   then have no state in the announcement. Synchronizers before it need their authority
    ///   already.
    /// * With a SYNC or DELTA, before [`Signal::Synchronized`] and [`Signal::DeltaSynchronized`].
    ///
    /// The program runs the setter with [`Scene::set_property`]; assigning the field does not run
    /// it. A value that does not convert to `V` is dropped without running the setter.
    ///
    /// ```
    /// use mp_scene::prelude::*;
    ///
    /// /// Its child `Input` is the synchronizer of the player's input.
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

    /// Adds a property with a getter and a setter. `set` returns whether it accepts the value.
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

    /// Adds all other names, for a node that stands for any Godot script. `get` returns `None`, and
    /// `set` returns false, if the node has no such property.
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

/// A [`PropertyTable`] without its node type.
#[derive(Default)]
pub(crate) struct PropertySet {
    named: BTreeMap<String, Rc<dyn Accessor>>,
    any: Option<Rc<AccessorOf>>,
}

impl PropertySet {
    /// Returns the listed properties by name.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &Rc<dyn Accessor>)> {
        self.named.iter().map(|(name, accessor)| (name.as_str(), accessor))
    }

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
