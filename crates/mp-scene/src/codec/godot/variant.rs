//! The encoding of values: Godot's `var_to_bytes` and `bytes_to_var`.
//!
//! A value consists of a header of 4 bytes and a payload, both little-endian. Its size is a
//! multiple of 4. Bits 0 to 7 of the header are the [type](mp_core::VariantType), bits 16 and up
//! are flags, the other bits are ignored:
//!
//! | flag | on | meaning |
//! |---|---|---|
//! | bit 16 | int, float | the payload has 8 bytes instead of 4 |
//! | bit 16 | types of `f32` components, except Color | components are `f64`; sent by double-precision builds, narrowed here |
//! | bit 16 | Object | the payload is an id |
//! | bits 16–17 | Array | kind of the element type: 0 none, 1 a builtin type, 2 a class, 3 a script |
//! | bits 16–19 | Dictionary | kinds of the key type and the value type |
//!
//! Arguments and properties use the [compressed](super::compressed) encoding. Encoded values are
//! byte for byte those of Godot 4.6.3, and all values that it accepts are decoded, within
//! [`Limits`].

mod decode;
mod encode;
mod error;

pub(in crate::codec::godot) use decode::ELEMENTS_AHEAD;
pub use decode::{Decoder, Limits};
pub use encode::{Objects, encode_variant};
pub(crate) use encode::{encode_basis, encode_components, encode_projection, encode_transform_3d};
pub use error::VariantError;

use bytes::BytesMut;
use mp_core::Variant;

/// Decodes one value and advances `data` past it. Bytes after the value are ignored.
///
/// # Errors
///
/// If `data` does not begin with a value or `limits` are exceeded. `data` is unchanged then.
pub fn decode_variant(data: &mut &[u8], limits: &Limits) -> Result<Variant, VariantError> {
    let mut decoder = Decoder::new(data, limits);
    let value = decoder.variant()?;
    *data = decoder.rest();
    Ok(value)
}

/// Encodes a value as Godot's function of that name; objects as their ids.
///
/// ```
/// use mp_core::{Variant, array};
/// use mp_scene::codec::{bytes_to_var, var_to_bytes};
///
/// let bytes = var_to_bytes(&array![1, "two"].into())?;
/// assert_eq!(bytes_to_var(&bytes)?, Variant::from(array![1, "two"]));
/// # Ok::<(), mp_scene::codec::godot::VariantError>(())
/// ```
///
/// # Errors
///
/// As [`encode_variant`].
pub fn var_to_bytes(value: &Variant) -> Result<Vec<u8>, VariantError> {
    let mut out = BytesMut::new();
    encode_variant(value, Objects::Ids, &mut out)?;
    Ok(out.into())
}

/// Decodes a value as Godot's function of that name, with the default [`Limits`]. Bytes after the
/// value are ignored.
///
/// # Errors
///
/// As [`decode_variant`].
pub fn bytes_to_var(mut bytes: &[u8]) -> Result<Variant, VariantError> {
    decode_variant(&mut bytes, &Limits::default())
}

/// Maximum nesting depth of values in both directions, as in Godot 4.6.3: 1024 arrays around an int
/// are accepted, 1025 refused.
pub const DEPTH_MAX: usize = 1024;

/// Flag bit 16: 64-bit number, or object id.
const FLAG_WIDE: u32 = 1 << 16;

/// Position of the kind of a (first) element type.
const KIND_SHIFT: u32 = 16;

/// Number of bits of a kind.
const KIND_BITS: u32 = 2;

/// Kinds of element types.
const KIND_ANY: u32 = 0;
const KIND_BUILTIN: u32 = 1;
const KIND_CLASS: u32 = 2;
const KIND_SCRIPT: u32 = 3;

/// Marks a NodePath in the current encoding; always set.
const PATH_NEW_FORM: u32 = 1 << 31;

/// Flags of a NodePath.
const PATH_ABSOLUTE: u32 = 1;
const PATH_OBSOLETE: u32 = 2;

/// Mask for counts of arrays and dictionaries: bit 31 is ignored.
const COUNT_MASK: u32 = !(1 << 31);

/// Required prefix of script paths.
const SCRIPT_PATH_PREFIX: &str = "res://";

/// Returns the number of bytes that pad `len` to a multiple of 4.
const fn padding(len: usize) -> usize {
    len.wrapping_neg() % 4
}
