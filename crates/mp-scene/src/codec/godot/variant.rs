//! Values on Godot's wire: `var_to_bytes` and `bytes_to_var`.
//!
//! A value is a header of 4 bytes and a payload, all little-endian; every value has a length that is a multiple of 4.
//! Bits 0 to 7 of the header are the [type](mp_core::VariantType), bits 16 and up flags, all others are ignored:
//!
//! | flag | on | meaning |
//! |---|---|---|
//! | bit 16 | int, float | the payload has 8 bytes instead of 4 |
//! | bit 16 | types of `f32` components, but Color | components are `f64`; sent by double-precision builds, narrowed here |
//! | bit 16 | Object | the payload is an id |
//! | bits 16–17 | Array | kind of the element type: 0 none, 1 a builtin type, 2 a class, 3 a script |
//! | bits 16–19 | Dictionary | kinds of the key type and the value type |
//!
//! Arguments and properties travel in the [compressed](super::compressed) form. What Godot 4.6.3 writes is what this
//! writes, byte for byte, and what it accepts is what this accepts, up to [`Limits`].

mod decode;
mod encode;
mod error;

pub use decode::{Decoder, Limits};
pub use encode::{Objects, encode_variant};
pub(crate) use encode::{encode_basis, encode_components, encode_projection, encode_transform_3d};
pub use error::VariantError;

use mp_core::Variant;

/// Reads one value and moves `data` behind it. Bytes after the value are left there.
///
/// # Errors
///
/// When `data` does not begin with a value or `limits` are passed; `data` is then where it was.
pub fn decode_variant(data: &mut &[u8], limits: &Limits) -> Result<Variant, VariantError> {
    let mut decoder = Decoder::new(data, limits);
    let value = decoder.variant()?;
    *data = decoder.rest();
    Ok(value)
}

/// Values may be nested this deep: 1024 arrays around an int pass, 1025 fail, as in Godot 4.6.3, both ways.
pub const DEPTH_MAX: usize = 1024;

/// Flag bit 16: 64-bit numbers, or an object's id.
const FLAG_WIDE: u32 = 1 << 16;

/// Where the kind of a (first) element type begins.
const KIND_SHIFT: u32 = 16;

/// Bits of a kind.
const KIND_BITS: u32 = 2;

/// Element type kinds.
const KIND_ANY: u32 = 0;
const KIND_BUILTIN: u32 = 1;
const KIND_CLASS: u32 = 2;
const KIND_SCRIPT: u32 = 3;

/// Says that a NodePath is in the current form; always set.
const PATH_NEW_FORM: u32 = 1 << 31;

/// NodePath flags.
const PATH_ABSOLUTE: u32 = 1;
const PATH_OBSOLETE: u32 = 2;

/// Bit 31 of the count of arrays and dictionaries is ignored.
const COUNT_MASK: u32 = !(1 << 31);

/// Begins the path of every script.
const SCRIPT_PATH_PREFIX: &str = "res://";

/// Bytes that fill up `len` to a multiple of 4.
const fn padding(len: usize) -> usize {
    len.wrapping_neg() % 4
}
