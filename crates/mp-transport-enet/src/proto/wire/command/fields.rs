//! Bounds-checked big-endian integers, and the fields that several commands share.

use super::{CommandError, Fragment, Terms, ThrottleParameters};

/// A reader of the fields of a command.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes that are not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CommandError> {
        let (&array, rest) = self.0.split_first_chunk().ok_or(CommandError::Truncated)?;
        self.0 = rest;
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, CommandError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, CommandError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, CommandError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn bytes(&mut self, len: u16) -> Result<&'a [u8], CommandError> {
        let (bytes, rest) =
            self.0.split_at_checked(usize::from(len)).ok_or(CommandError::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn terms(&mut self) -> Result<Terms, CommandError> {
        Ok(Terms {
            peer_id: self.u16()?,
            incoming_session: self.u8()?,
            outgoing_session: self.u8()?,
            mtu: self.u32()?,
            window_size: self.u32()?,
            channel_count: self.u32()?,
            incoming_bandwidth: self.u32()?,
            outgoing_bandwidth: self.u32()?,
            throttle: self.throttle()?,
            connect_id: self.array()?,
        })
    }

    pub(super) fn throttle(&mut self) -> Result<ThrottleParameters, CommandError> {
        Ok(ThrottleParameters {
            interval: self.u32()?,
            acceleration: self.u32()?,
            deceleration: self.u32()?,
        })
    }

    pub(super) fn fragment(&mut self) -> Result<Fragment<'a>, CommandError> {
        let (start, len) = (self.u16()?, self.u16()?);
        let (count, number) = (self.u32()?, self.u32()?);
        let (total, offset) = (self.u32()?, self.u32()?);
        Ok(Fragment { start, count, number, total, offset, payload: self.bytes(len)? })
    }
}

/// A writer of the fields of a command.
pub(super) struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Returns the number of bytes written.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    fn array<const N: usize>(&mut self, bytes: [u8; N]) {
        self.out[self.len..self.len + N].copy_from_slice(&bytes);
        self.len += N;
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.array([value]);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.array(value.to_be_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.array(value.to_be_bytes());
    }

    pub(super) fn terms(&mut self, terms: &Terms) {
        self.u16(terms.peer_id);
        self.u8(terms.incoming_session);
        self.u8(terms.outgoing_session);
        self.u32(terms.mtu);
        self.u32(terms.window_size);
        self.u32(terms.channel_count);
        self.u32(terms.incoming_bandwidth);
        self.u32(terms.outgoing_bandwidth);
        self.throttle(&terms.throttle);
        self.array(terms.connect_id);
    }

    pub(super) fn throttle(&mut self, throttle: &ThrottleParameters) {
        self.u32(throttle.interval);
        self.u32(throttle.acceleration);
        self.u32(throttle.deceleration);
    }
}
