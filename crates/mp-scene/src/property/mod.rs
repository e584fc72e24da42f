//! Properties: what a synchronizer reads and writes of nodes, and how a kind of node lists them.

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

/// Why a property could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// Its value has no form on the wire.
    #[error("its value cannot be encoded: {0}")]
    Encode(#[from] VariantError),
    /// The value is of a type that it does not take.
    #[error("the value does not fit: {0}")]
    Type(#[from] FromVariantError),
    /// It has no component of this name.
    #[error("it has no component {0:?}")]
    NoComponent(String),
    /// The node has no such property.
    #[error("there is no such property")]
    NoProperty,
    /// The node has left the tree, or a method of it runs.
    #[error("its node cannot be reached")]
    Unreachable,
}
