//! Conversion between [`Variant`] and types that implement `Serialize` and `Deserialize` (feature
//! `serde`).
//!
//! ```
//! use mp_core::serde::{from_variant, to_variant};
//! use mp_core::variant::Vector2;
//! use mp_core::{array, dict};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Unit {
//!     position: Vector2,
//!     orders: Vec<Order>,
//!     target: Option<i64>,
//! }
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! enum Order {
//!     Wait,
//!     Walk { distance: f64 },
//! }
//!
//! let orders = vec![Order::Wait, Order::Walk { distance: 2.5 }];
//! let unit = Unit { position: Vector2::ONE, orders, target: None };
//! let value = to_variant(&unit)?;
//! let walk = dict! { "Walk" => dict! { "distance" => 2.5 } };
//! assert_eq!(
//!     value,
//!     dict! { "position" => Vector2::ONE, "orders" => array!["Wait", walk], "target" => () }.into()
//! );
//! assert_eq!(from_variant::<Unit>(value)?, unit);
//!
//! let wrong = dict! { "position" => Vector2::ONE, "orders" => array!["Wait", "Run"] };
//! let error = from_variant::<Unit>(wrong.into()).unwrap_err();
//! assert_eq!(error.to_string(), "orders[1]: unknown variant `Run`, expected `Wait` or `Walk`");
//! # Ok::<(), mp_core::serde::SerdeError>(())
//! ```
//!
//! | in Rust | in Godot |
//! |---|---|
//! | `bool`, integers, `f32` and `f64` | `bool`, `int`, `float` |
//! | `char`, `str`, `String` | `String` |
//! | bytes of `serialize_bytes` | `PackedByteArray` |
//! | vectors, geometry and colors of this crate | the same types |
//! | `None`, `()`, a struct without fields | `null` |
//! | `Some(value)` | the value |
//! | struct with fields | `Dictionary` with the names as keys |
//! | struct with one field without a name | the value of the field |
//! | `Vec`, slice, tuple, struct with several fields without names | `Array` |
//! | map | `Dictionary` |
//! | variant of an enum | `String`: its name |
//! | variant with fields | `Dictionary` with the name as its only key, and the fields as value |
//!
//! The attributes of serde (`rename`, `default`, `tag`, …) change these forms as in JSON.
//!
//! [`from_variant`] accepts these forms, and the conversions of Godot's typed parameters
//! ([`Variant::convert`]): a `float` for an integer, a `StringName` for a `String`. It also reads
//! packed arrays as sequences, and vectors and geometry as structs of their fields or sequences of
//! these. `Some(())` and `Some(None)` become `null`, which is read as `None`.
//!
//! For arguments of RPCs prefer `derive(ToVariant, FromVariant)` of the crate `mp`, which allows
//! them as parameter types.

mod de;
mod error;
mod geometry;
mod list;
mod ser;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Variant;

pub use error::SerdeError;
pub use list::list_of_at_most;

/// Converts a value to a [`Variant`].
///
/// # Errors
///
/// If an integer does not fit Godot's 64-bit `int`, if the value is nested deeper than
/// [`SERDE_DEPTH_MAX`](crate::limits::SERDE_DEPTH_MAX), or if its `Serialize` fails.
pub fn to_variant<T: Serialize + ?Sized>(value: &T) -> Result<Variant, SerdeError> {
    value.serialize(ser::ToVariant::new())
}

/// Converts a [`Variant`] to a value.
///
/// # Errors
///
/// If the variant has another form, or is nested deeper than
/// [`SERDE_DEPTH_MAX`](crate::limits::SERDE_DEPTH_MAX). The error names the path of the value.
pub fn from_variant<T: DeserializeOwned>(value: Variant) -> Result<T, SerdeError> {
    T::deserialize(de::OfVariant::new(value))
}
