//! A datagram being packed into a caller's buffer.
//!
//! Two limits hold: with a header of four bytes, as ENet counts, it fits the mtu; with the header it really gets, it is no
//! longer than the datagrams before it in the same buffer.

use super::command::Command;
use super::header::Header;
use super::payload::Payload;
use crate::proto::{COMMANDS_MAX, Millis};

/// A datagram being packed.
pub(crate) struct Datagram<'a> {
    out: &'a mut [u8],
    /// Bytes in `out`, behind the room for a header of four.
    len: usize,
    mtu: usize,
    len_max: usize,
    commands: usize,
    is_timed: bool,
}

impl<'a> Datagram<'a> {
    /// An empty datagram of at most `len_max` bytes. It needs [`SPARE`] more while it is being packed.
    pub(crate) fn new(out: &'a mut [u8], mtu: u16, len_max: usize) -> Self {
        let mtu = usize::from(mtu).min(out.len());
        Self { out, len: Header::LEN_MAX, mtu, len_max, commands: 0, is_timed: false }
    }

    /// Whether a command of `len` bytes in all has room.
    pub(crate) const fn has_room(&self, command: &Command<'_>, len: usize) -> bool {
        let is_timed = self.is_timed || command.wants_acknowledgement();
        let unused = if is_timed { 0 } else { SPARE };
        let total = self.len + len;
        self.commands < COMMANDS_MAX && total <= self.mtu && total - unused <= self.len_max
    }

    /// How many commands there are.
    pub(crate) const fn commands(&self) -> usize {
        self.commands
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

/// How much longer a datagram may be while it is being packed than when it is finished: the bytes of the time.
pub(crate) const SPARE: usize = 2;
