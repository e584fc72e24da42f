//! Arithmetic coding: each symbol narrows an interval of 32 bits, the range, to its slice.

/// Encoder of slices of the range.
pub(super) struct Encoder<'a> {
    low: u32,
    range: u32,
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Encoder<'a> {
    pub(super) const fn new(out: &'a mut [u8]) -> Self {
        Self { low: 0, range: u32::MAX, out, len: 0 }
    }

    /// Narrows the range to `count` of `total`, from `under` on.
    pub(super) fn put(&mut self, under: u32, count: u32, total: u16) -> Option<()> {
        self.range /= u32::from(total);
        self.low = self.low.wrapping_add(under.wrapping_mul(self.range));
        self.range = self.range.wrapping_mul(count);
        while is_settled(self.low, &mut self.range) {
            self.shift()?;
            self.range <<= 8;
        }
        Some(())
    }

    /// Writes the remaining bytes, except zeros, which a decoder reads after the end.
    pub(super) fn finish(mut self) -> Option<usize> {
        while self.low != 0 {
            self.shift()?;
        }
        Some(self.len)
    }

    fn shift(&mut self) -> Option<()> {
        *self.out.get_mut(self.len)? = (self.low >> 24) as u8;
        self.len += 1;
        self.low <<= 8;
        Some(())
    }
}

/// Decoder of slices of the range.
pub(super) struct Decoder<'a> {
    low: u32,
    range: u32,
    code: u32,
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        let mut decoder = Self { low: 0, range: u32::MAX, code: 0, rest: input };
        for _ in 0..4 {
            decoder.shift();
        }
        decoder
    }

    /// Returns the position of the code within `total`.
    pub(super) fn position(&mut self, total: u16) -> Option<u32> {
        self.range = self.range.checked_div(total.into())?;
        let position = self.code.wrapping_sub(self.low).checked_div(self.range)?;
        (position < u32::from(total)).then_some(position)
    }

    /// Narrows the range, which [`position`](Self::position) has divided, to `count` from `under`
    /// on.
    pub(super) fn consume(&mut self, under: u32, count: u32) -> Option<()> {
        self.low = self.low.wrapping_add(under.wrapping_mul(self.range));
        self.range = self.range.wrapping_mul(count);
        while is_settled(self.low, &mut self.range) {
            self.shift();
            self.low <<= 8;
            self.range <<= 8;
            if self.range == 0 {
                return None;
            }
        }
        Some(())
    }

    fn shift(&mut self) {
        self.code <<= 8;
        if let Some((&first, rest)) = self.rest.split_first() {
            self.code |= u32::from(first);
            self.rest = rest;
        }
    }
}

/// Returns whether the top byte of the range is final. A range that is too small is reduced to make
/// it final.
const fn is_settled(low: u32, range: &mut u32) -> bool {
    if low ^ low.wrapping_add(*range) >= TOP {
        if *range >= BOTTOM {
            return false;
        }
        *range = low.wrapping_neg() & (BOTTOM - 1);
    }
    true
}

const TOP: u32 = 1 << 24;
/// Size of the range above which it can be divided.
pub(super) const BOTTOM: u32 = 1 << 16;
