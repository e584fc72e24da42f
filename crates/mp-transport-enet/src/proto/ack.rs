//! Acknowledgements that wait for the next datagram, on which they ride before everything else.

use std::collections::VecDeque;

use super::command::{Body, Command};
use super::datagram::Datagram;
use crate::limits::ACKNOWLEDGEMENTS_MAX;

/// The acknowledgements owed to one peer.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgements(VecDeque<Acknowledgement>);

#[derive(Clone, Copy, Debug)]
struct Acknowledgement {
    channel: u8,
    sequence: u16,
    sent_time: u16,
}

impl Acknowledgements {
    /// Owes one for a command that came in a datagram of `sent_time`. Beyond the bound it is forgotten: the command will
    /// come again.
    pub(crate) fn push(&mut self, channel: u8, sequence: u16, sent_time: u16) {
        if self.0.len() < ACKNOWLEDGEMENTS_MAX {
            self.0.push_back(Acknowledgement { channel, sequence, sent_time });
        }
    }

    /// Puts as many as have room into `datagram`.
    pub(crate) fn pack(&mut self, datagram: &mut Datagram<'_>) {
        while let Some(&Acknowledgement { channel, sequence, sent_time }) = self.0.front() {
            let body = Body::Acknowledge { sequence, sent_time };
            let command = Command { flags: 0, channel, sequence, body };
            if !datagram.has_room(&command, command.fixed_len()) {
                return;
            }
            datagram.push(&command);
            self.0.pop_front();
        }
        if self.0.capacity() > KEPT {
            self.0.shrink_to(KEPT);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Room that an idle peer keeps: one datagram of acknowledgements.
const KEPT: usize = 32;
