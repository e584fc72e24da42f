//! Packing of a datagram into a buffer of the caller.
//!
//! Two limits apply. With a header of four bytes, as ENet counts, the datagram fits the MTU. With
//! its actual header, it is no longer than the datagrams before it in the same buffer.

use super::command::Command;
use super::header::Header;
use super::payload::Payload;
use crate::proto::{COMMANDS_MAX, Millis};

/// A datagram that is being packed.
pub(crate) struct Datagram<'a> {
    out: &'a mut [u8],
    /// Bytes used in `out`, including four for the header.
    len: usize,
    mtu: usize,
    len_max: usize,
    commands: usize,
    is_timed: bool,
}

impl<'a> Datagram<'a> {
    /// Returns an empty datagram of at most `len_max` bytes. `out` must have [`SPARE`] bytes more.
    pub(crate) fn new(out: &'a mut [u8], mtu: u16, len_max: usize) -> Self {
        let mtu = usize::from(mtu).min(out.len());
        Self { out, len: Header::LEN_MAX, mtu, len_max, commands: 0, is_timed: false }
    }

    /// Returns whether a command of `len` bytes, including its payload, fits.
    pub(crate) const fn has_room(&self, command: &Command<'_>, len: usize) -> bool {
        let is_timed = self.is_timed || command.wants_acknowledgement();
        let unused = if is_timed { 0 } else { SPARE };
        let total = self.len + len;
        self.commands < COMMANDS_MAX && total <= self.mtu && total - unused <= self.len_max
    }

    /// Returns the number of commands.
    pub(crate) const fn commands(&self) -> usize {
        self.commands
    }

    /// Adds a command that [fits](Self::has_room).
    pub(crate) fn push(&mut self, command: &Command<'_>) {
        self.len += command.emit(&mut self.out[self.len..]);
        self.count(command);
    }

    /// Adds a command with `len` bytes of `payload` from `offset`.
    pub(crate) fn push_data(
        &mut self,
        command: &Command<'_>,
        payload: &Payload,
        offset: usize,
        len: usize,
    ) {
        self.len += command.emit_fixed(&mut self.out[self.len..], len as u16);
        payload.copy_to(offset, &mut self.out[self.len..self.len + len]);
        self.len += len;
        self.count(command);
    }

    /// Writes the header, with the time if a command requests an acknowledgement. Returns the
    /// length of the datagram, 0 if it has no command.
    pub(crate) fn finish(self, now: Millis, peer_id: u16, session: u8) -> usize {
        if self.commands == 0 {
            return 0;
        }
        let sent_time = self.is_timed.then_some(now as u16);
        let header = Header { peer_id, session, compressed: false, sent_time };
        let header_len = header.emit(self.out);
        let unused = Header::LEN_MAX - header_len;
        if unused > 0 {
            self.out.copy_within(Header::LEN_MAX..self.len, header_len);
        }
        self.len - unused
    }

    const fn count(&mut self, command: &Command<'_>) {
        self.commands += 1;
        self.is_timed |= command.wants_acknowledgement();
    }
}

/// Number of bytes by which a datagram may shrink when it is finished: the sent time.
pub(crate) const SPARE: usize = 2;
