//! Bounds-checked big-endian primitives, and the parts that several commands share.

use super::command::{CommandError, Fragment, Terms, ThrottleParameters};

/// Reads what a command has from the front of its bytes.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], CommandError> {
        let (&array, rest) = self.0.split_first_chunk().ok_or(CommandError::Truncated)?;
        self.0 = rest;
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, CommandError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, CommandError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, CommandError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn bytes(&mut self, len: u16) -> Result<&'a [u8], CommandError> {
        let (bytes, rest) =
            self.0.split_at_checked(usize::from(len)).ok_or(CommandError::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(crate) fn terms(&mut self) -> Result<Terms, CommandError> {
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

    pub(crate) fn throttle(&mut self) -> Result<ThrottleParameters, CommandError> {
        Ok(ThrottleParameters {
            interval: self.u32()?,
            acceleration: self.u32()?,
            deceleration: self.u32()?,
        })
    }

    pub(crate) fn fragment(&mut self) -> Result<Fragment<'a>, CommandError> {
        let (start, len) = (self.u16()?, self.u16()?);
        let (count, number) = (self.u32()?, self.u32()?);
        let (total, offset) = (self.u32()?, self.u32()?);
        Ok(Fragment { start, count, number, total, offset, payload: self.bytes(len)? })
    }
}

/// Writes the parts of a command to the front of a buffer.
pub(crate) struct Writer<'a> {
    pub(crate) out: &'a mut [u8],
    pub(crate) len: usize,
}

impl Writer<'_> {
    fn array<const N: usize>(&mut self, bytes: [u8; N]) {
        self.out[self.len..self.len + N].copy_from_slice(&bytes);
        self.len += N;
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.array([value]);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.array(value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.array(value.to_be_bytes());
    }

    pub(crate) fn terms(&mut self, terms: &Terms) {
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

    pub(crate) fn throttle(&mut self, throttle: &ThrottleParameters) {
        self.u32(throttle.interval);
        self.u32(throttle.acceleration);
        self.u32(throttle.deceleration);
    }
}
