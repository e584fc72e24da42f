//! The compressed encoding of arguments and properties: as `var_to_bytes`, except for `bool` and
//! `int`, whose first byte contains the type and the size or value.
//!
//! | value | bytes |
//! |---|---|
//! | `false`, `true` | `01`, `81`; bit 6 is ignored |
//! | int −128..=127 | `02`, `i8` |
//! | int of 16 bits | `42`, `i16` |
//! | int of 32 bits | `82`, `i32` |
//! | other int | `c2`, `i64` |
//! | other value | as [`encode_variant`] |
//!
//! Godot 4.6.3 writes the smallest size that fits and reads any. Values in arrays and dictionaries
//! are not compressed. A list is a sequence of values; their count is encoded elsewhere.

use bytes::{BufMut, BytesMut};
use mp_core::{Variant, VariantType};

use super::variant::{Decoder, ELEMENTS_AHEAD, Limits, Objects, VariantError, encode_variant};

/// Appends `value` to `out`.
///
/// # Errors
///
/// As [`encode_variant`]; `out` is unchanged then.
pub fn encode_compressed(
    value: &Variant,
    objects: Objects,
    out: &mut BytesMut,
) -> Result<(), VariantError> {
    match value {
        Variant::Bool(value) => out.put_u8(BOOL | if *value { TRUE } else { 0 }),
        Variant::Int(value) => encode_int(*value, out),
        _ => encode_variant(value, objects, out)?,
    }
    Ok(())
}

/// Appends `values` to `out`, one after the other.
///
/// # Errors
///
/// As [`encode_variant`]; `out` is unchanged then.
pub fn encode_compressed_list<'v>(
    values: impl IntoIterator<Item = &'v Variant>,
    objects: Objects,
    out: &mut BytesMut,
) -> Result<(), VariantError> {
    let start = out.len();
    let result = values.into_iter().try_for_each(|value| encode_compressed(value, objects, out));
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Decodes one value and advances `data` past it. Bytes after the value are ignored.
///
/// # Errors
///
/// If `data` does not begin with a value or `limits` are exceeded. `data` is unchanged then.
pub fn decode_compressed(data: &mut &[u8], limits: &Limits) -> Result<Variant, VariantError> {
    let mut decoder = Decoder::new(data, limits);
    let value = decoder.compressed()?;
    *data = decoder.rest();
    Ok(value)
}

/// Decodes `count` values and advances `data` past them. Bytes after them are ignored. The
/// `allocation` in `limits` applies to all values together.
///
/// # Errors
///
/// If there are fewer values, or `limits` are exceeded. `data` is unchanged then.
pub fn decode_compressed_list(
    data: &mut &[u8],
    count: usize,
    limits: &Limits,
) -> Result<Vec<Variant>, VariantError> {
    let mut decoder = Decoder::new(data, limits);
    let (values, error) = decoder.compressed_list(count);
    if let Some(error) = error {
        return Err(error);
    }
    *data = decoder.rest();
    Ok(values)
}

impl Decoder<'_> {
    /// Decodes one value in the compressed encoding.
    ///
    /// # Errors
    ///
    /// If there is none or the limits are exceeded. The position is unchanged then.
    pub fn compressed(&mut self) -> Result<Variant, VariantError> {
        let Some(&first) = self.rest().first() else {
            return self.u8("a value").map(|_| Variant::Nil);
        };
        match u32::from(first & TYPE_MASK) {
            BOOL_NUMBER => {
                self.u8("a bool")?;
                Ok((first & TRUE != 0).into())
            }
            INT_NUMBER => self.int(first),
            _ => self.variant(),
        }
    }

    /// Decodes up to `count` values in the compressed encoding. Returns the values before the first
    /// invalid one, and the error of that one. Godot 4.6.3 makes a call with these values and null
    /// for the rest; [`decode_compressed_list`] requires all.
    ///
    /// A value may take a single byte, so each of the `count` values is charged 64 bytes of memory
    /// besides its own.
    pub fn compressed_list(&mut self, count: usize) -> (Vec<Variant>, Option<VariantError>) {
        let mut values = Vec::with_capacity(count.min(ELEMENTS_AHEAD));
        for _ in 0..count {
            if let Err(error) = self.charge_element() {
                return (values, Some(error));
            }
            match self.compressed() {
                Ok(value) => values.push(value),
                Err(error) => return (values, Some(error)),
            }
        }
        (values, None)
    }

    fn int(&mut self, first: u8) -> Result<Variant, VariantError> {
        const WHAT: &str = "a compressed int";
        let value = match first & !TYPE_MASK {
            INT_8 => self.number(WHAT).map(|[_, int @ ..]: [u8; 2]| i8::from_le_bytes(int).into()),
            INT_16 => {
                self.number(WHAT).map(|[_, int @ ..]: [u8; 3]| i16::from_le_bytes(int).into())
            }
            INT_32 => {
                self.number(WHAT).map(|[_, int @ ..]: [u8; 5]| i32::from_le_bytes(int).into())
            }
            _int_64 => self.number(WHAT).map(|[_, int @ ..]: [u8; 9]| i64::from_le_bytes(int)),
        };
        value.map(Variant::Int)
    }
}

fn encode_int(value: i64, out: &mut BytesMut) {
    if let Ok(value) = i8::try_from(value) {
        out.put_u8(INT | INT_8);
        out.put_i8(value);
    } else if let Ok(value) = i16::try_from(value) {
        out.put_u8(INT | INT_16);
        out.put_i16_le(value);
    } else if let Ok(value) = i32::try_from(value) {
        out.put_u8(INT | INT_32);
        out.put_i32_le(value);
    } else {
        out.put_u8(INT | INT_64);
        out.put_i64_le(value);
    }
}

/// Bits of the type in the first byte.
const TYPE_MASK: u8 = 0b0011_1111;

const BOOL: u8 = VariantType::Bool as u8;
const BOOL_NUMBER: u32 = VariantType::Bool.number();
const TRUE: u8 = 0b1000_0000;

const INT: u8 = VariantType::Int as u8;
const INT_NUMBER: u32 = VariantType::Int.number();
const INT_8: u8 = 0b0000_0000;
const INT_16: u8 = 0b0100_0000;
const INT_32: u8 = 0b1000_0000;
const INT_64: u8 = 0b1100_0000;
