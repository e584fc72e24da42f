//! A datagram being packed into a caller's buffer.

use super::command::Command;
use super::header::Header;
use super::payload::Payload;
use super::{COMMANDS_MAX, Millis};

/// A datagram being packed. The header counts as four bytes until it is known that two are enough.
pub(crate) struct Datagram<'a> {
    out: &'a mut [u8],
    len: usize,
    commands: usize,
    is_timed: bool,
}

impl<'a> Datagram<'a> {
    /// An empty datagram that may fill `out`.
    pub(crate) const fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: Header::LEN_MAX, commands: 0, is_timed: false }
    }

    /// Whether a command of `len` bytes has room.
    pub(crate) const fn has_room(&self, len: usize) -> bool {
        self.commands < COMMANDS_MAX && self.len + len <= self.out.len()
    }

    /// Adds a command that [has room](Self::has_room).
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

    /// Writes the header; the time is in it when a command wants an acknowledgement. The length of the datagram, 0 when
    /// there is no command.
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
