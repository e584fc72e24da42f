//! Properties of nodes: tables that list them, and the access of synchronizers to their values.

mod component;
mod replicated;
mod setter;
mod table;
mod value;

pub use component::{component, set_component};
pub use replicated::Replicated;
pub(crate) use replicated::{Attached, DirtyList, Mark};
pub use setter::SetterContext;
pub(crate) use table::PropertySet;
pub use table::{Accessor, PropertyTable};
pub use value::Property;

use mp_core::variant::FromVariantError;

use crate::codec::godot::VariantError;

/// The reason why a property could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// The value cannot be encoded.
    #[error("the value cannot be encoded")]
    Encode(#[from] VariantError),
    /// The value does not convert to the type of the property.
    #[error("the value has the wrong type")]
    Type(#[from] FromVariantError),
    /// The property has no component of this name.
    #[error("the value has no component {0:?}")]
    NoComponent(String),
    /// The node has no such property.
    #[error("there is no such property")]
    NoProperty,
    /// The node is not in the tree, or one of its methods is running.
    #[error("the node is not in the tree, or one of its methods is running")]
    Unreachable,
}
