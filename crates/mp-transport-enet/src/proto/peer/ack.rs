//! Acknowledgements that wait for the next datagram, on which they ride before everything else.
//! Those of a held link wait until it is let go.

use std::collections::{BTreeMap, VecDeque};

use crate::limits::ACKNOWLEDGEMENTS_MAX;
use crate::proto::command::{Body, Command};
use crate::proto::wire::Datagram;

/// The acknowledgements owed to one peer.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgements {
    due: VecDeque<Acknowledgement>,
    /// Deferred acknowledgements of a held link: the sent time of the newest transmission, by
    /// channel and sequence number.
    deferred: BTreeMap<(u8, u16), u16>,
}

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
        if self.due.len() < ACKNOWLEDGEMENTS_MAX {
            self.due.push_back(Acknowledgement { channel, sequence, sent_time });
        }
    }

    /// Owes one that must not be sent before [`resume`](Self::resume). The same bound holds.
    pub(crate) fn defer(&mut self, channel: u8, sequence: u16, sent_time: u16) {
        let key = (channel, sequence);
        if self.deferred.len() < ACKNOWLEDGEMENTS_MAX || self.deferred.contains_key(&key) {
            self.deferred.insert(key, sent_time);
        }
    }

    /// Returns whether one is deferred.
    pub(crate) fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// Owes those now that were deferred. Returns how many they are.
    pub(crate) fn resume(&mut self) -> usize {
        let deferred = std::mem::take(&mut self.deferred);
        let count = deferred.len();
        for ((channel, sequence), sent_time) in deferred {
            self.push(channel, sequence, sent_time);
        }
        count
    }

    /// Puts as many as have room into `datagram`.
    pub(crate) fn pack(&mut self, datagram: &mut Datagram<'_>) {
        while let Some(&Acknowledgement { channel, sequence, sent_time }) = self.due.front() {
            let body = Body::Acknowledge { sequence, sent_time };
            let command = Command { flags: 0, channel, sequence, body };
            if !datagram.has_room(&command, command.fixed_len()) {
                return;
            }
            datagram.push(&command);
            self.due.pop_front();
        }
        if self.due.capacity() > KEPT {
            self.due.shrink_to(KEPT);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.due.clear();
        self.deferred.clear();
    }
}

/// Room that an idle peer keeps: one datagram of acknowledgements.
const KEPT: usize = 32;
