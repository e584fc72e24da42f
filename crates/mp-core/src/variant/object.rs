//! Objects in encoded form.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "the forms of objects are Godot's, and programs construct them"
)]

use std::sync::Arc;

use super::{StringName, Variant};

/// An object of the engine in encoded form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// Instance id in the owner's process (Godot: `EncodedObjectAsID`); 0 is the null object. Godot
    /// sends this form by default.
    Id(u64),
    /// Class and stored properties. Sent only if both peers allow it.
    Full(Arc<FullObject>),
}

/// The content of an object, as Godot sends it with `allow_object_decoding`. It is data: no object
/// is created from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FullObject {
    /// Name of the class.
    pub class: StringName,
    /// Stored properties in the order in which they were sent. `script` is the path of the script,
    /// or nil.
    pub properties: Vec<(StringName, Variant)>,
}

impl Object {
    /// The null object.
    pub const NULL: Self = Self::Id(0);

    /// Returns whether this is the null object.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Id(0))
    }
}

impl FullObject {
    /// Returns the value of a property.
    #[doc(alias = "get")]
    pub fn property(&self, name: &str) -> Option<&Variant> {
        self.properties.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}
