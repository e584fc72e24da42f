//! Texts, numbers and counts, within the bytes and the memory that are left.

use super::{BYTE_ORDER_MARK, Decoder, ELEMENT_COST, TEXT_COST};
use crate::codec::godot::variant::{VariantError, padding};

impl<'a> Decoder<'a> {
    /// Decodes a text: its length, UTF-8 that may end early with a NUL, and padding.
    pub(super) fn text(&mut self) -> Result<&'a str, VariantError> {
        let len = self.u32("the length of a text")?;
        let at = self.at;
        let left = self.rest().len();
        let needed = u64::from(len).next_multiple_of(4);
        // A negative length exceeds the packet too.
        if needed > left as u64 {
            return Err(VariantError::ShortText { at, needed, left });
        }
        let len = len as usize;
        self.charge(TEXT_COST + len)?;
        let bytes = &self.take("a text", len + padding(len))?[..len];
        // Godot writes a byte order mark, and removes it when it decodes.
        let (bytes, at) = match bytes.strip_prefix(BYTE_ORDER_MARK) {
            Some(bytes) => (bytes, at + BYTE_ORDER_MARK.len()),
            None => (bytes, at),
        };
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let text = std::str::from_utf8(&bytes[..end]);
        text.map_err(|error| VariantError::Utf8 { at: at + error.valid_up_to() })
    }

    pub(in crate::codec::godot) fn u8(
        &mut self,
        expected: &'static str,
    ) -> Result<u8, VariantError> {
        self.number(expected).map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self, expected: &'static str) -> Result<u32, VariantError> {
        self.number(expected).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, expected: &'static str) -> Result<u64, VariantError> {
        self.number(expected).map(u64::from_le_bytes)
    }

    /// Removes and returns the bytes of a number.
    pub(in crate::codec::godot) fn number<const N: usize>(
        &mut self,
        expected: &'static str,
    ) -> Result<[u8; N], VariantError> {
        let Some(&bytes) = self.rest().first_chunk() else {
            let (at, left) = (self.at, self.rest().len());
            return Err(VariantError::Short { at, expected, needed: N as u64, left });
        };
        self.at += N;
        Ok(bytes)
    }

    pub(super) fn take(
        &mut self,
        expected: &'static str,
        len: usize,
    ) -> Result<&'a [u8], VariantError> {
        self.fits(expected, len as u64, 1)?;
        let bytes = &self.rest()[..len];
        self.at += len;
        Ok(bytes)
    }

    pub(super) fn packed_count(
        &mut self,
        expected: &'static str,
        size: usize,
    ) -> Result<usize, VariantError> {
        let count = self.u32("a count")?;
        // Godot uses 31 bits here; larger counts do not fit into a packet anyway.
        self.fits(expected, count.into(), size)
    }

    /// Checks that `count` items of at least `size` bytes fit into the remaining bytes.
    pub(super) fn fits(
        &self,
        expected: &'static str,
        count: u64,
        size: usize,
    ) -> Result<usize, VariantError> {
        let left = self.rest().len();
        let needed = count.saturating_mul(size as u64);
        if needed > left as u64 {
            return Err(VariantError::Short { at: self.at, expected, needed, left });
        }
        Ok(count as usize)
    }

    /// Charges the memory of one more element of a list.
    pub(in crate::codec::godot) fn charge_element(&mut self) -> Result<(), VariantError> {
        self.charge(ELEMENT_COST)
    }

    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), VariantError> {
        self.allocated = self.allocated.saturating_add(bytes);
        if self.allocated > self.limits.allocation {
            return Err(VariantError::TooLarge { at: self.at, limit: self.limits.allocation });
        }
        Ok(())
    }
}
