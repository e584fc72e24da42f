//! Objects, as far as they can travel.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "Godot lists the forms of objects, and programs build them"
)]

use std::sync::Arc;

use super::{StringName, Variant};

/// An object of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// Its instance id within the process of its owner (Godot: `EncodedObjectAsID`); 0 is the null object. This is how
    /// objects travel by default.
    Id(u64),
    /// Its class and stored properties, as data. Only travels when both sides allow it.
    Full(Arc<FullObject>),
}

/// An object by its content: what Godot sends with `allow_object_decoding`. Nothing is created from it, it is data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FullObject {
    /// Name of its class.
    pub class: StringName,
    /// Its stored properties in the order in which they were sent. `script` is the path of the script, or nil.
    pub properties: Vec<(StringName, Variant)>,
}

impl Object {
    /// The null object.
    pub const NULL: Self = Self::Id(0);

    /// Whether it is the null object.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Id(0))
    }
}

impl FullObject {
    /// The value of a property.
    #[doc(alias = "get")]
    pub fn property(&self, name: &str) -> Option<&Variant> {
        self.properties.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}
